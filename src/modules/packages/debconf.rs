//! `debconf`: answers to questions that Debian packages ask when they are configured.

use std::collections::BTreeMap;
use std::path::Path;

use serde_json::{Map, Value, json};

use super::work;
use crate::change::{ResourceId, ResourceState};
use crate::claims::Claims;
use crate::host::{CommandLine, Effect, Host, Inspect, Thing};
use crate::outcome::Failure;
use crate::resource::{self, Resource, Step, Written};
use crate::{args, choice};

choice! {
    /// The type of a question.
    pub enum Kind {
        /// `true` or `false`.
        Boolean = "boolean",
        /// An error that is shown.
        Error = "error",
        /// Several of a list, separated by commas.
        Multiselect = "multiselect",
        /// A note that is shown.
        Note = "note",
        /// A password: never shown.
        Password = "password",
        /// Whether the question counts as asked.
        Seen = "seen",
        /// One of a list.
        Select = "select",
        /// A line of text.
        Line = "string",
        /// Text that is shown.
        Text = "text",
        /// A title.
        Title = "title",
    }
}

args! {
    /// Answers a question of a package before it is installed or configured again. A package that is
    /// installed already has to be configured again (`dpkg-reconfigure`) to take the answer.
    ///
    /// Without `question` nothing is changed, and the answers that are known are returned.
    pub struct Args {
        /// Name of the package.
        name ("pkg"): String,
        /// Name of the question, e.g. `tzdata/Areas`.
        question ("selection", "setting"): Option<String>,
        /// Type of the question.
        vtype: Option<Kind>,
        /// The answer.
        value ("answer"): Option<Value>,
        /// Whether the question still counts as not asked.
        unseen: bool = false,
    }
}

/// Examples; each is a test.
pub const EXAMPLES: &str = "
- name: An answer
  debconf:
    name: tzdata
    question: tzdata/Areas
    vtype: select
    value: Europe
- name: A password
  debconf:
    name: app
    question: app/admin-password
    vtype: password
    value: s3cret
- name: What is known
  debconf:
    name: tzdata
  register: answers
";

/// The module.
pub struct Debconf;

/// The answers that are known, and the one in question.
#[derive(Debug, Clone)]
pub struct State {
    answers: BTreeMap<String, String>,
    question: Option<String>,
    value: Option<String>,
    secret: bool,
}

impl resource::State for State {
    fn resources(&self) -> Vec<ResourceState> {
        let Some(question) = &self.question else { return Vec::new() };
        let id = ResourceId::new("debconf", question);
        vec![match &self.value {
            None => ResourceState::absent(id),
            Some(value) if self.secret => ResourceState::present(id).with_secret("value", value.clone()),
            Some(value) => ResourceState::present(id).with("value", value.clone()),
        }]
    }
}

/// What a plan remembers of a question.
fn id(args: &Args, question: &str) -> ResourceId {
    ResourceId::new("debconf", format!("{} {question}", args.name))
}

/// `* question: answer` lines.
fn parse(text: &str) -> BTreeMap<String, String> {
    text.lines()
        .filter_map(|line| line.trim_start_matches(['*', ' ']).split_once(':'))
        .map(|(question, answer)| (question.trim().to_owned(), answer.trim().to_owned()))
        .collect()
}

/// The answer to a question in debconf's own file of passwords.
fn password(question: &str, host: &dyn Inspect) -> Option<String> {
    let bytes = host.read(Path::new("/var/cache/debconf/passwords.dat"), 16 << 20).ok()?;
    let text = String::from_utf8_lossy(&bytes).into_owned();
    let field =
        |stanza: &str, name: &str| stanza.lines().find_map(|line| line.strip_prefix(name)?.strip_prefix(": ")).map(str::to_owned);
    text.split("\n\n").find(|stanza| field(stanza, "Name").as_deref() == Some(question)).and_then(|stanza| field(stanza, "Value"))
}

/// The answer as debconf stores it.
fn answer(args: &Args) -> Result<String, Failure> {
    let value = match args.value.as_ref().expect("an answer was required before") {
        Value::Bool(is) if args.vtype == Some(Kind::Boolean) => is.to_string(),
        Value::Bool(true) => "True".into(),
        Value::Bool(false) => "False".into(),
        Value::String(text) => text.clone(),
        Value::Array(items) => {
            let words: Vec<String> =
                items.iter().map(|item| item.as_str().map_or_else(|| item.to_string(), str::to_owned)).collect();
            words.join(", ")
        }
        other => other.to_string(),
    };
    if value.contains('\n') {
        return Err(Failure::new("an answer is one line"));
    }
    let lower = matches!(args.vtype, Some(Kind::Boolean)) && ["true", "false"].contains(&value.to_lowercase().as_str());
    Ok(if lower { value.to_lowercase() } else { value })
}

impl Resource for Debconf {
    type Args = Args;
    type State = State;

    fn read(args: &Args, host: &dyn Inspect) -> Result<State, Failure> {
        work::names(std::slice::from_ref(&args.name))?;
        if args.question.is_some() && (args.vtype.is_none() || args.value.is_none()) {
            return Err(Failure::new("when supplying a question you must supply a valid vtype and value"));
        }
        let line = CommandLine::new(["debconf-show", &args.name]);
        // A host that is only planned to get debconf has no answers yet.
        let mut answers = match work::text(&line, "debconf", host) {
            Ok(text) => parse(&text),
            Err(_) if !host.acts() || host.stat(Path::new("/usr/bin/debconf-show"))?.is_none() => BTreeMap::new(),
            Err(failure) => return Err(failure),
        };
        let secret = args.vtype == Some(Kind::Password);
        if let Some(question) = args.question.as_ref().filter(|_| secret) {
            answers.remove(question);
            answers.extend(password(question, host).map(|password| (question.clone(), password)));
        }
        if let Some(question) = &args.question
            && let Some(Thing::There(value)) = host.thing(&id(args, question))
        {
            answers.insert(question.clone(), value);
        }
        let value = args.question.as_ref().and_then(|question| answers.get(question).cloned());
        Ok(State { answers, question: args.question.clone(), value, secret })
    }

    fn want(args: &Args, now: &State) -> Result<State, Failure> {
        if now.question.is_none() {
            return Ok(now.clone());
        }
        let mut value = answer(args)?;
        if let Some(current) = now.value.as_ref().filter(|_| args.vtype == Some(Kind::Multiselect)) {
            let sorted = |list: &str| {
                let mut words: Vec<String> = list.split(',').map(|word| word.trim().to_owned()).collect();
                words.sort();
                words
            };
            if sorted(current) == sorted(&value) {
                value.clone_from(current);
            }
        }
        Ok(State { value: Some(value), ..now.clone() })
    }

    fn write(args: &Args, step: &Step<'_, State>, host: &mut dyn Host) -> Result<Written, Failure> {
        let (Some(question), Some(value), Some(vtype)) = (&step.want.question, &step.want.value, args.vtype) else {
            return Ok(Written::quiet());
        };
        let mut line = CommandLine::new(["debconf-set-selections"]).env("LC_ALL", "C");
        line.argv.extend(args.unseen.then(|| "-u".to_owned()));
        // Through standard input: an answer may be a password.
        let line = line.input(format!("{} {question} {} {value}\n", args.name, vtype.word()));
        let effect = Effect::Thing(id(args, question), Thing::There(value.clone()));
        let output = host.act(&line, &[effect])?;
        if output.rc != 0 {
            let said = output.error_text().replace(value, if step.want.secret { "(secret)" } else { value });
            return Err(Failure::new(format!("debconf does not take the answer to `{question}`: {}", said.trim())));
        }
        let field = |value: &Option<String>| {
            let shown = if step.want.secret { None } else { value.clone() };
            json!({question: shown.unwrap_or_default()})
        };
        Ok(Written::quiet().with("current", field(&step.want.value)).with("previous", field(&step.now.value)))
    }

    fn result(_: &Args, _: &State, after: &State) -> Map<String, Value> {
        let hidden = after.question.as_ref().filter(|_| after.secret);
        let shown: Map<String, Value> = after
            .answers
            .iter()
            .map(|(question, value)| {
                let value = if hidden == Some(question) { "(password omitted)" } else { value };
                (question.clone(), value.into())
            })
            .collect();
        Map::from_iter([("msg".to_owned(), "".into()), ("current".to_owned(), shown.into())])
    }

    fn claims(args: &Args) -> Claims {
        Claims::provides([ResourceId::new("package", &args.name), ResourceId::new("debconf", &args.name)])
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::args::Arguments;
    use crate::host::memory::MemoryHost;
    use crate::resource::converge;

    fn args(value: &Value) -> Args {
        Args::parse(value.as_object().unwrap()).unwrap()
    }

    #[test]
    fn answers_are_read() {
        let answers = parse("* tzdata/Areas: Etc\n  tzdata/Zones/Asia:\n  app/url: http://x:80/\n");
        assert_eq!(answers["tzdata/Areas"], "Etc");
        assert_eq!((answers["tzdata/Zones/Asia"].as_str(), answers["app/url"].as_str()), ("", "http://x:80/"));
    }

    #[test]
    fn answers_are_written_as_debconf_stores_them() {
        for (vtype, value, stored) in [
            ("boolean", json!(true), "true"),
            ("boolean", json!("False"), "false"),
            ("string", json!(25), "25"),
            ("multiselect", json!(["a", "b"]), "a, b"),
        ] {
            let args = args(&json!({"name": "x", "question": "x/y", "vtype": vtype, "value": value}));
            assert_eq!(answer(&args).unwrap(), stored);
        }
    }

    #[test]
    fn the_order_of_a_multiselect_does_not_matter() {
        let mut host = MemoryHost::default();
        host.answer(&["debconf-show", "x"], 0, "* x/y: b, a\n");
        let outcome = converge::<Debconf>(
            &args(&json!({"name": "x", "question": "x/y", "vtype": "multiselect", "value": "a, b"})),
            &mut host,
        );
        assert_eq!(outcome.unwrap().changes, []);
    }

    #[test]
    fn passwords_are_neither_argued_nor_shown() {
        let mut host = MemoryHost::default();
        host.add_file("/var/cache/debconf/passwords.dat", "Name: x/p\nTemplate: x/p\nValue: old\n\n");
        host.answer(&["debconf-show", "x"], 0, "* x/p: (password omitted)\n");
        let args = args(&json!({"name": "x", "question": "x/p", "vtype": "password", "value": "n3w"}));
        let outcome = converge::<Debconf>(&args, &mut host).unwrap();
        assert!(!format!("{outcome:?}").contains("n3w") && !format!("{outcome:?}").contains("old"));
        assert_eq!(host.ran[0].argv, ["debconf-set-selections"]);
        assert_eq!(host.ran[0].stdin.as_deref(), Some(&b"x x/p password n3w\n"[..]));
    }
}
