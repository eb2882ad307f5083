//! Language detection, and the handling of texts in languages that the model does not support.
//!
//! The language that a source reports is used unchanged. Detection runs only if the source reports no language. A wrong
//! language is worse than no language, so detection returns no language for short and ambiguous texts.

mod detect;

use std::sync::Arc;

use arc_swap::ArcSwap;

pub use crate::domain::language::primary;
pub use detect::detect;

/// How posts in languages that the model does not support are handled.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, strum::EnumString, strum::IntoStaticStr, strum::VariantNames)]
#[strum(serialize_all = "lowercase")]
pub enum OtherLanguages {
    /// The posts are stored without a sentiment.
    #[default]
    Unscored,
    /// The posts are analysed like all other posts.
    Analyze,
    /// The posts are stored as neutral, without an analysis.
    Neutral,
    /// The posts are not stored.
    Skip,
}

impl OtherLanguages {
    /// The name in the configuration.
    pub fn as_str(self) -> &'static str {
        self.into()
    }
}

/// The handling of posts in other languages, which may change while the server runs. Clones share it.
#[derive(Clone, Debug, Default)]
pub struct SharedHandling(Arc<ArcSwap<OtherLanguages>>);

impl SharedHandling {
    /// The current handling.
    pub fn get(&self) -> OtherLanguages {
        **self.0.load()
    }

    /// Changes the handling for all clones.
    pub fn set(&self, handling: OtherLanguages) {
        self.0.store(Arc::new(handling));
    }
}

impl From<OtherLanguages> for SharedHandling {
    fn from(handling: OtherLanguages) -> Self {
        Self(Arc::new(ArcSwap::from_pointee(handling)))
    }
}

/// How posts are handled by language.
#[derive(Clone, Debug, Default)]
pub struct LanguagePolicy {
    /// The languages that the model supports, as [`primary`] tags. Empty: the languages that the model declares.
    pub known: Vec<String>,
    /// The handling of posts in other languages.
    pub others: SharedHandling,
    /// Whether to detect the language of a text if its source reports no language.
    pub detect: bool,
}

impl LanguagePolicy {
    /// The languages that count as supported if the model declares the languages `declared`. All languages count as
    /// supported if both [`Self::known`] and `declared` are empty.
    pub fn supported<'l>(&'l self, declared: &'l [String]) -> SupportedLanguages<'l> {
        SupportedLanguages {
            known: if self.known.is_empty() { declared } else { &self.known },
            others: self.others.get(),
        }
    }
}

/// The languages that the current model supports, and the handling of all other languages.
#[derive(Clone, Copy, Debug)]
pub struct SupportedLanguages<'l> {
    known: &'l [String],
    others: OtherLanguages,
}

impl<'l> SupportedLanguages<'l> {
    /// The supported languages. Empty: all languages.
    pub fn known(&self) -> &'l [String] {
        self.known
    }

    /// Whether the model does not support this language.
    pub fn is_other(&self, lang: Option<&str>) -> bool {
        lang.is_some_and(|lang| !self.known.is_empty() && !self.known.contains(&primary(lang)))
    }

    /// How a text in this language is handled. A text without a language is analysed.
    pub fn handling(&self, lang: Option<&str>) -> OtherLanguages {
        if self.is_other(lang) { self.others } else { OtherLanguages::Analyze }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn language_policy_applies_only_to_unsupported_languages() {
        let policy = LanguagePolicy { known: vec!["en".into()], others: OtherLanguages::Skip.into(), detect: true };
        for (lang, handling) in [
            (None, OtherLanguages::Analyze),
            (Some("en"), OtherLanguages::Analyze),
            (Some("EN_us"), OtherLanguages::Analyze),
            (Some("de-AT"), OtherLanguages::Skip),
        ] {
            assert_eq!(policy.supported(&[]).handling(lang), handling, "{lang:?}");
        }
    }

    #[test]
    fn model_that_declares_no_language_supports_all_by_default() {
        let unset = LanguagePolicy::default();
        assert_eq!(unset.supported(&[]).handling(Some("de")), OtherLanguages::Analyze);
        let english = ["en".to_owned()];
        assert_eq!(unset.supported(&english).handling(Some("de")), OtherLanguages::Unscored);
        let set = LanguagePolicy { known: vec!["de".into()], ..LanguagePolicy::default() };
        assert_eq!(set.supported(&english).handling(Some("de")), OtherLanguages::Analyze);
        assert_eq!(set.supported(&english).handling(Some("en")), OtherLanguages::Unscored);
    }
}
