//! Facts that outlive a run: one JSON file for each host, as Ansible's `jsonfile` cache has them.

use std::path::PathBuf;
use std::time::{Duration, SystemTime};

use crate::vars::{Key, Map, Value};

/// Where facts are kept between runs.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub enum FactCache {
    /// Nowhere: they end with the run.
    #[default]
    Memory,
    /// A file `PREFIX` + host in a directory.
    JsonFile {
        /// The directory.
        directory: PathBuf,
        /// What stands before a host's name.
        prefix: String,
        /// Older files count for nothing; `None`: they never get old.
        timeout: Option<Duration>,
    },
}

impl FactCache {
    fn path(&self, host: &str) -> Option<PathBuf> {
        let Self::JsonFile { directory, prefix, .. } = self else { return None };
        // A host's name becomes one file's name, never a path.
        let name: String = host.chars().map(|c| if c == '/' || c == '\0' { '_' } else { c }).collect();
        (name != "." && name != "..").then(|| directory.join(format!("{prefix}{name}")))
    }

    /// The facts of a host; `None` where none are kept, or only ones that are too old.
    pub fn load(&self, host: &str) -> Option<Map> {
        let path = self.path(host)?;
        if let Self::JsonFile { timeout: Some(timeout), .. } = self {
            let written = std::fs::metadata(&path).and_then(|meta| meta.modified()).ok()?;
            if SystemTime::now().duration_since(written).is_ok_and(|age| age > *timeout) {
                return None;
            }
        }
        let text = std::fs::read(path).ok()?;
        match Value::from(serde_json::from_slice::<serde_json::Value>(&text).ok()?) {
            Value::Map(facts) => Some((*facts).clone()),
            _ => None,
        }
    }

    /// Keeps the facts of a host; what is not known is left out.
    pub fn store(&self, host: &str, facts: &Map) -> std::io::Result<()> {
        let Some(path) = self.path(host) else { return Ok(()) };
        let known: serde_json::Map<String, serde_json::Value> = facts
            .iter()
            .filter_map(|(name, value)| match name {
                Key::Str(name) => Some((name.to_string(), value.to_json().ok()?)),
                _ => None,
            })
            .collect();
        let directory = path.parent().expect("it is in a directory");
        std::fs::create_dir_all(directory)?;
        let mut staged = tempfile::NamedTempFile::new_in(directory)?;
        serde_json::to_writer_pretty(&mut staged, &known)?;
        staged.persist(path).map_err(|error| error.error)?;
        Ok(())
    }

    /// Forgets the facts of a host.
    pub fn forget(&self, host: &str) {
        if let Some(path) = self.path(host) {
            // Nothing kept is what is wanted.
            let _ = std::fs::remove_file(path);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn facts_come_back_until_they_are_old_or_forgotten() {
        let directory = tempfile::tempdir().unwrap();
        let cache = |timeout| FactCache::JsonFile { directory: directory.path().join("facts"), prefix: "p_".into(), timeout };
        let facts = Map::from_iter([(Key::from("x"), Value::Int(1)), (Key::from("y"), Value::Unknown("not known".into()))]);
        cache(None).store("web/1", &facts).unwrap();
        assert!(directory.path().join("facts/p_web_1").is_file());
        let known = Map::from_iter([(Key::from("x"), Value::Int(1))]);
        assert_eq!(cache(Some(Duration::from_secs(3600))).load("web/1"), Some(known));
        assert_eq!(cache(Some(Duration::ZERO)).load("web/1"), None);
        assert_eq!(cache(None).load("other"), None);
        cache(None).forget("web/1");
        assert_eq!(cache(None).load("web/1"), None);
        assert_eq!(FactCache::Memory.load("web/1"), None);
    }
}
