//! What the tools of LVM report, and sizes as they are written.

use crate::host::Inspect;
use crate::outcome::Failure;
use crate::system::tool::Tool;

/// Rows of a report: the fields in the order in which they were asked for, sizes in bytes.
pub(super) fn report(
    tool: &'static str,
    fields: &str,
    name: Option<&str>,
    host: &dyn Inspect,
) -> Result<Vec<Vec<String>>, Failure> {
    let mut words = vec!["--noheadings", "--nosuffix", "--units", "b", "--separator", ";", "-o", fields];
    words.extend(name);
    let tool = Tool::new(tool, "lvm2");
    // A group that is not there is no failure to look for it.
    let Some(output) = tool.ask(words, host)? else { return Ok(Vec::new()) };
    let text = output.text();
    Ok(text.lines().map(|line| line.trim().split(';').map(|field| field.trim().to_owned()).collect()).collect())
}

/// A size as LVM's options take it (`32`, `10G`, `512m`), in bytes; without a unit it is megabytes.
pub(super) fn bytes(text: &str) -> Option<u64> {
    let text = text.trim();
    let digits = text.find(|c: char| !c.is_ascii_digit() && c != '.').unwrap_or(text.len());
    let number: f64 = text[..digits].parse().ok().filter(|_| text.starts_with(|c: char| c.is_ascii_digit()))?;
    let unit = text[digits..].to_lowercase();
    let unit = unit.strip_suffix("ib").or_else(|| unit.strip_suffix('b').filter(|rest| !rest.is_empty())).unwrap_or(&unit);
    let factor: u64 = match unit {
        "" | "m" => 1 << 20,
        "b" => 1,
        "s" => 512,
        "k" => 1 << 10,
        "g" => 1 << 30,
        "t" => 1 << 40,
        "p" => 1 << 50,
        "e" => 1 << 60,
        _ => return None,
    };
    Some((number * factor as f64) as u64)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sizes_are_read_as_lvm_reads_them() {
        for (text, expected) in [
            ("32", Some(32 << 20)),
            ("1.5g", Some(3 << 29)),
            ("512K", Some(512 << 10)),
            ("4096b", Some(4096)),
            ("2GiB", Some(2 << 30)),
            ("8s", Some(4096)),
            ("g", None),
            ("-1g", None),
            ("1x", None),
        ] {
            assert_eq!(bytes(text), expected, "{text}");
        }
    }
}
