//! Files of repositories: sections of `key = value` lines, of which one is managed.

use std::collections::BTreeMap;

/// The settings of a section: continued lines are joined by a line feed.
pub(super) type Section = BTreeMap<String, String>;

/// The name of a section that begins here.
fn heading(line: &str) -> Option<&str> {
    line.trim_end().strip_prefix('[')?.strip_suffix(']')
}

/// All sections in their order.
pub(super) fn sections(text: &str) -> Vec<(String, Section)> {
    let mut all: Vec<(String, Section)> = Vec::new();
    let mut key: Option<String> = None;
    for line in text.lines() {
        if let Some(name) = heading(line) {
            all.push((name.to_owned(), Section::new()));
            key = None;
            continue;
        }
        let Some((_, section)) = all.last_mut() else { continue };
        let bare = line.trim();
        if bare.is_empty() || bare.starts_with(['#', ';']) {
            continue;
        }
        if let Some(key) = key.as_ref().filter(|_| line.starts_with([' ', '\t'])) {
            let value = section.entry(key.clone()).or_default();
            value.push('\n');
            value.push_str(bare);
        } else if let Some((name, value)) = bare.split_once('=') {
            let name = name.trim().to_owned();
            section.insert(name.clone(), value.trim().to_owned());
            key = Some(name);
        }
    }
    all
}

/// A section of this name.
pub(super) fn section(text: &str, name: &str) -> Option<Section> {
    sections(text).into_iter().find(|(other, _)| other == name).map(|(_, section)| section)
}

/// The text with this section as wanted, at its place or at the end, or without it. Everything else
/// stays as it is; so does the section itself if it says the same already.
pub(super) fn edit(text: &str, name: &str, wanted: Option<&Section>) -> String {
    if section(text, name).as_ref() == wanted {
        return text.to_owned();
    }
    let mut out = String::new();
    let mut inside = false;
    let mut done = false;
    for line in text.lines() {
        if let Some(found) = heading(line) {
            inside = found == name;
            if inside && !done {
                out.push_str(&render(name, wanted));
                done = true;
            }
        }
        if !inside {
            out.push_str(line);
            out.push('\n');
        }
    }
    if !done && wanted.is_some() {
        if !out.is_empty() && !out.ends_with("\n\n") {
            out.push('\n');
        }
        out.push_str(&render(name, wanted));
    }
    out
}

fn render(name: &str, wanted: Option<&Section>) -> String {
    let Some(section) = wanted else { return String::new() };
    let lines = section.iter().map(|(key, value)| format!("{key} = {}\n", value.replace('\n', "\n\t")));
    format!("[{name}]\n{}\n", lines.collect::<String>())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn wanted(pairs: &[(&str, &str)]) -> Section {
        pairs.iter().map(|(key, value)| ((*key).to_owned(), (*value).to_owned())).collect()
    }

    const TEXT: &str = "# mine\n[one]\nname=One\nbaseurl = https://a\n\thttps://b\n; off\nenabled=1\n\n[two]\nname = Two\n";

    #[test]
    fn sections_are_read_with_continued_lines() {
        assert_eq!(section(TEXT, "one"), Some(wanted(&[("name", "One"), ("baseurl", "https://a\nhttps://b"), ("enabled", "1")])));
        assert_eq!(section(TEXT, "three"), None);
    }

    #[test]
    fn only_the_section_in_question_changes() {
        let same = wanted(&[("name", "One"), ("baseurl", "https://a\nhttps://b"), ("enabled", "1")]);
        assert_eq!(edit(TEXT, "one", Some(&same)), TEXT);
        assert_eq!(edit(TEXT, "one", Some(&wanted(&[("name", "1")]))), "# mine\n[one]\nname = 1\n\n[two]\nname = Two\n");
        assert_eq!(edit(TEXT, "one", None), "# mine\n[two]\nname = Two\n");
        let added = edit("[two]\nname = Two\n", "new", Some(&wanted(&[("a", "1\n2")])));
        assert_eq!(added, "[two]\nname = Two\n\n[new]\na = 1\n\t2\n\n");
        assert_eq!(edit("[x]\na=1\n", "x", None), "");
    }
}
