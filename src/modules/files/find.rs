//! `find`: the paths below some directories that fit.

use std::path::{Path, PathBuf};

use serde_json::{Map, Value};

use super::mode::Mode;
use super::paths::{expand, real_path, stat_followed};
use super::pattern::{self, Lines};
use super::stat::fields;
use crate::args;
use crate::host::{FileKind, FileStat, Inspect};
use crate::outcome::Failure;
use crate::query::Query;

crate::choice! {
    /// Which kind of path is meant.
    pub enum Kind { Any = "any", Directory = "directory", File = "file", Link = "link" }
}

crate::choice! {
    /// Which time counts as age.
    pub enum Stamp { Access = "atime", Change = "ctime", Modification = "mtime" }
}

/// Most paths that are looked at.
const MOST: usize = 1_000_000;
/// Largest file (bytes) that is searched for `contains`.
const LARGEST: u64 = 64 << 20;

args! {
    /// Lists the paths below some directories that fit all that is asked for: name, kind, age, size,
    /// content.
    pub struct Args {
        /// The directories.
        paths ("name", "path"): Vec<PathBuf>,
        /// Names: shell patterns, or with `use_regex` regular expressions. One must fit. Missing: all do.
        patterns ("pattern"): Vec<String> = Vec::new(),
        /// Names that do not fit, written like `patterns`.
        excludes ("exclude"): Vec<String> = Vec::new(),
        /// Whether patterns are regular expressions.
        use_regex: bool = false,
        /// Whether directories are searched to their depth.
        recurse: bool = false,
        /// With `recurse`: how many levels. Missing: all.
        depth: Option<u64>,
        /// The kind of path.
        file_type: Kind = Kind::File,
        /// Least age: seconds, or with `m`, `h`, `d`, `w` minutes to weeks. Negative: greatest age.
        age: Option<String>,
        /// Which time counts as age.
        age_stamp: Stamp = Stamp::Modification,
        /// Least size: bytes, or with `k`, `m`, `g`, `t`. Negative: greatest size.
        size: Option<String>,
        /// Permissions, octal or symbolic (`u=rw,g=r`).
        mode: Option<Mode>,
        /// Whether permissions must be exactly `mode`; otherwise one bit of it is enough.
        exact_mode: bool = true,
        /// Regular expression that a line of the file must match.
        contains: Option<String>,
        /// Whether `contains` is matched against the whole content instead of line by line.
        read_whole_file: bool = false,
        /// How content is written that `contains` looks at: `utf-8`, `ascii` or `latin-1`.
        encoding: Option<String>,
        /// Whether names that begin with a dot count.
        hidden: bool = false,
        /// Whether links to directories are followed.
        follow: bool = false,
        /// Whether a checksum of every file is made.
        get_checksum: bool = false,
        /// How it is made.
        checksum_algorithm ("checksum", "checksum_algo"): super::stat::Algorithm = super::stat::Algorithm::Sha1,
        /// The most paths that are listed. Missing: all.
        limit: Option<u64>,
    }
}

/// Examples; each is a test.
pub const EXAMPLES: &str = r"
- name: Logs
  find:
    paths: /var/log
    patterns: '*.log'
    age: -30d
  register: logs
- name: Everything below, with a pattern
  find:
    paths: [/etc]
    patterns: '^ssh.*_config$'
    use_regex: true
    recurse: true
    contains: '^Port'
- name: Directories
  find:
    paths: /var
    file_type: directory
    size: -1m
";

/// The module.
pub struct Find;

impl Query for Find {
    type Args = Args;

    fn query(args: &Args, host: &dyn Inspect) -> Result<Map<String, Value>, Failure> {
        let mut search = Search::new(args, host)?;
        for top in &args.paths {
            let top = expand(top, host);
            match stat_followed(&top, host)? {
                Some(stat) if stat.kind == FileKind::Directory => search.directory(&top)?,
                Some(_) => search.skip(&top, &format!("'{}' is not a directory", top.display())),
                None => search.skip(&top, &format!("'{}' is not a directory", top.display())),
            }
        }
        let message = if search.is_full() {
            "Limit of matches reached"
        } else if search.skipped.is_empty() {
            "All paths examined"
        } else {
            "Not all paths examined, check warnings for details"
        };
        Ok(Map::from_iter([
            ("matched".to_owned(), Value::from(search.files.len())),
            ("files".to_owned(), search.files.into()),
            ("examined".to_owned(), search.examined.into()),
            ("msg".to_owned(), message.into()),
            ("skipped_paths".to_owned(), search.skipped.into()),
        ]))
    }
}

/// What fits, and how far the search has come.
struct Search<'a> {
    args: &'a Args,
    host: &'a dyn Inspect,
    patterns: Vec<regex::bytes::Regex>,
    excludes: Vec<regex::bytes::Regex>,
    contains: Option<regex::bytes::Regex>,
    age: Option<f64>,
    size: Option<f64>,
    now: f64,
    files: Vec<Value>,
    examined: usize,
    skipped: Map<String, Value>,
}

impl<'a> Search<'a> {
    fn new(args: &'a Args, host: &'a dyn Inspect) -> Result<Self, Failure> {
        let compile = |patterns: &[String]| -> Result<Vec<_>, Failure> {
            patterns.iter().map(|pattern| if args.use_regex { from_start(pattern) } else { shell_pattern(pattern) }).collect()
        };
        // These write the letters of patterns alike, or are told apart by the engine itself.
        let is_known = |name: &str| ["utf-8", "utf8", "ascii", "us-ascii", "latin-1", "latin1", "iso-8859-1"].contains(&name);
        if let Some(name) = args.encoding.as_ref().filter(|name| !is_known(&name.to_lowercase().replace('_', "-"))) {
            return Err(Failure::new(format!("`encoding`: `{name}` is not supported; known are utf-8, ascii and latin-1")));
        }
        let lines = if args.read_whole_file { Lines::Many } else { Lines::One };
        let units = [("s", 1.0), ("m", 60.0), ("h", 3600.0), ("d", 86_400.0), ("w", 604_800.0)];
        let sizes = [("b", 1.0), ("k", 1024.0), ("m", 1_048_576.0), ("g", 1_073_741_824.0), ("t", 1_099_511_627_776.0)];
        Ok(Self {
            args,
            host,
            patterns: compile(&args.patterns)?,
            excludes: compile(&args.excludes)?,
            contains: args.contains.as_deref().map(|pattern| pattern::compile(pattern, lines)).transpose()?,
            age: args.age.as_deref().map(|age| quantity("age", age, &units)).transpose()?,
            size: args.size.as_deref().map(|size| quantity("size", size, &sizes)).transpose()?,
            now: host.now(),
            files: Vec::new(),
            examined: 0,
            skipped: Map::new(),
        })
    }

    fn skip(&mut self, path: &Path, why: &str) {
        self.skipped.insert(path.display().to_string(), why.into());
    }

    fn is_full(&self) -> bool {
        self.args.limit.is_some_and(|limit| self.files.len() as u64 >= limit)
    }

    fn directory(&mut self, top: &Path) -> Result<(), Failure> {
        let mut todo = vec![(top.to_owned(), 1)];
        while let Some((directory, depth)) = todo.pop() {
            let names = match self.host.list(&directory) {
                Ok(names) => names,
                Err(failure) => {
                    self.skip(&directory, &failure.message);
                    continue;
                }
            };
            for name in names {
                if self.is_full() {
                    return Ok(());
                }
                self.examined += 1;
                if self.examined > MOST {
                    return Err(Failure::new(format!("more than {MOST} paths were looked at; narrow the search")));
                }
                let path = directory.join(&name);
                let Some(stat) = self.host.stat(&path)? else { continue };
                if (self.args.hidden || !name.starts_with('.')) && self.fits(&name, &path, &stat)? {
                    self.add(&path, &stat)?;
                }
                let deeper = self.args.recurse && self.args.depth.is_none_or(|most| depth < most);
                if deeper && self.leads_deeper(&path, &stat)? {
                    todo.push((path, depth + 1));
                } else if self.args.recurse && stat.kind == FileKind::Directory {
                    // They are not looked at, but counted.
                    self.examined += self.host.list(&path).map_or(0, |names| names.len());
                }
            }
        }
        Ok(())
    }

    fn leads_deeper(&self, path: &Path, stat: &FileStat) -> Result<bool, Failure> {
        match stat.kind {
            FileKind::Directory => Ok(true),
            // Not into a directory that is being searched.
            FileKind::Link if self.args.follow => {
                let target = real_path(path, self.host)?;
                let is_directory = self.host.stat(&target)?.is_some_and(|stat| stat.kind == FileKind::Directory);
                Ok(is_directory && !path.starts_with(&target))
            }
            _ => Ok(false),
        }
    }

    fn fits(&self, name: &str, path: &Path, stat: &FileStat) -> Result<bool, Failure> {
        let kind = match self.args.file_type {
            Kind::Any => true,
            Kind::Directory => stat.kind == FileKind::Directory,
            Kind::File => stat.kind == FileKind::File,
            Kind::Link => stat.kind == FileKind::Link,
        };
        let time = match self.args.age_stamp {
            Stamp::Access => stat.atime,
            Stamp::Change => stat.ctime,
            Stamp::Modification => stat.mtime,
        };
        let age = self.age.is_none_or(|least| at_least(self.now - time, least));
        let permitted = self.args.mode.as_ref().is_none_or(|mode| {
            let wanted = mode.bits(0, false);
            if self.args.exact_mode { stat.mode == wanted } else { stat.mode & wanted != 0 }
        });
        let size = self.size.is_none_or(|least| stat.kind != FileKind::File || at_least(stat.size as f64, least));
        let named = self.patterns.is_empty() || self.patterns.iter().any(|pattern| pattern.is_match(name.as_bytes()));
        let excluded = self.excludes.iter().any(|pattern| pattern.is_match(name.as_bytes()));
        Ok(kind && age && permitted && size && named && !excluded && self.contains(path, stat)?)
    }

    fn contains(&self, path: &Path, stat: &FileStat) -> Result<bool, Failure> {
        let Some(contains) = self.contains.as_ref().filter(|_| stat.kind == FileKind::File) else { return Ok(true) };
        let Ok(text) = self.host.read(path, LARGEST) else { return Ok(false) };
        if self.args.read_whole_file {
            return Ok(contains.is_match(&text));
        }
        // As Python's `match`: from the beginning of the line.
        Ok(super::edit::lines(&text)
            .iter()
            .any(|line| contains.find(super::edit::bare(line)).is_some_and(|found| found.start() == 0)))
    }

    fn add(&mut self, path: &Path, stat: &FileStat) -> Result<(), Failure> {
        let mut found = fields(path, stat, self.host)?;
        if self.args.get_checksum && stat.kind == FileKind::File {
            found.insert("checksum".into(), self.host.digest(path, self.args.checksum_algorithm.word())?.into());
        }
        self.files.push(found.into());
        Ok(())
    }
}

/// A negative bound is an upper one.
fn at_least(value: f64, bound: f64) -> bool {
    if bound < 0.0 { value <= -bound } else { value >= bound }
}

/// A number with a unit, e.g. `-2w`.
fn quantity(option: &str, text: &str, units: &[(&str, f64)]) -> Result<f64, Failure> {
    let text = text.trim().to_lowercase();
    let digits = text.trim_end_matches(|letter: char| letter.is_ascii_alphabetic());
    let unit = &text[digits.len()..];
    let factor = units.iter().find(|(name, _)| unit.starts_with(name) || unit.is_empty()).map(|(_, factor)| factor);
    match (digits.parse::<i64>(), factor) {
        (Ok(number), Some(factor)) => Ok(number as f64 * factor),
        _ => Err(Failure::new(format!("failed to process {option}")).with(option, text)),
    }
}

/// As Python's `match`: from the beginning of the name.
fn from_start(pattern: &str) -> Result<regex::bytes::Regex, Failure> {
    pattern::compile(&format!("^(?:{pattern})"), Lines::One)
}

/// A shell pattern as a regular expression.
fn shell_pattern(pattern: &str) -> Result<regex::bytes::Regex, Failure> {
    let mut done = String::from("(?s)^");
    let mut letters = pattern.chars().peekable();
    while let Some(letter) = letters.next() {
        match letter {
            '*' => done.push_str(".*"),
            '?' => done.push('.'),
            '[' if letters.clone().skip(1).any(|letter| letter == ']') => {
                done.push('[');
                if letters.next_if_eq(&'!').is_some() {
                    done.push('^');
                }
                for letter in letters.by_ref() {
                    done.push(letter);
                    if letter == ']' {
                        break;
                    }
                }
            }
            other => done.push_str(&regex::escape(&other.to_string())),
        }
    }
    pattern::compile(&(done + "$"), Lines::One)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::host::memory::MemoryHost;
    use crate::registry;
    use serde_json::json;

    fn found(options: Value) -> Vec<String> {
        let mut host = MemoryHost::default();
        for (path, age, text) in
            [("/d/a.log", 10.0, "x\n"), ("/d/b.txt", 100.0, "alpha\nbeta\n"), ("/d/s/c.log", 1000.0, ""), ("/d/.h", 0.0, "")]
        {
            let clock = host.clock;
            host.add_file(path, text).mtime = clock - age;
        }
        let mut options = options.as_object().unwrap().clone();
        options.insert("paths".into(), "/d".into());
        let outcome = (registry::find("find").unwrap().run)(&options, &mut host);
        let files = outcome.result.get("files").unwrap_or_else(|| panic!("{:?}", outcome.result)).as_array().unwrap();
        files.iter().map(|file| file["path"].as_str().unwrap().to_owned()).collect()
    }

    #[test]
    fn paths_fit_or_do_not() {
        for (options, expected) in [
            (json!({}), vec!["/d/a.log", "/d/b.txt"]),
            (json!({"hidden": true}), vec!["/d/.h", "/d/a.log", "/d/b.txt"]),
            (json!({"patterns": "*.log", "recurse": true}), vec!["/d/a.log", "/d/s/c.log"]),
            (json!({"patterns": "*.log", "recurse": true, "depth": 1}), vec!["/d/a.log"]),
            (json!({"patterns": "[!a]*"}), vec!["/d/b.txt"]),
            (json!({"mode": "0644"}), vec!["/d/a.log", "/d/b.txt"]),
            (json!({"mode": "0640"}), vec![]),
            (json!({"mode": "u=x,o=r", "exact_mode": false}), vec!["/d/a.log", "/d/b.txt"]),
            (json!({"mode": "u=x", "exact_mode": false}), vec![]),
            (json!({"patterns": "b.*t", "use_regex": true}), vec!["/d/b.txt"]),
            (json!({"excludes": "a*"}), vec!["/d/b.txt"]),
            (json!({"age": "1m"}), vec!["/d/b.txt"]),
            (json!({"age": "-1m"}), vec!["/d/a.log"]),
            (json!({"size": "5b"}), vec!["/d/b.txt"]),
            (json!({"contains": "be.a"}), vec!["/d/b.txt"]),
            (json!({"contains": "eta"}), vec![]),
            (json!({"file_type": "directory"}), vec!["/d/s"]),
            (json!({"limit": 1}), vec!["/d/a.log"]),
        ] {
            assert_eq!(found(options.clone()), expected, "{options}");
        }
    }
}
