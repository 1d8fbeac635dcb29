//! Filters that make or take apart HTML. There is no type for text that is escaped already: text is
//! text.

use super::{Filter, filter, flag};
use crate::template::error::fail;
use crate::template::eval::Interpreter;
use crate::template::val::{Args, Res, Val};

pub(super) const FILTERS: &[Filter] = &[
    filter("escape", escape),
    filter("e", escape),
    filter("forceescape", escape),
    filter("safe", |it, input, _| Ok(Val::Str(it.runtime.string(&input)?))),
    filter("striptags", |it, input, _| {
        let text = it.runtime.string(&input)?;
        let text = without_between(&text, "<!--", "-->");
        let text = without_between(&text, "<", ">");
        Ok(Val::str(unescaped(&text.split_whitespace().collect::<Vec<_>>().join(" "))))
    }),
    filter("xmlattr", xml_attributes),
    filter("urlize", urlize),
];

fn escape(it: &Interpreter<'_>, input: Val, _: &mut Args) -> Res {
    Ok(Val::str(escaped(&it.runtime.string(&input)?)))
}

fn escaped(text: &str) -> String {
    text.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;").replace('\'', "&#39;").replace('"', "&#34;")
}

/// The text without what stands between two marks, the marks included.
fn without_between(text: &str, open: &str, close: &str) -> String {
    let mut out = String::with_capacity(text.len());
    let mut rest = text;
    while let Some(start) = rest.find(open) {
        let Some(end) = rest[start..].find(close) else { break };
        out.push_str(&rest[..start]);
        rest = &rest[start + end + close.len()..];
    }
    out + rest
}

/// The commonest entities, and those by number.
fn unescaped(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    let mut rest = text;
    while let Some(at) = rest.find('&') {
        out.push_str(&rest[..at]);
        rest = &rest[at..];
        let name = rest.find(';').map(|end| &rest[1..end]);
        let code = name.and_then(|name| match name {
            "amp" => Some('&'),
            "lt" => Some('<'),
            "gt" => Some('>'),
            "quot" => Some('"'),
            "apos" => Some('\''),
            "nbsp" => Some('\u{a0}'),
            "copy" => Some('©'),
            "euro" => Some('€'),
            "mdash" => Some('—'),
            "ndash" => Some('–'),
            "hellip" => Some('…'),
            _ => {
                let number = name.strip_prefix('#')?;
                let hex = number.strip_prefix(['x', 'X']).map(|digits| u32::from_str_radix(digits, 16));
                char::from_u32(hex.unwrap_or_else(|| number.parse()).ok()?)
            }
        });
        match (code, name) {
            (Some(c), Some(name)) => {
                out.push(c);
                rest = &rest[name.len() + 2..];
            }
            _ => {
                out.push('&');
                rest = &rest[1..];
            }
        }
    }
    out + rest
}

/// ` name="value"` for every entry that is not none; `autospace=false` leaves the first blank out.
fn xml_attributes(it: &Interpreter<'_>, input: Val, args: &mut Args) -> Res {
    let space = flag(it.runtime, args, "autospace", true)?;
    let mut out = String::new();
    for (key, value) in it.runtime.mapping(&input)? {
        if matches!(value, Val::Null | Val::Undefined(_)) {
            continue;
        }
        let key = key.to_string();
        if key.contains(|c: char| c.is_whitespace() || "/>=".contains(c)) {
            return Err(fail(format!("`{key}` cannot be an attribute's name")));
        }
        if space || !out.is_empty() {
            out.push(' ');
        }
        out.push_str(&format!("{}=\"{}\"", escaped(&key), escaped(&it.runtime.string(&value)?)));
        it.runtime.bytes(out.len())?;
    }
    Ok(Val::str(out))
}

/// Turns addresses in a text into links.
fn urlize(it: &Interpreter<'_>, input: Val, args: &mut Args) -> Res {
    let runtime = it.runtime;
    let text = runtime.string(&input)?;
    let limit = match args.next("trim_url_limit") {
        None | Some(Val::Null) => None,
        Some(limit) => Some(super::size(&limit)?),
    };
    let no_follow = flag(runtime, args, "nofollow", false)?;
    let target = super::optional(runtime, args, "target")?;
    let rel = super::optional(runtime, args, "rel")?;
    let schemes = match args.next("extra_schemes") {
        None | Some(Val::Null) => Vec::new(),
        Some(schemes) => runtime.items(&schemes)?.iter().map(|scheme| runtime.string(scheme)).collect::<Res<_>>()?,
    };
    let mut rels: Vec<&str> = rel.as_deref().unwrap_or("").split_whitespace().collect();
    rels.extend(no_follow.then_some("nofollow"));
    rels.push("noopener");
    rels.sort_unstable();
    rels.dedup();
    let mut attributes = format!(" rel=\"{}\"", escaped(&rels.join(" ")));
    if let Some(target) = &target {
        attributes.push_str(&format!(" target=\"{}\"", escaped(target)));
    }
    let link = |href: &str, shown: &str, attributes: &str| format!("<a href=\"{href}\"{attributes}>{shown}</a>");
    let mut out = String::new();
    let escaped_text = escaped(&text);
    for word in words(&escaped_text) {
        runtime.step()?;
        let (head, middle, tail) = bare(word);
        let shown = match limit {
            Some(limit) if middle.chars().count() > limit => middle.chars().take(limit).chain("...".chars()).collect(),
            _ => middle.to_owned(),
        };
        let linked = if is_web_address(middle) {
            let href = if middle.starts_with("http://") || middle.starts_with("https://") {
                middle.to_owned()
            } else {
                format!("https://{middle}")
            };
            link(&href, &shown, &attributes)
        } else if let Some(address) = middle.strip_prefix("mailto:").filter(|address| is_mail_address(address)) {
            link(middle, address, "")
        } else if is_mail_address(middle) {
            link(&format!("mailto:{middle}"), middle, "")
        } else if schemes.iter().any(|scheme| middle.starts_with(&**scheme) && middle.len() > scheme.len()) {
            link(middle, middle, &attributes)
        } else {
            middle.to_owned()
        };
        out.push_str(head);
        out.push_str(&linked);
        out.push_str(tail);
    }
    runtime.bytes(out.len())?;
    Ok(Val::str(out))
}

/// Words and the blanks between them, all in order.
fn words(text: &str) -> Vec<&str> {
    let mut out = Vec::new();
    let mut start = 0;
    let mut blank = None;
    for (at, c) in text.char_indices() {
        let is_blank = c.is_whitespace();
        if blank.is_some_and(|blank| blank != is_blank) {
            out.push(&text[start..at]);
            start = at;
        }
        blank = Some(is_blank);
    }
    out.push(&text[start..]);
    out
}

/// A word without the brackets and signs around it: what is before, the word, what is after.
fn bare(word: &str) -> (&str, &str, &str) {
    let mut middle = word;
    while let Some(rest) = ["(", "&lt;"].iter().find_map(|open| middle.strip_prefix(open)) {
        middle = rest;
    }
    let head = &word[..word.len() - middle.len()];
    let start = head.len();
    while let Some(rest) = [")", ".", ",", "\n", "&gt;"].iter().find_map(|close| middle.strip_suffix(close)) {
        middle = rest;
    }
    let mut end = start + middle.len();
    // A bracket that is opened inside is closed inside.
    for (open, close) in [("(", ")"), ("<", ">"), ("&lt;", "&gt;")] {
        let missing = word[start..end].matches(open).count().saturating_sub(word[start..end].matches(close).count());
        for _ in 0..missing {
            match word[end..].find(close) {
                Some(at) => end += at + close.len(),
                None => break,
            }
        }
    }
    (head, &word[start..end], &word[end..])
}

fn is_web_address(text: &str) -> bool {
    let lower = text.to_lowercase();
    let (scheme, rest) = match lower.strip_prefix("https://").or_else(|| lower.strip_prefix("http://")) {
        Some(rest) => (true, rest),
        None => (false, &*lower),
    };
    let host = rest.split(['/', '?', '#']).next().unwrap_or("");
    let (host, port) = match host.strip_prefix('[').and_then(|host| host.split_once(']')) {
        Some((inside, port)) if scheme && inside.contains(':') => {
            return inside.chars().all(|c| c.is_ascii_hexdigit() || c == ':') && (port.is_empty() || port.starts_with(':'));
        }
        _ => host.split_once(':').map_or((host, None), |(host, port)| (host, Some(port))),
    };
    if port.is_some_and(|port| port.is_empty() || port.len() > 5 || !port.bytes().all(|byte| byte.is_ascii_digit())) {
        return false;
    }
    let labels: Vec<&str> = host.split('.').collect();
    if scheme && labels.len() == 4 && labels.iter().all(|label| label.parse::<u8>().is_ok()) {
        return true;
    }
    let valid =
        |label: &&str| !label.is_empty() && label.chars().all(|c| c.is_alphanumeric() || c == '-' || c == '_' || c == '%');
    let Some((last, before)) = labels.split_last() else { return false };
    if !before.iter().all(valid) {
        return false;
    }
    let is_top = last.len() >= 2 && (last.bytes().all(|byte| byte.is_ascii_lowercase()) || last.starts_with("xn--"));
    if scheme || host.starts_with("www.") {
        return is_top && (scheme || before.len() > 1);
    }
    !before.is_empty()
        && before.iter().all(|label| label.chars().count() >= 2)
        && ["com", "net", "int", "edu", "gov", "org", "info", "mil"].contains(last)
}

fn is_mail_address(text: &str) -> bool {
    let Some((name, host)) = text.split_once('@') else { return false };
    let labels: Vec<&str> = host.split('.').collect();
    !name.is_empty()
        && !name.contains(char::is_whitespace)
        && labels.len() >= 2
        && labels.iter().all(|label| !label.is_empty() && label.chars().all(|c| c.is_alphanumeric() || c == '-' || c == '_'))
        && labels.last().is_some_and(|top| top.chars().all(char::is_alphanumeric))
}
