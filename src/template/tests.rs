//! Tests: what stands behind `is`.

use std::cmp::Ordering;
use std::collections::HashMap;
use std::path::Path;
use std::sync::{Arc, OnceLock};

use super::ast::Operator;
use super::error::{Fault, TemplateError, fail};
use super::eval::Interpreter;
use super::plugins::{Known, Named, PluginKind};
use super::regexes::{self, Anchor, Flags};
use super::runtime::{Runtime, number};
use super::val::{Args, Res, Val};
use super::{filters, formatting, ops, version};

type Run = fn(&Interpreter<'_>, Val, &mut Args) -> Res<bool>;

/// A test.
#[derive(Debug)]
pub(super) struct Test {
    pub(super) name: &'static str,
    pub(super) run: Run,
    /// Whether it wants to see undefined and unknown input itself.
    pub(super) raw: bool,
}

/// The test of a name, with or without `ansible.builtin.`.
pub(super) fn find(name: &str) -> Option<&'static Test> {
    static KNOWN: OnceLock<HashMap<&'static str, &'static Test>> = OnceLock::new();
    let known = KNOWN.get_or_init(|| TESTS.iter().map(|test| (test.name, test)).collect());
    known.get(filters::short_name(name)).copied()
}

/// What a test's name stands for.
pub(super) fn named(name: &str, known: Known<'_>) -> Result<Named<Test>, TemplateError> {
    find(name).map_or_else(|| known.plugin(PluginKind::Test, name, names()), |found| Ok(Named::Own(found)))
}

/// All names.
pub(super) fn names() -> impl Iterator<Item = &'static str> {
    TESTS.iter().map(|test| test.name)
}

const fn test(name: &'static str, run: Run) -> Test {
    Test { name, run, raw: false }
}

static TESTS: &[Test] = &[
    Test { name: "defined", run: |_, input, _| Ok(!matches!(input, Val::Undefined(_))), raw: true },
    Test { name: "undefined", run: |_, input, _| Ok(matches!(input, Val::Undefined(_))), raw: true },
    test("none", |_, input, _| Ok(matches!(input, Val::Null))),
    test("boolean", |_, input, _| Ok(matches!(input, Val::Bool(_)))),
    test("true", |_, input, _| Ok(matches!(input, Val::Bool(true)))),
    test("false", |_, input, _| Ok(matches!(input, Val::Bool(false)))),
    test("integer", |_, input, _| Ok(matches!(input, Val::Int(_)))),
    test("float", |_, input, _| Ok(matches!(input, Val::Float(_)))),
    test("number", |_, input, _| Ok(matches!(input, Val::Int(_) | Val::Float(_) | Val::Bool(_)))),
    test("string", |_, input, _| Ok(matches!(input, Val::Str(_)))),
    test("sequence", |it, input, _| Ok(it.runtime.length(&input)?.is_some())),
    test("iterable", |it, input, _| Ok(it.runtime.length(&input)?.is_some())),
    test("mapping", |it, input, _| Ok(input.is_mapping(it.runtime))),
    test("callable", |_, input, _| {
        let callable = ["function", "Macro", "builtin_function_or_method", "BlockReference", "Joiner", "LoopContext"];
        Ok(matches!(&input, Val::Object(object) if callable.contains(&object.type_name())))
    }),
    test("escaped", |_, _, _| Ok(false)),
    test("filter", |it, input, _| Ok(filters::find(&it.runtime.string(&input)?).is_some())),
    test("test", |it, input, _| Ok(find(&it.runtime.string(&input)?).is_some())),
    test("lower", |it, input, _| cased(it.runtime, &input, char::is_lowercase, char::is_uppercase)),
    test("upper", |it, input, _| cased(it.runtime, &input, char::is_uppercase, char::is_lowercase)),
    test("even", |it, input, _| remainder(it, &input, &Val::Int(2), 0.0)),
    test("odd", |it, input, _| remainder(it, &input, &Val::Int(2), 1.0)),
    test("divisibleby", |it, input, args| remainder(it, &input, &args.required("num")?, 0.0)),
    test("sameas", same_as),
    test("eq", equal),
    test("equalto", equal),
    test("==", equal),
    test("ne", |it, input, args| equal(it, input, args).map(|equal| !equal)),
    test("!=", |it, input, args| equal(it, input, args).map(|equal| !equal)),
    test("lt", |it, input, args| ordered(it, &input, args).map(Ordering::is_lt)),
    test("lessthan", |it, input, args| ordered(it, &input, args).map(Ordering::is_lt)),
    test("<", |it, input, args| ordered(it, &input, args).map(Ordering::is_lt)),
    test("le", |it, input, args| ordered(it, &input, args).map(Ordering::is_le)),
    test("<=", |it, input, args| ordered(it, &input, args).map(Ordering::is_le)),
    test("gt", |it, input, args| ordered(it, &input, args).map(Ordering::is_gt)),
    test("greaterthan", |it, input, args| ordered(it, &input, args).map(Ordering::is_gt)),
    test(">", |it, input, args| ordered(it, &input, args).map(Ordering::is_gt)),
    test("ge", |it, input, args| ordered(it, &input, args).map(Ordering::is_ge)),
    test(">=", |it, input, args| ordered(it, &input, args).map(Ordering::is_ge)),
    test("in", |it, input, args| it.runtime.contains(&args.required("seq")?, &input)),
    test("contains", |it, input, args| it.runtime.contains(&input, &args.required("value")?)),
    test("truthy", truthy),
    test("falsy", |it, input, args| truthy(it, input, args).map(|truthy| !truthy)),
    test("any", |it, input, _| some(it.runtime, &input, true)),
    test("all", |it, input, _| some(it.runtime, &input, false).map(|any_false| !any_false)),
    test("subset", |it, input, args| subset(it.runtime, &input, &args.required("superset")?)),
    test("issubset", |it, input, args| subset(it.runtime, &input, &args.required("superset")?)),
    test("superset", |it, input, args| subset(it.runtime, &args.required("subset")?, &input)),
    test("issuperset", |it, input, args| subset(it.runtime, &args.required("subset")?, &input)),
    test("match", |it, input, args| pattern(it.runtime, &input, args, Some(Anchor::Start))),
    test("search", |it, input, args| pattern(it.runtime, &input, args, Some(Anchor::Nowhere))),
    test("regex", |it, input, args| pattern(it.runtime, &input, args, None)),
    test("version", compare_versions),
    test("version_compare", compare_versions),
    test("changed", |it, input, _| result(it.runtime, &input, "changed")),
    test("change", |it, input, _| result(it.runtime, &input, "changed")),
    test("failed", |it, input, _| result(it.runtime, &input, "failed")),
    test("failure", |it, input, _| result(it.runtime, &input, "failed")),
    test("succeeded", |it, input, _| result(it.runtime, &input, "failed").map(|failed| !failed)),
    test("success", |it, input, _| result(it.runtime, &input, "failed").map(|failed| !failed)),
    test("successful", |it, input, _| result(it.runtime, &input, "failed").map(|failed| !failed)),
    test("skipped", |it, input, _| result(it.runtime, &input, "skipped")),
    test("skip", |it, input, _| result(it.runtime, &input, "skipped")),
    test("unreachable", |it, input, _| result(it.runtime, &input, "unreachable")),
    test("reachable", |it, input, _| result(it.runtime, &input, "unreachable").map(|unreachable| !unreachable)),
    test("timedout", |it, input, _| result(it.runtime, &input, "timedout")),
    test("started", |it, input, _| async_flag(it.runtime, &input, "started")),
    test("finished", |it, input, _| async_flag(it.runtime, &input, "finished")),
    test("file", |it, input, _| on_disk(it.runtime, &input, Path::is_file)),
    test("is_file", |it, input, _| on_disk(it.runtime, &input, Path::is_file)),
    test("directory", |it, input, _| on_disk(it.runtime, &input, Path::is_dir)),
    test("is_dir", |it, input, _| on_disk(it.runtime, &input, Path::is_dir)),
    test("exists", |it, input, _| on_disk(it.runtime, &input, Path::exists)),
    test("link", |it, input, _| on_disk(it.runtime, &input, Path::is_symlink)),
    test("is_link", |it, input, _| on_disk(it.runtime, &input, Path::is_symlink)),
    test("link_exists", |it, input, _| on_disk(it.runtime, &input, |path| path.symlink_metadata().is_ok())),
    test("abs", |it, input, _| on_disk(it.runtime, &input, Path::is_absolute)),
    test("is_abs", |it, input, _| on_disk(it.runtime, &input, Path::is_absolute)),
    test("mount", |it, input, _| on_disk(it.runtime, &input, is_mount)),
    test("is_mount", |it, input, _| on_disk(it.runtime, &input, is_mount)),
    test("same_file", same_file),
    test("is_same_file", same_file),
    test("nan", |_, input, _| match number(&input) {
        Some(number) => Ok(number.float().is_nan()),
        None => Ok(false),
    }),
    test("isnan", |_, input, _| Ok(number(&input).is_some_and(|number| number.float().is_nan()))),
    test("url", |it, input, args| uri(it.runtime, &input, args, &["ftp", "http", "https"], true)),
    test("uri", |it, input, args| uri(it.runtime, &input, args, &[], false)),
    test("urn", |it, input, _| Ok(it.runtime.string(&input)?.to_lowercase().starts_with("urn:"))),
    // The value of a `!vault` is one; text that was made of it, or that is encrypted text, is none.
    test("vault_encrypted", |it, input, _| {
        Ok(matches!(&input, Val::Str(text) if it.runtime.shared.settings.vault.sealed_form(text).is_some()))
    }),
    test("vaulted_file", |it, input, _| {
        let path = it.runtime.string(&input)?;
        crate::vault::is_sealed_file(Path::new(&*path)).map_err(|error| fail(format!("cannot read `{path}`: {error}")))
    }),
];

fn cased(runtime: &Runtime, input: &Val, wanted: fn(char) -> bool, other: fn(char) -> bool) -> Res<bool> {
    let text = runtime.string(input)?;
    Ok(text.chars().any(wanted) && !text.chars().any(other))
}

/// Whether `wanted` is left when a number is divided.
fn remainder(it: &Interpreter<'_>, input: &Val, by: &Val, wanted: f64) -> Res<bool> {
    let rest = ops::binary(it.runtime, Operator::Rem, input, by)?;
    number(&rest).map_or_else(
        || Err(fail(format!("a number is needed, not a `{}`", input.type_name()))),
        |rest| Ok(rest.float() == wanted),
    )
}

fn equal(it: &Interpreter<'_>, input: Val, args: &mut Args) -> Res<bool> {
    it.runtime.equal(&input, &args.required("other")?)
}

fn ordered(it: &Interpreter<'_>, input: &Val, args: &mut Args) -> Res<Ordering> {
    it.runtime.order(input, &args.required("other")?)
}

/// Python's `is`: the same kind and, for what can only be the same by value, the same value.
fn same_as(it: &Interpreter<'_>, input: Val, args: &mut Args) -> Res<bool> {
    let other = args.required("other")?;
    Ok(match (&input, &other) {
        (Val::List(one), Val::List(other)) => std::rc::Rc::ptr_eq(one, other),
        (Val::Map(one), Val::Map(other)) => std::rc::Rc::ptr_eq(one, other),
        _ => input.type_name() == other.type_name() && it.runtime.equal(&input, &other)?,
    })
}

fn truthy(it: &Interpreter<'_>, input: Val, args: &mut Args) -> Res<bool> {
    let convert = args.next("convert_bool").map_or(Ok(false), |convert| it.runtime.truth(&convert))?;
    if convert && let Some(value) = filters::text::boolean(it.runtime, &input)? {
        return Ok(value);
    }
    it.runtime.truth(&input)
}

/// Whether any item has this truth.
fn some(runtime: &Runtime, input: &Val, wanted: bool) -> Res<bool> {
    let mut unknown = None;
    for item in runtime.items(input)? {
        match runtime.truth(&item) {
            Ok(truth) if truth == wanted => return Ok(true),
            Ok(_) => {}
            Err(Fault::Unknown(reason)) => unknown = Some(reason),
            Err(other) => return Err(other),
        }
    }
    unknown.map_or(Ok(false), |reason| Err(Fault::Unknown(reason)))
}

fn subset(runtime: &Runtime, small: &Val, large: &Val) -> Res<bool> {
    let (small, large) = (runtime.items(small)?, runtime.items(large)?);
    if small.iter().chain(&large).any(|item| item.is_list() || item.is_mapping(runtime)) {
        return Err(fail("what a set holds are texts, numbers and the like, not lists or mappings"));
    }
    let large = Val::list(large);
    for item in small {
        if !runtime.contains(&large, &item)? {
            return Ok(false);
        }
    }
    Ok(true)
}

/// Where a match must lie; none where the argument `match_type` says it.
fn pattern(runtime: &Runtime, input: &Val, args: &mut Args, anchor: Option<Anchor>) -> Res<bool> {
    let text = runtime.string(input)?;
    let pattern = runtime.string(&args.required("pattern")?)?;
    let ignore_case = args.next("ignorecase").map_or(Ok(false), |flag| runtime.truth(&flag))?;
    let multiline = args.next("multiline").map_or(Ok(false), |flag| runtime.truth(&flag))?;
    let anchor = match (anchor, args.next("match_type")) {
        (Some(anchor), None) => anchor,
        (Some(_), Some(_)) => return Err(fail("there are too many arguments")),
        (None, None) => Anchor::Nowhere,
        (None, Some(kind)) => match &*runtime.string(&kind)? {
            "search" => Anchor::Nowhere,
            "match" => Anchor::Start,
            "fullmatch" => Anchor::Both,
            other => return Err(fail(format!("`match_type` is search, match or fullmatch, not `{other}`"))),
        },
    };
    regexes::compile(runtime, &pattern, Flags { ignore_case, multiline }, anchor)?.is_match(runtime, &text)
}

fn compare_versions(it: &Interpreter<'_>, input: Val, args: &mut Args) -> Res<bool> {
    let runtime = it.runtime;
    let left = runtime.string(&input)?;
    let right = runtime.string(&args.required("version")?)?;
    let operator = args.next("operator").map_or_else(|| Ok("eq".into()), |operator| runtime.string(&operator))?;
    let strict = match args.next("strict") {
        None | Some(Val::Null) => None,
        Some(strict) => Some(runtime.truth(&strict)?),
    };
    let kind = match args.next("version_type") {
        None | Some(Val::Null) => None,
        Some(kind) => Some(runtime.string(&kind)?),
    };
    if strict.is_some() && kind.is_some() {
        return Err(fail("`strict` and `version_type` cannot be given together"));
    }
    if left.is_empty() || right.is_empty() {
        return Err(fail(if left.is_empty() {
            "the version on the left is empty"
        } else {
            "the version to compare with is empty"
        }));
    }
    let order = match kind.as_deref().unwrap_or(if strict == Some(true) { "strict" } else { "loose" }) {
        "loose" => version::compare_loose(&left, &right)?,
        "strict" => version::compare_strict(&left, &right)?,
        "semver" | "semantic" => version::compare_semantic(&left, &right)?,
        "pep440" => version::compare_pep440(&left, &right)?,
        other => return Err(fail(format!("`{other}` is not a version type: loose, strict, semver, semantic or pep440"))),
    };
    Ok(match &*operator {
        "==" | "=" | "eq" => order.is_eq(),
        "<" | "lt" => order.is_lt(),
        "<=" | "le" => order.is_le(),
        ">" | "gt" => order.is_gt(),
        ">=" | "ge" => order.is_ge(),
        "!=" | "<>" | "ne" => order.is_ne(),
        other => return Err(fail(format!("`{other}` is not a comparison"))),
    })
}

/// A property of a task's result. A result with several items has `changed` if any item has.
fn result(runtime: &Runtime, input: &Val, property: &str) -> Res<bool> {
    if !input.is_mapping(runtime) {
        return Err(fail(format!("a task's result is needed, not a `{}`", input.type_name())));
    }
    let own = |of: &Val, name: &str| match runtime.get(of, &name.into())? {
        Some(value) => runtime.truth(&value),
        None => Ok(false),
    };
    if property == "changed" && runtime.get(input, &"changed".into())?.is_none() {
        let Some(items) = runtime.get(input, &"results".into())?.filter(Val::is_list) else { return Ok(false) };
        if runtime.length(&items)? == Some(0) {
            return Err(fail("neither `changed` nor a result in `results` tells whether something changed"));
        }
        for item in runtime.items(&items)? {
            if item.is_mapping(runtime) && own(&item, "changed")? {
                return Ok(true);
            }
        }
        return Ok(false);
    }
    own(input, property)
}

fn async_flag(runtime: &Runtime, input: &Val, property: &str) -> Res<bool> {
    if !input.is_mapping(runtime) {
        return Err(fail(format!("a task's result is needed, not a `{}`", input.type_name())));
    }
    // What does not run in the background is started and finished.
    runtime.get(input, &property.into())?.map_or(Ok(true), |value| runtime.truth(&value))
}

fn on_disk(runtime: &Runtime, input: &Val, holds: fn(&Path) -> bool) -> Res<bool> {
    // To Python a number is an open file of its own process: there is none.
    if matches!(input, Val::Int(_) | Val::Bool(_)) {
        return Ok(false);
    }
    Ok(holds(Path::new(&*formatting::text(runtime, input)?)))
}

fn is_mount(path: &Path) -> bool {
    use std::os::unix::fs::MetadataExt as _;
    let (Ok(own), Ok(parent)) = (path.symlink_metadata(), path.join("..").metadata()) else { return false };
    own.is_dir() && (own.dev() != parent.dev() || own.ino() == parent.ino())
}

fn same_file(it: &Interpreter<'_>, input: Val, args: &mut Args) -> Res<bool> {
    use std::os::unix::fs::MetadataExt as _;
    let look = |value: &Val| {
        let path = it.runtime.string(value)?;
        let found = std::fs::metadata(&*path).map_err(|error| fail(format!("cannot look at `{path}`: {error}")))?;
        Ok::<_, Fault>((found.dev(), found.ino()))
    };
    Ok(look(&input)? == look(&args.required("path")?)?)
}

fn uri(runtime: &Runtime, input: &Val, args: &mut Args, schemes: &[&str], needs_host: bool) -> Res<bool> {
    let empty: Arc<str> = "".into();
    // Python's reader of addresses takes whatever is false for an empty one.
    let Some(text) = input.as_str().or_else(|| (!runtime.truth(input).unwrap_or(true)).then_some(&empty)) else {
        return Ok(false);
    };
    let asked = match args.next("schemes") {
        None | Some(Val::Null) => None,
        Some(schemes) => Some(runtime.items(&schemes)?.iter().map(|scheme| runtime.string(scheme)).collect::<Res<Vec<_>>>()?),
    };
    // Anything is a reference of some kind.
    let any = asked.is_none() && schemes.is_empty();
    let Some((scheme, rest)) = text.split_once(':') else { return Ok(any) };
    let valid = scheme.starts_with(|c: char| c.is_ascii_alphabetic())
        && scheme.chars().all(|c| c.is_ascii_alphanumeric() || "+-.".contains(c));
    let known = match &asked {
        Some(asked) => asked.iter().any(|asked| asked.eq_ignore_ascii_case(scheme)),
        None => schemes.is_empty() || schemes.iter().any(|known| known.eq_ignore_ascii_case(scheme)),
    };
    let host = rest.strip_prefix("//").is_some_and(|rest| !rest.split(['/', '?', '#']).next().unwrap_or("").is_empty());
    Ok(valid && known && (host || !needs_host))
}
