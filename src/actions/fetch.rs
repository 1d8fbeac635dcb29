//! `fetch`: a file of the host, kept here.

use std::path::{Component, Path, PathBuf};

use base64::Engine as _;
use serde_json::json;
use stead_modules::args;
use stead_modules::change::{Content, ResourceId, ResourceState, compare};
use stead_modules::outcome::Ending;

use super::{ActionContext, ActionError, Done};
use crate::vars::{Map, Value};

args! {
    /// Copies a file from the host to this machine.
    pub struct Args {
        /// The file on the host.
        src: String,
        /// Where it is kept here: a directory (then the host's name and the path follow), or with `flat` the file itself.
        dest: String,
        /// `dest` is the file itself.
        flat: bool = false,
        /// A file that is not there is a failure.
        fail_on_missing: bool = true,
        /// Compare checksums afterwards. They are always compared.
        validate_checksum: bool = true,
    }
}

pub(super) async fn run(context: &ActionContext<'_>) -> Result<Done, ActionError> {
    let args = match <Args as stead_modules::args::Arguments>::parse(&context.json_options()?) {
        Ok(args) => args,
        Err(errors) => return Ok(Done::failed(errors.iter().map(ToString::to_string).collect::<Vec<_>>().join("; "))),
    };
    let Some(dest) = destination(context, &args) else {
        return Ok(Done::failed(format!("`{}` cannot be kept below `{}`: the path leads elsewhere", args.src, args.dest)));
    };
    let outcome = context.agent.module("fetch", json!({"src": args.src}).as_object().cloned().unwrap_or_default()).await?;
    let missing = outcome.ending == Ending::Failed && outcome.result.get("missing").is_some_and(|value| value == true);
    if missing && !args.fail_on_missing {
        let mut done = Done::new(Ending::Ok, Map::new());
        done.result.insert("msg".into(), Value::from("the remote file does not exist, not transferring, ignored"));
        done.result.insert("file".into(), Value::from(args.src));
        return Ok(done);
    }
    if outcome.ending != Ending::Ok {
        return Ok(outcome.into());
    }
    let encoded = outcome.result.get("content").and_then(|value| value.as_str()).unwrap_or_default();
    let Ok(bytes) = base64::engine::general_purpose::STANDARD.decode(encoded) else {
        return Ok(Done::failed("the host sent content that cannot be decoded"));
    };
    let id = ResourceId::new("local file", dest.display().to_string());
    let old = std::fs::read(&dest).ok();
    let before = old.as_deref().map_or_else(
        || ResourceState::absent(id.clone()),
        |old| ResourceState::present(id.clone()).with_content(Content::of(old)),
    );
    let changes = compare(&[before], &[ResourceState::present(id).with_content(Content::of(&bytes))]);
    if !changes.is_empty()
        && !context.plan
        && let Err(error) = write(&dest, &bytes)
    {
        return Ok(Done::failed(format!("cannot write `{}`: {error}", dest.display())));
    }
    let mut done = Done::new(if changes.is_empty() { Ending::Ok } else { Ending::Changed }, Map::new());
    done.changes = changes;
    for name in ["checksum", "md5sum"] {
        if let Some(value) = outcome.result.get(name) {
            done.result.insert(name.into(), Value::from(value.clone()));
        }
    }
    if let Some(value) = outcome.result.get("checksum") {
        done.result.insert("remote_checksum".into(), Value::from(value.clone()));
    }
    done.result.insert("dest".into(), Value::from(dest.display().to_string()));
    done.result.insert("file".into(), Value::from(args.src));
    Ok(done)
}

/// Where the file is kept; `None` where the host's path would leave the directory.
fn destination(context: &ActionContext<'_>, args: &Args) -> Option<PathBuf> {
    let base = |path: &str| {
        let path = Path::new(path);
        if path.is_absolute() {
            path.to_owned()
        } else {
            context.search.last().map(|root| root.join(path)).unwrap_or_else(|| path.to_owned())
        }
    };
    if args.flat {
        let dest = base(&args.dest);
        if args.dest.ends_with('/') || dest.is_dir() {
            return Some(dest.join(Path::new(&args.src).file_name()?));
        }
        return Some(dest);
    }
    let mut dest = base(&args.dest).join(context.host);
    for part in Path::new(&args.src).components() {
        match part {
            Component::Normal(name) => dest.push(name),
            Component::RootDir | Component::CurDir => {}
            Component::ParentDir | Component::Prefix(_) => return None,
        }
    }
    Some(dest)
}

fn write(path: &Path, bytes: &[u8]) -> std::io::Result<()> {
    use std::io::Write as _;
    let parent = path.parent().filter(|parent| !parent.as_os_str().is_empty()).unwrap_or_else(|| Path::new("."));
    std::fs::create_dir_all(parent)?;
    let staged =
        parent.join(format!(".stead-fetch-{}-{}", std::process::id(), path.file_name().unwrap_or_default().to_string_lossy()));
    let written = (|| {
        let mut file = std::fs::File::create(&staged)?;
        file.write_all(bytes)?;
        file.sync_all()?;
        std::fs::rename(&staged, path)
    })();
    if written.is_err() {
        let _ = std::fs::remove_file(&staged);
    }
    written
}
