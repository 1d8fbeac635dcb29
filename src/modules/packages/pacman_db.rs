//! What pacman prints of packages.

/// A field of `pacman -Qi`: `Name            : bash`.
pub(super) fn field<'a>(stanza: &'a str, name: &str) -> Option<&'a str> {
    stanza.lines().find_map(|line| {
        let (key, value) = line.split_once(" : ")?;
        (key.trim() == name).then_some(value.trim())
    })
}
