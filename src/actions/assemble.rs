//! `assemble` of parts that are here: joined here, written on the host.

use serde_json::json;
use stead_modules::files::assemble::{Choice, Joined};

use super::{ActionContext, ActionError, Done};
use crate::vars::Value;

pub(super) async fn run(context: &ActionContext<'_>) -> Result<Done, ActionError> {
    let mut options = context.json_options()?;
    let flags = (context.flag("remote_src", true), context.flag("ignore_hidden", false), context.flag("decrypt", true));
    let (remote, ignore_hidden, decrypt) = match flags {
        (Ok(remote), Ok(hidden), Ok(decrypt)) => (remote, hidden, decrypt),
        (Err(problem), ..) | (_, Err(problem), _) | (.., Err(problem)) => return Ok(Done::failed(problem)),
    };
    if remote {
        return Ok(context.agent.module("assemble", options).await?.into());
    }
    let Some(src) = context.text("src") else { return Ok(Done::failed("`assemble` needs `src`")) };
    let Some(directory) = context.find("files", &src) else { return Ok(context.not_found("files", &src)) };
    if !directory.is_dir() {
        return Ok(Done::failed(format!("Source ({}) is not a directory", directory.display())));
    }
    let choice = match Choice::new(context.text("regexp").as_deref(), ignore_hidden) {
        Ok(choice) => choice,
        Err(failure) => return Ok(Done::failed(failure.message)),
    };
    let unreadable = |error: std::io::Error| Done::failed(format!("cannot read `{}`: {error}", directory.display()));
    let names = match std::fs::read_dir(&directory).and_then(Iterator::collect::<Result<Vec<_>, _>>) {
        Ok(names) => names,
        Err(error) => return Ok(unreadable(error)),
    };
    let mut names: Vec<String> = names.iter().map(|entry| entry.file_name().to_string_lossy().into_owned()).collect();
    names.sort();
    let mut joined = Joined::new(context.text("delimiter").as_deref());
    for path in names.iter().filter(|name| choice.has(name)).map(|name| directory.join(name)).filter(|path| path.is_file()) {
        match context.content(&path, decrypt) {
            Ok(part) => joined.add(&part),
            Err(problem) => return Ok(problem),
        }
    }
    for name in ["src", "remote_src", "decrypt", "delimiter", "regexp", "ignore_hidden"] {
        options.remove(name);
    }
    let size = joined.text.len();
    let sha256 = context.contents.offer_bytes(joined.text);
    options.insert("stead_source".into(), json!({"sha256": sha256, "size": size}));
    options.insert("stead_basename".into(), json!(directory.file_name().map(|name| name.to_string_lossy())));
    let mut done = Done::from(context.agent.module("copy", options).await?);
    done.result.entry("src".into()).or_insert_with(|| Value::from(directory.display().to_string()));
    Ok(done)
}
