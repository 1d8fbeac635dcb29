//! A text with small repairs, so that reading can go on behind a mistake, and the way back from a
//! place in the repaired text to the place in the text that was written.

/// One repair: `removed` bytes at `at` (in the text as written) give way to `inserted`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Edit {
    /// First byte, in the text as written.
    pub(super) at: usize,
    /// How many bytes go.
    pub(super) removed: usize,
    /// What comes instead.
    pub(super) inserted: String,
}

/// A text with its repairs.
#[derive(Debug)]
pub(super) struct Mended<'a> {
    original: &'a str,
    /// Sorted, not overlapping.
    edits: Vec<Edit>,
    /// The text after the repairs, if there are any.
    text: Option<String>,
    /// For each edit: where its insertion starts and ends in the repaired text.
    places: Vec<(usize, usize)>,
}

impl<'a> Mended<'a> {
    /// No repairs yet.
    pub(super) fn new(original: &'a str) -> Self {
        Self { original, edits: Vec::new(), text: None, places: Vec::new() }
    }

    /// The text to read.
    pub(super) fn text(&self) -> &str {
        self.text.as_deref().unwrap_or(self.original)
    }

    /// Adds repairs; `false` if one of them touches an earlier one, which means that repairing
    /// leads nowhere.
    pub(super) fn apply(&mut self, edits: Vec<Edit>) -> bool {
        if edits.is_empty() {
            return false;
        }
        for edit in edits {
            let index = self.edits.partition_point(|other| other.at < edit.at);
            let before = index.checked_sub(1).map(|previous| &self.edits[previous]);
            let after = self.edits.get(index);
            if before.is_some_and(|other| other.at + other.removed > edit.at)
                || after.is_some_and(|other| other.at < edit.at + edit.removed || other.at == edit.at)
            {
                return false;
            }
            self.edits.insert(index, edit);
        }
        let mut text = String::with_capacity(self.original.len() + 64);
        let mut read = 0;
        self.places.clear();
        for edit in &self.edits {
            text.push_str(&self.original[read..edit.at]);
            let start = text.len();
            text.push_str(&edit.inserted);
            self.places.push((start, text.len()));
            read = edit.at + edit.removed;
        }
        text.push_str(&self.original[read..]);
        self.text = Some(text);
        true
    }

    /// The place in the text as written.
    pub(super) fn original_offset(&self, offset: usize) -> usize {
        let Some(index) = self.places.partition_point(|(start, _)| *start < offset).checked_sub(1) else {
            return offset;
        };
        let (edit, (_, end)) = (&self.edits[index], self.places[index]);
        edit.at + if offset < end { 0 } else { edit.removed + offset - end }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn places_lead_back_to_the_text_as_written() {
        let mut mended = Mended::new("ab[cd]ef");
        assert!(mended.apply(vec![Edit { at: 3, removed: 2, inserted: "x".into() }]));
        assert!(mended.apply(vec![Edit { at: 0, removed: 0, inserted: "    ".into() }]));
        assert_eq!(mended.text(), "    ab[x]ef");
        assert_eq!(mended.original_offset(4), 0, "behind the insertion");
        assert_eq!(mended.original_offset(2), 0, "inside the insertion");
        assert_eq!(mended.original_offset(6), 2);
        assert_eq!(mended.original_offset(7), 3);
        assert_eq!(mended.original_offset(8), 5, "behind a replacement");
        assert_eq!(mended.original_offset(11), 8);
    }

    #[test]
    fn repairing_the_same_place_twice_is_refused() {
        let mut mended = Mended::new("abcdef");
        assert!(mended.apply(vec![Edit { at: 2, removed: 2, inserted: String::new() }]));
        assert!(!mended.apply(vec![Edit { at: 3, removed: 1, inserted: String::new() }]));
    }
}
