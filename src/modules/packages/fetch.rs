//! Small things that a module needs from the network to know what is wanted: keys, lists, the head
//! of a package file.

use crate::host::{CommandLine, Inspect};
use crate::outcome::Failure;

/// Largest answer in bytes.
const LARGEST: usize = 1 << 20;

/// Whether this is an address rather than a path.
pub(super) fn is_url(text: &str) -> bool {
    text.split_once("://")
        .is_some_and(|(scheme, _)| !scheme.is_empty() && scheme.chars().all(|c| c.is_ascii_alphanumeric() || "+-.".contains(c)))
}

/// Gets what is at an address, from the host itself, by `curl` or `wget`.
pub(super) fn get(url: &str, verified: bool, host: &dyn Inspect) -> Result<Vec<u8>, Failure> {
    let body = ask(url, verified, &[], &[], host)?;
    if body.len() > LARGEST {
        return Err(Failure::new(format!("`{url}` is larger than {LARGEST} bytes")));
    }
    Ok(body)
}

/// Like [`get`] for the beginning of something large.
pub(super) fn head(url: &str, bytes: usize, host: &dyn Inspect) -> Result<Vec<u8>, Failure> {
    let range = format!("0-{}", bytes - 1);
    let mut body = ask(url, true, &["--range", &range], &[&format!("--header=Range: bytes={range}")], host)?;
    body.truncate(bytes);
    Ok(body)
}

fn ask(url: &str, verified: bool, curl: &[&str], wget: &[&str], host: &dyn Inspect) -> Result<Vec<u8>, Failure> {
    if !is_url(url) || url.chars().any(char::is_whitespace) {
        return Err(Failure::new(format!("`{url}` is not an address")));
    }
    let mut line = CommandLine::new(["curl", "-fsSL", "--max-time", "60"]);
    line.argv.extend((!verified).then(|| "--insecure".to_owned()));
    line.argv.extend(curl.iter().map(|&word| word.to_owned()));
    line.argv.extend(["--".into(), url.to_owned()]);
    let missing = |failure: &Failure| failure.result.get("rc") == Some(&2.into());
    let output = match host.query(&line) {
        Err(failure) if missing(&failure) => {
            line = CommandLine::new(["wget", "-q", "-O-", "--timeout=60", "--tries=2"]);
            line.argv.extend((!verified).then(|| "--no-check-certificate".to_owned()));
            line.argv.extend(wget.iter().map(|&word| word.to_owned()));
            line.argv.extend(["--".into(), url.to_owned()]);
            host.query(&line).map_err(|failure| {
                let hint = "the host needs `curl` or `wget` (packages of the same names) to fetch it";
                if missing(&failure) { Failure::new(format!("cannot fetch `{url}`: {hint}")) } else { failure }
            })?
        }
        other => other?,
    };
    if output.rc == 0 {
        return Ok(output.stdout);
    }
    let said = output.error_text();
    let said = if said.trim().is_empty() { format!("`{}` ended with {}", line.argv[0], output.rc) } else { said };
    Err(Failure::new(format!("cannot fetch `{url}`: {}", said.trim())))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::host::memory::MemoryHost;

    #[test]
    fn addresses_are_told_from_paths() {
        let cases = [("https://a/b", true), ("git+ssh://a", true), ("/a://b", false), ("a:b", false), ("://x", false)];
        for (text, is) in cases {
            assert_eq!(is_url(text), is, "{text}");
        }
    }

    #[test]
    fn what_was_fetched_is_returned_and_failures_say_what_was() {
        let mut host = MemoryHost::default();
        host.answer(&["curl", "-fsSL", "--max-time", "60", "--", "https://a/key"], 0, "hello");
        host.answer(&["curl", "-fsSL", "--max-time", "60", "--insecure", "--", "https://a/no"], 22, "");
        assert_eq!(get("https://a/key", true, &host).unwrap(), b"hello");
        let failure = get("https://a/no", false, &host).unwrap_err();
        assert!(failure.message.contains("https://a/no") && failure.message.contains("22"), "{failure}");
        assert!(get("file", true, &host).is_err());
    }
}
