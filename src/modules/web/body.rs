//! What is sent: JSON, forms, and files in forms.

use std::path::Path;

use base64::Engine as _;
use serde_json::Value;

use crate::args::{Arg, shown};
use crate::commands::words::expand_path;
use crate::files::offer::{Offer, Text};
use crate::files::tempfile::random_word;
use crate::host::Inspect;
use crate::outcome::Failure;

/// Largest file (bytes) that is sent.
const LARGEST: u64 = 256 << 20;

/// Content and its type.
pub(super) type Encoded = (Vec<u8>, Option<String>);

/// JSON; text is taken as JSON already.
pub(super) fn json(body: &Value) -> Result<Encoded, Failure> {
    let text = match body {
        Value::String(text) => text.clone(),
        Value::Array(_) | Value::Object(_) => text(body)?,
        other => other.to_string(),
    };
    Ok((text.into_bytes(), Some("application/json".into())))
}

fn text(value: &Value) -> Result<String, Failure> {
    Text::parse(value).map(|text| text.0).map_err(|problem| Failure::new(format!("option `body`: {problem}")))
}

/// Text as it is, a structure as JSON; the type is the one that forms have, as with the namesake.
pub(super) fn raw(body: &Value) -> Result<Encoded, Failure> {
    Ok((text(body)?.into_bytes(), Some("application/x-www-form-urlencoded".into())))
}

/// `a=1&b=x+y` of a mapping or a list of pairs; text is taken as encoded already.
pub(super) fn form(body: &Value) -> Result<Encoded, Failure> {
    let kind = Some("application/x-www-form-urlencoded".to_owned());
    let problem = || {
        Failure::new(format!(
            "failed to parse body as form_urlencoded: a mapping or a list of pairs is wanted, found {}",
            shown(body)
        ))
    };
    let pairs: Vec<(String, &Value)> = match body {
        Value::String(text) => return Ok((text.clone().into_bytes(), kind)),
        Value::Object(map) => map.iter().map(|(name, value)| (name.clone(), value)).collect(),
        Value::Array(list) => list
            .iter()
            .map(|pair| match pair.as_array().map(Vec::as_slice) {
                Some([name, value]) => Ok((text(name)?, value)),
                _ => Err(problem()),
            })
            .collect::<Result<_, _>>()?,
        _ => return Err(problem()),
    };
    let mut words = Vec::new();
    for (name, value) in pairs {
        let values = match value {
            Value::Array(values) => values.iter().collect(),
            value => vec![value],
        };
        for value in values {
            words.push(format!("{}={}", quote(&name), quote(&text(value)?)));
        }
    }
    Ok((words.join("&").into_bytes(), kind))
}

/// Letters, digits and `_.-~` stay, a blank is `+`.
fn quote(text: &str) -> String {
    let mut done = String::with_capacity(text.len());
    for byte in text.bytes() {
        match byte {
            b'a'..=b'z' | b'A'..=b'Z' | b'0'..=b'9' | b'_' | b'.' | b'-' | b'~' => done.push(char::from(byte)),
            b' ' => done.push('+'),
            byte => done.push_str(&format!("%{byte:02X}")),
        }
    }
    done
}

/// A form with files: fields are text, or mappings with `filename`, `content`, `mime_type` and
/// `multipart_encoding`.
pub(super) fn multipart(body: &Value, host: &dyn Inspect) -> Result<Encoded, Failure> {
    multipart_with(body, &format!("==============={}==", random_word(19)), host)
}

fn multipart_with(body: &Value, boundary: &str, host: &dyn Inspect) -> Result<Encoded, Failure> {
    let fields = body.as_object().ok_or_else(|| Failure::new("failed to parse body as form-multipart: body is not a mapping"))?;
    let mut done: Vec<u8> = Vec::new();
    let mut fields: Vec<(&String, &Value)> = fields.iter().collect();
    fields.sort_by_key(|(name, _)| *name);
    for (name, field) in fields {
        done.extend(format!("--{boundary}\r\n").bytes());
        done.extend(part(name, field, host)?);
        done.extend(b"\r\n");
    }
    done.extend(format!("--{boundary}--\r\n").bytes());
    Ok((done, Some(format!("multipart/form-data; boundary=\"{boundary}\""))))
}

fn part(name: &str, field: &Value, host: &dyn Inspect) -> Result<Vec<u8>, Failure> {
    let plain = |text: &str| text.replace(['\r', '\n'], " ").replace('"', "%22");
    let Some(map) = field.as_object() else {
        let mut head =
            format!("Content-Disposition: form-data; name=\"{}\"\r\nContent-Type: text/plain\r\n\r\n", plain(name)).into_bytes();
        head.extend(text(field)?.bytes());
        return Ok(head);
    };
    let given = |key: &str| map.get(key).filter(|value| !value.is_null()).map(text).transpose();
    let file = given("filename")?;
    let kind = given("mime_type")?.unwrap_or_else(|| mime_type(file.as_deref()).into());
    let (content, encoding) = match (given("content")?, &file) {
        (Some(content), _) => (content.into_bytes(), None),
        (None, Some(file)) => {
            let bytes = match map.get("stead_source") {
                Some(offered) => host.blob(&Offer::parse(offered).map_err(Failure::new)?.sha256)?,
                None => host.read(&expand_path(Path::new(file), host), LARGEST)?,
            };
            let (bytes, encoding) = encoded(bytes, given("multipart_encoding")?.as_deref())?;
            (bytes, Some(encoding))
        }
        (None, None) => return Err(Failure::new("at least one of filename or content must be provided")),
    };
    let mut head = String::new();
    if let Some(encoding) = encoding {
        head.push_str(&format!("Content-Transfer-Encoding: {encoding}\r\n"));
    }
    head.push_str(&format!("Content-Type: {}\r\n", plain(&kind)));
    head.push_str(&format!("Content-Disposition: form-data; name=\"{}\"", plain(name)));
    if let Some(file) = &file {
        head.push_str(&format!("; filename=\"{}\"", plain(file.rsplit('/').next().unwrap_or(file))));
    }
    head.push_str("\r\n\r\n");
    let mut done = head.into_bytes();
    done.extend(content);
    Ok(done)
}

/// A file as it is sent, and what its encoding is called. Ansible writes it in letters where nothing
/// else is asked for.
fn encoded(bytes: Vec<u8>, encoding: Option<&str>) -> Result<(Vec<u8>, &'static str), Failure> {
    match encoding {
        None | Some("base64") => {
            let letters = base64::engine::general_purpose::STANDARD.encode(&bytes);
            let lines = letters.as_bytes().chunks(76).flat_map(|line| line.iter().chain(b"\n")).copied();
            Ok((lines.collect(), "base64"))
        }
        Some("7or8bit") => {
            let name = if bytes.is_ascii() { "7bit" } else { "8bit" };
            Ok((bytes, name))
        }
        Some(other) => Err(Failure::new(format!("`multipart_encoding`: `{other}` is neither `base64` nor `7or8bit`"))),
    }
}

fn mime_type(file: Option<&str>) -> &'static str {
    let extension = file.and_then(|file| file.rsplit_once('.')).map(|(_, extension)| extension.to_ascii_lowercase());
    match extension.as_deref() {
        Some("txt" | "log" | "conf") => "text/plain",
        Some("html" | "htm") => "text/html",
        Some("css") => "text/css",
        Some("csv") => "text/csv",
        Some("xml") => "text/xml",
        Some("json") => "application/json",
        Some("js") => "text/javascript",
        Some("pdf") => "application/pdf",
        Some("zip") => "application/zip",
        Some("tar") => "application/x-tar",
        Some("gz" | "tgz") => "application/gzip",
        Some("jar") => "application/java-archive",
        Some("png") => "image/png",
        Some("jpg" | "jpeg") => "image/jpeg",
        Some("gif") => "image/gif",
        Some("svg") => "image/svg+xml",
        _ => "application/octet-stream",
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::host::memory::MemoryHost;
    use serde_json::json as value;

    #[test]
    fn forms_are_encoded_as_python_encodes_them() {
        for (body, expected) in [
            (value!({"a": "x y&z", "b": ["1", 2], "ü": true}), "a=x+y%26z&b=1&b=2&%C3%BC=True"),
            (value!([["a", "1"], ["a", "~/"]]), "a=1&a=~%2F"),
            (value!("a=1&b"), "a=1&b"),
        ] {
            assert_eq!(String::from_utf8(form(&body).unwrap().0).unwrap(), expected, "{body}");
        }
        assert!(form(&value!([["a"]])).is_err() && form(&value!(5)).is_err());
        assert_eq!(json(&value!({"a": [1, "ü"]})).unwrap().0, br#"{"a": [1, "\u00fc"]}"#);
        assert_eq!(json(&value!("{}")).unwrap().0, b"{}");
    }

    #[test]
    fn a_form_with_files_has_parts() {
        let mut host = MemoryHost::default();
        host.add_file("/tmp/a.txt", "hello");
        let offered = value!({"sha256": host.offer("é"), "size": 2});
        let body = value!({
            "plain": "x",
            "file": {"filename": "/tmp/a.txt"},
            "given": {"content": "y", "filename": "b.json", "multipart_encoding": "base64"},
            "offered": {"filename": "files/c", "multipart_encoding": "7or8bit", "stead_source": offered},
        });
        let (sent, kind) = multipart_with(&body, "B", &host).unwrap();
        assert_eq!(kind.as_deref(), Some("multipart/form-data; boundary=\"B\""));
        assert_eq!(
            String::from_utf8(sent).unwrap(),
            "--B\r\nContent-Transfer-Encoding: base64\r\nContent-Type: text/plain\r\nContent-Disposition: form-data; name=\"file\"; filename=\"a.txt\"\r\n\r\naGVsbG8=\n\r\n\
             --B\r\nContent-Type: application/json\r\nContent-Disposition: form-data; name=\"given\"; filename=\"b.json\"\r\n\r\ny\r\n\
             --B\r\nContent-Transfer-Encoding: 8bit\r\nContent-Type: application/octet-stream\r\nContent-Disposition: form-data; name=\"offered\"; filename=\"c\"\r\n\r\né\r\n\
             --B\r\nContent-Disposition: form-data; name=\"plain\"\r\nContent-Type: text/plain\r\n\r\nx\r\n\
             --B--\r\n"
        );
        assert!(multipart_with(&value!({"x": {}}), "B", &host).is_err());
    }
}
