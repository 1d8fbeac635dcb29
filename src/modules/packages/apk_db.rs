//! Alpine's own record of packages.

/// `ca-certificates-bundle-20240226-r0` -> name, and version with release.
pub(super) fn split(text: &str) -> Option<(&str, &str)> {
    let (rest, release) = text.trim().rsplit_once('-')?;
    let (name, version) = rest.rsplit_once('-')?;
    (release.starts_with('r') && version.starts_with(|c: char| c.is_ascii_digit()))
        .then(|| (name, &text.trim()[name.len() + 1..]))
}
