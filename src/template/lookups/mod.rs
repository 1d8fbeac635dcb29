//! Lookups: `lookup('name', ...)`, `query(...)`. They look at the controller, never at hosts, and
//! what they bring is data.

pub(super) mod files;
mod lists;
mod system;
mod tables;

use std::path::PathBuf;

use super::error::{Fault, fail};
use super::eval::Interpreter;
use super::filters::short_name;
use super::plugins::{self, Named, PluginKind};
use super::val::{Args, Res, Val};

pub use files::matches_glob;

/// What a lookup does with its terms.
pub(super) type Run = fn(&Interpreter<'_>, Vec<Val>, &mut Args) -> Res<Vec<Val>>;

/// A lookup.
#[derive(Debug)]
pub(super) struct Lookup {
    name: &'static str,
    run: Run,
}

const fn lookup(name: &'static str, run: Run) -> Lookup {
    Lookup { name, run }
}

const FAMILIES: [&[Lookup]; 4] = [files::LOOKUPS, lists::LOOKUPS, system::LOOKUPS, tables::LOOKUPS];

fn find(name: &str) -> Option<&'static Lookup> {
    FAMILIES.into_iter().flatten().find(|lookup| lookup.name == short_name(name))
}

/// `lookup(...)`, or `query(...)` if `wants_list`.
pub(super) fn call(it: &Interpreter<'_>, args: &mut Args, wants_list: bool) -> Res {
    let runtime = it.runtime;
    let name = runtime.string(&args.required("plugin_name")?)?;
    let wants_list = args.named("wantlist").map_or(Ok(wants_list), |value| runtime.truth(&value))?;
    // `first_found` has `errors` of its own in older playbooks; the meaning is the same.
    let errors = args.named("errors").map_or_else(|| Ok("strict".into()), |value| runtime.string(&value))?;
    if !matches!(&*errors, "strict" | "warn" | "ignore") {
        return Err(fail(format!("`errors` is strict, warn or ignore, not `{errors}`")));
    }
    let found = match find(&name) {
        Some(found) => Named::Own(found),
        None => {
            let own = FAMILIES.into_iter().flatten().map(|lookup| lookup.name);
            runtime.shared.known().plugin(PluginKind::Lookup, &name, own)?
        }
    };
    let result = match &found {
        Named::Own(found) => {
            let terms = args.rest();
            let found = runtime.deeper(|| (found.run)(it, terms, args));
            // As Ansible has it, a lookup does not mind arguments that it does not know.
            args.rest_named();
            found
        }
        // `wantlist` and `errors` are taken from the arguments above.
        Named::Plugin(name) => plugins::call(it, PluginKind::Lookup, name, None, args).and_then(|found| {
            runtime.solid(&found)?;
            if found.is_list() { runtime.items(&found) } else { Ok(vec![found]) }
        }),
    };
    let found = match result {
        Ok(found) => found,
        Err(Fault::Error(_)) if &*errors != "strict" => {
            args.rest_named();
            return Ok(if wants_list { Val::list(Vec::new()) } else { Val::Null });
        }
        Err(Fault::Error(mut error)) => {
            if error.span.is_none()
                && let Named::Own(found) = &found
            {
                error.message = format!("the lookup `{}`: {}", found.name, error.message);
            }
            return Err(Fault::Error(error));
        }
        Err(other) => return Err(other),
    };
    if wants_list {
        return Ok(Val::list(found));
    }
    if let [one] = &found[..] {
        return Ok(one.clone());
    }
    if !found.is_empty() && found.iter().all(|value| matches!(value, Val::Str(_))) {
        let texts: Vec<_> = found.iter().filter_map(Val::as_str).map(|text| &**text).collect();
        return Ok(Val::str(texts.join(",")));
    }
    Ok(Val::list(found))
}

/// Where a file of the project is: in `kind` (`files`, `templates` ...) of the directories that
/// are searched, or in those themselves.
fn project_file(it: &Interpreter<'_>, kind: &str, name: &str) -> Option<PathBuf> {
    candidates(it, &[kind], name).into_iter().find(|path| path.exists())
}

/// All places where a file of the project may be, best first.
fn candidates(it: &Interpreter<'_>, kinds: &[&str], name: &str) -> Vec<PathBuf> {
    let path = PathBuf::from(name);
    if path.is_absolute() {
        return vec![path];
    }
    if let Some(rest) = name.strip_prefix("~/")
        && let Some(home) = it.runtime.shared.settings.environment.get("HOME")
    {
        return vec![PathBuf::from(home).join(rest)];
    }
    let scope = &it.runtime.context(it.around.context).scope;
    let base = &it.runtime.shared.settings.base;
    let mut out = Vec::new();
    for directory in scope.search.iter().chain([base]) {
        out.extend(kinds.iter().map(|kind| directory.join(kind).join(name)));
        out.push(directory.join(name));
    }
    out
}

pub(super) use files::matching_files;

/// The only term, or a list of all.
fn flattened(it: &Interpreter<'_>, terms: Vec<Val>) -> Res<Vec<Val>> {
    let mut out = Vec::new();
    for term in terms {
        if term.is_list() {
            out.extend(it.runtime.items(&term)?);
        } else {
            out.push(term);
        }
    }
    Ok(out)
}

/// `name key=value key="other value"`: the words without a key, and the options.
fn words(text: &str) -> (Vec<String>, Vec<(String, String)>) {
    let (mut plain, mut options) = (Vec::new(), Vec::new());
    let mut rest = text.trim();
    while !rest.is_empty() {
        let (mut word, mut quote, mut end) = (String::new(), None, rest.len());
        for (at, c) in rest.char_indices() {
            match (c, quote) {
                ('\'' | '"', None) => quote = Some(c),
                (c, Some(open)) if c == open => quote = None,
                (c, None) if c.is_whitespace() => {
                    end = at;
                    break;
                }
                (c, _) => word.push(c),
            }
        }
        match word.split_once('=') {
            Some((key, value)) => options.push((key.to_owned(), value.to_owned())),
            None => plain.push(word),
        }
        rest = rest[end..].trim_start();
    }
    (plain, options)
}
