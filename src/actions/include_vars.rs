//! `include_vars`: variables from files of the project, read while running.

use std::sync::Arc;

use stead_modules::args;
use stead_modules::outcome::Ending;

use super::{ActionContext, Done};
use crate::playbook::keywords;
use crate::playbook::role_load::sorted_files;
use crate::source::{Diagnostics, NodeValue, Severity, yaml};
use crate::vars::{Definition, Key, Map, Origin, Value, Variable, Variables};

args! {
    /// Reads variables from a YAML or JSON file of the project, or from all files of a directory.
    pub struct Args {
        /// The file.
        file ("_raw_params"): Option<String>,
        /// The directory.
        dir: Option<String>,
        /// Put them into one variable of this name.
        name: Option<String>,
    }
}

pub(super) fn run(context: &ActionContext<'_>) -> Done {
    let paths = if let Some(name) = ["file", "_raw_params"].iter().find_map(|option| context.text(option)) {
        match context.find("vars", &name) {
            Some(path) => vec![path],
            None => return context.not_found("vars", &name),
        }
    } else if let Some(name) = context.text("dir") {
        match context.find("vars", &name) {
            Some(path) => sorted_files(&path),
            None => return context.not_found("vars", &name),
        }
    } else {
        return Done::failed("`include_vars` needs `file` or `dir`");
    };
    let mut all = Variables::new();
    let mut diagnostics = Diagnostics::default();
    let mut nodes = Vec::new();
    for path in &paths {
        match crate::source::load(context.map, path) {
            Ok(file) => {
                let (documents, found) = yaml::parse(context.map, file);
                diagnostics.extend(found);
                for node in documents.into_iter().take(1).filter(|node| !node.is_null()) {
                    all.extend(keywords::variables(&node, &mut diagnostics));
                    nodes.push(node);
                }
            }
            Err(problem) => diagnostics.push(*problem),
        }
    }
    if let Some(problem) = diagnostics.iter().find(|problem| problem.severity == Severity::Error) {
        let place = problem.span.as_ref().map(|(span, _)| format!("{}: ", context.map.place(*span))).unwrap_or_default();
        let mut done = Done::failed(format!("{place}{}", problem.message));
        done.hint.clone_from(&problem.hint);
        return done;
    }
    if let Some(name) = context.text("name") {
        let mut entries = Vec::new();
        let mut span = context.action.span;
        for node in &nodes {
            if let NodeValue::Map(map) = &node.value {
                entries.extend(map.entries.iter().cloned());
                span = node.span;
            }
        }
        let node = crate::source::Node { span, value: NodeValue::Map(Arc::new(crate::source::Mapping { entries })) };
        all = Variables::from_iter([(
            Arc::from(name),
            Variable { definition: Definition::Source(node), origin: Origin::File(span) },
        )]);
    }
    let mut done = Done::new(Ending::Ok, Map::new());
    let files: Vec<Value> = paths.iter().map(|path| Value::from(path.display().to_string())).collect();
    done.result.insert(Key::from("ansible_included_var_files"), Value::from(files));
    done.included = Some(Arc::new(all));
    done
}
