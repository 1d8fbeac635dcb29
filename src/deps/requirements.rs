//! `requirements.yml`: the roles and collections that a project needs, in the forms that
//! `ansible-galaxy` documents.

use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};

use crate::source::{self, Diagnostic, Diagnostics, Mapping, Node, SourceMap, Span, yaml};

/// What is needed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Kind {
    /// A role: installed as `roles/NAME`.
    Role,
    /// A collection: installed as `collections/ansible_collections/NAMESPACE/NAME`.
    Collection,
}

impl Kind {
    /// The word for it.
    pub fn word(self) -> &'static str {
        match self {
            Self::Role => "role",
            Self::Collection => "collection",
        }
    }
}

/// Where something comes from.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Source {
    /// A git repository; `subdirectory` of it holds what is wanted.
    Git {
        /// Its address, as git understands it.
        url: String,
        /// Directory inside, if not the top.
        subdirectory: Option<PathBuf>,
    },
    /// A tar archive on this machine, plain or compressed by gzip.
    Archive(PathBuf),
    /// A directory on this machine.
    Directory(PathBuf),
}

impl std::fmt::Display for Source {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Git { url, subdirectory: None } => write!(f, "git {url}"),
            Self::Git { url, subdirectory: Some(inside) } => write!(f, "git {url}#/{}", inside.display()),
            Self::Archive(path) => write!(f, "archive {}", path.display()),
            Self::Directory(path) => write!(f, "directory {}", path.display()),
        }
    }
}

/// One entry.
#[derive(Debug, Clone)]
pub struct Requirement {
    /// Role or collection.
    pub kind: Kind,
    /// Its name; a collection's may be known only when it was fetched.
    pub name: Option<String>,
    /// Where it comes from.
    pub source: Source,
    /// Branch, tag or commit.
    pub version: Option<String>,
    /// Its place.
    pub span: Span,
}

/// An entry as a mapping.
#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields)]
struct Entry {
    name: Option<String>,
    src: Option<String>,
    source: Option<String>,
    version: Option<String>,
    scm: Option<String>,
    r#type: Option<String>,
}

/// Reads a file of requirements. Relative paths in it are relative to its directory.
pub fn read(map: &SourceMap, path: &Path) -> (Vec<Requirement>, Diagnostics) {
    let mut diagnostics = Diagnostics::default();
    let file = match source::load(map, path) {
        Ok(file) => file,
        Err(problem) => {
            diagnostics.push(*problem);
            return (Vec::new(), diagnostics);
        }
    };
    let (documents, found) = yaml::parse(map, file);
    diagnostics.extend(found);
    let mut reader = Reader { base: path.parent().unwrap_or(Path::new("")), requirements: Vec::new(), diagnostics };
    match documents.first() {
        None => {}
        Some(node) if node.is_null() => {}
        Some(node) => reader.document(node),
    }
    (reader.requirements, reader.diagnostics)
}

struct Reader<'a> {
    base: &'a Path,
    requirements: Vec<Requirement>,
    diagnostics: Diagnostics,
}

impl Reader<'_> {
    fn document(&mut self, node: &Node) {
        if let Some(list) = node.as_list() {
            return list.iter().for_each(|entry| self.entry(Kind::Role, entry));
        }
        let Some(mapping) = node.as_map() else {
            self.diagnostics.push(
                Diagnostic::error("bad-requirements", format!("requirements are a list or a mapping, not {}", node.kind()))
                    .at(node.span, "found here"),
            );
            return;
        };
        self.sections(mapping);
    }

    fn sections(&mut self, mapping: &Mapping) {
        for (key, value) in &mapping.entries {
            let kind = match key.as_str() {
                Some("roles") => Kind::Role,
                Some("collections") => Kind::Collection,
                _ => {
                    self.diagnostics.push(
                        Diagnostic::error("unknown-key", "requirements have the keys `roles` and `collections`")
                            .at(key.span, "this is another"),
                    );
                    continue;
                }
            };
            match value.as_list() {
                Some(list) => list.iter().for_each(|entry| self.entry(kind, entry)),
                None if value.is_null() => {}
                None => self.diagnostics.push(
                    Diagnostic::error("bad-requirements", format!("a list is expected here, not {}", value.kind()))
                        .at(value.span, "found here"),
                ),
            }
        }
    }

    fn entry(&mut self, kind: Kind, node: &Node) {
        let entry = match node.as_str() {
            Some(text) => {
                // `src,version,name`, as old files have it.
                let mut parts = text.split(',').map(|part| Some(part.trim().to_owned()).filter(|part| !part.is_empty()));
                let (src, version, name) = (parts.next().flatten(), parts.next().flatten(), parts.next().flatten());
                Entry { name, src, version, ..Entry::default() }
            }
            None => match source::de::from_node::<Entry>(node) {
                Ok(entry) => entry,
                Err(problem) => return self.diagnostics.push(*problem),
            },
        };
        match self.requirement(kind, entry, node.span) {
            Ok(requirement) => self.requirements.push(requirement),
            Err(problem) => self.diagnostics.push(problem.at(node.span, "this entry")),
        }
    }

    fn requirement(&self, kind: Kind, entry: Entry, span: Span) -> Result<Requirement, Diagnostic> {
        let (place, name) = match kind {
            Kind::Role => (entry.src.clone().or(entry.source), entry.name),
            // A collection's `name` may be where it is.
            Kind::Collection => match entry.source.or(entry.src) {
                Some(place) => (Some(place), entry.name),
                None => (entry.name, None),
            },
        };
        let Some(place) = place.or_else(|| name.clone()) else {
            return Err(Diagnostic::error("bad-requirements", "neither `src` nor `name` is given"));
        };
        let forced = entry.scm.as_deref().or(entry.r#type.as_deref());
        let source = self.source(&place, forced)?;
        let name = match (name, kind) {
            (Some(name), _) => Some(name),
            (None, Kind::Role) => Some(role_name(&place)),
            (None, Kind::Collection) => None,
        };
        if let Some(name) = &name
            && !is_name(name)
        {
            return Err(Diagnostic::error("bad-requirements", format!("`{name}` cannot be the name of a directory"))
                .hint("letters, digits, `_`, `-` and `.`; give `name:`"));
        }
        if let Some(version) = entry.version.as_deref()
            && (version.starts_with('-') || version.contains(char::is_whitespace))
        {
            return Err(Diagnostic::error("bad-requirements", format!("`{version}` is not a branch, tag or commit"))
                .hint("ranges such as `>=1.0` need a Galaxy server, which stead does not ask; name a tag"));
        }
        let version = entry.version.filter(|version| version != "*");
        Ok(Requirement { kind, name, source, version, span })
    }

    fn source(&self, place: &str, forced: Option<&str>) -> Result<Source, Diagnostic> {
        let (place, forced) = match place.strip_prefix("git+") {
            Some(rest) => (rest, Some("git")),
            None => (place, forced),
        };
        let (address, inside) = match place.split_once('#') {
            Some((address, inside)) => (address, Some(PathBuf::from(inside.trim_start_matches('/')))),
            None => (place, None),
        };
        if address.starts_with('-') {
            return Err(Diagnostic::error("bad-requirements", format!("`{address}` is not an address")));
        }
        let git =
            || Ok(Source::Git { url: address.to_owned(), subdirectory: inside.clone().filter(|path| path != Path::new("")) });
        let local = || {
            let path = address.strip_prefix("file://").unwrap_or(address);
            self.base.join(path)
        };
        let is_archive = [".tar", ".tar.gz", ".tgz"].iter().any(|end| address.ends_with(end));
        let is_remote = address.contains("://") && !address.starts_with("file://");
        match forced {
            Some("git") => return git(),
            Some("file") => return Ok(Source::Archive(local())),
            Some("dir") => return Ok(Source::Directory(local())),
            Some("hg") => {
                return Err(Diagnostic::error("unsupported-source", "Mercurial repositories are not fetched")
                    .hint("fetch it yourself and name the directory"));
            }
            Some("subdirs") => {
                return Err(Diagnostic::error("unsupported-source", "`type: subdirs` is not read")
                    .hint("name each directory with `type: dir`"));
            }
            _ => {}
        }
        let is_git = address.ends_with(".git") || address.starts_with("git@") || address.starts_with("ssh://");
        match (is_git, is_archive, is_remote) {
            (true, ..) => git(),
            (_, true, true) => Err(Diagnostic::error("unsupported-source", format!("archives are not downloaded: `{address}`"))
                .hint("name the git repository, or download the archive and name the file")),
            (_, true, false) => Ok(Source::Archive(local())),
            (_, _, true) => git(),
            _ if local().is_dir() => Ok(Source::Directory(local())),
            _ => Err(Diagnostic::error("unsupported-source", format!("`{address}` is neither an address nor a file"))
                .hint("names on Galaxy are not looked up: give `src` as a git address, an archive or a directory")),
        }
    }
}

/// The name of a role at an address: its last part, without what says how it is packed.
fn role_name(place: &str) -> String {
    let address = place.split('#').next().unwrap_or(place).trim_end_matches('/');
    let last = address.rsplit(['/', ':']).next().unwrap_or(address);
    [".git", ".tar.gz", ".tgz", ".tar"].iter().find_map(|end| last.strip_suffix(end)).unwrap_or(last).to_owned()
}

/// Whether this can name a directory that is ours to write.
pub(super) fn is_name(name: &str) -> bool {
    !name.is_empty()
        && !name.starts_with(['.', '-'])
        && name.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"_-.".contains(&byte))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn requirements(text: &str) -> (Vec<String>, Vec<String>) {
        let directory = tempfile::tempdir().unwrap();
        std::fs::create_dir(directory.path().join("here")).unwrap();
        let path = directory.path().join("requirements.yml");
        std::fs::write(&path, text).unwrap();
        let (read, diagnostics) = read(&SourceMap::default(), &path);
        let base = format!("{}/", directory.path().display());
        let line = |wanted: &Requirement| {
            let (name, version) = (wanted.name.as_deref().unwrap_or("?"), wanted.version.as_deref().unwrap_or("-"));
            format!("{} {name} {version} {}", wanted.kind.word(), wanted.source).replace(&base, "")
        };
        (read.iter().map(line).collect(), diagnostics.iter().map(|found| found.message.replace(&base, "")).collect())
    }

    #[test]
    fn every_documented_form_is_understood() {
        let cases = [
            ("- src: https://example.org/a/ntp.git\n  version: v1", "role ntp v1 git https://example.org/a/ntp.git"),
            ("- src: git+https://example.org/a/ntp", "role ntp - git https://example.org/a/ntp"),
            ("- src: https://example.org/a/ntp\n  scm: git\n  name: time", "role time - git https://example.org/a/ntp"),
            ("- git@example.org:a/ntp.git,v2,clock", "role clock v2 git git@example.org:a/ntp.git"),
            ("roles:\n- name: x\n  src: vendor/x.tar.gz", "role x - archive vendor/x.tar.gz"),
            ("- src: here", "role here - directory here"),
            ("collections:\n- name: https://example.org/c.git\n  type: git", "collection ? - git https://example.org/c.git"),
            (
                "collections:\n- name: a.b\n  source: https://example.org/c.git#/a/b\n  type: git\n  version: main",
                "collection a.b main git https://example.org/c.git#/a/b",
            ),
            ("collections:\n- name: ./c.tar.gz\n  type: file", "collection ? - archive ./c.tar.gz"),
            ("collections:\n- name: here\n  type: dir", "collection ? - directory here"),
        ];
        for (text, expected) in cases {
            assert_eq!(requirements(text), (vec![expected.to_owned()], vec![]), "{text}");
        }
    }

    #[test]
    fn what_cannot_be_fetched_is_said_for_every_entry() {
        let text = "- geerlingguy.nginx\n- src: https://example.org/x.tar.gz\n- src: -oProxyCommand=x.git\n\
                    - {src: a.git, name: ../x}\n- {src: a.git, version: '--upload-pack=x'}\n- {src: a.git, versoin: 1}\n- {}\n";
        let (read, problems) = requirements(text);
        assert!(read.is_empty());
        assert_eq!(problems.len(), 7, "{problems:?}");
    }
}
