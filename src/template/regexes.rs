//! Python's regular expressions. An engine that works in linear time does what it can; look-around
//! and back-references go to one that backtracks, with limits.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, OnceLock};
use std::time::{Duration, Instant};

use super::error::{TemplateError, TemplateErrorKind, fail};
use super::regex_syntax::{Engine, translate};
use super::runtime::Runtime;
use super::val::Res;

/// Compiled patterns of a run are dropped together when there are more than this.
const KEPT: usize = 2_000;
/// How often one search may turn back.
const BACKTRACKS: usize = 200_000;
/// How long one rendering may spend in searches that turn back.
const PATIENCE: Duration = Duration::from_millis(800);

/// Flags of a pattern.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Hash)]
pub(super) struct Flags {
    pub(super) ignore_case: bool,
    pub(super) multiline: bool,
}

/// Where a match must lie.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(super) enum Anchor {
    /// Anywhere: `re.search`.
    Nowhere,
    /// At the start: `re.match`.
    Start,
    /// From start to end: `re.fullmatch`.
    Both,
}

/// Compiled patterns of a run.
pub(super) type Patterns = Mutex<HashMap<(String, Flags, Anchor), Arc<Pattern>>>;

/// A compiled pattern.
#[derive(Debug)]
pub(super) struct Pattern {
    source: String,
    flags: Flags,
    /// None if it needs to turn back.
    plain: Option<regex::Regex>,
    /// Whether `$` matters where the text ends with a newline.
    dollar: bool,
    backtracking: OnceLock<Result<fancy_regex::Regex, String>>,
    /// Names of the groups by number, the whole match first.
    names: Vec<Option<String>>,
}

/// A match: places of the groups, the whole match first.
#[derive(Debug)]
pub(super) struct Found<'t> {
    text: &'t str,
    groups: Vec<Option<(usize, usize)>>,
}

/// The compiled pattern; compiled ones are kept for the run.
pub(super) fn compile(runtime: &Runtime, pattern: &str, flags: Flags, anchor: Anchor) -> Res<Arc<Pattern>> {
    let key = (pattern.to_owned(), flags, anchor);
    let mut kept = runtime.shared.patterns.lock().expect("no thread panics while it holds this");
    if let Some(found) = kept.get(&key) {
        return Ok(Arc::clone(found));
    }
    let compiled = Pattern::new(pattern, flags, anchor).map_err(|reason| {
        let message = format!("the pattern `{pattern}` is not a regular expression: {reason}");
        super::error::Fault::from(TemplateError::new(TemplateErrorKind::Failed, message))
    })?;
    let compiled = Arc::new(compiled);
    if kept.len() > KEPT {
        kept.clear();
    }
    kept.insert(key, Arc::clone(&compiled));
    Ok(compiled)
}

impl Pattern {
    fn new(pattern: &str, flags: Flags, anchor: Anchor) -> Result<Self, String> {
        let translated = translate(pattern, flags.multiline, Engine::Plain)?;
        let (before, after) = match anchor {
            Anchor::Nowhere => ("", ""),
            Anchor::Start => ("\\A(?:", ")"),
            Anchor::Both => ("\\A(?:", ")\\z"),
        };
        let around = |text: &str| format!("{before}{text}{after}");
        let mut compiled = Self {
            source: String::new(),
            flags,
            plain: None,
            dollar: translated.dollar,
            backtracking: OnceLock::new(),
            names: Vec::new(),
        };
        if translated.dollar || translated.backtracks {
            compiled.source = around(&translate(pattern, flags.multiline, Engine::Backtracking)?.text);
        }
        if translated.backtracks {
            let names = compiled.backtracking()?.capture_names().map(|name| name.map(str::to_owned)).collect();
            compiled.names = names;
        } else {
            let plain = regex::RegexBuilder::new(&around(&translated.text))
                .case_insensitive(flags.ignore_case)
                .multi_line(flags.multiline)
                .size_limit(4 << 20)
                .build()
                .map_err(|error| reason(&error.to_string()))?;
            compiled.names = plain.capture_names().map(|name| name.map(str::to_owned)).collect();
            compiled.plain = Some(plain);
        }
        Ok(compiled)
    }

    fn backtracking(&self) -> Result<&fancy_regex::Regex, String> {
        let compiled = self.backtracking.get_or_init(|| {
            fancy_regex::RegexBuilder::new(&self.source)
                .case_insensitive(self.flags.ignore_case)
                .multi_line(self.flags.multiline)
                .backtrack_limit(BACKTRACKS)
                .delegate_size_limit(4 << 20)
                .max_prog_size(1 << 18)
                .build()
                .map_err(|error| reason(&error.to_string()))
        });
        compiled.as_ref().map_err(Clone::clone)
    }

    /// The number of a group that is given by number or name.
    pub(super) fn group(&self, name: &str) -> Res<usize> {
        let found = match name.parse::<usize>() {
            Ok(number) => (number < self.names.len()).then_some(number),
            Err(_) => self.names.iter().position(|own| own.as_deref() == Some(name)),
        };
        found.ok_or_else(|| fail(format!("the pattern has no group `{name}`")))
    }

    /// Whether it matches anywhere (or where its anchor says).
    pub(super) fn is_match(&self, runtime: &Runtime, text: &str) -> Res<bool> {
        match &self.plain {
            Some(plain) if !self.needs_python(text) => Ok(plain.is_match(text)),
            _ => Ok(self.find(runtime, text, 0)?.is_some()),
        }
    }

    fn needs_python(&self, text: &str) -> bool {
        self.dollar && text.ends_with('\n')
    }

    /// The first match from a place on.
    pub(super) fn find<'t>(&self, runtime: &Runtime, text: &'t str, at: usize) -> Res<Option<Found<'t>>> {
        if let Some(plain) = &self.plain
            && !self.needs_python(text)
        {
            return Ok(plain.captures_at(text, at).map(|found| Found {
                text,
                groups: found.iter().map(|group| group.map(|group| (group.start(), group.end()))).collect(),
            }));
        }
        let regex = self.backtracking().map_err(|reason| fail(format!("this pattern cannot be matched here: {reason}")))?;
        let start = Instant::now();
        let found = regex.captures_from_pos(text, at);
        runtime.matching.set(runtime.matching.get() + start.elapsed());
        let too_long = || {
            let message = "matching this pattern takes too long";
            let hint =
                "patterns with look-around or back-references are tried in all ways: make repetitions in repetitions unambiguous";
            super::error::Fault::from(TemplateError::new(TemplateErrorKind::Failed, message).hint(hint))
        };
        let found = found.map_err(|_| too_long())?;
        if runtime.matching.get() > PATIENCE {
            return Err(too_long());
        }
        Ok(found.map(|found| Found {
            text,
            groups: (0..found.len()).map(|at| found.get(at).map(|group| (group.start(), group.end()))).collect(),
        }))
    }

    /// All matches as Python finds them: unlike the engines, it also takes an empty match right
    /// behind another match (`(.*)` matches `a` twice).
    pub(super) fn all<'t>(&self, runtime: &Runtime, text: &'t str) -> impl Iterator<Item = Res<Found<'t>>> {
        let (mut at, mut last_empty) = (0, None);
        std::iter::from_fn(move || {
            loop {
                if at > text.len() {
                    return None;
                }
                let found = match runtime.step().and_then(|()| self.find(runtime, text, at)) {
                    Ok(found) => found?,
                    Err(error) => {
                        at = text.len() + 1;
                        return Some(Err(error));
                    }
                };
                let (start, end) = found.place();
                if start == end && last_empty == Some(start) {
                    at = start + text[start..].chars().next().map_or(1, char::len_utf8);
                    continue;
                }
                last_empty = (start == end).then_some(start);
                at = end;
                return Some(Ok(found));
            }
        })
    }
}

impl<'t> Found<'t> {
    /// Where the whole match lies.
    pub(super) fn place(&self) -> (usize, usize) {
        self.groups[0].expect("group 0 is the whole match")
    }

    /// How many groups there are, the whole match included.
    pub(super) fn len(&self) -> usize {
        self.groups.len()
    }

    /// A group's text, if it took part.
    pub(super) fn get(&self, number: usize) -> Option<&'t str> {
        self.groups.get(number).copied().flatten().map(|(start, end)| &self.text[start..end])
    }
}

/// The last line of an engine's complaint.
fn reason(text: &str) -> String {
    text.lines().last().unwrap_or("it cannot be read").trim_start_matches("error: ").to_owned()
}

/// Expands Python's replacement text: `\1`, `\g<1>`, `\g<name>`, `\n`, `\\`.
pub(super) fn expand(template: &str, pattern: &Pattern, found: &Found<'_>, out: &mut String) -> Res<()> {
    let mut rest = template;
    while let Some(at) = rest.find('\\') {
        out.push_str(&rest[..at]);
        rest = &rest[at + 1..];
        let Some(c) = rest.chars().next() else {
            return Err(fail("the replacement ends with a backslash"));
        };
        let mut width = c.len_utf8();
        match c {
            '0' => {
                width = rest.bytes().take(3).take_while(|byte| (b'0'..=b'7').contains(byte)).count();
                out.extend(u32::from_str_radix(&rest[..width], 8).ok().and_then(char::from_u32));
            }
            '1'..='9' => {
                width = rest.bytes().take(2).take_while(u8::is_ascii_digit).count();
                out.push_str(found.get(pattern.group(&rest[..width])?).unwrap_or(""));
            }
            'g' => {
                let name = rest[1..].strip_prefix('<').and_then(|name| name.split_once('>')).map(|(name, _)| name);
                let Some(name) = name else { return Err(fail("`\\g` needs a group's name in angle brackets")) };
                width = name.len() + 3;
                out.push_str(found.get(pattern.group(name)?).unwrap_or(""));
            }
            'n' => out.push('\n'),
            't' => out.push('\t'),
            'r' => out.push('\r'),
            'a' => out.push('\x07'),
            'b' => out.push('\x08'),
            'f' => out.push('\x0c'),
            'v' => out.push('\x0b'),
            '\\' => out.push('\\'),
            c if c.is_ascii_alphabetic() => return Err(fail(format!("`\\{c}` means nothing in a replacement"))),
            c => {
                out.push('\\');
                out.push(c);
            }
        }
        rest = &rest[width..];
    }
    out.push_str(rest);
    Ok(())
}

/// Python's `re.escape`.
pub(super) fn escape(text: &str) -> String {
    let mut out = String::with_capacity(text.len() + 8);
    for c in text.chars() {
        if "()[]{}?*+-|^$\\.&~# \t\n\r\x0b\x0c".contains(c) {
            out.push('\\');
        }
        out.push(c);
    }
    out
}
