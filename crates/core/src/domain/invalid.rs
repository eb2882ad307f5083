//! The errors of parsing values of the domain.

/// Why a text is not a valid value. The message says what is allowed, without the name of the field.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum InvalidValue {
    /// A required value is missing.
    #[error("is required")]
    Missing,
    /// The text has only white space.
    #[error("must not be blank")]
    Blank,
    /// The text contains U+0000, which Postgres cannot store.
    #[error("must not contain U+0000")]
    Nul,
    /// The text is empty or has too many bytes.
    #[error("must be 1 to {max} bytes, has {found}")]
    ByteCount {
        /// The maximum number of bytes.
        max: usize,
        /// The number of bytes.
        found: usize,
    },
    /// The text is blank or has too many characters.
    #[error("must be 1 to {max} characters and not blank, has {found}")]
    CharCount {
        /// The maximum number of characters.
        max: usize,
        /// The number of characters.
        found: usize,
    },
    /// The text has too many bytes.
    #[error("must be at most {max} bytes, has {found}")]
    TooManyBytes {
        /// The maximum number of bytes.
        max: usize,
        /// The number of bytes.
        found: usize,
    },
    /// The text has too many characters.
    #[error("must be at most {max} characters, has {found}")]
    TooManyChars {
        /// The maximum number of characters.
        max: usize,
        /// The number of characters.
        found: usize,
    },
    /// The text has too many words.
    #[error("must be at most {max} words, has {found}")]
    TooManyWords {
        /// The maximum number of words.
        max: usize,
        /// The number of words.
        found: usize,
    },
    /// The text is not a valid name: it has other characters, or is empty or too long.
    #[error("must be 1 to {max} characters of a-z, 0-9, '_', '.' and '-'")]
    Name {
        /// The maximum number of characters.
        max: usize,
    },
    /// The name is reserved.
    #[error("must not be one of {}", .0.join(", "))]
    Reserved(&'static [&'static str]),
    /// The text is not one of these values.
    #[error("must be one of {}", .0.join(", "))]
    Word(&'static [&'static str]),
}

impl From<InvalidValue> for String {
    fn from(error: InvalidValue) -> Self {
        error.to_string()
    }
}
