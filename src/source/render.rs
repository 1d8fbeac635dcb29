//! Diagnostics as text: title, source lines with what is to be seen there, hint. A pure function;
//! who prints it decides about colour.

use std::fmt::Write as _;
use std::ops::Range;

use annotate_snippets::{AnnotationKind, Level, Renderer, Snippet};

use super::diagnostic::{Diagnostic, Diagnostics, Severity};
use super::map::{SourceMap, Span, char_start};

/// Whether the text carries colours.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Colour {
    /// Letters only.
    Plain,
    /// ANSI escape sequences.
    Ansi,
}

/// Places of one file are drawn together if at most this many lines lie between them.
const NEAR: usize = 12;
/// Of a longer line only the part around the place is drawn.
const WIDE: usize = 2_000;

/// All problems, errors and warnings in the order in which they were found, a blank line between
/// them.
pub fn render(diagnostics: &Diagnostics, map: &SourceMap, colour: Colour) -> String {
    diagnostics.iter().map(|diagnostic| render_one(diagnostic, map, colour)).collect::<Vec<_>>().join("\n")
}

/// One problem; ends with a line break.
pub fn render_one(diagnostic: &Diagnostic, map: &SourceMap, colour: Colour) -> String {
    let level = match diagnostic.severity {
        Severity::Error => Level::ERROR,
        Severity::Warning => Level::WARNING,
        Severity::Info => Level::INFO,
    };
    let name = diagnostic.severity.word();
    let message = visible(&diagnostic.message);
    let windows = windows(diagnostic, map);
    let mut out = if windows.is_empty() {
        let title = format!("{name}[{}]", diagnostic.code);
        match (colour, diagnostic.severity) {
            (Colour::Plain, _) => format!("{title}: {message}"),
            (Colour::Ansi, Severity::Error) => format!("\x1b[1;91m{title}\x1b[0m\x1b[1m: {message}\x1b[0m"),
            (Colour::Ansi, Severity::Warning) => format!("\x1b[1;33m{title}\x1b[0m\x1b[1m: {message}\x1b[0m"),
            (Colour::Ansi, Severity::Info) => format!("\x1b[1;94m{title}\x1b[0m\x1b[1m: {message}\x1b[0m"),
        }
    } else {
        let mut group = level
            .primary_title(message)
            .id(diagnostic.code)
            .elements(Vec::<Snippet<'_, annotate_snippets::Annotation<'_>>>::new());
        for window in &windows {
            let annotations = window.marks.iter().map(|mark| {
                let kind = if mark.primary { AnnotationKind::Primary } else { AnnotationKind::Context };
                let label = (!mark.label.is_empty()).then_some(mark.label.as_str());
                kind.span(mark.range.clone()).label(label)
            });
            group = group.element(
                Snippet::source(window.text.as_str())
                    .path(window.path.as_str())
                    .line_start(window.first_line)
                    .annotations(annotations),
            );
        }
        let renderer = match colour {
            Colour::Plain => Renderer::plain(),
            Colour::Ansi => Renderer::styled(),
        };
        renderer.render(&[group]).lines().map(str::trim_end).collect::<Vec<_>>().join("\n")
    };
    out.push('\n');
    if let Some(hint) = &diagnostic.hint {
        let hint = visible(hint);
        match colour {
            Colour::Plain => writeln!(out, "hint: {hint}"),
            Colour::Ansi => writeln!(out, "\x1b[1;96mhint\x1b[0m: {hint}"),
        }
        .expect("writing to a string cannot fail");
    }
    out
}

/// Lines of one file with their marks.
struct Window {
    path: String,
    first_line: usize,
    text: String,
    marks: Vec<Mark>,
}

struct Mark {
    primary: bool,
    range: Range<usize>,
    label: String,
}

/// A mark before it is put into a window: its line, counted from 1, and its columns there in bytes.
struct Place<'a> {
    span: Span,
    line: usize,
    label: &'a str,
    primary: bool,
}

fn windows(diagnostic: &Diagnostic, map: &SourceMap) -> Vec<Window> {
    let Some((span, label)) = &diagnostic.span else {
        return Vec::new();
    };
    let place = |span: &Span, label| Place { span: *span, line: map.line_column(*span).0, label, primary: false };
    let first = Place { primary: true, ..place(span, label.as_str()) };
    let mut groups: Vec<Vec<Place<'_>>> = vec![vec![first]];
    for (span, label) in &diagnostic.related {
        let place = place(span, label.as_str());
        let near = groups.iter_mut().find(|group| {
            group.iter().any(|other| other.span.file == place.span.file && other.line.abs_diff(place.line) <= NEAR)
        });
        match near {
            Some(group) => group.push(place),
            None => groups.push(vec![place]),
        }
    }
    groups.into_iter().map(|places| window(&places, map)).collect()
}

/// In place of a line of a file that is encrypted on disk.
const UNSEEN: &str = "(the file is encrypted: not shown)";

fn window(places: &[Place<'_>], map: &SourceMap) -> Window {
    let file = places[0].span.file;
    if map.is_secret(file) {
        let mark = |place: &Place<'_>| Mark { primary: place.primary, range: 0..UNSEEN.len(), label: visible(place.label) };
        return Window {
            path: visible(&map.path(file).display().to_string()),
            first_line: places[0].line,
            text: UNSEEN.to_owned(),
            marks: places.iter().map(mark).collect(),
        };
    }
    let source = map.text(file);
    let line_start = |at: usize| source[..at].rfind('\n').map_or(0, |found| found + 1);
    let line_end = |at: usize| source[at..].find('\n').map_or(source.len(), |found| at + found);
    let clip = |span: Span| {
        let start = char_start(&source, (span.start as usize).min(source.len()));
        // What spans several lines is marked in its first line.
        let end = char_start(&source, (span.end as usize).min(source.len())).min(line_end(start)).max(start);
        start..end
    };
    let ranges: Vec<_> = places.iter().map(|place| clip(place.span)).collect();
    let mut start = ranges.iter().map(|range| line_start(range.start)).min().unwrap_or(0);
    let mut end = ranges.iter().map(|range| line_end(range.start)).max().unwrap_or(0);
    if let [range] = ranges.as_slice()
        && end - start > WIDE
    {
        start = char_start(&source, start.max(range.start.saturating_sub(WIDE / 2)));
        end = char_start(&source, end.min(range.start + WIDE / 2));
    }
    let marks = std::iter::zip(places, &ranges)
        .map(|(place, range)| Mark {
            primary: place.primary,
            range: visible(&source[start..range.start.min(end)]).len()
                ..visible(&source[start..range.end.clamp(range.start, end)]).len(),
            label: visible(place.label),
        })
        .collect();
    Window {
        path: visible(&SourceMap::shown(&map.path(file)).to_string()),
        first_line: places.iter().map(|place| place.line).min().unwrap_or(1),
        text: visible(&source[start..end]),
        marks,
    }
}

/// Escapes every control and bidirectional character, which would act on a terminal instead of
/// being seen; tabs and line breaks stay.
pub fn visible(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for c in text.chars() {
        match c {
            '\n' | '\t' => out.push(c),
            // Of a line break in Windows' style.
            '\r' => {}
            _ if c.is_control() || is_bidi(c) => {
                write!(out, "\\u{{{:x}}}", u32::from(c)).expect("writing to a string cannot fail");
            }
            _ => out.push(c),
        }
    }
    out
}

fn is_bidi(c: char) -> bool {
    matches!(c, '\u{61c}' | '\u{200e}' | '\u{200f}' | '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}' | '\u{feff}')
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use super::*;

    fn draw(text: &str) -> String {
        let map = SourceMap::default();
        let file = map.add(Path::new("playbooks/site.yml"), text);
        let (_, diagnostics) = super::super::yaml::parse(&map, file);
        render(&diagnostics, &map, Colour::Plain)
    }

    #[test]
    fn a_problem_is_drawn_with_its_line_and_its_hint() {
        insta::assert_snapshot!(draw("- hosts: all\n  vars:\n    a: {{ b }}/c  # é\n"), @r#"
        error[yaml-unquoted-template]: a value that begins with `{{` needs quotes
         --> playbooks/site.yml:3:8
          |
        3 |     a: {{ b }}/c  # é
          |        ^^^^^^^^^ YAML reads this brace as the start of a mapping
        hint: quote the whole value: `a: "{{ b }}/c"`
        "#);
    }

    #[test]
    fn two_places_are_drawn_together_when_they_are_near() {
        insta::assert_snapshot!(draw("a: 1\nb: 2\na: 3\n"), @r"
        warning[yaml-duplicate-key]: the key `a` is written twice in one mapping
         --> playbooks/site.yml:3:1
          |
        1 | a: 1
          | - this one is ignored
        2 | b: 2
        3 | a: 3
          | ^ this one counts
        hint: remove one of them; if each belongs to an item of its own, a `-` is missing
        ");
    }

    #[test]
    fn far_places_are_drawn_apart() {
        let text = format!("a: 1\n{}a: 3\n", "# x\n".repeat(50));
        insta::assert_snapshot!(draw(&text), @r"
        warning[yaml-duplicate-key]: the key `a` is written twice in one mapping
          --> playbooks/site.yml:52:1
           |
        52 | a: 3
           | ^ this one counts
           |
          ::: playbooks/site.yml:1:1
           |
         1 | a: 1
           | - this one is ignored
        hint: remove one of them; if each belongs to an item of its own, a `-` is missing
        ");
    }

    #[test]
    fn a_problem_without_a_place_has_a_title_and_a_hint() {
        let mut diagnostics = Diagnostics::default();
        diagnostics.push(Diagnostic::warning("no-hosts", "nothing to do").hint("name a host"));
        assert_eq!(
            render(&diagnostics, &SourceMap::default(), Colour::Plain),
            "warning[no-hosts]: nothing to do\nhint: name a host\n"
        );
        assert!(render(&diagnostics, &SourceMap::default(), Colour::Ansi).contains("\x1b[1;96mhint\x1b[0m: name a host"));
    }

    #[test]
    fn the_source_cannot_act_on_the_terminal() {
        let drawn = draw("a: \"\u{1b}[2J\u{202e}\" x\u{9b}31m\r\n");
        assert!(drawn.contains("\\u{1b}[2J\\u{202e}"), "{drawn}");
        assert!(!drawn.chars().any(|c| c != '\n' && (c.is_control() || is_bidi(c))), "{drawn:?}");
    }
}
