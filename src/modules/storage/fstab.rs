//! `/etc/fstab` by lines: one entry is set or removed, everything else stays as it is written.

use super::mounts::unescape;

/// One entry.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Entry {
    /// Device, label or network name.
    pub source: String,
    /// Where it is mounted; `none` for swap.
    pub path: String,
    /// Type of the file system.
    pub fstype: String,
    /// Options, separated by commas.
    pub options: String,
    /// Whether `dump` saves it.
    pub dump: String,
    /// When it is checked at boot.
    pub pass: String,
}

fn escape(text: &str) -> String {
    text.chars().fold(String::new(), |mut done, c| {
        match c {
            '\\' => done.push_str("\\134"),
            ' ' => done.push_str("\\040"),
            '\t' => done.push_str("\\011"),
            '\n' => done.push_str("\\012"),
            other => done.push(other),
        }
        done
    })
}

/// The entry of a line; comments and what is no entry have none.
pub(super) fn parse(line: &str) -> Option<Entry> {
    let line = line.trim();
    if line.starts_with('#') {
        return None;
    }
    let words: Vec<&str> = line.split_whitespace().collect();
    let word = |at: usize, usual: &str| words.get(at).map_or_else(|| usual.to_owned(), |word| unescape(word));
    (4..=6).contains(&words.len()).then(|| Entry {
        source: word(0, ""),
        path: word(1, ""),
        fstype: word(2, ""),
        options: word(3, ""),
        dump: word(4, "0"),
        pass: word(5, "0"),
    })
}

impl Entry {
    /// The line.
    fn line(&self) -> String {
        let words = [&self.source, &self.path, &self.fstype, &self.options, &self.dump, &self.pass];
        words.map(|word| escape(word)).join(" ")
    }

    /// Whether a line is about the same mount point. Swap has none, and is told apart by its device.
    fn is_place_of(&self, line: &str) -> bool {
        let swap = |entry: &Self| entry.fstype == "swap" && ["none", "swap"].contains(&entry.path.as_str());
        parse(line).is_some_and(|entry| {
            let same = entry.path == self.path || (entry.path.trim_end_matches('/') == self.path && self.path != "/");
            same && (!swap(&entry) || self.source.is_empty() || entry.source == self.source)
        })
    }

    /// The entry that a text has for this place; of several the last, which counts.
    pub(super) fn find(&self, text: &str) -> Option<Entry> {
        text.lines().rfind(|line| self.is_place_of(line)).and_then(parse)
    }

    /// The text with this entry; a line that says the same stays as it is written.
    pub(super) fn set(&self, text: &str) -> String {
        let mut done = false;
        let mut lines: Vec<String> = text
            .lines()
            .map(|line| match parse(line) {
                Some(entry) if self.is_place_of(line) => {
                    done = true;
                    if entry == *self { line.to_owned() } else { self.line() }
                }
                _ => line.to_owned(),
            })
            .collect();
        if !done {
            lines.push(self.line());
        }
        lines.iter().fold(String::new(), |all, line| all + line + "\n")
    }

    /// The text without entries for this place.
    pub(super) fn remove(&self, text: &str) -> String {
        text.lines().filter(|line| !self.is_place_of(line)).fold(String::new(), |all, line| all + line + "\n")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn entry(source: &str, path: &str, fstype: &str) -> Entry {
        let [source, path, fstype] = [source, path, fstype].map(str::to_owned);
        Entry { source, path, fstype, options: "defaults".into(), dump: "0".into(), pass: "0".into() }
    }

    #[test]
    fn an_entry_is_set_once_and_everything_else_stays() {
        let text = "# root\n/dev/sda1  /  ext4  errors=remount-ro  0 1\n/dev/sdb1\t/mnt/a ext4 defaults\nnot an entry\n";
        let cases = [
            // A line that means the same is left as it is written.
            (entry("/dev/sdb1", "/mnt/a", "ext4"), text.to_owned()),
            (
                entry("/dev/sdc1", "/mnt/a", "ext4"),
                text.replace("/dev/sdb1\t/mnt/a ext4 defaults", "/dev/sdc1 /mnt/a ext4 defaults 0 0"),
            ),
            (entry("//host/a b", "/mnt/b c", "cifs"), format!("{text}//host/a\\040b /mnt/b\\040c cifs defaults 0 0\n")),
        ];
        for (entry, expected) in cases {
            assert_eq!(entry.set(text), expected);
            assert_eq!(entry.set(&expected), expected);
            assert_eq!(entry.find(&expected), Some(entry));
        }
        assert_eq!(entry("", "/mnt/a", "").remove(text), text.replace("/dev/sdb1\t/mnt/a ext4 defaults\n", ""));
    }

    #[test]
    fn swap_is_told_apart_by_its_device() {
        let text = "/dev/sda2 none swap sw 0 0\n";
        let file = Entry { options: "sw".into(), ..entry("/swapfile", "none", "swap") };
        assert_eq!(file.set(text), format!("{text}/swapfile none swap sw 0 0\n"));
        assert_eq!(file.remove(text), text);
        assert_eq!(entry("", "none", "").remove(text), "");
    }
}
