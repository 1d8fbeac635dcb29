//! `ini_file`: one option, or one section, of a file in the INI format.

use std::path::PathBuf;

use serde_json::{Map, Value};

use super::attributes::file_args;
use super::edit::{self, Edited, Missing};
use super::ini::Wish;
use super::state;
use crate::accounts::group::Presence;
use crate::args::{Arg, ArgKind, shown};
use crate::claims::Claims;
use crate::host::{Host, Inspect};
use crate::outcome::Failure;
use crate::resource::{Resource, Step, Written};

/// An option and the values by which a section is told from others of its name.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Having(String, Vec<String>);

impl Arg for Having {
    fn kind() -> ArgKind {
        ArgKind::Dict
    }

    fn parse(value: &Value) -> Result<Self, String> {
        let map = Map::parse(value)?;
        let known = ["option", "value", "values"];
        if let Some(other) = map.keys().find(|key| !known.contains(&key.as_str())) {
            return Err(format!("`{other}` is unknown; an entry has `option` and `value` or `values`"));
        }
        let given = |name: &str| map.get(name).filter(|value| !value.is_null());
        let option = given("option").ok_or_else(|| format!("`option` is missing in {}", shown(value)))?;
        let values = match (given("value"), given("values")) {
            (Some(_), Some(_)) => return Err("`value` and `values` exclude each other".into()),
            (Some(value), None) => vec![String::parse(value)?],
            (None, Some(values)) => Vec::parse(values)?,
            (None, None) => Vec::new(),
        };
        Ok(Self(String::parse(option)?, values))
    }
}

file_args! {
    /// Makes sure that an option has a value in a file in the INI format, or that an option or a
    /// section is not there. Comments and the order of lines stay as they are.
    pub struct Args {
        /// The file. Links are followed.
        path ("dest"): PathBuf,
        /// The section. Missing: what stands before the first section.
        section: Option<String>,
        /// Of several sections of this name the first that has these options with these values; where
        /// there is none, `state: present` makes one.
        section_has_values: Option<Vec<Having>>,
        /// The option. Missing: the section itself.
        option: Option<String>,
        /// Its value.
        value: Option<String>,
        /// Its values, where it may be given several times, each on a line of its own.
        values: Option<Vec<String>>,
        /// Whether the old file is kept beside it with a time stamp.
        backup: bool = false,
        /// Whether option or section should be there.
        state: Presence = Presence::Present,
        /// Whether other lines of the option are replaced (or, with `state: absent`, removed whatever
        /// their value).
        exclusive: bool = true,
        /// Whether new lines have no blanks around `=`.
        no_extra_spaces: bool = false,
        /// Whether a line that differs only in blanks around `=` is left.
        ignore_spaces: bool = false,
        /// Whether a missing file is made, with the directories above it.
        create: bool = true,
        /// Whether an option may stand without `=` and value.
        allow_no_value: bool = false,
        /// Whether a line of the option that is commented out is taken for it.
        modify_inactive_option: bool = true,
        /// No effect: a link at `path` is always followed, so that it stays.
        follow: bool = false,
    }
}

/// Examples; each is a test.
pub const EXAMPLES: &str = "
- name: An option in a section
  ini_file:
    path: /etc/app/app.ini
    section: drinks
    option: fav
    value: lemonade
    mode: '0600'
- name: Before the first section, without blanks
  ini_file:
    path: /etc/default/app
    option: ENABLED
    value: 'yes'
    no_extra_spaces: true
    backup: true
- name: Several lines of one option
  ini_file:
    path: /etc/app.conf
    section: peers
    option: address
    values: [10.0.0.1, 10.0.0.2]
- name: No such option
  ini_file:
    path: /etc/default/app
    option: OPTIONS
    state: absent
- name: The section of one peer
  ini_file:
    path: /etc/wireguard/wg0.conf
    section: Peer
    section_has_values:
      - option: AllowedIps
        value: 10.4.0.11/32
    option: PublicKey
    value: xxxx
    mode: '0600'
";

/// The module.
pub struct IniFile;

impl Args {
    fn values(&self) -> Result<Vec<String>, Failure> {
        match (&self.value, &self.values) {
            (Some(_), Some(_)) => Err(Failure::new("parameters are mutually exclusive: value|values")),
            (Some(value), None) => Ok(vec![value.clone()]),
            (None, values) => {
                let mut unique: Vec<String> = Vec::new();
                for value in values.iter().flatten() {
                    if !unique.contains(value) {
                        unique.push(value.clone());
                    }
                }
                Ok(unique)
            }
        }
    }

    /// The text afterwards, and what was done to it.
    fn edit(&self, text: &str) -> Result<(String, &'static str), Failure> {
        let values = self.values()?;
        let having: Vec<(String, Vec<String>)> =
            self.section_has_values.iter().flatten().map(|having| (having.0.clone(), having.1.clone())).collect();
        let wish = Wish {
            section: self.section.as_deref(),
            having: &having,
            option: self.option.as_deref(),
            values: &values,
            exclusive: self.exclusive,
            tight: self.no_extra_spaces,
            ignore_spaces: self.ignore_spaces,
            allow_no_value: self.allow_no_value,
            modify_inactive: self.modify_inactive_option,
        };
        // A mark at the beginning of the file belongs to no line.
        let (mark, text) = text.strip_prefix('\u{feff}').map_or(("", text), |rest| ("\u{feff}", rest));
        let (edited, message) = match self.state {
            Presence::Present => wish.present(text),
            Presence::Absent => wish.absent(text),
        };
        // The end of the last line alone is no reason to write.
        if message.is_empty() { Ok((format!("{mark}{text}"), message)) } else { Ok((format!("{mark}{edited}"), message)) }
    }

    fn check(&self) -> Result<(), Failure> {
        let one_line = |option: &str, text: &str| {
            let message = || Failure::new(format!("option `{option}`: a line of the file cannot have a newline in it"));
            if text.contains('\n') { Err(message()) } else { Ok(()) }
        };
        self.section.iter().try_for_each(|text| one_line("section", text))?;
        self.option.iter().try_for_each(|text| one_line("option", text))?;
        let values = self.values()?;
        values.iter().try_for_each(|text| one_line("value", text))?;
        match self.state {
            Presence::Present if values.is_empty() && !self.allow_no_value => {
                Err(Failure::new("Parameter 'value(s)' must be defined if state=present and allow_no_value=False."))
            }
            Presence::Absent if self.section.is_none() && self.option.is_none() => {
                Err(Failure::new("one of `section` and `option` is required with `state: absent`"))
            }
            _ => Ok(()),
        }
    }
}

impl Resource for IniFile {
    type Args = Args;
    type State = Edited;

    fn read(args: &Args, host: &dyn Inspect) -> Result<Edited, Failure> {
        args.check()?;
        edit::read(&args.path, args.wanted_attributes(), if args.create { Missing::Create } else { Missing::Expect }, host)
    }

    fn want(args: &Args, now: &Edited) -> Result<Edited, Failure> {
        if now.file.kind.is_none() && !args.create {
            return Err(Failure::new(format!("Destination {} does not exist!", now.shown)).with("rc", 257));
        }
        if now.file.kind.is_none() && args.state == Presence::Absent {
            return Ok(edit::leave(now));
        }
        let text =
            std::str::from_utf8(&now.text).map_err(|_| Failure::at("manage lines of", &now.file.path, "it is not UTF-8 text"))?;
        let (edited, message) = args.edit(text)?;
        Ok(edit::want(now, edited.into_bytes(), message))
    }

    fn write(args: &Args, step: &Step<'_, Edited>, host: &mut dyn Host) -> Result<Written, Failure> {
        edit::write(step.now, step.want, None, args.backup, "backup_file", host)
    }

    fn result(_: &Args, _: &Edited, after: &Edited) -> Map<String, Value> {
        let mut result = if after.file.kind.is_some() { after.file.result() } else { Map::new() };
        result.extend([("path".to_owned(), after.shown.as_str().into()), ("msg".to_owned(), "OK".into())]);
        result
    }

    fn claims(args: &Args) -> Claims {
        state::claims(&args.path, args.owner.as_deref(), args.group.as_deref())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::host::memory::MemoryHost;
    use crate::registry::find;
    use serde_json::json;

    /// The file afterwards and `msg`.
    fn edit(text: &str, options: &Value) -> (String, String) {
        let mut host = MemoryHost::default();
        host.add_file("/f", text);
        let mut options = options.as_object().unwrap().clone();
        options.insert("path".into(), "/f".into());
        let outcome = (find("ini_file").unwrap().run)(&options, &mut host);
        (host.text("/f").unwrap(), outcome.result["msg"].as_str().unwrap().to_owned())
    }

    #[test]
    #[rustfmt::skip]
    fn lines_are_set_as_the_namesake_sets_them() {
        // Each was run through the module of community.general.
        for (text, options, expected, message) in [
            ("", json!({"section": "a", "option": "k", "value": "1"}), "\n[a]\nk = 1\n", "section and option added"),
            ("[a]\n", json!({"section": "a", "option": "k", "value": "1"}), "[a]\nk = 1\n", "option added"),
            ("[a]\nk=1\n", json!({"section": "a", "option": "k", "value": "1"}), "[a]\nk = 1\n", "option changed"),
            ("[a]\nk=1\n", json!({"section": "a", "option": "k", "value": "1", "ignore_spaces": true}), "[a]\nk=1\n", "OK"),
            ("[a]\n#k=1\n", json!({"section": "a", "option": "k", "value": "1", "ignore_spaces": true}), "[a]\nk = 1\n", "option changed"),
            ("[a]\nk = 1\n", json!({"section": "a", "option": "k", "value": "2", "no_extra_spaces": true}), "[a]\nk=2\n", "option changed"),
            ("[a]\n#k = 1\n[b]\nk=3\n", json!({"section": "a", "option": "k", "value": "2"}), "[a]\nk = 2\n[b]\nk=3\n", "option changed"),
            ("[a]\n#k = 1\n", json!({"section": "a", "option": "k", "value": "2", "modify_inactive_option": false}), "[a]\nk = 2\n#k = 1\n", "option added"),
            ("[a]\n#k = 1\nk = 5\n", json!({"section": "a", "option": "k", "value": "2"}), "[a]\nk = 2\n", "option changed"),
            ("[a]\n#k = 2\nk = 2\n", json!({"section": "a", "option": "k", "value": "2"}), "[a]\nk = 2\n", "option changed"),
            ("[a]\nk = 1\nk = 2\nk = 3\n", json!({"section": "a", "option": "k", "value": "2"}), "[a]\nk = 2\n", "option changed"),
            ("[a]\nk = 1\nk = 2\n", json!({"section": "a", "option": "k", "values": ["2", "9", "8"]}), "[a]\nk = 9\nk = 2\nk = 8\n", "option added"),
            ("[a]\nk = 1\nk = 2\n", json!({"section": "a", "option": "k", "values": ["2", "9"], "exclusive": false}), "[a]\nk = 1\nk = 2\nk = 9\n", "option added"),
            ("[a]\nx = 1\n\n# c\n\n[b]\ny = 2\n", json!({"section": "a", "option": "k", "value": "v"}), "[a]\nx = 1\nk = v\n\n# c\n\n[b]\ny = 2\n", "option added"),
            ("[a]\nx = 1\n\n[b]\ny = 2", json!({"section": "b", "option": "k", "value": "v"}), "[a]\nx = 1\n\n[b]\ny = 2\nk = v\n", "option added"),
            ("x = 1\n[a]\nk = 1\n", json!({"option": "x", "value": "2"}), "x = 2\n[a]\nk = 1\n", "option changed"),
            ("[a]\nk = 1\n", json!({"option": "x", "value": "2"}), "x = 2\n[a]\nk = 1\n", "option added"),
            ("# c\n\n[a]\nk = 1\n", json!({"option": "x", "value": "2"}), "x = 2\n# c\n\n[a]\nk = 1\n", "option added"),
            ("", json!({"option": "x", "value": "2"}), "x = 2\n\n", "option added"),
            ("[a]\nk = 1\n[b]\nz=1\n", json!({"section": "a", "state": "absent"}), "[b]\nz=1\n", "section removed"),
            ("[a]\nk = 1\n[b]\nz=1\n", json!({"section": "c", "state": "absent"}), "[a]\nk = 1\n[b]\nz=1\n", "OK"),
            ("[a]\nk = 1\nk = 2\n#k = 3\n", json!({"section": "a", "option": "k", "state": "absent"}), "[a]\n#k = 3\n", "option changed"),
            ("[a]\nk = 1\nk = 2\n", json!({"section": "a", "option": "k", "value": "2", "exclusive": false, "state": "absent"}), "[a]\nk = 1\n", "option changed"),
            ("k=1\n[a]\nk = 1\n", json!({"option": "k", "state": "absent"}), "[a]\nk = 1\n", "option changed"),
            ("[a]\n", json!({"section": "a", "option": "skip", "allow_no_value": true}), "[a]\nskip\n", "option added"),
            ("[a]\nskip\n", json!({"section": "a", "option": "skip", "allow_no_value": true}), "[a]\nskip\n", "OK"),
            ("[a]\nskip = 1\n", json!({"section": "a", "option": "skip", "allow_no_value": true}), "[a]\nskip\n", "option changed"),
            ("[a]\nskip = 1\n", json!({"section": "a", "option": "skip", "value": "2", "allow_no_value": true}), "[a]\nskip = 1\nskip = 2\n", "option added"),
            ("[a]\nskip\n", json!({"section": "a", "option": "skip", "value": "2"}), "[a]\nskip = 2\n", "option changed"),
            ("[b]\n", json!({"section": "a", "option": "skip", "allow_no_value": true}), "[b]\n[a]\nskip\n", "section and option added"),
            ("[b]\n", json!({"section": "a"}), "[b]\n", "Parameter 'value(s)' must be defined if state=present and allow_no_value=False."),
            ("[b]\n", json!({"section": "b"}), "[b]\n", "Parameter 'value(s)' must be defined if state=present and allow_no_value=False."),
            ("[ b ]\nk=1\n", json!({"section": "b", "option": "k", "value": "2"}), "[ b ]\nk = 2\n", "option changed"),
            ("[P]\nip = 1\nkey = a\n[P]\nip = 2\nkey = b\n", json!({"section": "P", "section_has_values": [{"option": "ip", "value": "2"}], "option": "key", "value": "c"}), "[P]\nip = 1\nkey = a\n[P]\nip = 2\nkey = c\n", "option changed"),
            ("[P]\nip = 1\nkey = a\n[P]\nip = 2\nkey = b\n", json!({"section": "P", "section_has_values": [{"option": "ip", "value": "2"}], "state": "absent"}), "[P]\nip = 1\nkey = a\n", "section removed"),
            ("[P]\nip = 1\nkey = a\n", json!({"section": "P", "section_has_values": [{"option": "ip", "value": "3"}], "option": "key", "value": "c"}), "[P]\nip = 1\nkey = a\n[P]\nip = 3\nkey = c\n", "section and option added"),
            ("[a]\nkk = 1\nk  =  1 \n", json!({"section": "a", "option": "k", "value": "1"}), "[a]\nkk = 1\nk = 1\n", "option changed"),
            ("[a]\nk = 1\n", json!({"section": "a", "option": "k", "value": ""}), "[a]\nk = \n", "option changed"),
            ("[a]\nk =\n", json!({"section": "a", "option": "k", "value": ""}), "[a]\nk = \n", "option changed"),
            ("[a]\n\n\n[b]\n", json!({"section": "a", "option": "k", "value": "1"}), "[a]\nk = 1\n\n\n[b]\n", "option added"),
            ("[a]\nk.x = 1\n", json!({"section": "a", "option": "k.x", "value": "1"}), "[a]\nk.x = 1\n", "OK"),
            ("[a]\n  k = 1\n", json!({"section": "a", "option": "k", "value": "1"}), "[a]\nk = 1\n", "option changed"),
            ("[a]\n; k = 1\n", json!({"section": "a", "option": "k", "value": "2", "exclusive": false}), "[a]\nk = 2\n; k = 1\n", "option added"),
            ("[a]\nk = 1\n", json!({"section": "a", "option": "k"}), "[a]\nk = 1\n", "Parameter 'value(s)' must be defined if state=present and allow_no_value=False."),
            ("[a]\nx = 1\n", json!({"section": "a", "option": "k"}), "[a]\nx = 1\n", "Parameter 'value(s)' must be defined if state=present and allow_no_value=False."),
            ("x = 1", json!({"section": "a", "state": "absent"}), "x = 1", "OK"),
            ("[a]\nx = 1\n\n\n[b]\ny = 1\n", json!({"section": "a", "option": "x", "state": "absent"}), "[a]\n\n\n[b]\ny = 1\n", "option changed"),
        ] {
            assert_eq!(edit(text, &options), (expected.to_owned(), message.to_owned()), "{options} on {text:?}");
        }
    }

    #[test]
    fn a_value_cannot_add_lines() {
        let (text, message) = edit("", &json!({"section": "a", "option": "k", "value": "1\n[b]"}));
        assert_eq!((text.as_str(), message.contains("newline")), ("", true));
    }
}
