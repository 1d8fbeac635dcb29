//! Which entries of an archive are wanted, and under which names: `include`, `exclude`, and the
//! options of `tar` and `unzip` that are known here.

use std::path::{Path, PathBuf};

use crate::commands::glob::matches;
use crate::outcome::Failure;

/// What the options of another program say.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct Extra {
    /// Directories that are cut off at the beginning.
    pub(crate) strip: usize,
    /// Only the last part of a path counts.
    pub(crate) junk: bool,
    /// Everything belongs to the acting user.
    pub(crate) no_owner: bool,
    /// Owners by number only.
    pub(crate) numeric: bool,
    /// Times are not taken over.
    pub(crate) touch: bool,
    /// Directories that are there keep their attributes.
    pub(crate) no_overwrite_dir: bool,
    /// What is there is left.
    pub(crate) keep_old: bool,
    /// Further patterns that are left out.
    pub(crate) exclude: Vec<String>,
}

impl Extra {
    /// Reads `extra_opts`; what is not known is an error.
    pub(crate) fn parse(words: &[String], is_zip: bool) -> Result<Self, Failure> {
        let mut extra = Self::default();
        let mut words = words.iter().flat_map(|word| word.split_whitespace());
        while let Some(word) = words.next() {
            let (name, value) = word.split_once('=').map_or((word, None), |(name, value)| (name, Some(value.to_owned())));
            let mut needed = || {
                let value = value.clone().or_else(|| words.next().map(str::to_owned));
                value.ok_or_else(|| Failure::new(format!("`extra_opts`: `{name}` needs a value")))
            };
            match name {
                "-j" if is_zip => extra.junk = true,
                "-n" if is_zip => extra.keep_old = true,
                "-o" | "-q" | "-qq" | "-u" if is_zip => {}
                "--strip-components" | "--strip" if !is_zip => {
                    let text = needed()?;
                    extra.strip = text.parse().map_err(|_| Failure::new(format!("`extra_opts`: `{text}` is not a number")))?;
                }
                "--exclude" if !is_zip => extra.exclude.push(needed()?),
                "--no-same-owner" | "-o" if !is_zip => extra.no_owner = true,
                "--numeric-owner" if !is_zip => extra.numeric = true,
                "-m" | "--touch" if !is_zip => extra.touch = true,
                "--no-overwrite-dir" if !is_zip => extra.no_overwrite_dir = true,
                "-k" | "--keep-old-files" | "--skip-old-files" if !is_zip => extra.keep_old = true,
                // What is done anyway.
                "-p"
                | "--preserve-permissions"
                | "--same-permissions"
                | "--same-owner"
                | "--overwrite"
                | "--keep-directory-symlink"
                | "-v"
                | "--verbose"
                | "--wildcards"
                | "--anchored"
                | "--no-anchored"
                | "--show-transformed-names"
                | "--delay-directory-restore"
                | "--no-selinux"
                | "--no-acls"
                | "--no-xattrs"
                | "--warning"
                | "--no-wildcards-match-slash"
                | "--wildcards-match-slash"
                    if !is_zip => {}
                _ => {
                    return Err(Failure::new(format!(
                        "`extra_opts`: `{word}` is not supported\nhint: archives are unpacked without `tar` or `unzip`; known are --strip-components, --exclude, --no-same-owner, --numeric-owner, --touch, --no-overwrite-dir, --keep-old-files, and -j, -n, -o for zip"
                    )));
                }
            }
        }
        Ok(extra)
    }

    /// The name of an entry afterwards; `None` where nothing is left of it.
    pub(crate) fn rename(&self, path: &Path) -> Option<PathBuf> {
        if self.junk {
            return path.file_name().map(PathBuf::from);
        }
        if self.strip == 0 {
            return Some(path.to_owned());
        }
        let rest: PathBuf = path.components().skip(self.strip).collect();
        (!rest.as_os_str().is_empty()).then_some(rest)
    }
}

/// Whether one of these patterns names the path or a directory above it.
pub(crate) fn is_named(patterns: &[String], path: &Path) -> bool {
    let named = |pattern: &String| {
        let pattern = pattern.trim_start_matches("./").trim_end_matches('/');
        path.ancestors().any(|above| above.to_str().is_some_and(|above| !above.is_empty() && matches(pattern, above)))
    };
    patterns.iter().any(named)
}

/// Like [`is_named`], where a pattern may begin at any part of the path, as `tar --exclude` has it.
pub(crate) fn is_excluded(patterns: &[String], path: &Path) -> bool {
    let mut rest = path;
    loop {
        if is_named(patterns, rest) {
            return true;
        }
        let mut parts = rest.components();
        if parts.next().is_none() {
            return false;
        }
        rest = parts.as_path();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn words(words: &[&str]) -> Vec<String> {
        words.iter().map(|&word| word.to_owned()).collect()
    }

    #[test]
    fn known_options_are_understood_and_others_refused() {
        let extra = Extra::parse(&words(&["--strip-components=1", "--exclude", "a b", "--no-same-owner"]), false);
        assert!(extra.is_err(), "a word is split at blanks, so `b` stands alone");
        let extra = Extra::parse(&words(&["--strip-components 2", "--exclude=*.o", "-o"]), false).unwrap();
        assert_eq!((extra.strip, extra.exclude, extra.no_owner), (2, words(&["*.o"]), true));
        assert!(Extra::parse(&words(&["-j"]), true).unwrap().junk);
        for (options, is_zip) in
            [(["--transform=s/a/b/"], false), (["-j"], false), (["--to-command=sh"], false), (["-P"], true), (["x"], false)]
        {
            assert!(Extra::parse(&words(&options), is_zip).is_err(), "{options:?}");
        }
    }

    #[test]
    fn names_are_cut() {
        let strip = Extra { strip: 1, ..Extra::default() };
        assert_eq!([strip.rename(Path::new("a/b/c")), strip.rename(Path::new("a"))], [Some("b/c".into()), None]);
        let junk = Extra { junk: true, ..Extra::default() };
        assert_eq!(junk.rename(Path::new("a/b/c")), Some("c".into()));
    }

    #[test]
    fn patterns_name_entries_and_what_is_beneath_them() {
        for (pattern, path, named, excluded) in [
            ("a", "a/b", true, true),
            ("b", "a/b", false, true),
            ("*.txt", "a/b.txt", true, true),
            ("a/b/", "a/b/c", true, true),
            ("./a/b", "a/bc", false, false),
            ("b/c", "a/b/c/d", false, true),
        ] {
            let patterns = words(&[pattern]);
            assert_eq!(
                (is_named(&patterns, Path::new(path)), is_excluded(&patterns, Path::new(path))),
                (named, excluded),
                "{pattern} {path}"
            );
        }
    }
}
