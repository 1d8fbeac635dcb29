//! `copy`: content, a file or a directory of the project, written on the host.

use std::path::Path;

use serde_json::{Map as JsonMap, Value as Json, json};
use stead_modules::args::ArgError;
use stead_modules::{args, registry};

use super::{ActionContext, ActionError, Done};
use crate::template::json_text;
use crate::vars::{Key, Value};

args! {
    /// Options of `copy` that the controller uses up.
    pub struct Args {
        /// A file or directory of the project (with `remote_src`: of the host); a directory with `/` at its end means its contents.
        src: Option<String>,
        /// Follow symbolic links of the project while copying a directory.
        local_follow: bool = true,
        /// Decrypt a source that is encrypted with Ansible Vault.
        decrypt: bool = true,
    }
}

/// Checks what the host is asked for.
pub(super) fn check(options: &JsonMap<String, Json>) -> Vec<ArgError> {
    let mut rest = options.clone();
    for name in ["local_follow", "decrypt"] {
        rest.remove(name);
    }
    let Some(module) = registry::find("copy") else { return Vec::new() };
    let known: Vec<&str> = (module.fields)().iter().map(|field| field.name).collect();
    if !known.contains(&"src") {
        rest.remove("src");
    }
    (module.check)(&rest).into_iter().filter(|error| !error.option.starts_with("stead_")).collect()
}

pub(super) async fn run(context: &ActionContext<'_>) -> Result<Done, ActionError> {
    let mut options = context.json_options()?;
    for name in ["local_follow", "decrypt"] {
        options.remove(name);
    }
    let flags = (context.flag("remote_src", false), context.flag("local_follow", true), context.flag("decrypt", true));
    let (remote, sources) = match flags {
        (Ok(remote), Ok(follow), Ok(decrypt)) => (remote, Sources { follow, decrypt }),
        (Err(problem), ..) | (_, Err(problem), _) | (.., Err(problem)) => return Ok(Done::failed(problem)),
    };
    if let Some(content @ (Value::List(_) | Value::Map(_))) = context.options.get(&Key::from("content")) {
        options.insert("content".into(), Json::String(json_text(content)));
    }
    let Some(src) = context.text("src").filter(|_| !remote) else {
        return Ok(context.agent.module("copy", options).await?.into());
    };
    if options.contains_key("content") {
        return Ok(Done::failed("`src` and `content` exclude each other"));
    }
    options.remove("src");
    let Some(path) = context.find("files", &src) else { return Ok(context.not_found("files", &src)) };
    if path.is_dir() {
        return tree(context, &path, &src, sources, options).await;
    }
    let (sha256, size, mode) = match context.offer(&path, sources.decrypt) {
        Ok(offered) => offered,
        Err(problem) => return Ok(problem),
    };
    options.insert("stead_source".into(), json!({"sha256": sha256, "size": size, "mode": mode}));
    options.insert("stead_basename".into(), json!(path.file_name().map(|name| name.to_string_lossy())));
    let mut done = Done::from(context.agent.module("copy", options).await?);
    done.result.entry("src".into()).or_insert_with(|| Value::from(path.display().to_string()));
    Ok(done)
}

/// How files of the project are read.
#[derive(Clone, Copy)]
struct Sources {
    follow: bool,
    decrypt: bool,
}

/// A directory: one manifest of digests, one request.
async fn tree(
    context: &ActionContext<'_>,
    path: &Path,
    src: &str,
    sources: Sources,
    mut options: JsonMap<String, Json>,
) -> Result<Done, ActionError> {
    let mut entries = Vec::new();
    let prefix = if src.ends_with('/') {
        String::new()
    } else {
        path.file_name().map(|name| name.to_string_lossy().into_owned()).unwrap_or_default()
    };
    if !prefix.is_empty() {
        entries.push(json!({"path": prefix, "mode": mode(path)}));
    }
    if let Err(problem) = list(context, path, &prefix, sources, &mut entries) {
        return Ok(problem);
    }
    options.insert("files".into(), Json::Array(entries));
    for name in ["remote_src", "follow", "checksum"] {
        options.remove(name);
    }
    let mut done = Done::from(context.agent.module("copy_tree", options).await?);
    done.result.entry("src".into()).or_insert_with(|| Value::from(path.display().to_string()));
    Ok(done)
}

fn mode(path: &Path) -> u32 {
    use std::os::unix::fs::PermissionsExt as _;
    std::fs::metadata(path).map_or(0o755, |meta| meta.permissions().mode() & 0o7777)
}

fn list(
    context: &ActionContext<'_>,
    directory: &Path,
    prefix: &str,
    sources: Sources,
    entries: &mut Vec<Json>,
) -> Result<(), Done> {
    let unreadable = |error: std::io::Error| Done::failed(format!("cannot read `{}`: {error}", directory.display()));
    let listing = std::fs::read_dir(directory).map_err(unreadable)?;
    let mut names: Vec<_> = listing.collect::<Result<_, _>>().map_err(unreadable)?;
    names.sort_by_key(std::fs::DirEntry::file_name);
    for entry in names {
        let path = entry.path();
        let name = entry.file_name().to_string_lossy().into_owned();
        let relative = if prefix.is_empty() { name } else { format!("{prefix}/{name}") };
        let kind = entry.file_type().map_err(unreadable)?;
        if kind.is_symlink() && !sources.follow {
            let target = std::fs::read_link(&path).map_err(unreadable)?;
            entries.push(json!({"path": relative, "link": target.to_string_lossy()}));
        } else if path.is_dir() {
            entries.push(json!({"path": relative, "mode": mode(&path)}));
            list(context, &path, &relative, sources, entries)?;
        } else {
            let (sha256, size, mode) = context.offer(&path, sources.decrypt)?;
            entries.push(json!({"path": relative, "sha256": sha256, "size": size, "mode": mode}));
        }
    }
    Ok(())
}
