//! Which paths of a tree are left out: the patterns of rsync's `--exclude` and `--include`, as its manual
//! page describes them ("INCLUDE/EXCLUDE PATTERN RULES").

use regex::Regex;

/// A pattern, and whether what fits is taken.
#[derive(Debug, Clone)]
pub struct Rule {
    takes: bool,
    directories_only: bool,
    pattern: Regex,
}

/// Rules in order; the first that fits decides.
#[derive(Debug, Clone, Default)]
pub struct Rules(Vec<Rule>);

impl Rules {
    /// Adds a rule for `--exclude=PATTERN` or `--include=PATTERN`.
    pub fn add(&mut self, pattern: &str, takes: bool) -> Result<(), String> {
        // `dir/***` is the directory and everything in it.
        if let Some(directory) = pattern.strip_suffix("/***") {
            self.add(&format!("{directory}/"), takes)?;
            return self.add(&format!("{directory}/**"), takes);
        }
        let directories_only = pattern.len() > 1 && pattern.ends_with('/');
        let body = if directories_only { &pattern[..pattern.len() - 1] } else { pattern };
        let (body, anchored) = body.strip_prefix('/').map_or((body, false), |rest| (rest, true));
        if body.is_empty() {
            return Err(format!("`{pattern}` is no pattern"));
        }
        let start = if anchored { "^" } else { "(^|/)" };
        let pattern = Regex::new(&format!("{start}{}$", expression(body))).map_err(|_| format!("`{pattern}` is no pattern"))?;
        self.0.push(Rule { takes, directories_only, pattern });
        Ok(())
    }

    /// Whether a path (relative to the top, without a slash at its ends) is left out.
    pub fn exclude(&self, path: &str, is_directory: bool) -> bool {
        let fits = |rule: &&Rule| (is_directory || !rule.directories_only) && rule.pattern.is_match(path);
        self.0.iter().find(fits).is_some_and(|rule| !rule.takes)
    }
}

/// A pattern as a regular expression: `*` and `?` stop at slashes, `**` does not.
fn expression(pattern: &str) -> String {
    let mut out = String::new();
    let mut rest = pattern.chars().peekable();
    while let Some(c) = rest.next() {
        match c {
            '*' if rest.next_if_eq(&'*').is_some() => out.push_str(".*"),
            '*' => out.push_str("[^/]*"),
            '?' => out.push_str("[^/]"),
            '[' => {
                out.push('[');
                if rest.next_if(|c| matches!(c, '!' | '^')).is_some() {
                    out.push('^');
                }
                while let Some(c) = rest.next_if(|c| *c != ']') {
                    if matches!(c, '\\' | '[' | '&' | '~') {
                        out.push('\\');
                    }
                    out.push(c);
                }
                out.extend(rest.next());
            }
            '\\' => out.push_str(&regex::escape(&rest.next().unwrap_or('\\').to_string())),
            other => out.push_str(&regex::escape(&other.to_string())),
        }
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn patterns_mean_what_they_mean_to_rsync() {
        // pattern, path, directory, left out
        for (pattern, path, is_directory, wanted) in [
            ("*.log", "a/b/x.log", false, true),
            ("*.log", "x.log", false, true),
            ("*.log", "x.logs", false, false),
            ("/top", "top", false, true),
            ("/top", "a/top", false, false),
            ("cache/", "a/cache", true, true),
            ("cache/", "a/cache", false, false),
            ("a/*.c", "a/x.c", false, true),
            ("a/*.c", "b/a/x.c", false, true),
            ("a/*.c", "a/b/x.c", false, false),
            ("a/**.c", "a/b/x.c", false, true),
            (".git", ".git", true, true),
            ("?.txt", "ab.txt", false, false),
            ("[!a]x", "bx", false, true),
            ("[!a]x", "ax", false, false),
            ("node_modules/***", "node_modules/x/y", false, true),
            ("a+b", "a+b", false, true),
            ("\\*", "*", false, true),
            ("\\*", "x", false, false),
        ] {
            let mut rules = Rules::default();
            rules.add(pattern, false).unwrap();
            assert_eq!(rules.exclude(path, is_directory), wanted, "{pattern} {path}");
        }
    }

    #[test]
    fn the_first_rule_that_fits_decides() {
        let mut rules = Rules::default();
        rules.add("keep.log", true).unwrap();
        rules.add("*.log", false).unwrap();
        assert!(!rules.exclude("a/keep.log", false));
        assert!(rules.exclude("a/other.log", false));
        assert!(rules.add("/", false).is_err());
    }
}
