//! Converts a review to a post.

use serde::Deserialize;
use serde_json::Value;

use super::super::draft::Found;
use super::super::lenient::lenient;
use sentistream_core::domain::Timestamp;

/// Steam's names of languages with their codes (<https://partner.steamgames.com/doc/store/localization/languages>).
const LANGUAGES: [(&str, &str); 31] = [
    ("arabic", "ar"),
    ("brazilian", "pt"),
    ("bulgarian", "bg"),
    ("czech", "cs"),
    ("danish", "da"),
    ("dutch", "nl"),
    ("english", "en"),
    ("finnish", "fi"),
    ("french", "fr"),
    ("german", "de"),
    ("greek", "el"),
    ("hungarian", "hu"),
    ("indonesian", "id"),
    ("italian", "it"),
    ("japanese", "ja"),
    ("koreana", "ko"),
    ("latam", "es"),
    ("malay", "ms"),
    ("norwegian", "no"),
    ("polish", "pl"),
    ("portuguese", "pt"),
    ("romanian", "ro"),
    ("russian", "ru"),
    ("schinese", "zh"),
    ("spanish", "es"),
    ("swedish", "sv"),
    ("tchinese", "zh"),
    ("thai", "th"),
    ("turkish", "tr"),
    ("ukrainian", "uk"),
    ("vietnamese", "vi"),
];

/// Whether `name` is Steam's name of a language.
pub fn is_language(name: &str) -> bool {
    LANGUAGES.iter().any(|(known, _)| *known == name)
}

/// A review. Optional fields of unexpected types count as missing.
#[derive(Debug, Deserialize)]
pub struct Review {
    /// The id, which is a number as text.
    recommendationid: String,
    #[serde(default, deserialize_with = "lenient")]
    author: Option<Author>,
    #[serde(default, deserialize_with = "lenient")]
    language: Option<String>,
    #[serde(default, deserialize_with = "lenient")]
    review: Option<String>,
    /// Unix seconds.
    #[serde(default)]
    timestamp_created: i64,
    /// Unix seconds.
    timestamp_updated: i64,
}

#[derive(Debug, Deserialize)]
struct Author {
    steamid: String,
}

/// Why an item of the list is rejected.
#[derive(Debug, thiserror::Error)]
pub enum ReviewError {
    /// The item does not have the fields of a review.
    #[error("not a review: {0}")]
    Form(#[from] serde_json::Error),
    /// The id is not a number.
    #[error("{0:?}: the id is not a number")]
    Id(String),
}

impl Review {
    /// Parses an item of the list.
    ///
    /// # Errors
    /// When the item is not a review.
    pub fn read(item: Value) -> Result<Self, ReviewError> {
        let review: Self = serde_json::from_value(item)?;
        match review.recommendationid.parse::<u64>() {
            Ok(_) => Ok(review),
            Err(_) => Err(ReviewError::Id(review.recommendationid)),
        }
    }

    /// The version of the review: the time of the last change in Unix seconds, and the id.
    pub fn version(&self) -> (i64, u64) {
        (self.timestamp_updated, self.recommendationid.parse().unwrap_or_default())
    }

    /// Converts the review of a game to a post.
    pub fn found(self, app: u32) -> Found {
        let time = |seconds: i64| Timestamp::from_millis(seconds.saturating_mul(1_000)).filter(|_| seconds > 0);
        let (created_at, updated_at) = (time(self.timestamp_created), time(self.timestamp_updated));
        let code = |name: &str| LANGUAGES.iter().find(|(known, _)| *known == name).map(|(_, code)| (*code).to_owned());
        let author = self.author.map(|author| author.steamid).filter(|id| id.parse::<u64>().is_ok());
        Found {
            post_id: format!("steam:{}", self.recommendationid),
            content: self.review.unwrap_or_default(),
            url: author.as_ref().map(|id| format!("https://steamcommunity.com/profiles/{id}/recommended/{app}/")),
            author,
            created_at: created_at.or(updated_at),
            lang: self.language.as_deref().and_then(code),
            edited_at: updated_at.filter(|updated| created_at.is_some_and(|created| *updated > created)),
            ..Found::default()
        }
    }
}
