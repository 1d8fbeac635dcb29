//! What a mistake in YAML means to the person who wrote it: the parser's complaint and the text
//! around it become a diagnostic, and, where that is possible, a repair behind which reading goes
//! on. Knows the parser's sentences, not the parser.

use super::diagnostic::Diagnostic;
use super::lines::{
    before_comment, close_bracket, find_colon, is_key, line_around, open_bracket, quote_end, unquoted_brace, value_start,
};
use super::map::{FileId, Span, char_start};
use super::mend::Edit;

/// A complaint of our own: a value begins with `{{` outside quotes.
pub(super) const UNQUOTED_TEMPLATE: &str = "unquoted template";

/// Deeper than any indentation, for lines that may stand anywhere as long as they are indented.
const DEEP: usize = 120;

/// What the parser complained about, and where in the text as written.
#[derive(Debug)]
pub(super) struct Problem {
    /// The parser's sentence.
    pub(super) what: String,
    /// First byte.
    pub(super) at: usize,
}

/// What to say and how to go on.
#[derive(Debug, Default)]
pub(super) struct Explained {
    /// Nothing if PyYAML accepts what the parser does not.
    pub(super) diagnostic: Option<Diagnostic>,
    /// Nothing if reading cannot go on.
    pub(super) repair: Vec<Edit>,
}

/// The plainest thing that can be said.
pub(super) fn unexplained(file: FileId, text: &str, problem: &Problem) -> Diagnostic {
    let place = Place::new(file, text, problem.at);
    Diagnostic::error("yaml-syntax", "this is not valid YAML").at(place.here(), "reading stopped here")
}

/// Finds out what went wrong.
pub(super) fn explain(file: FileId, text: &str, problem: &Problem) -> Explained {
    let place = Place::new(file, text, problem.at);
    let what = problem.what.as_str();
    if what == UNQUOTED_TEMPLATE {
        return place.unquoted_template(place.at);
    }
    match what {
        "invalid indentation" | "invalid indentation in flow construct" => place.shallow_line(),
        "invalid indentation in quoted scalar" => place.shallow_quoted(),
        _ if what.starts_with("while scanning a quoted scalar, found unexpected") => place.unclosed_quote(),
        "while parsing a quoted scalar, found unknown escape character"
        | "while parsing a quoted scalar, did not find expected hexadecimal number"
        | "while parsing a quoted scalar, found invalid Unicode character escape code" => place.bad_escape(),
        "invalid trailing content after double-quoted scalar" => place.behind_quote(),
        "':' must be followed by a valid YAML whitespace" => place.tab_behind_colon(),
        "wrongly indented line in block scalar" => place.blank_lines_of_block(),
        "while parsing node, found unknown anchor" => place.unknown_alias(),
        "mapping values are not allowed in this context" => place.colon(),
        "simple key expect ':'" | "simple key expected" => place.missing_colon(),
        "while parsing a block mapping, did not find expected key"
        | "while parsing a block collection, did not find expected '-' indicator"
        | "block sequence entries are not allowed in this context" => place.indentation(),
        _ if what.starts_with("unexpected character") => place.reserved_character(),
        _ if what.contains("tab") && !what.contains("expected tag") => place.tab(),
        _ if what.starts_with("while parsing a flow")
            || what == "illegal placement of ':' indicator"
            || what == "misplaced bracket"
            || what == "unexpected end of plain scalar" =>
        {
            place.bracket(what)
        }
        "recursion limit exceeded" => {
            Explained::only(Diagnostic::error("yaml-limit", "too many brackets in each other").at(place.here(), "too deep here"))
        }
        "found unprintable character" => {
            Explained::only(Diagnostic::error("yaml-syntax", "a NUL character in the text").at(place.here(), "here"))
        }
        _ => Explained::only(
            Diagnostic::error("yaml-syntax", format!("this is not valid YAML: {what}")).at(place.here(), "reading stopped here"),
        ),
    }
}

impl Explained {
    fn only(diagnostic: Diagnostic) -> Self {
        Self { diagnostic: Some(diagnostic), repair: Vec::new() }
    }

    fn with(diagnostic: Diagnostic, edit: Edit) -> Self {
        Self { diagnostic: Some(diagnostic), repair: vec![edit] }
    }
}

/// A place in the text and the line around it.
struct Place<'a> {
    file: FileId,
    text: &'a str,
    at: usize,
    /// First byte of the line, and one past its last (without the line break).
    line: (usize, usize),
}

impl<'a> Place<'a> {
    fn new(file: FileId, text: &'a str, at: usize) -> Self {
        let at = char_start(text, at.min(text.len()));
        Self { file, text, at, line: line_around(text, at) }
    }

    fn span(&self, start: usize, end: usize) -> Span {
        Span { file: self.file, start: start as u32, end: end.max(start) as u32 }
    }

    /// The character at the place.
    fn here(&self) -> Span {
        let width = self.text[self.at..].chars().next().filter(|c| *c != '\n').map_or(0, char::len_utf8);
        self.span(self.at, self.at + width)
    }

    fn line_text(&self) -> &'a str {
        &self.text[self.line.0..self.line.1]
    }

    /// The nearest line above that says something.
    fn line_above(&self) -> Option<(usize, usize)> {
        let mut end = self.line.0;
        while end > 0 {
            let line = line_around(self.text, end - 1);
            let said = self.text[line.0..line.1].trim();
            if !said.is_empty() && !said.starts_with('#') {
                return Some(line);
            }
            end = line.0;
        }
        None
    }

    /// Whether only indentation and dashes stand before the place.
    fn first_on_line(&self) -> bool {
        self.text[self.line.0..self.at].chars().all(|c| c.is_whitespace() || c == '-')
    }

    fn unquoted_template(&self, start: usize) -> Explained {
        let line = line_around(self.text, start);
        let close = if self.text[start..].starts_with("{%") { "%}" } else { "}}" };
        let closed = self.text[start..].find(close).map_or(line.1, |at| start + at + 2).min(self.text.len());
        let (_, line_end) = line_around(self.text, closed);
        let rest = &self.text[closed..line_end];
        let end = if rest.trim_start().starts_with([',', ']', '}']) { closed } else { closed + before_comment(rest).len() };
        let written = &self.text[start..end];
        let mut hint = "quote the whole value".to_owned();
        if !written.contains('\n') {
            let quoted = if written.contains('"') {
                format!("'{}'", written.replace('\'', "''"))
            } else {
                format!("\"{}\"", written.replace('\\', "\\\\"))
            };
            let key = self.text[line.0..start].trim_start().trim_start_matches("- ").trim_start();
            hint = format!("quote the whole value: `{key}{quoted}`");
        }
        let opening = &self.text[start..start + 2];
        Explained::with(
            Diagnostic::error("yaml-unquoted-template", format!("a value that begins with `{opening}` needs quotes"))
                .at(self.span(start, end), "YAML reads this brace as the start of a mapping")
                .hint(hint),
            filler(start, end),
        )
    }

    /// PyYAML lets the lines of `[...]` and `{...}` stand anywhere; the parser wants them indented.
    fn shallow_line(&self) -> Explained {
        let end = close_bracket(self.text, self.at);
        let mut starts = vec![self.line.0];
        starts.extend(self.text[self.at..end].match_indices('\n').map(|(at, _)| self.at + at + 1));
        let repair = starts.into_iter().map(|at| Edit { at, removed: 0, inserted: " ".repeat(DEEP) }).collect();
        Explained { diagnostic: None, repair }
    }

    /// The same for the later lines of quoted text.
    fn shallow_quoted(&self) -> Explained {
        let Some(end) = quote_end(self.text, self.at) else {
            return self.unclosed_quote();
        };
        let repair: Vec<_> = self.text[self.at..end]
            .match_indices('\n')
            .map(|(at, _)| self.at + at + 1)
            .filter(|start| !self.text[*start..].starts_with(['\n', '\r']))
            .map(|at| Edit { at, removed: 0, inserted: " ".repeat(DEEP) })
            .collect();
        // A quote that was forgotten ends at the next quote of the file: something follows there
        // that cannot follow a value.
        let (_, line_end) = line_around(self.text, end);
        let rest = self.text[end..line_end].trim_start();
        if repair.is_empty() || !(rest.is_empty() || rest.starts_with(['#', ',', ']', '}', ':'])) {
            return self.unclosed_quote();
        }
        Explained { diagnostic: None, repair }
    }

    fn unclosed_quote(&self) -> Explained {
        let quote = self.text[self.at..].chars().next().unwrap_or('"');
        let end = self.at + before_comment(&self.text[self.at..self.line.1]).len();
        let name = if quote == '\'' { "single quote" } else { "double quote" };
        Explained::with(
            Diagnostic::error("yaml-quote", format!("a {name} is opened here and never closed"))
                .at(self.span(self.at, end), "opened here")
                .hint(format!("add the closing `{quote}` at the end of the value")),
            filler(self.at, end),
        )
    }

    fn bad_escape(&self) -> Explained {
        let end = quote_end(self.text, self.at).unwrap_or(self.line.1);
        let inside = &self.text[self.at..end];
        let mut at = 0;
        while let Some(found) = inside[at..].find('\\') {
            let start = at + found;
            let rest = &inside[start + 1..];
            let Some(letter) = rest.chars().next() else { break };
            let digits = match letter {
                'x' => 2,
                'u' => 4,
                'U' => 8,
                _ => 0,
            };
            let code = rest.get(1..=digits).and_then(|digits| u32::from_str_radix(digits, 16).ok()).and_then(char::from_u32);
            let known = if digits > 0 { code.is_some() } else { "0abt\tnvfre \"/\\N_LP\n\r".contains(letter) };
            if !known {
                let start = self.at + start;
                let stop = start + 1 + letter.len_utf8();
                return Explained::with(
                    Diagnostic::error("yaml-escape", format!("`\\{letter}` means nothing between double quotes"))
                        .at(self.span(start, stop), "unknown escape")
                        .hint("write the value in single quotes, where a backslash is just a backslash, or write `\\\\`"),
                    Edit { at: start, removed: 0, inserted: "\\".to_owned() },
                );
            }
            at = start + 1 + letter.len_utf8();
        }
        Explained::only(
            Diagnostic::error("yaml-escape", "an unknown escape between double quotes").at(self.here(), "in this text"),
        )
    }

    fn behind_quote(&self) -> Explained {
        // From the value's beginning, so that the repair replaces all of it.
        let start = value_start(self.text, self.line.0, self.at);
        let end = self.at + before_comment(&self.text[self.at..self.line.1]).len();
        let value = &self.text[start..end];
        let quote = value.chars().next().unwrap_or('"');
        let hint = if quote == '\'' && value[1..self.at - start].contains('\'') {
            "inside single quotes write a single quote twice (`'it''s'`), or use double quotes around the value"
        } else {
            "quotes must go around the whole value: `key: \"first {{ second }} third\"`"
        };
        Explained::with(
            Diagnostic::error("yaml-quote", "something follows the closing quote")
                .at(self.span(self.at, end), "does not belong to the quoted text")
                .hint(hint),
            filler(start, end),
        )
    }

    /// PyYAML takes a tab here.
    fn tab_behind_colon(&self) -> Explained {
        let start = self.text[..self.at].trim_end_matches(['\t', ' ']).len();
        let inserted = " ".repeat(self.at - start);
        Explained { diagnostic: None, repair: vec![Edit { at: start, removed: self.at - start, inserted }] }
    }

    /// PyYAML takes blank lines that are indented deeper than the text that follows.
    fn blank_lines_of_block(&self) -> Explained {
        let mut repair = Vec::new();
        let mut end = self.line.0;
        while end > 0 {
            let line = line_around(self.text, end - 1);
            let blank = &self.text[line.0..line.1];
            if !blank.trim().is_empty() {
                break;
            }
            let length = blank.trim_end_matches('\r').len();
            if length > 0 {
                repair.insert(0, Edit { at: line.0, removed: length, inserted: String::new() });
            }
            end = line.0;
        }
        if repair.is_empty() {
            return Explained::only(
                Diagnostic::error("yaml-indentation", "a line of this text block is indented differently")
                    .at(self.here(), "here"),
            );
        }
        Explained { diagnostic: None, repair }
    }

    fn unknown_alias(&self) -> Explained {
        let rest = &self.text[self.at..self.line.1];
        let end = self.at + rest.find(|c: char| c.is_whitespace() || ",]}".contains(c)).unwrap_or(rest.len());
        let name = &self.text[self.at..end];
        Explained::with(
            Diagnostic::error("yaml-alias", format!("`{name}` refers to an anchor that is not defined above"))
                .at(self.span(self.at, end), "unknown alias")
                .hint(format!(
                    "define `&{}` earlier in this file, or quote the value if it is meant as text",
                    name.trim_start_matches('*')
                )),
            filler(self.at, end),
        )
    }

    fn colon(&self) -> Explained {
        let before = &self.text[self.line.0..self.at];
        let body = before.trim_start().trim_start_matches("- ").trim_start();
        if let Some(key_end) = find_colon(body) {
            // `key: value: more`
            let value = self.line.0 + before.len() - body.len() + key_end;
            let start = value + self.text[value + 1..self.at].len() - self.text[value + 1..self.at].trim_start().len() + 1;
            if self.text[start..].starts_with("{{") {
                return self.unquoted_template(start);
            }
            let end = self.at + before_comment(&self.text[self.at..self.line.1]).len();
            let written = &self.text[start..end];
            let quoted = format!("\"{}\"", written.replace('\\', "\\\\").replace('"', "\\\""));
            return Explained::with(
                Diagnostic::error("yaml-colon", "a colon and a space inside a value that has no quotes")
                    .at(self.span(self.at, self.at + 1), "YAML reads this as the start of another mapping")
                    .hint(format!("quote the value: `{} {quoted}`", &body[..=key_end])),
                filler(start, end),
            );
        }
        let Some(above) = self.line_above() else {
            return Explained::only(Diagnostic::error("yaml-colon", "a `:` is not possible here").at(self.here(), "here"));
        };
        let said = before_comment(&self.text[above.0..above.1]);
        let body_above = said.trim_start().trim_start_matches("- ").trim_start();
        let start_above = above.0 + said.len() - body_above.len();
        let end_above = above.0 + said.len();
        if find_colon(body_above).is_none() {
            if let Some(colon) = body_above.find(':').filter(|at| at + 1 < body_above.len() && is_key(&body_above[..*at])) {
                return Explained::with(
                    Diagnostic::error("yaml-colon", "a space is missing after a colon")
                        .at(self.span(start_above + colon, start_above + colon + 1), "needs a space behind it")
                        .hint(format!("write `{}: {}`", &body_above[..colon], &body_above[colon + 1..])),
                    Edit { at: start_above + colon + 1, removed: 0, inserted: " ".to_owned() },
                );
            }
            return self.no_colon(above);
        }
        let key = self.line.0 + self.line_text().len() - self.line_text().trim_start().len();
        Explained::only(
            Diagnostic::error("yaml-indentation", "this line is indented deeper than the line above allows")
                .at(self.span(key, self.at), "indented too deep")
                .related(self.span(start_above, end_above), "this already has a value, so nothing can be nested below it")
                .hint("lines that belong together begin in the same column"),
        )
    }

    fn missing_colon(&self) -> Explained {
        match self.line_above() {
            Some(line) => self.no_colon(line),
            None => Explained::only(Diagnostic::error("yaml-colon", "a `key: value` is expected here").at(self.here(), "here")),
        }
    }

    fn no_colon(&self, line: (usize, usize)) -> Explained {
        let said = before_comment(&self.text[line.0..line.1]);
        let body = said.trim_start().trim_start_matches("- ").trim_start();
        let (start, end) = (line.0 + said.len() - body.len(), line.0 + said.len());
        let hint = match body.split_once(' ') {
            Some((key, value)) if is_key(key) => format!("write `{key}: {}`", value.trim_start()),
            _ if is_key(body) => format!("write `{body}:` and its value"),
            _ => "each line of a mapping is `key: value`".to_owned(),
        };
        Explained::with(
            Diagnostic::error("yaml-colon", "a colon is missing").at(self.span(start, end), "expected `key: value`").hint(hint),
            Edit { at: end, removed: 0, inserted: ":".to_owned() },
        )
    }

    fn indentation(&self) -> Explained {
        let before = &self.text[self.line.0..self.at];
        if let Some(start) = unquoted_brace(self.line_text()) {
            return self.unquoted_template(self.line.0 + start);
        }
        if self.line_text().trim_start().starts_with('-') {
            let above = self.line_above().map_or("", |line| self.text[line.0..line.1].trim());
            let dash = self.line.0 + self.line_text().len() - self.line_text().trim_start().len();
            let hint = if !above.ends_with(':') && !above.starts_with("- ") {
                "a list needs a key with nothing behind its colon on the line above it (`key:`)"
            } else {
                "the dashes of one list stand in one column"
            };
            return Explained::only(
                Diagnostic::error("yaml-indentation", "this list item does not stand in the column of any list around it")
                    .at(self.span(dash, dash + 1), "unexpected list item")
                    .hint(hint),
            );
        }
        if !self.first_on_line() && !before.trim().is_empty() {
            let end = self.at + before_comment(&self.text[self.at..self.line.1]).len();
            let start = value_start(self.text, self.line.0, self.at);
            return Explained::with(
                Diagnostic::error("yaml-syntax", "something follows the value")
                    .at(self.span(self.at, end), "does not belong to the value before it")
                    .hint("quote the whole value if all of this is one text"),
                filler(start, end),
            );
        }
        let indent = before.len();
        let mut columns: Vec<usize> = Vec::new();
        let mut start = self.line.0;
        while start > 0 && columns.len() < 400 {
            let line = line_around(self.text, start - 1);
            let said = &self.text[line.0..line.1];
            let column = said.len() - said.trim_start().len();
            if !said.trim().is_empty() {
                columns.push(column);
            }
            start = line.0;
        }
        let nearest =
            columns.iter().copied().filter(|column| column.abs_diff(indent) <= 2).min_by_key(|column| column.abs_diff(indent));
        let hint = match nearest {
            Some(column) if column != indent => format!("it has {indent} spaces in front; lines above have {column}"),
            _ => "lines that belong together begin in the same column; list items begin with `- `".to_owned(),
        };
        let end = self.at + before_comment(&self.text[self.at..self.line.1]).len();
        Explained::only(
            Diagnostic::error("yaml-indentation", "the indentation of this line matches no line above")
                .at(self.span(self.at, end), "begins in an unexpected column")
                .hint(hint),
        )
    }

    fn reserved_character(&self) -> Explained {
        if self.text[self.at..].starts_with('%') && self.text[..self.at].ends_with('{') {
            return self.unquoted_template(self.at - 1);
        }
        let end = self.at + before_comment(&self.text[self.at..self.line.1]).len();
        let character = self.text[self.at..].chars().next().unwrap_or(' ');
        let written = &self.text[self.at..end];
        Explained::with(
            Diagnostic::error("yaml-reserved", format!("a value cannot begin with `{character}`"))
                .at(self.here(), "reserved by YAML")
                .hint(format!("quote the value: `\"{}\"`", written.replace('\\', "\\\\").replace('"', "\\\""))),
            filler(self.at, end),
        )
    }

    fn tab(&self) -> Explained {
        // The complaint may stand at the value before: the tab is in front of a later line.
        let indented_by_tab = |line: (usize, usize)| {
            let said = &self.text[line.0..line.1];
            let blank = &said[..said.len() - said.trim_start().len()];
            (!said.trim().is_empty()).then(|| blank.find('\t').map(|at| (line.0 + at, line.0 + blank.len()))).flatten()
        };
        let mut line = self.line;
        let mut found = indented_by_tab(line);
        while found.is_none() && line.1 < self.text.len() {
            line = line_around(self.text, line.1 + 1);
            found = indented_by_tab(line);
        }
        let (start, end) = found.unwrap_or((self.at, self.at + 1));
        let mut others = 0;
        let mut rest = line;
        while rest.1 < self.text.len() {
            rest = line_around(self.text, rest.1 + 1);
            others += usize::from(indented_by_tab(rest).is_some());
        }
        let label = match others {
            0 => "a tab".to_owned(),
            1 => "a tab, and another line below begins with one".to_owned(),
            _ => format!("a tab, and {others} more lines below begin with one"),
        };
        Explained::only(
            Diagnostic::error("yaml-tab", "a tab is used for indentation")
                .at(self.span(start, end), label)
                .hint("YAML is indented with spaces only: replace each tab with two spaces"),
        )
    }

    fn bracket(&self, what: &str) -> Explained {
        // `x: {{ a | default({}) }}` breaks inside the braces.
        if let Some(start) = unquoted_brace(&self.text[self.line.0..self.at]) {
            return self.unquoted_template(self.line.0 + start);
        }
        if what == "misplaced bracket" {
            return Explained::only(
                Diagnostic::error("yaml-bracket", "a closing bracket without an opening one")
                    .at(self.here(), "unexpected")
                    .hint("remove it, or quote the value if the bracket is part of a text"),
            );
        }
        let Some(start) = open_bracket(&self.text[..self.at]) else {
            return Explained::only(
                Diagnostic::error("yaml-bracket", "a comma or a bracket is missing").at(self.here(), "before this"),
            );
        };
        let (open, close) = if self.text[start..].starts_with('[') { ('[', ']') } else { ('{', '}') };
        Explained::only(
            Diagnostic::error("yaml-bracket", format!("`{open}` is not closed, or a comma is missing behind it"))
                .at(self.span(start, start + 1), "opened here")
                .related(self.here(), "reading stopped here")
                .hint(format!(
                    "put a comma between the items and `{close}` at the end, or quote the value if `{open}` is part of a text"
                )),
        )
    }
}

/// Text that is no mistake stands in for what cannot be read.
fn filler(start: usize, end: usize) -> Edit {
    Edit { at: start, removed: end - start, inserted: "x".repeat((end - start).max(1)) }
}
