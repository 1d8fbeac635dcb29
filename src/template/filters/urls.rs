//! Filters on addresses of the web.

use super::{Filter, filter, optional};
use crate::template::error::fail;
use crate::template::eval::Interpreter;
use crate::template::formatting;
use crate::template::val::{Args, Dict, Res, Val};

pub(super) const FILTERS: &[Filter] = &[
    filter("urlsplit", url_split),
    filter("urlencode", url_encode),
    filter("urldecode", |it, input, _| url_decode(&it.runtime.string(&input)?).map(Val::str)),
];

fn quoted(text: &str, safe: &str) -> String {
    let mut out = String::new();
    for byte in text.bytes() {
        if byte.is_ascii_alphanumeric() || b"_.-~".contains(&byte) || safe.as_bytes().contains(&byte) {
            out.push(byte.into());
        } else {
            out.push_str(&format!("%{byte:02X}"));
        }
    }
    out
}

fn url_encode(it: &Interpreter<'_>, input: Val, _: &mut Args) -> Res {
    let runtime = it.runtime;
    let pairs = match runtime.pairs(&input)? {
        Some(pairs) => {
            pairs.iter().map(|(key, value)| Ok((key.to_string().into(), runtime.string(value)?))).collect::<Res<Vec<_>>>()?
        }
        None if input.is_list() => {
            let mut pairs = Vec::new();
            for pair in runtime.items(&input)? {
                match &runtime.items(&pair)?[..] {
                    [key, value] => pairs.push((runtime.string(key)?, runtime.string(value)?)),
                    _ => return Err(fail("pairs of a name and a value are needed")),
                }
            }
            pairs
        }
        None => return Ok(Val::str(quoted(&runtime.string(&input)?, "/"))),
    };
    // In a query a slash is not safe and a blank is a plus.
    let part = |text: &str| quoted(text, "").replace("%20", "+");
    let all: Vec<_> = pairs.iter().map(|(key, value)| format!("{}={}", part(key), part(value))).collect();
    Ok(Val::str(all.join("&")))
}

fn url_decode(text: &str) -> Res<String> {
    let mut bytes = Vec::with_capacity(text.len());
    let mut rest = text.as_bytes();
    while let Some((first, after)) = rest.split_first() {
        let code = after
            .get(..2)
            .and_then(|digits| std::str::from_utf8(digits).ok())
            .and_then(|digits| u8::from_str_radix(digits, 16).ok());
        match (first, code) {
            (b'%', Some(byte)) => {
                bytes.push(byte);
                rest = &after[2..];
            }
            (b'+', _) => {
                bytes.push(b' ');
                rest = after;
            }
            (byte, _) => {
                bytes.push(*byte);
                rest = after;
            }
        }
    }
    Ok(String::from_utf8_lossy(&bytes).into_owned())
}

fn url_split(it: &Interpreter<'_>, input: Val, args: &mut Args) -> Res {
    let url = formatting::text(it.runtime, &input)?;
    let query = optional(it.runtime, args, "query")?;
    let (rest, fragment) = url.split_once('#').unwrap_or((&url, ""));
    let (rest, search) = rest.split_once('?').unwrap_or((rest, ""));
    let (scheme, rest) = match rest.split_once(':') {
        Some((scheme, rest)) if !scheme.is_empty() && scheme.chars().all(|c| c.is_ascii_alphanumeric() || "+-.".contains(c)) => {
            (scheme.to_lowercase(), rest)
        }
        _ => (String::new(), rest),
    };
    let (authority, path) = match rest.strip_prefix("//") {
        Some(rest) => rest.split_at(rest.find('/').unwrap_or(rest.len())),
        None => ("", rest),
    };
    let (user, host) = match authority.rsplit_once('@') {
        Some((user, host)) => (Some(user), host),
        None => (None, authority),
    };
    let (name, port) = match host.strip_prefix('[').and_then(|host| host.split_once(']')) {
        Some((name, rest)) => (name, rest.strip_prefix(':')),
        None => host.split_once(':').map_or((host, None), |(name, port)| (name, Some(port))),
    };
    let port = match port {
        None | Some("") => None,
        Some(port) => Some(port.parse::<u16>().map_err(|_| fail(format!("`{port}` is not a port")))?),
    };
    let text = |text: Option<&str>| text.map_or(Val::Null, Val::str);
    let parts = Dict::from_iter([
        ("fragment".into(), Val::str(fragment)),
        ("hostname".into(), if name.is_empty() { Val::Null } else { Val::str(name.to_lowercase()) }),
        ("netloc".into(), Val::str(authority)),
        ("password".into(), text(user.and_then(|user| user.split_once(':')).map(|(_, password)| password))),
        ("path".into(), Val::str(path)),
        ("port".into(), port.map_or(Val::Null, |port| Val::Int(port.into()))),
        ("query".into(), Val::str(search)),
        ("scheme".into(), Val::str(scheme)),
        ("username".into(), text(user.map(|user| user.split(':').next().unwrap_or(user)))),
    ]);
    match query {
        None => Ok(Val::dict(parts)),
        Some(part) => parts.get(&*part).cloned().ok_or_else(|| fail(format!("`{part}` is not a part of an address"))),
    }
}
