use std::fmt::Write as _;
use std::path::Path;

use super::*;

/// A value in Python's clothes: text in quotes, `!` before unsafe text, `$` before encrypted text.
fn show(node: &Node, out: &mut String) {
    match &node.value {
        NodeValue::Null => out.push_str("None"),
        NodeValue::Bool(value) => out.push_str(if *value { "True" } else { "False" }),
        NodeValue::Int(value) => write!(out, "{value}").unwrap(),
        NodeValue::Float(value) => write!(out, "{value:?}").unwrap(),
        NodeValue::Str(text, _) => write!(out, "{text:?}").unwrap(),
        NodeValue::Unsafe(text) => write!(out, "!{text:?}").unwrap(),
        NodeValue::Vault(text) => write!(out, "${text:?}").unwrap(),
        NodeValue::List(items) => {
            out.push('[');
            for (index, item) in items.iter().enumerate() {
                out.push_str(if index > 0 { ", " } else { "" });
                show(item, out);
            }
            out.push(']');
        }
        NodeValue::Map(map) => {
            out.push('{');
            for (index, (key, value)) in map.entries.iter().enumerate() {
                out.push_str(if index > 0 { ", " } else { "" });
                show(key, out);
                out.push_str(": ");
                show(value, out);
            }
            out.push('}');
        }
    }
}

fn read(text: &str) -> (String, Diagnostics, SourceMap) {
    let map = SourceMap::default();
    let file = map.add(Path::new("t.yml"), text);
    let (documents, diagnostics) = parse(&map, file);
    let mut out = Vec::new();
    for document in &documents {
        let mut text = String::new();
        show(document, &mut text);
        out.push(text);
    }
    (out.join(" --- "), diagnostics, map)
}

/// `line:column-width code: message`, one line per problem.
fn problems(text: &str) -> Vec<String> {
    let (_, diagnostics, map) = read(text);
    let place = |span: Span| {
        let (line, column) = map.line_column(span);
        format!("{line}:{column}+{}", map.text(span.file)[span.start as usize..span.end as usize].chars().count())
    };
    diagnostics
        .iter()
        .map(|d| format!("{} {}", d.span.as_ref().map_or(String::new(), |(span, _)| place(*span)), d.code))
        .collect()
}

#[test]
fn documents_become_values() {
    let table = [
        ("", ""),
        ("---\n", "None"),
        ("a: 1\nb: [x, yes, 'yes', 0644, ~]\n", r#"{"a": 1, "b": ["x", True, "yes", 420, None]}"#),
        ("- a\n- - b\n  - c\n", r#"["a", ["b", "c"]]"#),
        ("a:\n- b\n- c\nd:\n", r#"{"a": ["b", "c"], "d": None}"#),
        ("a: |\n  x\n  y\nb: >-\n  x\n  y\n", r#"{"a": "x\ny\n", "b": "x y"}"#),
        ("2: a\nyes: b\n~: c\n", r#"{2: "a", True: "b", None: "c"}"#),
        ("a: 1\n---\nb: 2\n", r#"{"a": 1} --- {"b": 2}"#),
        ("a: !unsafe '{{ x }}'\nb: !unsafe [a, {b: c}]\n", r#"{"a": !"{{ x }}", "b": [!"a", {"b": !"c"}]}"#),
        ("a: !vault |\n  $ANSIBLE_VAULT;1.1;AES256\n  6162\nb: 1\n", r#"{"a": $"$ANSIBLE_VAULT;1.1;AES256\n6162\n", "b": 1}"#),
        ("[!!str 1, !!int '0x10', !!float 3, !!bool 'no', !!null x, ! 5]", r#"["1", 16, 3.0, False, None, "5"]"#),
        ("a: &x {b: 1}\nc: *x\nd: &y 5\ne: [*y, *y]\n", r#"{"a": {"b": 1}, "c": {"b": 1}, "d": 5, "e": [5, 5]}"#),
        ("x: &x {a: 1, b: 1}\ny: {b: 2, <<: *x, c: 3}\n", r#"{"x": {"a": 1, "b": 1}, "y": {"a": 1, "b": 2, "c": 3}}"#),
        (
            "x: &x {a: 1}\ny: &y {a: 2, b: 2}\nz:\n  <<: [*x, *y]\n",
            r#"{"x": {"a": 1}, "y": {"a": 2, "b": 2}, "z": {"a": 1, "b": 2}}"#,
        ),
        ("x: &x {a: 1}\ny: &y {a: 2}\nz:\n  <<: *x\n  <<: *y\n", r#"{"x": {"a": 1}, "y": {"a": 2}, "z": {"a": 2}}"#),
        ("'<<': {a: 1}\n", r#"{"<<": {"a": 1}}"#),
        ("a: 'it''s'\nb: \"\\x41\\u00e9\\n\"\n", r#"{"a": "it's", "b": "Aé\n"}"#),
        ("{\"a\": [1, 2.5, true, null, \"x\\/y\"]}", r#"{"a": [1, 2.5, True, None, "x/y"]}"#),
        // Accepted by PyYAML, refused by stricter parsers.
        ("a: [\nb,\nc\n]\nd: {\ne: f\n}\n", r#"{"a": ["b", "c"], "d": {"e": "f"}}"#),
        ("a: \"b\nc\"\nd: 'e\n\nf'\n", r#"{"a": "b c", "d": "e\nf"}"#),
        ("a:\tb\n", r#"{"a": "b"}"#),
        ("a: |\n      \n  text\n", r#"{"a": "\ntext\n"}"#),
    ];
    for (text, expected) in table {
        let (value, diagnostics, _) = read(text);
        assert_eq!((value.as_str(), diagnostics.iter().count()), (expected, 0), "{text:?}: {diagnostics:?}");
    }
}

#[test]
fn mistakes_have_a_place_and_do_not_hide_each_other() {
    let table: &[(&str, &[&str])] = &[
        ("a: {{ b }}\n", &["1:4+7 yaml-unquoted-template"]),
        (
            "a: {{ b }}/c\nd: {{ e | default({}) }}\nf: @g\n",
            &["1:4+9 yaml-unquoted-template", "2:4+21 yaml-unquoted-template", "3:4+1 yaml-reserved"],
        ),
        ("a: [{{ b }}, c]\n", &["1:5+7 yaml-unquoted-template"]),
        ("- {{ b }}\n", &["1:3+7 yaml-unquoted-template"]),
        ("when: {{ a }} == 1 # why\n", &["1:7+12 yaml-unquoted-template"]),
        ("a: {{ x['b: c'] }}\n", &["1:4+15 yaml-unquoted-template"]),
        ("a: {% if x %}y{% endif %}\n", &["1:4+22 yaml-unquoted-template"]),
        ("a:\n\tb: c\n\td: e\n", &["2:1+1 yaml-tab"]),
        ("a:\n  b: c\n\td: e\n", &["3:1+1 yaml-tab"]),
        ("a: b: c\n", &["1:5+1 yaml-colon"]),
        ("- msg: see: this\n- msg: é: \"x\"\n", &["1:11+1 yaml-colon", "2:9+1 yaml-colon"]),
        ("- name: x\n  hosts all\n  tasks: 1\n", &["2:3+9 yaml-colon"]),
        ("a:1\nb: 2\n", &["1:2+1 yaml-colon"]),
        ("a\nb: 2\n", &["1:1+1 yaml-colon"]),
        ("- hosts: all\n    tasks:\n", &["2:5+5 yaml-indentation"]),
        ("a:\n  b: 1\n c: 2\n", &["3:2+4 yaml-indentation"]),
        ("- hosts: all\n tasks: []\n", &["2:2+9 yaml-indentation"]),
        ("a: b\n- c\n", &["2:1+1 yaml-indentation"]),
        ("a: \"b\nc: d\n", &["1:4+2 yaml-quote"]),
        ("a: \"b\nc: \"d\"\n", &["1:4+2 yaml-quote"]),
        ("a: 'it's'\nb: \"x\"/y\n", &["1:8+2 yaml-quote", "2:7+2 yaml-quote"]),
        ("a: \"\\d\"\nb: \"x\\.y\"\n", &["1:5+2 yaml-escape", "2:6+2 yaml-escape"]),
        ("a: *b\nc: *d\n", &["1:4+2 yaml-alias", "2:4+2 yaml-alias"]),
        ("a: &x [*x]\n", &["1:8+2 yaml-alias"]),
        ("a: [1, 2\nb: c\n", &["1:4+1 yaml-bracket"]),
        ("a: 1]\n", &[]),
        ("a: !foo b\nc: !bar {d: e}\n", &["1:9+1 yaml-tag", "2:9+1 yaml-tag"]),
        ("a: !!int b\n", &["1:10+1 yaml-tag"]),
        ("a: 1\na: 2\nb: {c: 1, c: 2}\n", &["3:11+1 yaml-duplicate-key", "2:1+1 yaml-duplicate-key"]),
        ("<<: 5\n", &["1:5+1 yaml-merge"]),
    ];
    let wrong: Vec<_> = table
        .iter()
        .map(|(text, expected)| (text, problems(text), expected))
        .filter(|(_, found, expected)| found != *expected)
        .collect();
    assert!(wrong.is_empty(), "text, found, expected: {wrong:#?}");
}

#[test]
fn the_last_of_two_equal_keys_counts() {
    assert_eq!(read("a: 1\nb: 2\na: 3\n").0, r#"{"a": 3, "b": 2}"#);
}

#[test]
fn every_node_knows_its_place() {
    let text = "é: ü # comment\nb:\n  - &x c d  \n  - {e: [f]}\n  - |\n    g\n    h\n\ni: *x\n";
    let map = SourceMap::default();
    let file = map.add(Path::new("t.yml"), text);
    let (documents, _) = parse(&map, file);
    let written = |node: &Node| text[node.span.start as usize..node.span.end as usize].to_owned();
    let root = documents[0].as_map().unwrap();
    let list = root.get("b").unwrap();
    let items: Vec<_> = list.as_list().unwrap().iter().map(written).collect();
    assert_eq!(written(&root.entries[0].0), "é");
    assert_eq!(written(&root.entries[0].1), "ü");
    assert_eq!(items, ["c d", "{e: [f]}", "g\n    h"]);
    assert_eq!(map.line_column(list.span), (3, 3));
    assert_eq!(written(root.get("i").unwrap()), "c d", "an alias leads to what was written");
    assert_eq!(written(&documents[0]).lines().next(), Some("é: ü # comment"));
}

#[test]
fn bombs_end_with_a_diagnostic() {
    let laughs =
        (0..30).fold("a0: &a0 [x, x]\n".to_owned(), |text, n| text + &format!("a{}: &a{} [*a{n}, *a{n}, *a{n}]\n", n + 1, n + 1));
    assert_eq!(read(&laughs).1.iter().map(|d| d.code).collect::<Vec<_>>(), ["yaml-limit"]);
    assert_eq!(read(&"[".repeat(100_000)).1.iter().map(|d| d.code).collect::<Vec<_>>(), ["yaml-limit"]);
    assert_eq!(read(&"- ".repeat(100_000)).1.iter().map(|d| d.code).collect::<Vec<_>>(), ["yaml-limit"]);
}
