//! Differences between two states of a resource, property by property.

use serde::{Deserialize, Serialize};
use serde_json::Value;
use sha2::{Digest as _, Sha256};

/// What a change is about: a kind (`file`, `user`, `package`, `unit` ...) and a name.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct ResourceId {
    /// The kind of resource.
    pub kind: String,
    /// Its name on the host: a path, an account, a package.
    pub name: String,
}

impl ResourceId {
    /// Names a resource.
    pub fn new(kind: &str, name: impl Into<String>) -> Self {
        Self { kind: kind.into(), name: name.into() }
    }
}

impl std::fmt::Display for ResourceId {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{} {}", self.kind, self.name)
    }
}

/// The content of a file as a property: compared by digest, shown as text where it is text.
#[derive(Debug, Clone)]
pub struct Content {
    /// SHA-256 of the whole content, lower-case hex.
    pub sha256: String,
    /// Length in bytes.
    pub size: u64,
    /// The bytes, where they are at hand and small enough to be shown.
    pub bytes: Option<Vec<u8>>,
}

impl PartialEq for Content {
    fn eq(&self, other: &Self) -> bool {
        self.sha256 == other.sha256
    }
}

impl Content {
    /// Largest content (bytes) that is kept for a diff.
    pub const SHOWN: usize = 1 << 20;

    /// The content of these bytes.
    pub fn of(bytes: &[u8]) -> Self {
        Self { sha256: sha256(bytes), size: bytes.len() as u64, bytes: (bytes.len() <= Self::SHOWN).then(|| bytes.to_vec()) }
    }
}

/// SHA-256 in lower-case hex.
pub fn sha256(bytes: &[u8]) -> String {
    hex(&Sha256::digest(bytes))
}

/// Lower-case hex.
pub fn hex(bytes: &[u8]) -> String {
    use std::fmt::Write as _;
    bytes.iter().fold(String::with_capacity(bytes.len() * 2), |mut text, byte| {
        let _ = write!(text, "{byte:02x}");
        text
    })
}

/// One property of a resource.
#[derive(Debug, Clone, PartialEq)]
pub enum Property {
    /// A plain value (mode, owner, version ...), shown as it is.
    Value(Value),
    /// File content: compared by digest, shown as a unified diff.
    Content(Content),
    /// Must not be shown; compared by equality, shown as "differs (secret)".
    Secret(Value),
}

/// One resource as it is, or as it should be: `present: false` has no properties.
#[derive(Debug, Clone, PartialEq)]
pub struct ResourceState {
    /// Which resource.
    pub id: ResourceId,
    /// Whether it exists.
    pub present: bool,
    /// Its properties, in the order in which a reader wants them.
    pub properties: Vec<(&'static str, Property)>,
}

impl ResourceState {
    /// A resource that is not there.
    pub fn absent(id: ResourceId) -> Self {
        Self { id, present: false, properties: Vec::new() }
    }

    /// A resource that is there, without properties yet.
    pub fn present(id: ResourceId) -> Self {
        Self { id, present: true, properties: Vec::new() }
    }

    /// Adds a plain property; `null` means "not managed, not known" and is left out.
    pub fn with(mut self, name: &'static str, value: impl Into<Value>) -> Self {
        let value = value.into();
        if !value.is_null() {
            self.properties.push((name, Property::Value(value)));
        }
        self
    }

    /// Adds file content.
    pub fn with_content(mut self, content: Content) -> Self {
        self.properties.push(("content", Property::Content(content)));
        self
    }

    /// Adds a property that is never shown.
    pub fn with_secret(mut self, name: &'static str, value: impl Into<Value>) -> Self {
        self.properties.push((name, Property::Secret(value.into())));
        self
    }
}

/// What is done to a resource.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Action {
    /// It did not exist.
    Create,
    /// It exists and differs.
    Update,
    /// It exists and should not.
    Remove,
    /// Something is run once (restart, command).
    Run,
}

/// One property that differs.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Difference {
    /// Which property.
    pub property: String,
    /// Its value before; `null` where it was not there. Content is shown as its digest.
    pub before: Value,
    /// Its value after.
    pub after: Value,
    /// Unified diff of text content, without the file header lines.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub diff: Option<String>,
}

/// One resource that differs: the unit of plans, diffs, drift and records.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Change {
    /// Which resource.
    pub resource: ResourceId,
    /// What is done to it.
    pub action: Action,
    /// The properties that differ.
    pub differences: Vec<Difference>,
}

impl Change {
    /// Something that is run once.
    pub fn run(resource: ResourceId) -> Self {
        Self { resource, action: Action::Run, differences: Vec::new() }
    }
}

/// A resource and its wanted properties, as the record of an apply keeps them: content and
/// secrets as digests, everything else as plain values.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Observed {
    /// Which resource.
    pub resource: ResourceId,
    /// Whether it exists.
    pub present: bool,
    /// Property name to value.
    pub properties: Vec<(String, Value)>,
}

/// Longest unified diff (bytes) that is sent; longer ones are cut, and say so.
const LONGEST_DIFF: usize = 256 << 10;

/// The change that leads from `before` to `after`; empty where they are equal.
///
/// Resources are matched by id; a resource named only in one list counts as absent in the other.
pub fn compare(before: &[ResourceState], after: &[ResourceState]) -> Vec<Change> {
    after
        .iter()
        .filter_map(|wanted| {
            let now = before.iter().find(|state| state.id == wanted.id);
            compare_one(now, wanted)
        })
        .collect()
}

fn compare_one(before: Option<&ResourceState>, after: &ResourceState) -> Option<Change> {
    let before = before.filter(|state| state.present);
    let action = match (before, after.present) {
        (None, false) => return None,
        (None, true) => Action::Create,
        (Some(_), false) => Action::Remove,
        (Some(_), true) => Action::Update,
    };
    let none: &[(&'static str, Property)] = &[];
    let old = before.map_or(none, |state| &state.properties);
    let new: &[(&'static str, Property)] = if after.present { &after.properties } else { none };
    let mut names: Vec<&'static str> = old.iter().map(|(name, _)| *name).collect();
    names.extend(new.iter().map(|(name, _)| *name).filter(|name| !old.iter().any(|(other, _)| other == name)));
    let find = |list: &[(&'static str, Property)], name: &str| {
        list.iter().find(|(other, _)| *other == name).map(|(_, property)| property.clone())
    };
    let differences: Vec<Difference> = names
        .into_iter()
        .filter_map(|name| {
            let (was, becomes) = (find(old, name), find(new, name));
            // A property that the wanted state does not name is not managed.
            if action == Action::Update && becomes.is_none() {
                return None;
            }
            (was != becomes).then(|| difference(name, was.as_ref(), becomes.as_ref()))
        })
        .collect();
    (action != Action::Update || !differences.is_empty()).then(|| Change { resource: after.id.clone(), action, differences })
}

fn difference(name: &str, before: Option<&Property>, after: Option<&Property>) -> Difference {
    let diff = match (before, after) {
        (Some(Property::Content(old)), Some(Property::Content(new))) => text_diff(old.bytes.as_deref(), new.bytes.as_deref()),
        (None, Some(Property::Content(new))) => text_diff(Some(b""), new.bytes.as_deref()),
        (Some(Property::Content(old)), None) => text_diff(old.bytes.as_deref(), Some(b"")),
        _ => None,
    };
    Difference { property: name.into(), before: shown(before), after: shown(after), diff }
}

fn shown(property: Option<&Property>) -> Value {
    match property {
        None => Value::Null,
        Some(Property::Value(value)) => value.clone(),
        Some(Property::Content(content)) => Value::String(format!("sha256:{}", content.sha256)),
        Some(Property::Secret(_)) => Value::String("(secret)".into()),
    }
}

/// The unified diff of two texts; none where one of them is not text.
pub(crate) fn text_diff(before: Option<&[u8]>, after: Option<&[u8]>) -> Option<String> {
    let (before, after) = (before?, after?);
    if before.contains(&0) || after.contains(&0) {
        return None;
    }
    let (before, after) = (std::str::from_utf8(before).ok()?, std::str::from_utf8(after).ok()?);
    let mut text = unified(before, after);
    if text.len() > LONGEST_DIFF {
        let mut end = LONGEST_DIFF;
        while !text.is_char_boundary(end) {
            end -= 1;
        }
        text.truncate(end);
        text.push_str("\n... diff cut here\n");
    }
    Some(text)
}

/// The differing lines with three lines of context. One algorithm, called directly: the agent
/// would carry five of them otherwise.
fn unified(before: &str, after: &str) -> String {
    use similar::DiffTag;
    use similar::algorithms::{Capture, Compact, Replace, myers};
    let old: Vec<&str> = before.split_inclusive('\n').collect();
    let new: Vec<&str> = after.split_inclusive('\n').collect();
    let deadline = std::time::Instant::now() + std::time::Duration::from_millis(500);
    let mut hook = Compact::new(Replace::new(Capture::new()), old.as_slice(), new.as_slice());
    let (whole_old, whole_new) = (0..old.len(), 0..new.len());
    let Ok(()) = myers::diff_deadline(&mut hook, old.as_slice(), whole_old, new.as_slice(), whole_new, Some(deadline));
    let mut text = String::new();
    for hunk in hook.into_inner().into_inner().into_grouped_ops(3) {
        let (Some(first), Some(last)) = (hunk.first(), hunk.last()) else { continue };
        let old_lines = lines(first.old_range().start, last.old_range().end);
        let new_lines = lines(first.new_range().start, last.new_range().end);
        text.push_str(&format!("@@ -{old_lines} +{new_lines} @@\n"));
        for op in &hunk {
            if op.tag() == DiffTag::Equal {
                old[op.old_range()].iter().for_each(|line| push_line(&mut text, ' ', line));
            } else {
                old[op.old_range()].iter().for_each(|line| push_line(&mut text, '-', line));
                new[op.new_range()].iter().for_each(|line| push_line(&mut text, '+', line));
            }
        }
    }
    text
}

/// A range of lines as hunk headers write it: counted from 1, an empty one names the line before.
fn lines(start: usize, end: usize) -> String {
    match end.saturating_sub(start) {
        1 => format!("{}", start + 1),
        0 => format!("{start},0"),
        length => format!("{},{length}", start + 1),
    }
}

fn push_line(text: &mut String, sign: char, line: &str) {
    text.push(sign);
    text.push_str(line);
    if !line.ends_with('\n') {
        text.push_str("\n\\ No newline at end of file\n");
    }
}

/// The record form of a wanted state.
pub fn record(states: &[ResourceState]) -> Vec<Observed> {
    states
        .iter()
        .map(|state| Observed {
            resource: state.id.clone(),
            present: state.present,
            properties: state
                .properties
                .iter()
                .map(|(name, property)| {
                    let value = match property {
                        Property::Secret(value) => Value::String(format!("sha256:{}", sha256(value.to_string().as_bytes()))),
                        other => shown(Some(other)),
                    };
                    ((*name).to_owned(), value)
                })
                .collect(),
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn file(mode: &str, text: &str) -> ResourceState {
        ResourceState::present(ResourceId::new("file", "/x")).with("mode", mode).with_content(Content::of(text.as_bytes()))
    }

    #[test]
    fn equal_states_are_no_change() {
        assert_eq!(compare(&[file("0644", "a\n")], &[file("0644", "a\n")]), []);
    }

    #[test]
    fn a_difference_names_the_property_and_shows_text() {
        let changes = compare(&[file("0644", "a\n")], &[file("0600", "b\n")]);
        assert_eq!(changes.len(), 1);
        assert_eq!(changes[0].differences[0].property, "mode");
        assert_eq!(changes[0].differences[1].diff.as_deref(), Some("@@ -1 +1 @@\n-a\n+b\n"));
    }

    #[test]
    fn diffs_are_written_as_the_library_writes_them() {
        use proptest::prelude::*;
        let text = "([ab]{0,1}\n){0,12}[ab]{0,1}";
        proptest!(|(before in text, after in text)| {
            let whole = similar::TextDiff::from_lines(&before, &after);
            prop_assert_eq!(unified(&before, &after), whole.unified_diff().context_radius(3).to_string());
        });
    }

    #[test]
    fn absent_to_absent_is_no_change() {
        let absent = ResourceState::absent(ResourceId::new("file", "/x"));
        assert_eq!(compare(std::slice::from_ref(&absent), std::slice::from_ref(&absent)), []);
    }
}
