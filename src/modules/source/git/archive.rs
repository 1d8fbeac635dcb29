//! An archive of a version.

use std::cell::RefCell;
use std::io::{Cursor, Read};
use std::path::{Path, PathBuf};

use super::line::GIT;
use super::{Options, State, digest};
use crate::change::ResourceState;
use crate::commands::words::expand_path;
use crate::files::paths::is_directory;
use crate::files::state::resource_id;
use crate::host::{Attributes, Digester, FileWrite, Host, Inspect, Source};
use crate::outcome::Failure;

/// The file as it is or should be.
#[derive(Debug, Clone)]
pub(super) struct Archive {
    path: PathBuf,
    sha256: Option<String>,
    present: bool,
    /// What it should be, where that can be told already.
    wanted: Option<String>,
}

impl Archive {
    pub(super) fn resource(&self) -> ResourceState {
        let id = resource_id(&self.path);
        if !self.present {
            return ResourceState::absent(id);
        }
        let state = ResourceState::present(id);
        match &self.sha256 {
            Some(sha256) => state.with_content(digest(sha256.clone())),
            None => state,
        }
    }

    pub(super) fn wanted(&self) -> Self {
        Self { sha256: self.wanted.clone(), present: true, ..self.clone() }
    }
}

fn format(path: &Path) -> Result<&'static str, Failure> {
    let name = path.to_string_lossy();
    let known = [(".zip", "zip"), (".tar.gz", "tar.gz"), (".tgz", "tgz"), (".tar", "tar")];
    known.into_iter().find(|(end, _)| name.ends_with(end)).map(|(_, format)| format).ok_or_else(|| {
        Failure::new(format!("`archive`: `{name}` does not end in .zip, .tar, .tar.gz or .tgz, the formats that git makes"))
    })
}

/// What git makes of a version, as it comes.
fn stream(options: &Options, dest: &Path, version: &str, path: &Path, host: &dyn Inspect) -> Result<Box<dyn Read>, Failure> {
    let mut words = vec!["archive".to_owned(), format!("--format={}", format(path)?)];
    words.extend(options.archive_prefix.as_ref().map(|prefix| format!("--prefix={prefix}")));
    words.push(version.to_owned());
    let line = options.looking(Some(dest), words, host);
    host.filter(&line, Box::new(Cursor::new(Vec::new())))
}

/// Looks at the file, and at what it should be if the version is in the clone already.
pub(super) fn read(state: &State, options: &Options, host: &dyn Inspect) -> Result<Option<Archive>, Failure> {
    let Some(path) = &options.archive else { return Ok(None) };
    let path = expand_path(path, host);
    format(&path)?;
    if path.parent().is_some_and(|parent| !is_directory(parent, host).unwrap_or(true)) {
        return Err(Failure::new(format!("the directory of `{}` does not exist", path.display())));
    }
    let present = host.stat(&path)?.is_some();
    // In a plan what is there may have no content yet.
    let sha256 = if present { host.digest(&path, "sha256").ok() } else { None };
    let version = version(state, options);
    let is_here = state.exists && host.thing(&state.id).is_none() && {
        let line = options.looking(Some(&state.dest), ["cat-file", "-e", &format!("{version}^{{commit}}")], host);
        GIT.query(&line, host)?.is_some_and(|output| output.rc == 0)
    };
    let wanted = if is_here {
        let mut digester = Digester::new("sha256").expect("it is a known algorithm");
        let mut stream = stream(options, &state.dest, &version, &path, host)?;
        let mut buffer = vec![0; 64 << 10];
        loop {
            let count = stream.read(&mut buffer).map_err(|error| Failure::new(format!("cannot make the archive: {error}")))?;
            if count == 0 {
                break;
            }
            digester.update(&buffer[..count]);
        }
        Some(digester.finish())
    } else {
        None
    };
    Ok(Some(Archive { path, sha256, present, wanted }))
}

fn version(state: &State, options: &Options) -> String {
    state.target.commit().map_or_else(|| options.version.clone(), str::to_owned)
}

/// Writes the file anew, unless it is what it should be already.
pub(super) fn write(state: &State, options: &Options, host: &mut dyn Host) -> Result<(), Failure> {
    let Some(archive) = &state.archive else { return Ok(()) };
    let file = FileWrite { path: &archive.path, content: b"", attributes: Attributes::default(), validate: None };
    if !host.acts() && archive.wanted.is_none() {
        return host.write_from(&Source::Unknown("the archive is made of what is fetched"), &file);
    }
    let now = State { exists: true, ..state.clone() };
    let found = read(&now, options, host.inspect())?;
    if found.is_some_and(|found| found.wanted.is_some() && found.wanted == found.sha256) {
        return Ok(());
    }
    let stream = RefCell::new(stream(options, &state.dest, &version(state, options), &archive.path, host.inspect())?);
    host.write_from(&Source::Stream(&stream), &file)
}
