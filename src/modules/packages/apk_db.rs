//! What apk prints of packages.

use super::work::Step;

/// `ca-certificates-bundle-20240226-r0` -> name, and version with release.
pub(super) fn split(text: &str) -> Option<(&str, &str)> {
    let (rest, release) = text.trim().rsplit_once('-')?;
    let (name, version) = rest.rsplit_once('-')?;
    (release.starts_with('r') && version.starts_with(|c: char| c.is_ascii_digit()))
        .then(|| (name, &text.trim()[name.len() + 1..]))
}

/// `nginx>=1.20@edge` -> `nginx`.
pub(super) fn bare(word: &str) -> &str {
    word.split(['=', '<', '>', '~', '@']).next().unwrap_or(word)
}

/// `(1/2) Installing nginx (1.24.0-r6)`, `(2/2) Upgrading zlib (1.2-r0 -> 1.3-r0)`, `(1/1) Purging x (1-r0)`.
pub(super) fn steps(text: &str) -> Vec<Step> {
    text.lines()
        .filter_map(|line| {
            let (_, rest) = line.strip_prefix('(')?.split_once(") ")?;
            let (head, versions) = rest.rsplit_once(" (")?;
            let versions = versions.trim_end().strip_suffix(')')?;
            let (verb, name) = head.split_once(' ')?;
            let (before, after) = match (verb, versions.split_once(" -> ")) {
                ("Installing", _) => (None, Some(versions)),
                ("Purging", _) => (Some(versions), None),
                ("Upgrading" | "Downgrading" | "Replacing", Some((before, after))) => (Some(before), Some(after)),
                _ => return None,
            };
            Some(Step::new(name, before.map(str::to_owned), after.map(str::to_owned)))
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_and_versions_are_told_apart() {
        assert_eq!(split("ca-certificates-bundle-20240226-r0"), Some(("ca-certificates-bundle", "20240226-r0")));
        assert_eq!(split("libstdc++-13.2.1_git20240309-r0\n"), Some(("libstdc++", "13.2.1_git20240309-r0")));
        assert_eq!(split("WARNING: opening from cache"), None);
        for word in ["nginx", "nginx=1.0-r0", "nginx>1", "nginx~1.2", "nginx@edge"] {
            assert_eq!(bare(word), "nginx");
        }
    }

    #[test]
    fn a_simulation_is_read() {
        let text = "(1/4) Purging old-lib (1.0-r0)\n(2/4) Installing a (1-r1)\n(3/4) Upgrading b (1-r1 -> 2-r0)\n(4/4) Reinstalling c (1-r0)\n\
                    Executing busybox-1.36.1-r5.trigger\nOK: 8 MiB in 15 packages\n";
        let step = |name: &str, before: Option<&str>, after: Option<&str>| {
            Step::new(name, before.map(str::to_owned), after.map(str::to_owned))
        };
        assert_eq!(
            steps(text),
            [step("old-lib", Some("1.0-r0"), None), step("a", None, Some("1-r1")), step("b", Some("1-r1"), Some("2-r0"))]
        );
    }
}
