//! `synchronize`: a tree of the project (or one on the host itself) made on the host.

use std::path::{Path, PathBuf};

use serde_json::Value as Json;
use stead_modules::args::Arguments as _;
use stead_modules::files::synchronize::options::Options;
use stead_modules::files::synchronize::{Args, Direction, listing};
use stead_modules::host::FileKind;
use stead_modules::host::real::RealHost;
use stead_modules::outcome::Failure;

use super::{ActionContext, ActionError, Done};

pub(super) async fn run(context: &ActionContext<'_>) -> Result<Done, ActionError> {
    let mut options = context.json_options()?;
    let args = match Args::parse(&options) {
        Ok(args) => args,
        Err(errors) => return Ok(Done::failed(errors.iter().map(ToString::to_string).collect::<Vec<_>>().join("; "))),
    };
    let is_on_host = match context.delegate {
        None => context.agent.is_controller(),
        Some(other) if other == context.host => true,
        Some(other) => {
            let mut done = Done::failed(format!(
                "`synchronize` with `delegate_to: {other}` cannot be done: it copies from the project to the host"
            ));
            done.hint = Some("leave `delegate_to` out, or name the host itself, whose own files are copied then".into());
            return Ok(done);
        }
    };
    if !is_on_host && args.mode == Direction::Push {
        match manifest(context, &args) {
            Ok(files) => drop(options.insert("stead_files".into(), files)),
            Err(problem) => return Ok(problem),
        }
    }
    Ok(context.agent.module("synchronize", options).await?.into())
}

/// What there is at the source, its content offered.
fn manifest(context: &ActionContext<'_>, args: &Args) -> Result<Json, Done> {
    let failed = |failure: Failure| Done::failed(failure.to_string());
    let options = Options::of(args).map_err(failed)?;
    let name = args.src.to_string_lossy();
    let path = context.find("files", &name).ok_or_else(|| context.not_found("files", &name))?;
    let host = RealHost::new(Box::new(|_| Err(Failure::new("there is no controller to ask"))));
    let entries = listing::list(&as_written(&path, &name), &options, &host).map_err(failed)?;
    let mut files = Vec::new();
    for mut entry in entries.ok_or_else(|| context.not_found("files", &name))? {
        if let Some(source) = entry.source.take().filter(|_| entry.kind == FileKind::File) {
            // What is encrypted stays so: a tree is copied as it is.
            let (sha256, size, _) = context.offer(&source, false)?;
            (entry.sha256, entry.size) = (Some(sha256), size);
        }
        files.push(entry.to_json());
    }
    Ok(files.into())
}

/// The path that was found, with the slash at its end, if there was one.
fn as_written(path: &Path, name: &str) -> PathBuf {
    if name.ends_with('/') {
        PathBuf::from(format!("{}/", path.display().to_string().trim_end_matches('/')))
    } else {
        path.to_owned()
    }
}
