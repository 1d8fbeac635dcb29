//! Where an entry of an archive may go: nowhere but beneath the directory that was asked for.

use std::collections::BTreeSet;
use std::path::{Component, Path, PathBuf};

use super::read::Kind;
use crate::files::paths::real_path;
use crate::host::{FileKind, Inspect};
use crate::outcome::Failure;

/// The path of an entry as a path beneath the top, whatever root it has; empty for the top itself.
pub(crate) fn beneath(path: &Path) -> Result<PathBuf, Failure> {
    let mut done = PathBuf::new();
    for part in path.components() {
        match part {
            Component::Normal(part) => done.push(part),
            // An absolute path is taken as one beneath the top, as `tar` and `unzip` do.
            Component::CurDir | Component::RootDir | Component::Prefix(_) => {}
            Component::ParentDir => return Err(refused(path, "its path has `..` in it")),
        }
    }
    if done.as_os_str().as_encoded_bytes().contains(&0) {
        return Err(refused(path, "its path has a NUL byte in it"));
    }
    Ok(done)
}

pub(crate) fn refused(path: &Path, why: &str) -> Failure {
    Failure::new(format!("the archive was refused and nothing unpacked: entry `{}`: {why}", path.display()))
}

/// The places of one archive.
#[derive(Debug, Default)]
pub(crate) struct Places {
    /// Links that the archive itself brings.
    links: BTreeSet<PathBuf>,
}

impl Places {
    /// Checks an entry at this place (beneath the top) and remembers it.
    pub(crate) fn check(&mut self, place: &Path, kind: &Kind) -> Result<(), Failure> {
        let through = place.ancestors().skip(1).find(|above| self.links.contains(*above));
        if let Some(link) = through {
            return Err(refused(place, &format!("it would go through the link `{}` of the same archive", link.display())));
        }
        match kind {
            Kind::Special(what) => return Err(refused(place, &format!("it is {what}"))),
            Kind::Link(_) => {
                self.links.insert(place.to_owned());
            }
            Kind::Hard(target) => {
                if target.ancestors().any(|above| self.links.contains(above)) {
                    return Err(refused(
                        place,
                        &format!("it is a second name of `{}`, which leads through a link", target.display()),
                    ));
                }
            }
            Kind::File | Kind::Directory => {
                self.links.remove(place);
            }
        }
        Ok(())
    }
}

/// An error where a link that is on the host already leads the directory of this path out of the top.
pub(crate) fn stays_beneath(top: &Path, path: &Path, host: &dyn Inspect) -> Result<(), Failure> {
    let mut above = path.parent();
    while let Some(directory) = above.filter(|directory| *directory != top && directory.starts_with(top)) {
        if host.stat(directory)?.is_some_and(|stat| stat.kind == FileKind::Link) {
            let real = real_path(directory, host)?;
            if !real.starts_with(top) {
                return Err(refused(
                    path,
                    &format!("`{}` is a link out of the directory, to `{}`", directory.display(), real.display()),
                ));
            }
        }
        above = directory.parent();
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::host::memory::MemoryHost;

    #[test]
    fn entries_stay_beneath_the_top() {
        for (path, expected) in [
            ("a/b", Some("a/b")),
            ("./a//b/.", Some("a/b")),
            ("./", Some("")),
            ("/etc/passwd", Some("etc/passwd")),
            ("//../etc/passwd", None),
            ("a/../../b", None),
            ("..", None),
            ("a\0b", None),
        ] {
            assert_eq!(beneath(Path::new(path)).ok(), expected.map(PathBuf::from), "{path}");
        }
    }

    #[test]
    fn links_are_not_gone_through() {
        let link = |target: &str| Kind::Link(PathBuf::from(target));
        for (entries, fine) in [
            (vec![("a/l", link("../b"))], true),
            (vec![("l", link("b/../c"))], true),
            (vec![("l", link("/etc"))], true),
            (vec![("l", link("/etc")), ("l/passwd", Kind::File)], false),
            (vec![("a/l", link("../../x")), ("a/l/b/c", Kind::Directory)], false),
            (vec![("l", link("a")), ("l/x", Kind::File)], false),
            (vec![("l", link("a")), ("l", Kind::Directory), ("l/x", Kind::File)], true),
            (vec![("l", link("a")), ("h", Kind::Hard("l/x".into()))], false),
            (vec![("l", link("a")), ("h", Kind::Hard("l".into()))], false),
            (vec![("f", Kind::File), ("h", Kind::Hard("f".into()))], true),
            (vec![("d", Kind::Special("a pipe"))], false),
        ] {
            let mut places = Places::default();
            let checked = entries.iter().try_for_each(|(path, kind)| places.check(Path::new(path), kind));
            assert_eq!(checked.is_ok(), fine, "{entries:?}");
        }
    }

    #[test]
    fn links_on_the_host_lead_no_further_than_the_top() {
        let mut host = MemoryHost::default();
        host.add_file("/srv/top/real/x", "");
        host.add_link("/srv/top/in", "real");
        host.add_link("/srv/top/out", "/etc");
        let check = |path: &str| stays_beneath(Path::new("/srv/top"), Path::new(path), &host).is_ok();
        assert_eq!(
            [check("/srv/top/in/x"), check("/srv/top/new/x"), check("/srv/top/out/x"), check("/srv/top/out")],
            [true, true, false, true]
        );
    }
}
