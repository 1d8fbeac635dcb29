//! Sections and options of an INI text, as `ini_file` manages them: pure, line by line.

use std::ops::Range;

/// What is asked of an INI text.
#[derive(Debug, Clone, Default)]
pub(crate) struct Wish<'a> {
    /// The section; `None` is what stands before the first one.
    pub(crate) section: Option<&'a str>,
    /// Of several sections of that name the first that has these options and values.
    pub(crate) having: &'a [(String, Vec<String>)],
    /// The option; `None` means the section itself.
    pub(crate) option: Option<&'a str>,
    /// Its values.
    pub(crate) values: &'a [String],
    /// Other lines of the option are replaced or removed.
    pub(crate) exclusive: bool,
    /// No blanks around `=`.
    pub(crate) tight: bool,
    /// A line that differs in blanks around `=` only is left.
    pub(crate) ignore_spaces: bool,
    /// An option may stand without `=`.
    pub(crate) allow_no_value: bool,
    /// A line that is commented out is taken up.
    pub(crate) modify_inactive: bool,
}

/// A line that sets an option, possibly commented out.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Setting<'a> {
    inactive: bool,
    value: &'a str,
}

/// The line as a setting of this option.
fn setting<'a>(line: &'a str, option: &str) -> Option<Setting<'a>> {
    const BLANK: [char; 2] = [' ', '\t'];
    let line = line.strip_suffix('\n').unwrap_or(line);
    let text = line.trim_start_matches(BLANK);
    let bare = text.strip_prefix(['#', ';']);
    let inactive = bare.is_some();
    let rest = bare.unwrap_or(text).trim_start_matches(BLANK).strip_prefix(option)?.trim_start_matches(BLANK);
    if rest.is_empty() {
        return Some(Setting { inactive, value: "" });
    }
    Some(Setting { inactive, value: rest.strip_prefix('=')?.trim_start_matches(BLANK) })
}

fn is_header(line: &str) -> bool {
    line.starts_with('[')
}

fn is_header_of(line: &str, section: &str) -> bool {
    line.strip_prefix('[')
        .and_then(|rest| rest.trim_start().strip_prefix(section))
        .is_some_and(|rest| rest.trim_start().starts_with(']'))
}

fn is_blank_or_comment(line: &str) -> bool {
    let text = line.trim_matches([' ', '\t', '\n']);
    text.is_empty() || text.starts_with(['#', ';'])
}

impl Wish<'_> {
    /// The text with what is asked for, and what was done in words.
    pub(crate) fn present(&self, text: &str) -> (String, &'static str) {
        let mut lines = lines(text);
        let Some(section) = self.find(&lines) else {
            let message = self.append(&mut lines);
            return (lines.concat(), message);
        };
        let Some(option) = self.option else { return (lines.concat(), "") };
        let mut own: Vec<String> = lines[section.clone()].to_vec();
        let message = self.set(option, &mut own);
        lines.splice(section, own);
        (lines.concat(), message)
    }

    /// The text without what is named, and what was done in words.
    pub(crate) fn absent(&self, text: &str) -> (String, &'static str) {
        let mut lines = lines(text);
        let Some(section) = self.find(&lines) else { return (lines.concat(), "") };
        let before = lines.len();
        let Some(option) = self.option else {
            lines.drain(section);
            return (lines.concat(), if lines.len() < before { "section removed" } else { "" });
        };
        let goes = |line: &str| {
            setting(line, option)
                .is_some_and(|found| !found.inactive && (self.exclusive || self.values.iter().any(|value| value == found.value)))
        };
        let left: Vec<String> = lines[section.clone()].iter().filter(|line| !goes(line)).cloned().collect();
        lines.splice(section, left);
        (lines.concat(), if lines.len() < before { "option changed" } else { "" })
    }

    /// The lines of the section, its header included.
    fn find(&self, lines: &[String]) -> Option<Range<usize>> {
        let end_after =
            |start: usize| lines[start..].iter().position(|line| is_header(line)).map_or(lines.len(), |end| start + end);
        let Some(name) = self.section else { return Some(0..end_after(0)) };
        let starts = lines.iter().enumerate().filter(|(_, line)| is_header_of(line, name.trim()));
        starts.map(|(start, _)| start..end_after(start + 1)).find(|section| self.has(&lines[section.start + 1..section.end]))
    }

    /// Whether these lines set everything that the section must have.
    fn has(&self, lines: &[String]) -> bool {
        self.having.iter().all(|(option, values)| {
            let found: Vec<&str> = lines
                .iter()
                .filter_map(|line| setting(line, option))
                .filter(|found| !found.inactive)
                .map(|found| found.value)
                .collect();
            !found.is_empty() && values.iter().all(|value| found.contains(&value.as_str()))
        })
    }

    fn line(&self, option: &str, value: &str) -> String {
        if value.is_empty() && self.allow_no_value {
            return format!("{option}\n");
        }
        if self.tight { format!("{option}={value}\n") } else { format!("{option} = {value}\n") }
    }

    /// A section that is not there yet.
    fn append(&self, lines: &mut Vec<String>) -> &'static str {
        let section = self.section.expect("what stands before the first section is always there");
        lines.push(format!("[{section}]\n"));
        for (option, values) in self.having {
            lines.extend(values.iter().filter(|_| self.option != Some(option)).map(|value| self.line(option, value)));
        }
        let Some(option) = self.option.filter(|_| !self.values.is_empty() || self.allow_no_value) else {
            return "only section added";
        };
        match self.values {
            [] => lines.push(self.line(option, "")),
            values => lines.extend(values.iter().map(|value| self.line(option, value))),
        }
        "section and option added"
    }

    /// Sets the option among the lines of its section.
    fn set(&self, option: &str, lines: &mut Vec<String>) -> &'static str {
        let mut message = "";
        let first = usize::from(self.section.is_some());
        let value_of = |line: &str| {
            setting(line, option).filter(|found| self.modify_inactive || !found.inactive).map(|found| found.value.to_owned())
        };
        let mut missing: Vec<&str> = self.values.iter().map(String::as_str).collect();
        if missing.is_empty() && self.allow_no_value {
            missing.push("");
        }
        let bare = self.values.is_empty();
        let mut settled = vec![false; lines.len()];
        let mut settle = |at: usize, line: String, lines: &mut [String], settled: &mut [bool]| {
            settled[at] = true;
            if !self.is_same(&lines[at], &line, option) {
                lines[at] = line;
                message = "option changed";
            }
        };
        // Lines that have one of the values are what is wanted already, or nearly.
        for at in first..lines.len() {
            let Some(found) = value_of(&lines[at]) else { continue };
            let Some(which) = missing.iter().position(|value| *value == found || bare) else { continue };
            let value = missing.remove(which).to_owned();
            settle(at, self.line(option, &value), lines, &mut settled);
        }
        if self.exclusive && !self.allow_no_value {
            for at in first..lines.len() {
                if !settled[at] && !missing.is_empty() && value_of(&lines[at]).is_some() {
                    let value = missing.remove(0).to_owned();
                    settle(at, self.line(option, &value), lines, &mut settled);
                }
            }
            let mut at = 0;
            lines.retain(|line| {
                at += 1;
                let goes = at > first && !settled[at - 1] && setting(line, option).is_some_and(|found| !found.inactive);
                if goes {
                    message = "option changed";
                }
                !goes
            });
        }
        if missing.is_empty() {
            return message;
        }
        // New lines go after the last one that says something.
        let place = lines.iter().rposition(|line| !is_blank_or_comment(line)).map_or(first.min(lines.len()), |last| last + 1);
        let new: Vec<String> = missing.iter().map(|value| self.line(option, value)).collect();
        lines.splice(place..place, new);
        "option added"
    }

    fn is_same(&self, now: &str, wanted: &str, option: &str) -> bool {
        if !self.ignore_spaces {
            return now == wanted;
        }
        match (setting(now, option), setting(wanted, option)) {
            (Some(now), Some(wanted)) => now == wanted,
            _ => false,
        }
    }
}

/// The lines with their ends; the last one gets one, too. An empty text is an empty line, as the
/// namesake has it.
fn lines(text: &str) -> Vec<String> {
    if text.is_empty() {
        return vec!["\n".to_owned()];
    }
    let mut lines: Vec<String> = text.split_inclusive('\n').map(str::to_owned).collect();
    if let Some(last) = lines.last_mut().filter(|last| !last.ends_with('\n')) {
        last.push('\n');
    }
    lines
}
