//! Values of INI inventories: a Python literal where the text is one, else the text itself.

use std::sync::Arc;

use crate::source::{Mapping, Node, NodeValue, Span, Style};

/// Lists and dictionaries in each other.
const MAX_DEPTH: usize = 50;

/// The value of `text`, which stands at `span`. `1_000` is a number, `0644` is text (Python knows no
/// such number), `yes` is text, `True` is a boolean, `[1, 'a']` is a list.
pub(super) fn value(text: &str, span: Span) -> NodeValue {
    let plain = || NodeValue::Str(text.into(), Style::Plain);
    // Most values are words: a literal begins with one of these.
    let first = text.trim_start_matches([' ', '\t']).bytes().next();
    if !first.is_some_and(|byte| b"0123456789.+-([{'\"TFNrRbBuUs".contains(&byte)) {
        return plain();
    }
    let mut reader = Reader { text, at: 0, span };
    reader.document().unwrap_or_else(plain)
}

struct Reader<'a> {
    text: &'a str,
    at: usize,
    span: Span,
}

impl Reader<'_> {
    fn document(&mut self) -> Option<NodeValue> {
        self.blanks();
        let value = self.list_without_brackets()?;
        if self.rest().starts_with('#') {
            self.at = self.text.len();
        }
        self.rest().is_empty().then_some(value)
    }

    fn rest(&self) -> &str {
        &self.text[self.at..]
    }

    fn blanks(&mut self) {
        let rest = self.rest();
        self.at += rest.len() - rest.trim_start_matches([' ', '\t', '\n', '\r', '\x0c']).len();
    }

    fn take(&mut self, word: &str) -> bool {
        let found = self.rest().starts_with(word);
        if found {
            self.at += word.len();
            self.blanks();
        }
        found
    }

    fn node(&self, value: NodeValue) -> Node {
        Node { span: self.span, value }
    }

    /// `1, 2` is a tuple.
    fn list_without_brackets(&mut self) -> Option<NodeValue> {
        let first = self.expression(0)?;
        if !self.rest().starts_with(',') {
            return Some(first);
        }
        let mut items = vec![self.node(first)];
        while self.take(",") {
            if self.rest().is_empty() || self.rest().starts_with('#') {
                break;
            }
            let item = self.expression(0)?;
            items.push(self.node(item));
        }
        Some(NodeValue::List(items.into()))
    }

    fn expression(&mut self, depth: usize) -> Option<NodeValue> {
        if depth > MAX_DEPTH {
            return None;
        }
        let value = match self.rest().bytes().next()? {
            b'[' => {
                self.take("[");
                NodeValue::List(self.items("]", depth)?.0.into())
            }
            b'(' => {
                self.take("(");
                let (mut items, comma) = self.items(")", depth)?;
                // Brackets around one value without a comma are only brackets.
                if items.len() == 1 && !comma { items.remove(0).value } else { NodeValue::List(items.into()) }
            }
            b'{' => {
                self.take("{");
                self.dictionary_or_set(depth)?
            }
            b'+' | b'-' => {
                let negative = self.rest().starts_with('-');
                self.at += 1;
                self.blanks();
                match (self.number()?, negative) {
                    (NodeValue::Int(number), true) => NodeValue::Int(number.checked_neg()?),
                    (NodeValue::Float(number), true) => NodeValue::Float(-number),
                    (NodeValue::Str(digits, style), true) => NodeValue::Str(format!("-{digits}").into(), style),
                    (number, _) => number,
                }
            }
            b'0'..=b'9' | b'.' => self.number()?,
            _ => self.word_or_string()?,
        };
        self.blanks();
        Some(value)
    }

    fn items(&mut self, close: &str, depth: usize) -> Option<(Vec<Node>, bool)> {
        let mut items = Vec::new();
        let mut comma = false;
        while !self.take(close) {
            let item = self.expression(depth + 1)?;
            items.push(self.node(item));
            if self.take(",") {
                comma = true;
            } else if !self.rest().starts_with(close) {
                return None;
            }
        }
        Some((items, comma))
    }

    fn dictionary_or_set(&mut self, depth: usize) -> Option<NodeValue> {
        let mut entries: Vec<(Node, Node)> = Vec::new();
        let mut items = Vec::new();
        while !self.take("}") {
            let key = self.expression(depth + 1)?;
            let key = self.node(key);
            if self.take(":") {
                let value = self.expression(depth + 1)?;
                let value = self.node(value);
                let same = entries.iter().position(|(other, _)| other.as_str().is_some() && other.as_str() == key.as_str());
                match same {
                    Some(index) => entries[index].1 = value,
                    None => entries.push((key, value)),
                }
            } else {
                items.push(key);
            }
            if !self.take(",") && !self.rest().starts_with('}') {
                return None;
            }
        }
        match (entries.is_empty(), items.is_empty()) {
            (_, true) => Some(NodeValue::Map(Arc::new(Mapping { entries }))),
            (true, false) => Some(NodeValue::List(items.into())),
            (false, false) => None,
        }
    }

    fn number(&mut self) -> Option<NodeValue> {
        let rest = self.rest();
        let radix = match rest.as_bytes() {
            [b'0', b'x' | b'X', ..] => 16,
            [b'0', b'o' | b'O', ..] => 8,
            [b'0', b'b' | b'B', ..] => 2,
            _ => 10,
        };
        if radix != 10 {
            let length = rest[2..].find(|c: char| !c.is_ascii_alphanumeric() && c != '_').map_or(rest.len(), |end| end + 2);
            let digits = without_underscores(rest[2..length].strip_prefix('_').unwrap_or(&rest[2..length]))?;
            let number = i64::from_str_radix(&digits, radix).ok()?;
            self.at += length;
            return Some(NodeValue::Int(number));
        }
        let digits =
            |from: usize| rest[from..].find(|c: char| !c.is_ascii_digit() && c != '_').map_or(rest.len(), |end| from + end);
        let mut end = digits(0);
        let mut float = false;
        if rest[end..].starts_with('.') {
            float = true;
            end = digits(end + 1);
        }
        if rest[end..].starts_with(['e', 'E']) {
            let sign = usize::from(rest[end + 1..].starts_with(['+', '-']));
            float = true;
            end = digits(end + 1 + sign);
        }
        let written = &rest[..end];
        // `12a`, `1j`, `1if` ...
        if rest[end..].starts_with(|c: char| c.is_alphanumeric() || c == '_' || c == '.') {
            return None;
        }
        let number = if float {
            let parts = written.split(['.', 'e', 'E', '+', '-']).filter(|part| !part.is_empty());
            if written == "." || !parts.clone().all(|part| without_underscores(part).is_some()) {
                return None;
            }
            NodeValue::Float(written.replace('_', "").parse().ok()?)
        } else {
            let plain = without_underscores(written)?;
            if plain.len() > 1 && plain.starts_with('0') && plain.bytes().any(|byte| byte != b'0') {
                return None;
            }
            // A number too large for us is still printed as it was written.
            plain.parse().map_or_else(|_| NodeValue::Str(plain.as_str().into(), Style::Plain), NodeValue::Int)
        };
        self.at += end;
        Some(number)
    }

    fn word_or_string(&mut self) -> Option<NodeValue> {
        for (word, value) in [("True", NodeValue::Bool(true)), ("False", NodeValue::Bool(false)), ("None", NodeValue::Null)] {
            if self.rest().strip_prefix(word).is_some_and(|rest| !rest.starts_with(|c: char| c.is_alphanumeric() || c == '_')) {
                self.at += word.len();
                return Some(value);
            }
        }
        if self.take("set") {
            return (self.take("(") && self.take(")")).then(|| NodeValue::List(Vec::new().into()));
        }
        let mut text = String::new();
        let mut bytes = None;
        // Strings that follow each other are one string.
        while let Some(is_bytes) = self.string(&mut text) {
            if *bytes.get_or_insert(is_bytes) != is_bytes {
                return None;
            }
            self.blanks();
        }
        Some(if bytes? { NodeValue::Unsafe(text.into()) } else { NodeValue::Str(text.into(), Style::Quoted) })
    }

    /// One string with its prefix, appended to `out`; whether it was bytes.
    fn string(&mut self, out: &mut String) -> Option<bool> {
        let rest = self.rest();
        let quote_at = rest.find(['\'', '"']).filter(|at| *at <= 2)?;
        let prefix = rest[..quote_at].to_ascii_lowercase();
        let (raw, bytes) = match prefix.as_str() {
            "" | "u" => (false, false),
            "r" => (true, false),
            "b" => (false, true),
            "rb" | "br" => (true, true),
            _ => return None,
        };
        let quote = &rest[quote_at..=quote_at];
        let triple = quote.repeat(3);
        let quote = if rest[quote_at..].starts_with(&triple) { triple.as_str() } else { quote };
        let mut at = quote_at + quote.len();
        let mut text = String::new();
        loop {
            let left = &rest[at..];
            if left.starts_with(quote) {
                break;
            }
            let c = left.chars().next()?;
            if c == '\\' {
                let next = left[1..].chars().next()?;
                if raw {
                    text.push('\\');
                    text.push(next);
                    at += 1 + next.len_utf8();
                } else {
                    at += escape(left, bytes, &mut text)?;
                }
                continue;
            }
            if bytes && !c.is_ascii() {
                return None;
            }
            text.push(c);
            at += c.len_utf8();
        }
        out.push_str(&text);
        self.at += at + quote.len();
        Some(bytes)
    }
}

/// Reads the escape at the beginning of `text`, which begins with a backslash; its length.
fn escape(text: &str, bytes: bool, out: &mut String) -> Option<usize> {
    let code = |digits: &str, radix| u32::from_str_radix(digits, radix).ok().and_then(char::from_u32);
    let letter = text[1..].chars().next()?;
    let plain = match letter {
        '\n' => return Some(2),
        '\\' | '\'' | '"' => letter,
        'a' => '\x07',
        'b' => '\x08',
        'f' => '\x0c',
        'n' => '\n',
        'r' => '\r',
        't' => '\t',
        'v' => '\x0b',
        '0'..='7' => {
            let length = text[1..].bytes().take(3).take_while(|byte| matches!(byte, b'0'..=b'7')).count();
            out.push(code(&text[1..=length], 8)?);
            return Some(1 + length);
        }
        'x' | 'u' | 'U' if letter == 'x' || !bytes => {
            let length = match letter {
                'x' => 2,
                'u' => 4,
                _ => 8,
            };
            out.push(code(text.get(2..2 + length)?, 16)?);
            return Some(2 + length);
        }
        // Names of characters (`\N{DASH}`) are left alone.
        'N' if !bytes => return None,
        other => {
            out.push('\\');
            other
        }
    };
    out.push(plain);
    Some(1 + letter.len_utf8())
}

/// Digits; an underscore stands between two of them.
fn without_underscores(text: &str) -> Option<String> {
    let valid = !text.is_empty() && !text.starts_with('_') && !text.ends_with('_') && !text.contains("__");
    valid.then(|| text.replace('_', ""))
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use super::*;
    use crate::source::SourceMap;

    /// As JSON, the way `ansible-inventory` prints it.
    fn json(value: &NodeValue) -> String {
        match value {
            NodeValue::Null => "null".to_owned(),
            NodeValue::Bool(value) => value.to_string(),
            NodeValue::Int(value) => value.to_string(),
            NodeValue::Float(value) => format!("{value:?}"),
            NodeValue::Str(text, _) | NodeValue::Unsafe(text) => format!("\"{text}\""),
            NodeValue::List(items) => format!("[{}]", items.iter().map(|item| json(&item.value)).collect::<Vec<_>>().join(", ")),
            NodeValue::Map(map) => {
                let entries = map.entries.iter().map(|(key, value)| format!("{}: {}", json(&key.value), json(&value.value)));
                format!("{{{}}}", entries.collect::<Vec<_>>().join(", "))
            }
            NodeValue::Vault(_) => unreachable!("no literal is encrypted"),
        }
    }

    /// What ansible-core 2.19 made of `x=TEXT` in a `[group:vars]` section.
    #[test]
    fn values_are_python_literals_or_text() {
        let table = [
            ("1", "1"),
            ("-5", "-5"),
            ("- 5", "-5"),
            ("+5", "5"),
            ("--5", "\"--5\""),
            ("0644", "\"0644\""),
            ("0777", "\"0777\""),
            ("00", "0"),
            ("0o17", "15"),
            ("0x1F", "31"),
            ("0b11", "3"),
            ("1_000", "1000"),
            ("1__0", "\"1__0\""),
            ("1_", "\"1_\""),
            ("0_7", "\"0_7\""),
            ("1e3", "1000.0"),
            ("1.50", "1.5"),
            ("10.", "10.0"),
            (".5", "0.5"),
            ("-1.5e-3", "-0.0015"),
            ("1.2.3", "\"1.2.3\""),
            ("10.0.0.1", "\"10.0.0.1\""),
            ("1e400", "inf"),
            ("12345678901234567890", "\"12345678901234567890\""),
            ("1j", "\"1j\""),
            ("5-3", "\"5-3\""),
            ("5 # c", "5"),
            ("abc # c", "\"abc # c\""),
            ("\"abc\" # c", "\"abc\""),
            ("#foo", "\"#foo\""),
            ("5;", "\"5;\""),
            ("True", "true"),
            ("False", "false"),
            ("None", "null"),
            ("true", "\"true\""),
            ("yes", "\"yes\""),
            ("null", "\"null\""),
            ("Trueish", "\"Trueish\""),
            ("not True", "\"not True\""),
            ("", "\"\""),
            ("'x' 'y'", "\"xy\""),
            ("\"a\" \"b\"", "\"ab\""),
            ("a\"b\"c", "\"a\"b\"c\""),
            ("\"unclosed", "\"\"unclosed\""),
            ("'''a'''", "\"a\""),
            ("b'bytes'", "\"bytes\""),
            ("u'x'", "\"x\""),
            ("r'a\\b'", "\"a\\b\""),
            ("f'x'", "\"f'x'\""),
            ("\"a\\tb\\x41\\u00e9\"", "\"a\tbAé\""),
            ("\"a\\N{DASH}\"", "\"\"a\\N{DASH}\"\""),
            ("'a\\d'", "\"a\\d\""),
            ("  \"lead\"", "\"lead\""),
            ("{{ foo }}", "\"{{ foo }}\""),
            ("\"{{ foo }}\"", "\"{{ foo }}\""),
            ("(1)", "1"),
            ("()", "[]"),
            ("(1,)", "[1]"),
            ("1,2", "[1, 2]"),
            ("1 2", "\"1 2\""),
            ("[1,]", "[1]"),
            ("[,]", "\"[,]\""),
            ("[1,2", "\"[1,2\""),
            ("(1,2", "\"(1,2\""),
            ("[True, False, None, 'x']", "[true, false, null, \"x\"]"),
            ("[1, \"a\", {'b': None}]", "[1, \"a\", {\"b\": null}]"),
            ("{'a': [1, (2, 3)]}", "{\"a\": [1, [2, 3]]}"),
            ("{'a': 1, 'a': 2}", "{\"a\": 2}"),
            ("{'a': 1, **{}}", "\"{'a': 1, **{}}\""),
            ("{1, 2}", "[1, 2]"),
            ("{1: 2}", "{1: 2}"),
            ("{}", "{}"),
            ("set()", "[]"),
            ("setup", "\"setup\""),
            ("[web, db]", "\"[web, db]\""),
            ("é", "\"é\""),
            ("\"é\"", "\"é\""),
            ("1if 1else 2", "\"1if 1else 2\""),
        ];
        let file = SourceMap::default().add(Path::new("hosts"), "");
        let span = Span { file, start: 0, end: 0 };
        let wrong: Vec<_> = table
            .iter()
            .map(|(text, expected)| (text, json(&value(text, span)), expected))
            .filter(|(_, found, expected)| found != *expected)
            .collect();
        assert!(wrong.is_empty(), "text, found, expected: {wrong:#?}");
        assert_eq!(json(&value(&"[".repeat(10_000), span)), format!("\"{}\"", "[".repeat(10_000)));
    }
}
