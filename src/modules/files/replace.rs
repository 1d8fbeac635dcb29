//! `replace`: every match of a regular expression in a file is replaced.

use std::path::PathBuf;

use serde_json::{Map, Value};

use super::attributes::file_args;
use super::edit::{self, Edited, Missing, Once};
use super::pattern::{self, Lines};
use super::state;
use crate::claims::Claims;
use crate::host::{Host, Inspect};
use crate::outcome::Failure;
use crate::resource::{Resource, Step, Written};

file_args! {
    /// Replaces every match of a regular expression in a file. `^` and `$` match at every line. It is
    /// for the author to write an expression that does not match its own replacement.
    pub struct Options {
        /// The file. Links are followed.
        path ("dest", "destfile", "name"): PathBuf,
        /// The regular expression.
        regexp: String,
        /// What stands in place of a match; `\\1` and `\\g<name>` are what its groups matched. Empty
        /// removes the matches.
        replace: String = String::new(),
        /// Only what follows a match of this expression is looked at.
        after: Option<String>,
        /// Only what precedes a match of this expression is looked at.
        before: Option<String>,
        /// Whether the old file is kept beside it with a time stamp.
        backup: bool = false,
        /// Encoding of the file; only `utf-8`, and what it is a superset of.
        encoding: String = "utf-8".into(),
        /// Command that must accept the new file before it replaces the old; `%s` stands for its path.
        validate: Option<String>,
    }
}

/// Examples; each is a test.
pub const EXAMPLES: &str = r"
- name: A new name
  replace:
    path: /etc/hosts
    regexp: '(\s)db\.example\.org(\s.*)?$'
    replace: '\1db.example.net\2'
    backup: true
- name: Only in one part of the file
  replace:
    path: /etc/ssh/sshd_config
    after: 'Port 22'
    before: Include
    regexp: '^(PasswordAuthentication) yes$'
    replace: '\1 no'
";

/// The module.
pub struct Replace;

impl Options {
    fn borders(&self) -> Option<String> {
        match (&self.after, &self.before) {
            (None, None) => None,
            (Some(after), Some(before)) => Some(format!("{after}(?P<subsection>.*?){before}")),
            (Some(after), None) => Some(format!("{after}(?P<subsection>.*)")),
            (None, Some(before)) => Some(format!("(?P<subsection>.*){before}")),
        }
    }

    fn no_section(&self) -> String {
        let borders = self.borders().unwrap_or_default();
        format!("Pattern for before/after params did not match the given file: {borders}")
    }

    /// The part of the text that is looked at; `None` if its borders are not found.
    fn section(&self, text: &[u8]) -> Result<Option<(usize, usize)>, Failure> {
        let Some(borders) = self.borders() else { return Ok(Some((0, text.len()))) };
        let borders = pattern::compile(&borders, Lines::Joined)?;
        Ok(borders.captures(text).and_then(|found| found.name("subsection")).map(|part| (part.start(), part.end())))
    }

    fn edit(&self, text: &[u8]) -> Result<Option<(Vec<u8>, usize)>, Failure> {
        let Some((start, end)) = self.section(text)? else { return Ok(None) };
        let regexp = pattern::compile(&self.regexp, Lines::Many)?;
        let section = &text[start..end];
        let mut done = text[..start].to_vec();
        // Unlike the engine's own iterator, Python also finds nothing right after something.
        let (mut at, mut from, mut count) = (0, 0, 0);
        while let Some(found) = regexp.captures_at(section, from).filter(|_| from <= section.len()) {
            let whole = found.get(0).expect("group 0 is the match");
            done.extend_from_slice(&section[at..whole.start()]);
            done.extend(pattern::expand(&self.replace, &found));
            at = whole.end();
            count += 1;
            from = if whole.is_empty() { next_letter(section, at) } else { at };
            if from > section.len() {
                break;
            }
        }
        done.extend_from_slice(&section[at..]);
        done.extend_from_slice(&text[end..]);
        Ok(Some((done, count)))
    }
}

impl Resource for Replace {
    type Args = Once<Options>;
    type State = Edited;

    fn read(args: &Once<Options>, host: &dyn Inspect) -> Result<Edited, Failure> {
        let options = &args.options;
        if !matches!(options.encoding.to_lowercase().as_str(), "utf-8" | "utf8" | "ascii" | "us-ascii") {
            return Err(Failure::new(format!("encoding `{}` is not supported; only utf-8 is", options.encoding)));
        }
        let edited = edit::read(&options.path, options.wanted_attributes(), Missing::Expect, host)?;
        if edited.file.kind.is_none() {
            return Err(Failure::new(format!("Path {} does not exist !", edited.shown)).with("rc", 257));
        }
        Ok(edited)
    }

    fn want(args: &Once<Options>, now: &Edited) -> Result<Edited, Failure> {
        let options = &args.options;
        if args.is_done(now) {
            return Ok(edit::want(now, now.text.clone(), ""));
        }
        let Some((text, count)) = options.edit(&now.text)? else {
            return Ok(Edited { message: options.no_section(), ..edit::leave(now) });
        };
        Ok(edit::want(now, text, &format!("{count} replacements made")))
    }

    fn write(args: &Once<Options>, step: &Step<'_, Edited>, host: &mut dyn Host) -> Result<Written, Failure> {
        let options = &args.options;
        args.done(step.want);
        edit::write(step.now, step.want, options.validate.as_deref(), options.backup, "backup_file", host)
    }

    fn result(args: &Once<Options>, before: &Edited, _: &Edited) -> Map<String, Value> {
        let options = &args.options;
        let mut result = edit::result();
        if options.section(&before.text).is_ok_and(|section| section.is_none()) {
            result.insert("msg".into(), options.no_section().into());
        }
        result.insert("rc".into(), 0.into());
        result
    }

    fn claims(args: &Once<Options>) -> Claims {
        let options = &args.options;
        state::claims(&options.path, options.owner.as_deref(), options.group.as_deref())
    }
}

/// Where the letter after this place begins.
fn next_letter(text: &[u8], at: usize) -> usize {
    let inside = text.get(at + 1..).unwrap_or_default().iter().take_while(|byte| **byte & 0xc0 == 0x80).count();
    at + 1 + inside
}

#[cfg(test)]
mod tests {
    use crate::host::memory::MemoryHost;
    use crate::registry::find;
    use serde_json::json;

    #[test]
    fn matches_are_replaced_in_their_section() {
        for (text, options, expected, message) in [
            ("a b a\n", json!({"regexp": "a", "replace": "x"}), "x b x\n", "2 replacements made"),
            ("a\nb\n", json!({"regexp": "^(.)$", "replace": r"<\1>"}), "<a>\n<b>\n", "2 replacements made"),
            (
                "x a y a z a",
                json!({"regexp": "a", "replace": "-", "after": "y", "before": "z"}),
                "x a y - z a",
                "1 replacements made",
            ),
            (
                "x a",
                json!({"regexp": "a", "after": "q"}),
                "x a",
                "Pattern for before/after params did not match the given file: q(?P<subsection>.*)",
            ),
            ("a\n", json!({"regexp": "q"}), "a\n", ""),
            ("yé", json!({"regexp": "y*", "replace": "-"}), "--é-", "3 replacements made"),
            ("a\n\n\nb\n", json!({"regexp": r"\n+b"}), "a\n", "1 replacements made"),
        ] {
            let mut host = MemoryHost::default();
            host.add_file("/f", text);
            let mut options = options.as_object().unwrap().clone();
            options.insert("path".into(), "/f".into());
            let outcome = (find("replace").unwrap().run)(&options, &mut host);
            assert_eq!(
                (host.text("/f").unwrap().as_str(), outcome.result["msg"].as_str().unwrap()),
                (expected, message),
                "{options:?}"
            );
        }
    }
}
