//! `template`: a file of the project, rendered here and written there.

use std::path::Path;
use std::sync::Arc;

use serde_json::{Map as JsonMap, Value as Json, json};
use stead_modules::args::{Arg as _, ArgError, Arguments as _};
use stead_modules::{args, registry};

use super::{ActionContext, ActionError, Done};
use crate::template::{FileOptions, about};
use crate::vars::{Definition, Layer, Origin, Precedence, Scope, Value, Variable};

args! {
    /// Options of `template` that the controller uses up.
    pub struct Args {
        /// The template, in `templates/` of the role or beside the playbook.
        src: String,
        /// Remove the first newline after a block.
        trim_blocks: bool = true,
        /// Strip blanks before a block.
        lstrip_blocks: bool = false,
        /// What a newline is in the result.
        newline_sequence: String = "\n".to_owned(),
        /// Begins a block.
        block_start_string: Option<String>,
        /// Ends a block.
        block_end_string: Option<String>,
        /// Begins an expression.
        variable_start_string: Option<String>,
        /// Ends an expression.
        variable_end_string: Option<String>,
        /// Begins a comment.
        comment_start_string: Option<String>,
        /// Ends a comment.
        comment_end_string: Option<String>,
        /// Encoding of the result; only `utf-8` is known.
        output_encoding: String = "utf-8".to_owned(),
    }
}

fn is_own(name: &str) -> bool {
    Args::fields().iter().any(|field| field.name == name)
}

/// Options for the controller, and those for the host (which is told `src` too, for its result).
fn split(options: &JsonMap<String, Json>) -> (JsonMap<String, Json>, JsonMap<String, Json>) {
    let (own, mut rest): (JsonMap<_, _>, JsonMap<_, _>) = options.clone().into_iter().partition(|(name, _)| is_own(name));
    if let Some(src) = own.get("src") {
        rest.insert("src".into(), src.clone());
    }
    (own, rest)
}

/// Checks the options of both sides; those that the controller adds later are not missed.
pub(super) fn check(options: &JsonMap<String, Json>) -> Vec<ArgError> {
    let (own, rest) = split(options);
    let mut errors = super::check::<Args>(&own);
    if let Some(module) = registry::find("template") {
        errors.extend((module.check)(&rest).into_iter().filter(|error| !error.option.starts_with("stead_")));
    }
    errors
}

/// What the task sees, and what the template knows about itself.
fn scope(context: &ActionContext<'_>, src: &str, path: &Path) -> Scope {
    let variable = |value| Variable { definition: Definition::Data(value), origin: Origin::Builtin };
    let known = about(src, path, context.text("dest").as_deref());
    let variables = known.into_iter().map(|(name, value)| (Arc::from(name), variable(value))).collect();
    let mut scope = context.scope.clone();
    scope.push(Layer { precedence: Precedence::Magic, variables: Arc::new(variables) });
    scope
}

pub(super) async fn run(context: &ActionContext<'_>) -> Result<Done, ActionError> {
    let (own, mut options) = split(&context.json_options()?);
    let args = match <Args as stead_modules::args::Arguments>::parse(&own) {
        Ok(args) => args,
        Err(errors) => return Ok(Done::failed(errors.iter().map(ToString::to_string).collect::<Vec<_>>().join("; "))),
    };
    if !args.output_encoding.eq_ignore_ascii_case("utf-8") && !args.output_encoding.eq_ignore_ascii_case("utf8") {
        return Ok(Done::failed(format!("output_encoding `{}` is not supported: only utf-8 is", args.output_encoding)));
    }
    let Some(path) = context.find("templates", &args.src) else { return Ok(context.not_found("templates", &args.src)) };
    let file = match crate::source::load::once(context.map, &path) {
        Ok(file) => file,
        Err(problem) => return Ok(Done::failed(problem.message)),
    };
    let mut file_options = FileOptions {
        trim_blocks: args.trim_blocks,
        lstrip_blocks: args.lstrip_blocks,
        newline_sequence: args.newline_sequence.replace("\\n", "\n").replace("\\r", "\r"),
        ..FileOptions::default()
    };
    let given = [
        &args.block_start_string,
        &args.block_end_string,
        &args.variable_start_string,
        &args.variable_end_string,
        &args.comment_start_string,
        &args.comment_end_string,
    ];
    for (slot, given) in file_options.delimiters.iter_mut().zip(given) {
        if let Some(text) = given {
            slot.clone_from(text);
        }
    }
    let scope = scope(context, &args.src, &path);
    let rendered = context.renderer.file(context.map, file, &scope, &file_options);
    let text = match rendered.map_err(|error| ActionError::Template(error, context.action.span))? {
        Value::Unknown(reason) => return Err(ActionError::Unknown(reason)),
        value => String::parse(&value.to_json().map_err(ActionError::Unknown)?).expect("any value can be text"),
    };
    let size = text.len();
    let sha256 = context.contents.offer_bytes(text.into_bytes());
    options.insert("stead_source".into(), json!({"sha256": sha256, "size": size}));
    options.insert(
        "stead_basename".into(),
        json!(path.file_name().map(|name| name.to_string_lossy().trim_end_matches(".j2").to_owned())),
    );
    let mut done = Done::from(context.agent.module("template", options).await?);
    done.result.entry("src".into()).or_insert_with(|| Value::from(path.display().to_string()));
    Ok(done)
}
