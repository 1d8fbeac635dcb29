//! Modules of the host that take one file of the project as `src` (`unarchive`, `patch`, `uri`): it is
//! offered by digest, and the host does the rest.

use serde_json::{Map as JsonMap, Value as Json, json};
use stead_modules::outcome::Ending;

use super::{ActionContext, ActionError, Done};
use crate::vars::{Map, Value};

/// The modules that are meant.
pub const MODULES: &[&str] = &["patch", "unarchive", "uri"];

/// Whether a task with these options needs nothing from the controller.
pub fn needs_nothing(module: &str, options: &Map) -> bool {
    let is_form =
        options.get("body_format").is_some_and(|format| matches!(format, Value::Str(text) if &**text == "form-multipart"));
    if module == "assemble" {
        return options.get("remote_src").is_none_or(|value| value == &Value::Bool(true));
    }
    module == "uri" && !options.contains_key("src") && !is_form
}

pub(super) async fn run(module: &str, context: &ActionContext<'_>) -> Result<Done, ActionError> {
    let mut options = context.json_options()?;
    let flags = (context.flag("remote_src", false), context.flag("copy", true), context.flag("decrypt", true));
    let (remote, decrypt) = match flags {
        (Ok(remote), Ok(copy), Ok(decrypt)) => (remote || !copy, decrypt),
        (Err(problem), ..) | (_, Err(problem), _) | (.., Err(problem)) => return Ok(Done::failed(problem)),
    };
    if remote {
        return Ok(context.agent.module(module, options).await?.into());
    }
    if let Some(fields) = options.get_mut("body").and_then(Json::as_object_mut).filter(|_| module == "uri") {
        for field in fields.values_mut().filter_map(Json::as_object_mut) {
            if let Err(problem) = offer_part(context, field) {
                return Ok(problem);
            }
        }
    }
    let mut shown = None;
    if let Some(src) = context.text("src") {
        let offered = match offer(context, &src, decrypt) {
            Ok((offered, path)) => {
                shown = Some(path);
                offered
            }
            // The archive is not needed where `creates` is there already, which only the host knows.
            Err(problem) if module == "unarchive" && options.contains_key("creates") => {
                let done = Done::from(context.agent.module(module, options).await?);
                return Ok(if done.ending == Ending::Skipped { done } else { problem });
            }
            Err(problem) => return Ok(problem),
        };
        options.insert("stead_source".into(), offered);
    }
    let mut done = Done::from(context.agent.module(module, options).await?);
    if let Some(path) = shown.filter(|_| module == "unarchive" && done.result.contains_key("src")) {
        done.result.insert("src".into(), Value::from(path));
    }
    Ok(done)
}

/// Offers a file of the project: digest, size and mode as an option, and its path.
fn offer(context: &ActionContext<'_>, name: &str, decrypt: bool) -> Result<(Json, String), Done> {
    let path = context.find("files", name).ok_or_else(|| context.not_found("files", name))?;
    if path.is_dir() {
        return Err(Done::failed(format!("`{}` is a directory, not a file", path.display())));
    }
    let (sha256, size, mode) = context.offer(&path, decrypt)?;
    Ok((json!({"sha256": sha256, "size": size, "mode": mode}), path.display().to_string()))
}

/// A file in a form.
fn offer_part(context: &ActionContext<'_>, field: &mut JsonMap<String, Json>) -> Result<(), Done> {
    let is_given = field.get("content").is_some_and(|content| !content.is_null());
    let Some(name) = field.get("filename").and_then(Json::as_str).filter(|_| !is_given).map(str::to_owned) else { return Ok(()) };
    let (offered, _) = offer(context, &name, true)?;
    field.insert("stead_source".into(), offered);
    Ok(())
}
