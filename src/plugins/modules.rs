//! Modules that stead does not have, but a project, a collection or ansible-core does: where they are,
//! and packed to run on hosts.

use std::collections::HashMap;
use std::path::{Path, PathBuf};
use std::sync::{Arc, OnceLock};

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde_json::{Value as Json, json};

use super::files::collection_of;
use super::python::PythonPlugins;

/// A module of somebody else.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ForeignModule {
    /// Its full name: `acme.net.thing`, `ansible.builtin.dnf`, of a project's own just the name.
    pub name: String,
    /// Its file on this machine.
    pub path: PathBuf,
    /// The part of it that is meant to run on the controller, if it has one.
    pub action: Option<PathBuf>,
}

/// A module as it is sent to hosts.
#[derive(Debug, Clone)]
pub struct Packed {
    /// How the host runs it: `package`, `json` or `text`.
    pub style: &'static str,
    /// Dotted name in the package, or the name of the file.
    pub entry: String,
    /// The package or the file.
    pub content: Vec<u8>,
}

/// What is known of modules so far.
#[derive(Debug, Default)]
pub(super) struct Known {
    found: HashMap<(String, Vec<String>), Option<Arc<ForeignModule>>>,
    packed: HashMap<PathBuf, Result<Arc<Packed>, (String, Option<String>)>>,
    routes: HashMap<PathBuf, Arc<HashMap<String, String>>>,
    /// ansible-core's folder, if there is one; set when it was looked for.
    core: OnceLock<Option<PathBuf>>,
}

impl Known {
    /// Forgets where modules are: there are new places.
    pub(super) fn forget(&mut self) {
        self.found.clear();
    }
}

/// A module's new name, of `plugin_routing` in a collection's `meta/runtime.yml`.
fn routes(file: &Path) -> HashMap<String, String> {
    let text = std::fs::read_to_string(file).unwrap_or_default();
    let all: Json = serde_yaml::from_str(&text).unwrap_or_default();
    let modules = all.get("plugin_routing").and_then(|routing| routing.get("modules")).and_then(Json::as_object);
    let redirect = |(name, route): (&String, &Json)| Some((name.clone(), route.get("redirect")?.as_str()?.to_owned()));
    modules.map(|modules| modules.iter().filter_map(redirect).collect()).unwrap_or_default()
}

/// The file of a module in a folder: Python, or a program without an extension.
fn in_folder(folder: &Path, name: &str) -> Option<PathBuf> {
    let python = folder.join(format!("{name}.py"));
    if python.is_file() {
        return Some(python);
    }
    let plain = folder.join(name);
    if plain.is_file() {
        return Some(plain);
    }
    // A program with another extension.
    let mut found: Vec<PathBuf> = std::fs::read_dir(folder)
        .ok()?
        .filter_map(Result::ok)
        .map(|entry| entry.path())
        .filter(|path| path.file_stem().is_some_and(|stem| stem == name) && path.is_file())
        .filter(|path| {
            !matches!(path.extension().and_then(|end| end.to_str()), Some("yml" | "yaml" | "md" | "pyc" | "ps1" | "json"))
        })
        .collect();
    found.sort();
    found.into_iter().next()
}

impl PythonPlugins {
    /// The module of somebody else that a task's name stands for, if there is one. A name without a
    /// collection is looked for in the project's `library`, in these collections, and in ansible-core.
    pub fn module(&self, written: &str, collections: &[String]) -> Option<Arc<ForeignModule>> {
        let key = (written.to_owned(), collections.to_vec());
        if let Some(found) = self.modules().found.get(&key) {
            return found.clone();
        }
        let found = self.look_up(written, collections, 0).map(Arc::new);
        self.modules().found.insert(key, found.clone());
        found
    }

    /// Whether a collection is on this machine.
    pub fn has_collection(&self, name: &str) -> bool {
        self.places().collection(name).is_some()
    }

    /// The same, in the project's `library` folders only: these go before what is built in.
    pub fn own_module(&self, written: &str) -> Option<Arc<ForeignModule>> {
        let short = written.strip_prefix("ansible.legacy.").unwrap_or(written);
        if short.contains('.') {
            return None;
        }
        self.in_library(short).map(Arc::new)
    }

    fn in_library(&self, short: &str) -> Option<ForeignModule> {
        let path = self.places().library.iter().find_map(|folder| in_folder(folder, short))?;
        let action = path.parent()?.parent().map(|root| root.join("action_plugins").join(format!("{short}.py")));
        Some(ForeignModule { name: short.to_owned(), path, action: action.filter(|path| path.is_file()) })
    }

    fn look_up(&self, written: &str, collections: &[String], depth: usize) -> Option<ForeignModule> {
        // A circle of new names ends.
        if depth > 8 || written.is_empty() || written.contains('/') {
            return None;
        }
        if let Some((collection, name)) = collection_of(written) {
            return self.in_collection(collection, name, depth);
        }
        let builtin = written.strip_prefix("ansible.builtin.");
        let short = builtin.or_else(|| written.strip_prefix("ansible.legacy.")).unwrap_or(written);
        if short.contains('.') {
            return None;
        }
        if builtin.is_none() {
            if let Some(found) = self.in_library(short) {
                return Some(found);
            }
            if written == short
                && let Some(found) = collections.iter().find_map(|collection| self.in_collection(collection, short, depth))
            {
                return Some(found);
            }
        }
        let core = self.core()?;
        if let Some(path) = in_folder(&core.join("modules"), short) {
            let action = core.join("plugins/action").join(format!("{short}.py"));
            return Some(ForeignModule {
                name: format!("ansible.builtin.{short}"),
                path,
                action: action.is_file().then_some(action),
            });
        }
        let new = self.route(&core.join("config/ansible_builtin_runtime.yml"), short)?;
        self.look_up(&new, &[], depth + 1)
    }

    fn in_collection(&self, collection: &str, name: &str, depth: usize) -> Option<ForeignModule> {
        if matches!(collection, "ansible.builtin" | "ansible.legacy") {
            return self.look_up(&format!("{collection}.{name}"), &[], depth + 1);
        }
        let root = self.places().collection(collection)?;
        if let Some(new) = self.route(&root.join("meta/runtime.yml"), name) {
            return self.look_up(&new, &[], depth + 1);
        }
        let inner = name.replace('.', "/");
        let (folder, short) = inner.rsplit_once('/').unwrap_or(("", &inner));
        let path = in_folder(&root.join("plugins/modules").join(folder), short)?;
        let action = root.join("plugins/action").join(folder).join(format!("{short}.py"));
        Some(ForeignModule { name: format!("{collection}.{name}"), path, action: action.is_file().then_some(action) })
    }

    fn route(&self, file: &Path, name: &str) -> Option<String> {
        let known = self.modules().routes.get(file).cloned();
        let routes = known.unwrap_or_else(|| {
            let read = Arc::new(routes(file));
            self.modules().routes.insert(file.to_owned(), Arc::clone(&read));
            read
        });
        routes.get(name).cloned()
    }

    /// The folder of ansible-core's package, as the Python of this machine finds it.
    fn core(&self) -> Option<PathBuf> {
        if let Some(known) = self.modules().core.get() {
            return known.clone();
        }
        let found = self.ask(&json!({"core": true})).ok();
        let folder = found.as_ref().and_then(|answer| answer.get(0)).and_then(Json::as_str).map(PathBuf::from);
        let _ = self.modules().core.set(folder.clone());
        folder
    }

    /// The module as it is sent to hosts, made once per run. The error is a message and a hint.
    pub fn pack(&self, module: &ForeignModule) -> Result<Arc<Packed>, (String, Option<String>)> {
        if let Some(known) = self.modules().packed.get(&module.path) {
            return known.clone();
        }
        let packed = self.pack_afresh(module).map(Arc::new);
        self.modules().packed.insert(module.path.clone(), packed.clone());
        packed
    }

    fn pack_afresh(&self, module: &ForeignModule) -> Result<Packed, (String, Option<String>)> {
        if let Some(action) = &module.action {
            return Err((
                format!(
                    "`{}` has a part that runs on the controller (`{}`), which stead does not run",
                    module.name,
                    action.display()
                ),
                Some("use a module that stead has, or `ansible.builtin.command`".to_owned()),
            ));
        }
        let content =
            std::fs::read(&module.path).map_err(|error| (format!("cannot read `{}`: {error}", module.path.display()), None))?;
        let has = |word: &[u8]| content.windows(word.len()).any(|part| part == word);
        let file = module.path.file_name().map_or_else(|| module.name.clone(), |name| name.to_string_lossy().into_owned());
        if has(b"WANT_JSON") || content.contains(&0) {
            return Ok(Packed { style: "json", entry: file, content });
        }
        if !has(b"ansible.module_utils") && !has(b"AnsibleModule") && !has(b"ansible_collections") {
            return Ok(Packed { style: "text", entry: file, content });
        }
        let entry = match collection_of(&module.name) {
            Some((collection, name)) => format!("ansible_collections.{collection}.plugins.modules.{name}"),
            None => format!("ansible.modules.{}", module.name.rsplit('.').next().unwrap_or(&module.name)),
        };
        let utilities = self.places().utilities.clone();
        let answer = self.ask(&json!({"pack": module.path, "entry": entry, "utilities": utilities}))?;
        let content = answer.as_str().and_then(|text| STANDARD.decode(text).ok());
        let content = content.ok_or_else(|| (format!("`{}` could not be packed", module.name), None))?;
        Ok(Packed { style: "package", entry, content })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::plugins::PythonSettings;

    #[test]
    fn modules_are_found_where_ansible_finds_them() {
        let directory = tempfile::tempdir().unwrap();
        let write = |name: &str, text: &str| {
            let path = directory.path().join(name);
            std::fs::create_dir_all(path.parent().unwrap()).unwrap();
            std::fs::write(path, text).unwrap();
        };
        write("library/own.py", "#!/usr/bin/python\n");
        write("library/shell_one.sh", "#!/bin/sh\n# WANT_JSON\n");
        write(
            "collections/ansible_collections/acme/net/plugins/modules/thing.py",
            "from ansible.module_utils.basic import AnsibleModule\n",
        );
        write("collections/ansible_collections/acme/net/plugins/modules/deep/inner.py", "");
        write("collections/ansible_collections/acme/net/plugins/modules/local.py", "");
        write("collections/ansible_collections/acme/net/plugins/action/local.py", "");
        write(
            "collections/ansible_collections/acme/old/meta/runtime.yml",
            "plugin_routing:\n  modules:\n    moved: { redirect: acme.net.thing }\n    circle: { redirect: acme.old.circle }\n",
        );
        let plugins = PythonPlugins::new(PythonSettings { python: Some("/nowhere/python".into()), ..PythonSettings::default() });
        crate::template::Plugins::add_directory(&plugins, directory.path());
        let found = |written: &str, collections: &[&str]| {
            let collections: Vec<String> = collections.iter().map(|&name| name.to_owned()).collect();
            plugins.module(written, &collections).map(|module| module.name.clone())
        };
        let cases: [(&str, &[&str], Option<&str>); 10] = [
            ("own", &[], Some("own")),
            ("ansible.legacy.own", &[], Some("own")),
            ("ansible.builtin.own", &[], None),
            ("acme.net.thing", &[], Some("acme.net.thing")),
            ("acme.net.deep.inner", &[], Some("acme.net.deep.inner")),
            ("thing", &[], None),
            ("thing", &["acme.net"], Some("acme.net.thing")),
            ("acme.old.moved", &[], Some("acme.net.thing")),
            ("acme.old.circle", &[], None),
            ("../own", &[], None),
        ];
        for (written, collections, expected) in cases {
            assert_eq!(found(written, collections).as_deref(), expected, "{written} {collections:?}");
        }
        let module = |name: &str| plugins.module(name, &[]).unwrap();
        assert_eq!(plugins.pack(&module("shell_one")).unwrap().style, "json");
        assert_eq!(plugins.pack(&module("own")).unwrap().style, "text");
        assert!(plugins.pack(&module("acme.net.local")).unwrap_err().0.contains("runs on the controller"));
        // Without a Python nothing can be packed.
        assert!(plugins.pack(&module("acme.net.thing")).is_err());
    }
}
