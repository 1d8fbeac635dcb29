//! What zypper says it would do, in XML.

use std::sync::OnceLock;

use regex::Regex;

use super::work::{self, Step};
use crate::commands::process;
use crate::host::{CommandLine, Inspect};
use crate::outcome::Failure;

/// What is asked of zypper would fail, or what it would do.
pub(super) enum Simulated {
    Steps(Vec<Step>),
    Fails(Failure),
}

/// Asks zypper what a run would do.
pub(super) fn simulate(line: &CommandLine, verb: &str, host: &dyn Inspect) -> Result<Simulated, Failure> {
    let mut asked = line.clone();
    let at = asked.argv.iter().position(|word| word == verb).map_or(asked.argv.len(), |at| at + 1);
    asked.argv.insert(at, "--dry-run".into());
    asked.deadline = Some(std::time::Duration::from_secs(600));
    let output = work::ask(&asked, "zypper", host)?;
    let text = output.text();
    // Nothing of this name: there is nothing to remove.
    if output.rc == 104 && verb == "remove" {
        return Ok(Simulated::Steps(Vec::new()));
    }
    if output.rc == 0 || (100..=103).contains(&output.rc) || output.rc == 106 {
        return Ok(Simulated::Steps(steps(&text)));
    }
    let mut failure = process::failed(line, &output);
    let said = problems(&text);
    if !said.is_empty() {
        failure.message = format!("Zypper run command failed with return code {}: {}", output.rc, said.join(" "));
    }
    Ok(Simulated::Fails(failure))
}

fn pattern(cell: &'static OnceLock<Regex>, text: &str) -> &'static Regex {
    cell.get_or_init(|| Regex::new(text).expect("a pattern of our own"))
}

/// The packages of a summary: lists `<to-...>` of `<solvable .../>`.
pub(super) fn steps(text: &str) -> Vec<Step> {
    static TAG: OnceLock<Regex> = OnceLock::new();
    let mut list = String::new();
    let mut steps = Vec::new();
    for found in pattern(&TAG, r"<(to-[a-z-]+|/to-[a-z-]+|solvable\b[^>]*)>").captures_iter(text) {
        let tag = &found[1];
        if let Some(rest) = tag.strip_prefix("solvable") {
            let get = |name: &str| attribute(rest, name);
            let Some(name) = get("name") else { continue };
            let edition = get("edition").unwrap_or_default();
            steps.extend(match list.as_str() {
                "" => None,
                "to-remove" => Some(Step::new(name, Some(edition), None)),
                _ => Some(Step::new(name, get("edition-old"), Some(edition))),
            });
        } else {
            list = if tag.starts_with('/') { String::new() } else { tag.to_owned() };
        }
    }
    steps
}

/// An attribute of a tag.
pub(super) fn attribute(tag: &str, name: &str) -> Option<String> {
    static ATTRIBUTE: OnceLock<Regex> = OnceLock::new();
    let found = pattern(&ATTRIBUTE, r#"([A-Za-z_-]+)="([^"]*)""#).captures_iter(tag).find(|found| &found[1] == name)?;
    Some(plain(&found[2]))
}

fn plain(text: &str) -> String {
    text.replace("&apos;", "'").replace("&quot;", "\"").replace("&lt;", "<").replace("&gt;", ">").replace("&amp;", "&")
}

/// Errors, and conflicts that zypper asks about.
fn problems(text: &str) -> Vec<String> {
    static PROBLEM: OnceLock<Regex> = OnceLock::new();
    pattern(&PROBLEM, r#"(?s)<message type="error">(.*?)</message>|<description>(Problem.*?)</description>"#)
        .captures_iter(text)
        .filter_map(|found| found.get(1).or(found.get(2)))
        .map(|found| plain(found.as_str().trim()))
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_summary_is_read() {
        let text = r#"<?xml version='1.0'?><stream><message type="info">Loading</message>
            <install-summary download-size="1" packages-to-change="3">
            <to-upgrade><solvable type="package" name="alpha" edition="2.0-1" arch="noarch" edition-old="1.0-1" summary="a &gt; b">
            <description>test</description></solvable></to-upgrade>
            <to-install><solvable type="package" name="c++" edition="1.5-1" arch="noarch"/></to-install>
            <to-remove><solvable type="package" name="gamma" edition="1.0-1" arch="noarch"/></to-remove></install-summary></stream>"#;
        let step = |name: &str, before: Option<&str>, after: Option<&str>| {
            Step::new(name, before.map(str::to_owned), after.map(str::to_owned))
        };
        assert_eq!(
            steps(text),
            [step("alpha", Some("1.0-1"), Some("2.0-1")), step("c++", None, Some("1.5-1")), step("gamma", Some("1.0-1"), None)]
        );
    }

    #[test]
    fn problems_are_told() {
        let text = "<message type=\"error\">No provider of &apos;nosuch&apos; found.</message><prompt id=\"1\"><description>Problem: a conflicts\n Solution 1: x\n</description>";
        assert_eq!(problems(text), ["No provider of 'nosuch' found.", "Problem: a conflicts\n Solution 1: x"]);
    }
}
