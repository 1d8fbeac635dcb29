//! `locale_gen`: locales that Debian's `locale-gen` makes.

use std::path::Path;

use serde_json::{Map, Value};

use super::text_file::TextFile;
use super::tool::Tool;
use crate::accounts::group::Presence;
use crate::args;
use crate::change::{ResourceId, ResourceState};
use crate::claims::Claims;
use crate::host::{Attributes, Effect, Host, Inspect, Thing};
use crate::outcome::Failure;
use crate::resource::{self, Resource, Step, Written};

args! {
    /// Manages the locales of `/etc/locale.gen` and makes them, on Debian and its kin.
    pub struct Args {
        /// Names, e.g. `de_CH.UTF-8`.
        name: Vec<String>,
        /// Whether they are there.
        state: Presence = Presence::Present,
    }
}

/// Examples; each is a test.
pub const EXAMPLES: &str = "
- name: Two locales
  locale_gen:
    name: [de_CH.UTF-8, en_GB.UTF-8]
- name: No locale
  locale_gen:
    name: fr_FR.UTF-8
    state: absent
";

const FILE: &str = "/etc/locale.gen";
const SUPPORTED: [&str; 2] = ["/usr/share/i18n/SUPPORTED", "/usr/local/share/i18n/SUPPORTED"];
const LOCALE: Tool = Tool::new("locale", "libc-bin");
const LOCALE_GEN: Tool = Tool::new("locale-gen", "locales");

/// The module.
pub struct LocaleGen;

/// The file, and which of the named locales the host has.
#[derive(Debug, Clone)]
pub struct State {
    file: TextFile,
    made: Vec<(String, bool)>,
    /// Lines of locales that can be made.
    supported: Vec<String>,
    planned: bool,
}

impl resource::State for State {
    fn resources(&self) -> Vec<ResourceState> {
        let made = self.made.iter().map(|(name, is)| {
            let id = ResourceId::new("locale", name);
            if *is { ResourceState::present(id) } else { ResourceState::absent(id) }
        });
        std::iter::once(self.file.resource()).chain(made).collect()
    }
}

/// `de_CH.UTF-8` and `de_CH.utf8` are the same.
fn plain(name: &str) -> String {
    match name.split_once('.') {
        None => name.to_owned(),
        Some((language, charset)) => {
            let (charset, modifier) = charset.split_once('@').map_or((charset, ""), |(charset, modifier)| (charset, modifier));
            let charset: String = charset.chars().filter(char::is_ascii_alphanumeric).collect::<String>().to_lowercase();
            if modifier.is_empty() { format!("{language}.{charset}") } else { format!("{language}.{charset}@{modifier}") }
        }
    }
}

/// Name and character set of a line, commented out or not.
fn entry(line: &str) -> Option<(&str, &str)> {
    let mut words = line.trim_start().trim_start_matches('#').split_whitespace();
    let entry = (words.next()?, words.next()?);
    words.next().is_none().then_some(entry)
}

/// The file with the locale switched on or off.
fn edit(text: &str, name: &str, present: bool, supported: &[String]) -> Result<String, Failure> {
    let is = |line: &str| entry(line).is_some_and(|(known, _)| known == name);
    let mut done = false;
    let mut lines: Vec<String> = text
        .lines()
        .map(|line| match entry(line) {
            Some((name, charset)) if is(line) => {
                let on = !line.trim_start().starts_with('#');
                // A locale may stand there with several character sets: the first is meant.
                let wanted = present && !std::mem::replace(&mut done, true);
                match (on, wanted) {
                    (true, true) => line.to_owned(),
                    (false, true) => format!("{name} {charset}"),
                    (true, false) if !present => format!("# {name} {charset}"),
                    _ => line.to_owned(),
                }
            }
            _ => line.to_owned(),
        })
        .collect();
    if present && !done {
        let line = supported
            .iter()
            .find(|line| is(line))
            .ok_or_else(|| Failure::new(format!("The locales you've entered are not available on your system: {name}")))?;
        lines.push(line.clone());
    }
    Ok(lines.iter().fold(String::new(), |all, line| all + line + "\n"))
}

impl Resource for LocaleGen {
    type Args = Args;
    type State = State;

    fn read(args: &Args, host: &dyn Inspect) -> Result<State, Failure> {
        let file = TextFile::read(Path::new(FILE), host)?;
        let planned =
            file.text.is_none() && !host.acts() && host.package("locales").ok().flatten().is_some_and(|package| package.planned);
        if file.text.is_none() && !planned {
            return Err(Failure::new(format!("{FILE} is missing; the package `locales` has it (Debian and its kin only)")));
        }
        let known = LOCALE.answer(["-a"], host)?.unwrap_or_default();
        let known: Vec<String> = known.lines().map(plain).collect();
        let made = args.name.iter().map(|name| {
            let is = match host.thing(&ResourceId::new("locale", name)) {
                Some(thing) => thing != Thing::Gone,
                None => known.contains(&plain(name)),
            };
            (name.clone(), is)
        });
        let mut supported = Vec::new();
        for path in SUPPORTED {
            supported.extend(TextFile::read(Path::new(path), host)?.lines().map(str::to_owned));
        }
        Ok(State { made: made.collect(), file, supported, planned })
    }

    fn want(args: &Args, now: &State) -> Result<State, Failure> {
        let present = args.state == Presence::Present;
        let mut text = now.file.text.clone().unwrap_or_default();
        for name in &args.name {
            if name.is_empty() || name.contains(char::is_whitespace) {
                return Err(Failure::new(format!("`{name}` cannot be the name of a locale")));
            }
            let charset = name.split_once('.').map_or("UTF-8", |(_, charset)| charset);
            // What a planned package will offer cannot be known: the name is taken at its word.
            let offered = if now.planned { vec![format!("{name} {charset}")] } else { now.supported.clone() };
            text = edit(&text, name, present, &offered)?;
        }
        let made = now.made.iter().map(|(name, _)| (name.clone(), present)).collect();
        Ok(State { file: now.file.with(text), made, ..now.clone() })
    }

    fn write(args: &Args, step: &Step<'_, State>, host: &mut dyn Host) -> Result<Written, Failure> {
        if step.differs("content") {
            step.want.file.write(Attributes::default(), host)?;
        }
        let thing = || if args.state == Presence::Present { Thing::There(String::new()) } else { Thing::Gone };
        let effects: Vec<Effect> = args.name.iter().map(|name| Effect::Thing(ResourceId::new("locale", name), thing())).collect();
        LOCALE_GEN.act(Vec::<String>::new(), &effects, host)?;
        Ok(Written::quiet())
    }

    fn result(args: &Args, _: &State, _: &State) -> Map<String, Value> {
        let result = [("name", args.name.clone().into()), ("mechanism", "glibc".into())];
        result.into_iter().map(|(name, value)| (name.to_owned(), value)).collect()
    }

    fn claims(args: &Args) -> Claims {
        let locales = args.name.iter().map(|name| ResourceId::new("locale", name));
        Claims::provides(locales.chain([ResourceId::new("file", FILE)])).needing([ResourceId::new("package", "locales")])
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_locale_is_switched_in_its_line() {
        let text = "# This file lists locales\n# de_CH ISO-8859-1\n# de_CH.UTF-8 UTF-8\nen_GB.UTF-8 UTF-8\n";
        let supported = ["de_AT.UTF-8 UTF-8".to_owned()];
        let edit = |name: &str, present| edit(text, name, present, &supported);
        assert_eq!(edit("de_CH.UTF-8", true).unwrap(), text.replace("# de_CH.UTF-8", "de_CH.UTF-8"));
        assert_eq!(edit("de_CH", true).unwrap(), text.replace("# de_CH ISO", "de_CH ISO"));
        assert_eq!(edit("en_GB.UTF-8", true).unwrap(), text);
        assert_eq!(edit("en_GB.UTF-8", false).unwrap(), text.replace("en_GB", "# en_GB"));
        assert_eq!(edit("de_AT.UTF-8", true).unwrap(), format!("{text}de_AT.UTF-8 UTF-8\n"));
        assert_eq!(edit("xx_XX.UTF-8", false).unwrap(), text);
        assert!(edit("xx_XX.UTF-8", true).is_err());
        assert_eq!(
            (plain("de_CH.UTF-8"), plain("ca_ES.UTF-8@euro"), plain("C")),
            ("de_CH.utf8".into(), "ca_ES.utf8@euro".into(), "C".into())
        );
    }
}
