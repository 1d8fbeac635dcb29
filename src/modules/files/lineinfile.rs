//! `lineinfile`: one line of a file is there, replaced, or not there.

use std::path::PathBuf;

use serde_json::{Map, Value};

use super::attributes::file_args;
use super::edit::{self, Edited, Missing, Once, bare, lines};
use super::pattern::{self, Lines};
use super::state;
use crate::claims::Claims;
use crate::host::{Host, Inspect};
use crate::outcome::Failure;
use crate::resource::{Resource, Step, Written};

crate::choice! {
    /// Whether the line should be there.
    pub enum Wanted { Present = "present", Absent = "absent" }
}

file_args! {
    /// Makes sure that a line is in a file, in place of the one that a pattern finds, or that no such
    /// line is there. The last line that matches is meant, unless `firstmatch` is set.
    pub struct Options {
        /// The file. Links are followed.
        path ("dest", "destfile", "name"): PathBuf,
        /// Regular expression for the line that is replaced or removed.
        regexp ("regex"): Option<String>,
        /// Plain text within the line that is replaced or removed, instead of `regexp`.
        search_string: Option<String>,
        /// Whether the line should be there.
        state: Wanted = Wanted::Present,
        /// The line, without its end.
        line ("value"): Option<String>,
        /// Whether `\\1` in `line` stands for what a group of `regexp` matched; then a file without a
        /// match is left alone.
        backrefs: bool = false,
        /// Where a new line goes: after the last line that matches this expression, or `EOF`.
        insertafter: Option<String>,
        /// Where a new line goes: before the last line that matches this expression, or `BOF`.
        insertbefore: Option<String>,
        /// Whether a missing file is made.
        create: bool = false,
        /// Whether the old file is kept beside it with a time stamp.
        backup: bool = false,
        /// Whether the first match counts instead of the last.
        firstmatch: bool = false,
        /// Command that must accept the new file before it replaces the old; `%s` stands for its path.
        validate: Option<String>,
    }
}

/// Examples; each is a test.
pub const EXAMPLES: &str = r#"
- name: A setting, whether it is commented out or not
  lineinfile:
    path: /etc/ssh/sshd_config
    regexp: '^#?PermitRootLogin '
    line: PermitRootLogin no
- name: No such line
  lineinfile:
    path: /etc/ssh/sshd_config
    state: absent
    regexp: ^Include
- name: A new line after another
  lineinfile:
    path: /etc/hosts
    search_string: web.example.org
    insertafter: '^127\.0\.0\.1'
    line: 10.0.0.2 web.example.org web
    owner: root
    group: root
    mode: '0644'
- name: A new line at the top
  lineinfile:
    path: /etc/hosts
    insertbefore: BOF
    line: '# managed'
- name: Part of a line is kept
  lineinfile:
    path: /etc/default/app
    regexp: '^(OPTIONS)="(-v)"$'
    line: '\1="\2 -q"'
    backrefs: true
    firstmatch: true
- name: A file that may not be there yet
  lineinfile:
    path: /etc/cron.allow
    line: root
    create: true
    mode: '0600'
    backup: true
"#;

/// The module.
pub struct LineInFile;

impl Options {
    fn check(&self) -> Result<(), Failure> {
        let fail = |message: &str| Err(Failure::new(message));
        if self.regexp.is_some() && self.search_string.is_some() {
            return fail("parameters are mutually exclusive: regexp|search_string");
        }
        if self.insertafter.is_some() && self.insertbefore.is_some() {
            return fail("parameters are mutually exclusive: insertbefore|insertafter");
        }
        if self.backrefs && self.search_string.is_some() {
            return fail("parameters are mutually exclusive: backrefs|search_string");
        }
        match self.state {
            Wanted::Present if self.backrefs && self.regexp.is_none() => fail("regexp is required with backrefs=true"),
            Wanted::Present if self.line.is_none() => fail("line is required with state=present"),
            Wanted::Absent if self.regexp.is_none() && self.search_string.is_none() && self.line.is_none() => {
                fail("one of line, search_string, or regexp is required with state=absent")
            }
            _ => Ok(()),
        }
    }

    fn line_bytes(&self) -> &[u8] {
        self.line.as_deref().unwrap_or_default().as_bytes()
    }

    /// The line that is to be replaced, among those of the file.
    fn find(&self, lines: &[&[u8]]) -> Result<Option<usize>, Failure> {
        let is_match: LineTest<'_> = match (&self.regexp, &self.search_string) {
            (Some(regexp), _) => {
                let regexp = pattern::compile(regexp, Lines::One)?;
                Box::new(move |line| regexp.is_match(bare(line)))
            }
            (None, Some(text)) => Box::new(|line| contains(line, text.as_bytes())),
            (None, None) => return Ok(lines.iter().rposition(|line| self.is_the_line(line))),
        };
        let found = if self.firstmatch {
            lines.iter().position(|line| is_match(line))
        } else {
            lines.iter().rposition(|line| is_match(line))
        };
        // Without a match the line itself may be there already.
        let found = found.or_else(|| if self.backrefs { None } else { lines.iter().rposition(|line| self.is_the_line(line)) });
        Ok(found)
    }

    fn is_the_line(&self, line: &[u8]) -> bool {
        line.strip_suffix(b"\n").map_or(line, |line| line.strip_suffix(b"\r").unwrap_or(line)) == self.line_bytes()
    }

    /// Before which line a new one goes.
    fn place(&self, lines: &[&[u8]]) -> Result<usize, Failure> {
        let (expression, is_after) = match (self.insertbefore.as_deref(), self.insertafter.as_deref()) {
            (Some("BOF"), _) => return Ok(0),
            (Some(expression), _) => (expression, false),
            (None, None | Some("EOF" | "")) => return Ok(lines.len()),
            (None, Some("BOF")) => return Ok(0),
            (None, Some(expression)) => (expression, true),
        };
        let expression = pattern::compile(expression, Lines::One)?;
        let is_match = |line: &&[u8]| expression.is_match(bare(line));
        let found = if self.firstmatch { lines.iter().position(is_match) } else { lines.iter().rposition(is_match) };
        Ok(found.map_or(lines.len(), |found| found + usize::from(is_after)))
    }

    fn present(&self, text: &[u8]) -> Result<(Vec<u8>, &'static str), Failure> {
        let all = lines(text);
        if let Some(found) = self.find(&all)? {
            let mut line = match &self.regexp {
                Some(regexp) if self.backrefs => {
                    let regexp = pattern::compile(regexp, Lines::One)?;
                    let captures =
                        regexp.captures(bare(all[found])).ok_or_else(|| Failure::new("the line that matched does not match"))?;
                    pattern::expand(self.line.as_deref().unwrap_or_default(), &captures)
                }
                _ => self.line_bytes().to_vec(),
            };
            if !line.ends_with(b"\n") {
                line.push(b'\n');
            }
            let done = all[..found].concat().into_iter().chain(line).chain(all[found + 1..].concat()).collect();
            return Ok((done, "line replaced"));
        }
        if self.backrefs {
            return Ok((text.to_vec(), ""));
        }
        let place = self.place(&all)?;
        let mut done = all[..place].concat();
        if !done.is_empty() && !done.ends_with(b"\n") {
            done.push(b'\n');
        }
        done.extend_from_slice(self.line_bytes());
        if !self.line_bytes().ends_with(b"\n") {
            done.push(b'\n');
        }
        done.extend(all[place..].concat());
        Ok((done, "line added"))
    }

    fn absent(&self, text: &[u8]) -> Result<(Vec<u8>, usize), Failure> {
        let regexp = self.regexp.as_deref().map(|regexp| pattern::compile(regexp, Lines::One)).transpose()?;
        let all = lines(text);
        let is_left = |line: &&&[u8]| match (&regexp, &self.search_string) {
            (Some(regexp), _) => !regexp.is_match(bare(line)),
            (None, Some(text)) => !contains(line, text.as_bytes()),
            (None, None) => !self.is_the_line(line),
        };
        let left: Vec<&[u8]> = all.iter().filter(is_left).copied().collect();
        Ok((left.concat(), all.len() - left.len()))
    }
}

/// Whether a line is meant.
type LineTest<'a> = Box<dyn Fn(&[u8]) -> bool + 'a>;

fn contains(line: &[u8], text: &[u8]) -> bool {
    text.is_empty() || line.windows(text.len()).any(|part| part == text)
}

impl Resource for LineInFile {
    type Args = Once<Options>;
    type State = Edited;

    fn read(args: &Once<Options>, host: &dyn Inspect) -> Result<Edited, Failure> {
        let options = &args.options;
        options.check()?;
        let creates = options.create && options.state == Wanted::Present;
        edit::read(&options.path, options.wanted_attributes(), if creates { Missing::Create } else { Missing::Expect }, host)
    }

    fn want(args: &Once<Options>, now: &Edited) -> Result<Edited, Failure> {
        let options = &args.options;
        let exists = now.file.kind.is_some();
        match options.state {
            Wanted::Present if !exists && !options.create => {
                Err(Failure::new(format!("Destination {} does not exist !", now.shown)).with("rc", 257))
            }
            Wanted::Present if args.is_done(now) => Ok(edit::want(now, now.text.clone(), "")),
            Wanted::Present => {
                let (text, message) = options.present(&now.text)?;
                Ok(edit::want(now, text, message))
            }
            Wanted::Absent if !exists => Ok(edit::leave(now)),
            Wanted::Absent => {
                let (text, count) = options.absent(&now.text)?;
                Ok(Edited { count, ..edit::want(now, text, &format!("{count} line(s) removed")) })
            }
        }
    }

    fn write(args: &Once<Options>, step: &Step<'_, Edited>, host: &mut dyn Host) -> Result<Written, Failure> {
        let options = &args.options;
        args.done(step.want);
        let written = edit::write(step.now, step.want, options.validate.as_deref(), options.backup, "backup", host)?;
        Ok(if options.state == Wanted::Absent { written.with("found", step.want.count) } else { written })
    }

    fn result(args: &Once<Options>, before: &Edited, _: &Edited) -> Map<String, Value> {
        let options = &args.options;
        let mut result = edit::result();
        if options.state == Wanted::Absent && before.file.kind.is_none() {
            result.insert("msg".into(), "file not present".into());
            return result;
        }
        result.insert("backup".into(), "".into());
        if options.state == Wanted::Absent {
            result.insert("found".into(), 0.into());
        }
        result
    }

    fn claims(args: &Once<Options>) -> Claims {
        let options = &args.options;
        state::claims(&options.path, options.owner.as_deref(), options.group.as_deref())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::host::memory::MemoryHost;
    use crate::registry::find;
    use serde_json::json;

    /// The file afterwards and `msg`, or the failure.
    fn edit(text: &str, options: Value) -> (String, String) {
        let mut host = MemoryHost::default();
        host.add_file("/f", text);
        let mut options = options.as_object().unwrap().clone();
        options.insert("path".into(), "/f".into());
        let outcome = (find("lineinfile").unwrap().run)(&options, &mut host);
        (host.text("/f").unwrap(), outcome.result["msg"].as_str().unwrap().to_owned())
    }

    #[test]
    fn lines_are_placed_as_ansible_places_them() {
        for (text, options, expected, message) in [
            ("a\nb\n", json!({"line": "c"}), "a\nb\nc\n", "line added"),
            ("a\nb", json!({"line": "c"}), "a\nb\nc\n", "line added"),
            ("a\nb", json!({"line": "b"}), "a\nb\n", "line replaced"),
            ("a\nb\na\n", json!({"regexp": "^a", "line": "x"}), "a\nb\nx\n", "line replaced"),
            ("a\nb\na\n", json!({"regexp": "^a", "line": "x", "firstmatch": true}), "x\nb\na\n", "line replaced"),
            ("a\nx\n", json!({"regexp": "^q", "line": "a"}), "a\nx\n", ""),
            ("a\nb\n", json!({"line": "x", "insertafter": "^a"}), "a\nx\nb\n", "line added"),
            ("a\nb\n", json!({"line": "x", "insertbefore": "^b"}), "a\nx\nb\n", "line added"),
            ("a\nb\n", json!({"line": "x", "insertbefore": "^q"}), "a\nb\nx\n", "line added"),
            ("a\nb\n", json!({"line": "x", "insertbefore": "BOF"}), "x\na\nb\n", "line added"),
            ("", json!({"line": "x"}), "x\n", "line added"),
            ("k = 1\n", json!({"regexp": "^(k) = (.)", "line": r"\1 = \g<2>0", "backrefs": true}), "k = 10\n", "line replaced"),
            ("k=1\n", json!({"regexp": "^(k=.*)", "line": r"\1+", "backrefs": true}), "k=1+\n", "line replaced"),
            ("k = 1\n", json!({"regexp": "^q", "line": r"\1", "backrefs": true}), "k = 1\n", ""),
            ("a.b\n", json!({"search_string": "a.b", "line": "x"}), "x\n", "line replaced"),
            ("a\nb\na\n", json!({"regexp": "^a", "state": "absent"}), "b\n", "2 line(s) removed"),
            ("a\nab\n", json!({"line": "a", "state": "absent"}), "ab\n", "1 line(s) removed"),
            ("a\n", json!({"line": "q", "state": "absent"}), "a\n", ""),
            ("a\n", json!({"line": "a", "mode": "0600"}), "a\n", "ownership, perms or SE linux context changed"),
            (
                "a\n",
                json!({"regexp": "(?!x)", "line": "x"}),
                "a\n",
                "the regular expression `(?!x)` has look-ahead, which cannot be matched in linear time and is not supported\nhint: capture the context with a group instead",
            ),
            ("a\n", json!({"state": "present"}), "a\n", "line is required with state=present"),
        ] {
            assert_eq!(edit(text, options.clone()), (expected.to_owned(), message.to_owned()), "{options} on {text:?}");
        }
    }
}
