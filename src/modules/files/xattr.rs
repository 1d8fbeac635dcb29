//! `xattr`: extended attributes of files.

use std::collections::BTreeMap;
use std::path::PathBuf;

use base64::Engine as _;
use serde_json::{Map, Value};

use super::paths::stat_followed;
use crate::change::{ResourceId, ResourceState};
use crate::claims::Claims;
use crate::commands::words::expand_path;
use crate::host::{Effect, FileKind, Host, Inspect, Thing};
use crate::outcome::Failure;
use crate::resource::{self, Resource, Step, Written};
use crate::system::tool::Tool;
use crate::{args, choice};

choice! {
    /// What is done.
    pub enum Wish {
        /// The attribute is not there.
        Absent = "absent",
        /// All are told, with their values.
        All = "all",
        /// All are told, without their values.
        Keys = "keys",
        /// The attribute has this value.
        Present = "present",
        /// The attribute is told.
        Read = "read",
    }
}

args! {
    /// Manages an extended attribute of a file or directory, with the host's `setfattr`, or tells what there is.
    pub struct Args {
        /// The file or directory.
        path ("name"): PathBuf,
        /// The namespace of the attribute, where `key` does not begin with it.
        namespace: String = "user".into(),
        /// The attribute.
        key: Option<String>,
        /// Its value; with it the attribute is set unless it is to be absent.
        value: Option<String>,
        /// What is done.
        state: Wish = Wish::Read,
        /// Whether a symbolic link stands for what it points at.
        follow: bool = true,
    }
}

/// Examples; each is a test.
pub const EXAMPLES: &str = "
- name: Where it came from
  xattr:
    path: /etc/hosts
    key: origin
    value: image 7
- name: Not any more
  xattr:
    path: /etc/hosts
    key: user.old
    state: absent
- name: What there is
  xattr:
    path: /etc/hosts
    state: keys
";

const SETFATTR: Tool = Tool::new("setfattr", "attr");

/// The module.
pub struct Xattr;

/// The attributes of the file, and the one that is managed.
#[derive(Debug, Clone)]
pub struct State {
    path: PathBuf,
    key: Option<String>,
    all: BTreeMap<String, Vec<u8>>,
}

impl resource::State for State {
    fn resources(&self) -> Vec<ResourceState> {
        let Some(key) = &self.key else { return Vec::new() };
        let id = id(&self.path, key);
        vec![match self.all.get(key) {
            None => ResourceState::absent(id),
            Some(value) => ResourceState::present(id).with("value", shown(value)),
        }]
    }
}

fn id(path: &std::path::Path, key: &str) -> ResourceId {
    ResourceId::new("xattr", format!("{} {key}", path.display()))
}

/// A value as text, or as `getfattr` writes what is none.
fn shown(value: &[u8]) -> String {
    std::str::from_utf8(value)
        .map_or_else(|_| format!("0s{}", base64::engine::general_purpose::STANDARD.encode(value)), str::to_owned)
}

/// What is done: a value stands for setting it.
fn wish(args: &Args) -> Wish {
    if args.value.is_some() && args.state != Wish::Absent { Wish::Present } else { args.state }
}

/// The attribute with its namespace.
fn full_key(args: &Args) -> Result<Option<String>, Failure> {
    let Some(key) = &args.key else {
        return match wish(args) {
            Wish::All | Wish::Keys => Ok(None),
            wish => Err(Failure::new(format!("{} needs a key parameter", wish.word()))),
        };
    };
    if key.is_empty() || key.contains('\0') || args.namespace.contains('\0') {
        return Err(Failure::new(format!("`{key}` cannot be the name of an attribute")));
    }
    let prefix = format!("{}.", args.namespace);
    Ok(Some(if args.namespace.is_empty() || key.starts_with(&prefix) { key.clone() } else { prefix + key }))
}

impl Resource for Xattr {
    type Args = Args;
    type State = State;

    fn read(args: &Args, host: &dyn Inspect) -> Result<State, Failure> {
        let path = expand_path(&args.path, host);
        let key = full_key(args)?;
        let stat = if args.follow { stat_followed(&path, host)? } else { host.stat(&path)? };
        let Some(stat) = stat else { return Err(Failure::new("path not found or not accessible!")) };
        let mut all = match stat.kind {
            // A link has no attributes of users; others are not looked at.
            FileKind::Link if args.namespace == "user" => BTreeMap::new(),
            FileKind::Link => return Err(Failure::at("look at the attributes of", &path, "it is a symbolic link")),
            _ => host.xattrs(&path),
        };
        if let Some(key) = &key {
            match host.thing(&id(&path, key)) {
                None => {}
                Some(Thing::Gone) => drop(all.remove(key)),
                Some(Thing::There(value)) => drop(all.insert(key.clone(), value.into_bytes())),
            }
        }
        Ok(State { path, key, all })
    }

    fn want(args: &Args, now: &State) -> Result<State, Failure> {
        let mut want = now.clone();
        match (wish(args), &now.key) {
            (Wish::Present, Some(key)) => {
                let Some(value) = &args.value else { return Err(Failure::new("present needs a value")) };
                want.all.insert(key.clone(), value.clone().into_bytes());
            }
            (Wish::Absent, Some(key)) => drop(want.all.remove(key)),
            _ => {}
        }
        Ok(want)
    }

    fn write(args: &Args, step: &Step<'_, State>, host: &mut dyn Host) -> Result<Written, Failure> {
        let State { path, key, all } = step.want;
        let key = key.as_ref().expect("only an attribute with a name differs");
        let mut words: Vec<String> = Vec::new();
        words.extend((!args.follow).then(|| "-h".to_owned()));
        let thing = match all.get(key) {
            None => {
                words.extend(["-x".to_owned(), key.clone()]);
                Thing::Gone
            }
            Some(value) => {
                // In this form no value has a meaning of its own.
                let coded = format!("0s{}", base64::engine::general_purpose::STANDARD.encode(value));
                words.extend(["-n".to_owned(), key.clone(), "-v".to_owned(), coded]);
                Thing::There(shown(value))
            }
        };
        words.extend(["--".to_owned(), path.display().to_string()]);
        SETFATTR.act(words, &[Effect::Thing(id(path, key), thing)], host)?;
        Ok(Written::quiet())
    }

    fn result(args: &Args, _: &State, after: &State) -> Map<String, Value> {
        let key = after.key.as_deref().unwrap_or_default();
        let msg = match wish(args) {
            Wish::Present => format!("{key} set to {}", args.value.as_deref().unwrap_or_default()),
            Wish::Absent => format!("{key} removed"),
            Wish::All => "dumping all".into(),
            Wish::Keys => "returning all keys".into(),
            Wish::Read => format!("returning {key}"),
        };
        let prefix = format!("{}.", args.namespace);
        let told = after.all.iter().filter(|(name, _)| match wish(args) {
            Wish::All | Wish::Keys => name.starts_with(&prefix),
            _ => *name == key,
        });
        let value = |value: &[u8]| if wish(args) == Wish::Keys { Value::from("") } else { shown(value).into() };
        let told: Map<String, Value> = told.map(|(name, bytes)| (name.clone(), value(bytes))).collect();
        Map::from_iter([("msg".to_owned(), msg.into()), ("xattr".to_owned(), told.into())])
    }

    fn claims(args: &Args) -> Claims {
        let path = args.path.display().to_string();
        Claims::provides([ResourceId::new("xattr", &path)])
            .needing([ResourceId::new("file", path), ResourceId::new("package", "attr")])
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::args::Arguments as _;

    #[test]
    fn keys_have_a_namespace() {
        for (options, expected) in [
            (json!({"path": "/x", "key": "a"}), Some(Some("user.a"))),
            (json!({"path": "/x", "key": "user.a"}), Some(Some("user.a"))),
            (json!({"path": "/x", "key": "a", "namespace": "trusted"}), Some(Some("trusted.a"))),
            (json!({"path": "/x", "state": "keys"}), Some(None)),
            (json!({"path": "/x", "value": "1"}), None),
            (json!({"path": "/x"}), None),
        ] {
            let args = Args::parse(options.as_object().unwrap()).unwrap();
            assert_eq!(full_key(&args).ok().as_ref().map(Option::as_deref), expected, "{options}");
        }
        assert_eq!(shown(b"text"), "text");
        assert_eq!(shown(&[0xff]), "0s/w==");
    }
}
