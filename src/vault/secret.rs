//! Texts and bytes that must not be shown.

/// Something that must not be shown: it says nothing to `Debug`, and knows neither `Serialize` nor
/// `Display`.
#[derive(Clone, PartialEq, Eq)]
pub struct Secret<T = String>(T);

impl Secret {
    /// Wraps a secret text.
    pub fn new(text: impl Into<String>) -> Self {
        Self(text.into())
    }

    /// The text itself; call it only where it is handed over.
    pub fn reveal(&self) -> &str {
        &self.0
    }
}

impl Secret<Vec<u8>> {
    /// Wraps secret bytes.
    pub fn of_bytes(bytes: impl Into<Vec<u8>>) -> Self {
        Self(bytes.into())
    }

    /// The bytes themselves; call it only where they are handed over.
    pub fn reveal_bytes(&self) -> &[u8] {
        &self.0
    }
}

impl<T> std::fmt::Debug for Secret<T> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Secret(..)")
    }
}
