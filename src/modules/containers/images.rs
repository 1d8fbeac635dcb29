//! Images: their names, how they are looked at and pulled.

use serde_json::json;

use super::engine::Engine;
use crate::host::{Host, Inspect};
use crate::object::{Object, properties};
use crate::outcome::Failure;

/// An image of the engine: its `id`, and the `config` that containers get from it.
pub(super) fn look(engine: &Engine, name: &str, host: &dyn Inspect) -> Result<Object, Failure> {
    let id = engine.id("image", name);
    if let Some(image) = Object::planned(&id, host) {
        return Ok(image);
    }
    Ok(match engine.inspect("image", name, host)? {
        None => Object::absent(id),
        Some(raw) => Object::present(id, properties([("id", raw["Id"].clone()), ("config", raw["Config"].clone())])),
    })
}

/// Pulls an image, and looks at it again.
pub(super) fn pull(
    engine: &Engine,
    before: &Object,
    name: &str,
    platform: Option<&str>,
    host: &mut dyn Host,
) -> Result<Object, Failure> {
    // Nobody knows the id of an image before it is pulled.
    let pulled = Object::present(before.id.clone(), properties([("id", json!(format!("as pulled: {name}")))]));
    let effects = if before.exists() { Vec::new() } else { vec![pulled.effect(before)] };
    let mut words = vec!["image", "pull", "--quiet"];
    words.extend(platform.iter().flat_map(|platform| ["--platform", platform]));
    words.push(name);
    engine.act(words, &effects, host)?;
    look(engine, name, host.inspect())
}

/// A name with its tag: `nginx` is `nginx:latest`; digests and ids stay.
pub(super) fn named(name: &str) -> String {
    let last = name.rsplit('/').next().unwrap_or(name);
    if name.is_empty() || name.contains('@') || last.contains(':') || is_id(name) {
        name.to_owned()
    } else {
        format!("{name}:latest")
    }
}

/// Whether this is the id of an image rather than a name.
pub(super) fn is_id(name: &str) -> bool {
    let hex = name.strip_prefix("sha256:").unwrap_or(name);
    (hex.len() == 64 || (hex.len() >= 12 && name != hex)) && hex.bytes().all(|byte| byte.is_ascii_hexdigit())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_have_tags() {
        let id = "b".repeat(64);
        for (name, expected) in [
            ("nginx", "nginx:latest"),
            ("nginx:1.27", "nginx:1.27"),
            ("r.example.org:5000/a/b", "r.example.org:5000/a/b:latest"),
            ("a@sha256:00", "a@sha256:00"),
            ("", ""),
            (&id, &id),
        ] {
            assert_eq!(named(name), expected);
        }
    }
}
