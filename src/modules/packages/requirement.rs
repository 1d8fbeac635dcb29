//! What a playbook or a file of requirements asks of pip.

use super::pep440;

/// One requirement.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Requirement {
    /// As written, without comment and marker.
    pub text: String,
    /// Name in its normal form; empty where only pip can tell.
    pub name: String,
    /// Versions, e.g. `>=1.0,<2`.
    pub specifiers: String,
    /// An address, a path, or a source under version control.
    pub direct: bool,
    /// It counts under a condition that only pip can judge.
    pub conditional: bool,
}

impl Requirement {
    /// Reads a requirement as it is written in a playbook or on a line of a file.
    pub(super) fn parse(text: &str) -> Self {
        let (text, marker) = text.split_once(';').map_or((text, None), |(text, marker)| (text, Some(marker)));
        let text = text.trim().to_owned();
        let conditional = marker.is_some();
        let file = text.contains("://") || text.starts_with(['.', '/', '~']) || text.contains('/');
        let archive = [".whl", ".tar.gz", ".zip", ".tar.bz2"].iter().any(|end| text.ends_with(end));
        if let Some((name, _)) = text.split_once(" @ ") {
            let name = pep440::normal(bare(name));
            return Self { name, specifiers: String::new(), direct: true, conditional, text };
        }
        if file || archive {
            return Self { name: egg(&text), specifiers: String::new(), direct: true, conditional, text };
        }
        let end = text.find(['=', '<', '>', '!', '~', ' ', '[']).unwrap_or(text.len());
        let (name, rest) = text.split_at(end);
        let specifiers = rest.trim().strip_prefix('[').map_or(rest, |rest| rest.split_once(']').map_or("", |(_, rest)| rest));
        let specifiers: String = specifiers.chars().filter(|c| !c.is_whitespace()).collect();
        Self { name: pep440::normal(name), specifiers, direct: false, conditional, text }
    }

    /// Whether an installed version fulfils it; `None` where only pip can tell.
    pub(super) fn is_met(&self, installed: Option<&str>) -> Option<bool> {
        match installed {
            _ if self.direct || self.conditional || self.name.is_empty() => None,
            None => Some(false),
            Some(version) => pep440::satisfies(version, &self.specifiers),
        }
    }

    /// The one version that it allows, or nothing.
    pub(super) fn version(&self) -> &str {
        self.specifiers.strip_prefix("==").filter(|rest| !rest.contains([',', '*', '='])).unwrap_or_default()
    }
}

fn bare(name: &str) -> &str {
    name.split('[').next().unwrap_or(name).trim()
}

/// The name that an address or the name of an archive tells.
fn egg(text: &str) -> String {
    if let Some((_, name)) = text.split_once("#egg=") {
        return pep440::normal(bare(name.split('&').next().unwrap_or(name)));
    }
    let file = text.rsplit('/').next().unwrap_or(text);
    match file.strip_suffix(".whl").and_then(|stem| stem.split('-').next()) {
        Some(name) => pep440::normal(name),
        None => String::new(),
    }
}

/// Names of a playbook: a list that was split at commas gets its specifiers back
/// (`a>=1,<2` is one requirement).
pub(super) fn joined(names: &[String]) -> Vec<String> {
    let mut all: Vec<String> = Vec::new();
    for name in names.iter().map(|name| name.trim()).filter(|name| !name.is_empty()) {
        match all.last_mut() {
            Some(last) if name.starts_with(['<', '>', '=', '!', '~']) => {
                last.push(',');
                last.push_str(name);
            }
            _ => all.push(name.to_owned()),
        }
    }
    all
}

/// The requirements of a file, without its options and the files that it includes.
pub(super) fn of_file(text: &str) -> Vec<Requirement> {
    let joined = text.replace("\\\r\n", "").replace("\\\n", "");
    joined
        .lines()
        .map(|line| line.split(" #").next().unwrap_or_default().trim())
        .filter(|line| !line.is_empty() && !line.starts_with('#'))
        .filter_map(|line| match line.strip_prefix("-e ").or_else(|| line.strip_prefix("--editable ")) {
            Some(rest) => Some(rest),
            None if line.starts_with('-') => None,
            None => Some(line),
        })
        .map(|line| Requirement::parse(line.split(" --").next().unwrap_or(line)))
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn requirements_are_taken_apart() {
        for (text, name, specifiers, direct) in [
            ("Django", "django", "", false),
            ("zope.interface >= 5.0, < 6", "zope-interface", ">=5.0,<6", false),
            ("requests[socks]==2.31", "requests", "==2.31", false),
            ("git+https://example.org/app.git#egg=My_App", "my-app", "", true),
            ("/srv/wheels/my_app-1.0-py3-none-any.whl", "my-app", "", true),
            ("app @ https://example.org/app.zip", "app", "", true),
            ("./src", "", "", true),
        ] {
            let found = Requirement::parse(text);
            assert_eq!((found.name.as_str(), found.specifiers.as_str(), found.direct), (name, specifiers, direct), "{text}");
        }
        assert_eq!(Requirement::parse("a==1.2").version(), "1.2");
        assert_eq!(Requirement::parse("a==1.*").version(), "");
        assert_eq!(Requirement::parse("a>=1").is_met(Some("1.1")), Some(true));
        assert_eq!(Requirement::parse("a>=1; python_version<'3'").is_met(None), None);
    }

    #[test]
    fn a_split_list_is_put_together() {
        let names = ["a>=1", "<2", "b", ""].map(String::from);
        assert_eq!(joined(&names), ["a>=1,<2", "b"]);
    }

    #[test]
    fn files_are_read_without_their_options() {
        let text = "# all\n--index-url https://x\n-r other.txt\nsix>=1.16 # why\nidna==3.4 \\\n  --hash=sha256:aa\n-e git+https://x/y#egg=y\n";
        let names: Vec<String> = of_file(text).into_iter().map(|one| format!("{}{}", one.name, one.specifiers)).collect();
        assert_eq!(names, ["six>=1.16", "idna==3.4", "y"]);
    }
}
