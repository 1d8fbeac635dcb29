//! `blockinfile`: lines between two markers of our own.

use std::path::PathBuf;

use serde_json::{Map, Value};

use super::attributes::file_args;
use super::edit::{self, Edited, Missing, bare, lines};
use super::pattern::{self, Lines};
use super::state;
use crate::claims::Claims;
use crate::host::{Host, Inspect};
use crate::outcome::Failure;
use crate::resource::{Resource, Step, Written};

crate::choice! {
    /// Whether the block should be there.
    pub enum Wanted { Present = "present", Absent = "absent" }
}

file_args! {
    /// Makes sure that a block of lines stands in a file between two marker lines, or that it does not.
    /// The markers are how the block is found again: two blocks in one file need different ones.
    pub struct Args {
        /// The file. Links are followed.
        path ("dest", "destfile", "name"): PathBuf,
        /// Whether the block should be there.
        state: Wanted = Wanted::Present,
        /// The lines. Empty removes the block.
        block ("content"): String = String::new(),
        /// The marker lines; `{mark}` becomes `marker_begin` and `marker_end`.
        marker: String = "# {mark} ANSIBLE MANAGED BLOCK".into(),
        /// What stands for `{mark}` in the line above.
        marker_begin: String = "BEGIN".into(),
        /// What stands for `{mark}` in the line below.
        marker_end: String = "END".into(),
        /// Where a new block goes: after the last line that matches this expression, or `EOF`.
        insertafter: Option<String>,
        /// Where a new block goes: before the last line that matches this expression, or `BOF`.
        insertbefore: Option<String>,
        /// Whether a missing file is made.
        create: bool = false,
        /// Whether the old file is kept beside it with a time stamp.
        backup: bool = false,
        /// Whether an empty line follows the block, where it is not the end of the file.
        append_newline: bool = false,
        /// Whether an empty line precedes the block, where it is not the beginning of the file.
        prepend_newline: bool = false,
        /// Encoding of the file; only `utf-8`, and what it is a superset of.
        encoding: String = "utf-8".into(),
        /// Command that must accept the new file before it replaces the old; `%s` stands for its path.
        validate: Option<String>,
    }
}

/// Examples; each is a test.
pub const EXAMPLES: &str = r"
- name: A block at the end
  blockinfile:
    path: /etc/ssh/sshd_config
    block: |
      Match User deploy
        AllowTcpForwarding no
    backup: true
- name: A block after a line, with markers of its own
  blockinfile:
    path: /etc/hosts
    marker: '# {mark} cluster'
    insertafter: localhost
    prepend_newline: true
    append_newline: true
    block: |
      10.0.0.11 node1
      10.0.0.12 node2
- name: A new file
  blockinfile:
    path: /etc/app/limits.conf
    create: true
    mode: '0640'
    block: nofile 65536
- name: No block
  blockinfile:
    path: /etc/hosts
    state: absent
";

/// The module.
pub struct BlockInFile;

impl Args {
    fn marker(&self, mark: &str) -> Vec<u8> {
        let mut marker = self.marker.replace("{mark}", mark).into_bytes();
        if !marker.ends_with(b"\n") {
            marker.push(b'\n');
        }
        marker
    }

    fn is_present(&self) -> bool {
        self.state == Wanted::Present && !self.block.is_empty()
    }

    /// The block with its markers; empty if it should not be there.
    fn block_lines(&self) -> Vec<Vec<u8>> {
        if !self.is_present() {
            return Vec::new();
        }
        let mut block = self.block.clone().into_bytes();
        if !block.ends_with(b"\n") {
            block.push(b'\n');
        }
        let inner = lines(&block).into_iter().map(<[u8]>::to_vec);
        [self.marker(&self.marker_begin)].into_iter().chain(inner).chain([self.marker(&self.marker_end)]).collect()
    }

    /// Before which line a new block goes.
    fn place(&self, text: &[u8], all: &[Vec<u8>]) -> Result<usize, Failure> {
        let (expression, is_after) = match (self.insertbefore.as_deref(), self.insertafter.as_deref()) {
            (Some("BOF"), _) => return Ok(0),
            (Some(expression), _) => (expression, false),
            (None, None | Some("EOF")) => return Ok(all.len()),
            (None, Some(expression)) => (expression, true),
        };
        if expression.contains("(?m)") || expression.contains("(?s)") {
            let found = pattern::compile(expression, Lines::One)?.find(text).map(|found| (found.start(), found.end()));
            let newlines = |end: usize| lines(&text[..end]).iter().filter(|line| line.ends_with(b"\n")).count();
            return Ok(found.map_or(all.len(), |(start, end)| if is_after { newlines(end) + 1 } else { newlines(start) }));
        }
        let expression = pattern::compile(expression, Lines::One)?;
        let found = all.iter().rposition(|line| expression.is_match(bare(line)));
        Ok(found.map_or(all.len(), |found| found + usize::from(is_after)).min(all.len()))
    }

    fn edit(&self, text: &[u8]) -> Result<(Vec<u8>, &'static str), Failure> {
        let mut all: Vec<Vec<u8>> = lines(text).into_iter().map(<[u8]>::to_vec).collect();
        let block = self.block_lines();
        let (begin, end) = (self.marker(&self.marker_begin), self.marker(&self.marker_end));
        let find = |marker: &[u8]| all.iter().rposition(|line| bare(line) == bare(marker));
        let mut place = match (find(&begin), find(&end)) {
            (Some(begin), Some(end)) => {
                let (first, last) = (begin.min(end), begin.max(end));
                all.drain(first..=last);
                first
            }
            _ if block.is_empty() => return Ok((text.to_vec(), "")),
            _ => self.place(text, &all)?,
        };
        place = place.min(all.len());
        if place > 0 && !all[place - 1].ends_with(b"\n") {
            all[place - 1].push(b'\n');
        }
        let is_present = self.state == Wanted::Present;
        if self.prepend_newline && is_present && place != 0 && all[place - 1] != b"\n" {
            all.insert(place, b"\n".to_vec());
            place += 1;
        }
        let after = place + block.len();
        let message = if block.is_empty() { "Block removed" } else { "Block inserted" };
        all.splice(place..place, block);
        if self.append_newline && is_present && all.get(after).is_some_and(|line| line != b"\n") {
            all.insert(after, b"\n".to_vec());
        }
        Ok((all.concat(), message))
    }
}

impl Resource for BlockInFile {
    type Args = Args;
    type State = Edited;

    fn read(args: &Args, host: &dyn Inspect) -> Result<Edited, Failure> {
        if args.insertafter.is_some() && args.insertbefore.is_some() {
            return Err(Failure::new("parameters are mutually exclusive: insertbefore|insertafter"));
        }
        if !matches!(args.encoding.to_lowercase().as_str(), "utf-8" | "utf8" | "ascii" | "us-ascii") {
            return Err(Failure::new(format!("encoding `{}` is not supported; only utf-8 is", args.encoding)));
        }
        let creates = args.create && args.state == Wanted::Present;
        edit::read(&args.path, args.wanted_attributes(), if creates { Missing::Create } else { Missing::Expect }, host)
    }

    fn want(args: &Args, now: &Edited) -> Result<Edited, Failure> {
        if now.file.kind.is_none() {
            if !args.create {
                return Err(Failure::new(format!("Path {} does not exist !", now.shown)).with("rc", 257));
            }
            if args.state == Wanted::Absent {
                return Ok(edit::leave(now));
            }
            return Ok(edit::want(now, args.edit(b"")?.0, "File created"));
        }
        let (text, message) = args.edit(&now.text)?;
        Ok(edit::want(now, text, message))
    }

    fn write(args: &Args, step: &Step<'_, Edited>, host: &mut dyn Host) -> Result<Written, Failure> {
        edit::write(step.now, step.want, args.validate.as_deref(), args.backup, "backup_file", host)
    }

    fn result(_: &Args, before: &Edited, _: &Edited) -> Map<String, Value> {
        let mut result = edit::result();
        if before.file.kind.is_none() {
            result.insert("msg".into(), format!("File {} not present", before.shown).into());
        }
        result
    }

    fn claims(args: &Args) -> Claims {
        state::claims(&args.path, args.owner.as_deref(), args.group.as_deref())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::host::memory::MemoryHost;
    use crate::registry::find;
    use serde_json::json;

    fn edit(text: &str, options: Value) -> (String, String) {
        let mut host = MemoryHost::default();
        host.add_file("/f", text);
        let mut options = options.as_object().unwrap().clone();
        options.insert("path".into(), "/f".into());
        options.insert("marker".into(), "# {mark}".into());
        let outcome = (find("blockinfile").unwrap().run)(&options, &mut host);
        (host.text("/f").unwrap(), outcome.result["msg"].as_str().unwrap().to_owned())
    }

    #[test]
    fn blocks_are_placed_as_ansible_places_them() {
        for (text, options, expected, message) in [
            ("a", json!({"block": "x"}), "a\n# BEGIN\nx\n# END\n", "Block inserted"),
            ("# BEGIN\nold\n# END\nz\n", json!({"block": "x\ny\n"}), "# BEGIN\nx\ny\n# END\nz\n", "Block inserted"),
            ("# BEGIN\nx\n# END\n", json!({"block": "x"}), "# BEGIN\nx\n# END\n", ""),
            ("a\n# BEGIN\nx\n# END\nb\n", json!({"state": "absent"}), "a\nb\n", "Block removed"),
            ("a\n# BEGIN\nx\n# END\n", json!({"block": ""}), "a\n", "Block removed"),
            ("a\nb\n", json!({"block": "x", "insertafter": "^a"}), "a\n# BEGIN\nx\n# END\nb\n", "Block inserted"),
            ("a\nb\n", json!({"block": "x", "insertbefore": "BOF"}), "# BEGIN\nx\n# END\na\nb\n", "Block inserted"),
            (
                "a\nb\n",
                json!({"block": "x", "insertafter": "a", "prepend_newline": true, "append_newline": true}),
                "a\n\n# BEGIN\nx\n# END\n\nb\n",
                "Block inserted",
            ),
            ("a\n", json!({"state": "absent"}), "a\n", ""),
        ] {
            assert_eq!(edit(text, options.clone()), (expected.to_owned(), message.to_owned()), "{options} on {text:?}");
        }
    }
}
