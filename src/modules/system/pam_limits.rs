//! `pam_limits`: limits that PAM sets at login.

use std::path::PathBuf;

use serde_json::{Map, Value};

use super::text_file::TextFile;
use crate::change::{ResourceId, ResourceState};
use crate::claims::Claims;
use crate::host::{Attributes, Host, Inspect};
use crate::outcome::Failure;
use crate::resource::{self, Resource, Step, Written};
use crate::{args, choice};

choice! {
    /// Which limit.
    pub enum Kind {
        /// The one that cannot be raised.
        Hard = "hard",
        /// The one that applies.
        Soft = "soft",
        /// Both.
        Both = "-",
    }
}

choice! {
    /// What is limited.
    pub enum Item {
        /// Size of core files.
        Core = "core",
        /// Size of data.
        Data = "data",
        /// Size of files.
        Fsize = "fsize",
        /// Locked memory.
        Memlock = "memlock",
        /// Open files.
        Nofile = "nofile",
        /// Resident memory.
        Rss = "rss",
        /// Stack.
        Stack = "stack",
        /// Processor time.
        Cpu = "cpu",
        /// Processes.
        Nproc = "nproc",
        /// Address space.
        As = "as",
        /// Logins of one user.
        Maxlogins = "maxlogins",
        /// Logins.
        Maxsyslogins = "maxsyslogins",
        /// Priority.
        Priority = "priority",
        /// Locks of files.
        Locks = "locks",
        /// Waiting signals.
        Sigpending = "sigpending",
        /// Message queues.
        Msgqueue = "msgqueue",
        /// Nice value.
        Nice = "nice",
        /// Real-time priority.
        Rtprio = "rtprio",
        /// Root directory.
        Chroot = "chroot",
    }
}

args! {
    /// Manages limits in `/etc/security/limits.conf` or another file.
    pub struct Args {
        /// User, `@group`, `*` or a range of numbers.
        domain: String,
        /// Which limit.
        limit_type: Kind,
        /// What is limited.
        limit_item: Item,
        /// The limit; `unlimited`, `infinity` or -1 for none.
        value: String,
        /// Whether a greater value in the file stays.
        use_max: bool = false,
        /// Whether a smaller value in the file stays.
        use_min: bool = false,
        /// The file.
        dest: PathBuf = "/etc/security/limits.conf".into(),
        /// Comment at the end of the line.
        comment: String = String::new(),
        /// Whether a copy of the old file is kept.
        backup: bool = false,
    }
}

/// Examples; each is a test.
pub const EXAMPLES: &str = "
- name: Open files of one user
  pam_limits:
    domain: joe
    limit_type: soft
    limit_item: nofile
    value: '64000'
- name: At least so many, in a file of its own
  pam_limits:
    domain: '@app'
    limit_type: '-'
    limit_item: memlock
    value: unlimited
    use_max: true
    dest: /etc/security/limits.d/app.conf
    comment: the database locks its cache
";

/// The module.
pub struct PamLimits;

/// The file, and what it says in the end.
#[derive(Debug, Clone)]
pub struct State {
    file: TextFile,
}

impl resource::State for State {
    fn resources(&self) -> Vec<ResourceState> {
        vec![self.file.resource()]
    }
}

/// A limit as a number; `None` = unlimited.
fn number(value: &str) -> Result<Option<i64>, Failure> {
    if ["unlimited", "infinity", "-1"].contains(&value) {
        return Ok(None);
    }
    value.parse().map(Some).map_err(|_| Failure::new(format!("`{value}` is not a limit")))
}

fn check(args: &Args) -> Result<(), Failure> {
    let reference = "Refer to the limits.conf(5) manual pages for more details.";
    let (value, item) = (&args.value, args.limit_item.word());
    if matches!(args.limit_item, Item::Nice | Item::Priority) {
        let fits = value.parse::<i64>().is_ok_and(|number| (-20..=19).contains(&number));
        return fits.then_some(()).ok_or_else(|| {
            Failure::new(format!(
                "Value of '{value}' for item '{item}' is invalid. Value must be a number in the range -20 to 19 inclusive. {reference}"
            ))
        });
    }
    if !number(value).is_ok_and(|number| number.is_none_or(|number| number >= 0)) && args.limit_item != Item::Chroot {
        return Err(Failure::new(format!(
            "Value of '{value}' for item '{item}' is invalid. Value must either be 'unlimited', 'infinity' or -1, all of which \
             indicate no limit, or a limit of 0 or larger. {reference}"
        )));
    }
    if args.use_max && args.use_min {
        return Err(Failure::new("Cannot use use_min and use_max at the same time."));
    }
    let bad = |text: &str| text.is_empty() || text.contains(char::is_whitespace) || text.starts_with('#');
    if bad(&args.domain) || bad(value) || args.comment.contains('\n') {
        return Err(Failure::new("domain and value must each be one word, and the comment one line"));
    }
    Ok(())
}

/// Of two values the one that is kept.
fn kept<'a>(args: &'a Args, old: &'a str) -> Result<&'a str, Failure> {
    if !args.use_max && !args.use_min {
        return Ok(&args.value);
    }
    // Unlimited is more than any number.
    let rank = |value: &str| number(value).map(|number| number.unwrap_or(i64::MAX));
    let (before, after) = (rank(old)?, rank(&args.value)?);
    Ok(if (args.use_max && after > before) || (args.use_min && after < before) { &args.value } else { old })
}

/// The file's text with the limit, and the line that sets it.
fn edit(text: &str, args: &Args) -> Result<(String, String), Failure> {
    let line = |value: &str, comment: &str| {
        let comment = if comment.is_empty() { String::new() } else { format!("\t#{comment}") };
        format!("{}\t{}\t{}\t{value}{comment}", args.domain, args.limit_type.word(), args.limit_item.word())
    };
    let mut lines = Vec::new();
    let mut said = None;
    for old in text.lines() {
        let (rule, comment) = old.split_once('#').unwrap_or((old, ""));
        let words: Vec<&str> = rule.split_whitespace().collect();
        let new = match words.as_slice() {
            [domain, kind, item, value]
                if [*domain, *kind, *item] == [args.domain.as_str(), args.limit_type.word(), args.limit_item.word()] =>
            {
                let wanted = kept(args, value)?;
                let comment = if args.comment.is_empty() { comment } else { &args.comment };
                let new = if wanted == *value { old.to_owned() } else { line(wanted, comment) };
                said = Some(new.clone());
                new
            }
            _ => old.to_owned(),
        };
        lines.push(new);
    }
    let said = said.unwrap_or_else(|| {
        lines.push(line(&args.value, &args.comment));
        line(&args.value, &args.comment)
    });
    Ok((lines.iter().fold(String::new(), |all, line| all + line + "\n"), said))
}

impl Resource for PamLimits {
    type Args = Args;
    type State = State;

    fn read(args: &Args, host: &dyn Inspect) -> Result<State, Failure> {
        Ok(State { file: TextFile::read(&args.dest, host)? })
    }

    fn want(args: &Args, now: &State) -> Result<State, Failure> {
        check(args)?;
        let (text, _) = edit(now.file.text.as_deref().unwrap_or_default(), args)?;
        Ok(State { file: now.file.with(text) })
    }

    fn write(args: &Args, step: &Step<'_, State>, host: &mut dyn Host) -> Result<Written, Failure> {
        let mut written = Written::quiet();
        let new = step.now.file.text.is_none();
        if args.backup && !new {
            written = written.with("backup_file", step.now.file.backup(host)?.display().to_string());
        }
        step.want.file.write(Attributes { mode: new.then_some(0o644), ..Attributes::default() }, host)?;
        Ok(written)
    }

    fn result(args: &Args, _: &State, after: &State) -> Map<String, Value> {
        let said = edit(after.file.text.as_deref().unwrap_or_default(), args).map(|(_, said)| said + "\n");
        Map::from_iter([("msg".to_owned(), said.unwrap_or_default().into())])
    }

    fn claims(args: &Args) -> Claims {
        let file = ResourceId::new("file", args.dest.display().to_string());
        let parent = args.dest.parent().map(|parent| ResourceId::new("file", parent.display().to_string()));
        Claims::provides([file]).needing(parent)
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::args::Arguments as _;

    #[test]
    fn a_limit_is_set_in_its_line() {
        let text = "# c\n*\tsoft  core 0\n@a - nofile 100 # why\n# End of file\n";
        for (domain, kind, item, value, more, expected) in [
            ("joe", "soft", "nofile", "9", json!({"comment": "x"}), format!("{text}joe\tsoft\tnofile\t9\t#x\n")),
            ("@a", "-", "nofile", "50", json!({"use_max": true}), text.to_owned()),
            (
                "@a",
                "-",
                "nofile",
                "150",
                json!({"use_max": true}),
                text.replace("@a - nofile 100 # why", "@a\t-\tnofile\t150\t# why"),
            ),
            ("@a", "-", "nofile", "unlimited", json!({"use_min": true}), text.to_owned()),
            ("*", "soft", "core", "0", json!({"comment": "new"}), text.to_owned()),
        ] {
            let mut options = json!({"domain": domain, "limit_type": kind, "limit_item": item, "value": value});
            options.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
            let args = Args::parse(options.as_object().unwrap()).unwrap();
            assert_eq!(check(&args), Ok(()));
            assert_eq!(edit(text, &args).unwrap().0, expected, "{options}");
        }
    }

    #[test]
    fn limits_that_cannot_be_are_refused() {
        for (item, value) in [("nice", "-21"), ("nofile", "-2"), ("nofile", "many"), ("nofile", "1\nroot")] {
            let options = json!({"domain": "*", "limit_type": "soft", "limit_item": item, "value": value});
            assert!(check(&Args::parse(options.as_object().unwrap()).unwrap()).is_err(), "{item} {value}");
        }
    }
}
