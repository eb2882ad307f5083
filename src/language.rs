//! Language detection, and the handling of texts in languages that the model does not know.
//!
//! The language that a source reports is used unchanged; detection runs only without one. A wrong
//! language is worse than none, so short and ambiguous texts get none.

mod detect;

pub use detect::detect;

/// How posts in languages that the model does not know are handled.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, strum::EnumString, strum::IntoStaticStr, strum::VariantNames)]
#[strum(serialize_all = "lowercase")]
pub enum OtherLanguages {
    /// Classified like all others.
    #[default]
    Analyze,
    /// Stored as neutral without classification.
    Neutral,
    /// Not stored.
    Skip,
}

impl OtherLanguages {
    /// As the config writes it.
    pub fn as_str(self) -> &'static str {
        self.into()
    }
}

/// How languages are handled.
#[derive(Clone, Debug, Default)]
pub struct LanguagePolicy {
    /// The languages that the model knows, as [`primary`] tags; empty: all.
    pub known: Vec<String>,
    /// The handling of posts in other languages.
    pub others: OtherLanguages,
    /// Whether to detect the language of texts whose source reports none.
    pub detect: bool,
}

impl LanguagePolicy {
    /// Whether the model does not know this language.
    pub fn is_other(&self, lang: Option<&str>) -> bool {
        lang.is_some_and(|lang| !self.known.is_empty() && !self.known.contains(&primary(lang)))
    }

    /// How to handle a text of this language; one without a language is judged.
    pub fn handling(&self, lang: Option<&str>) -> OtherLanguages {
        if self.is_other(lang) { self.others } else { OtherLanguages::Analyze }
    }
}

/// The language of a BCP 47 tag without its region or script, in lower case: `en` of `en-US`.
pub fn primary(tag: &str) -> String {
    let end = tag.find(['-', '_']).unwrap_or(tag.len());
    tag[..end].trim().to_lowercase()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn policy_applies_only_to_unknown_languages() {
        let policy = LanguagePolicy { known: vec!["en".into()], others: OtherLanguages::Skip, detect: true };
        for (lang, handling) in [
            (None, OtherLanguages::Analyze),
            (Some("en"), OtherLanguages::Analyze),
            (Some("EN_us"), OtherLanguages::Analyze),
            (Some("de-AT"), OtherLanguages::Skip),
        ] {
            assert_eq!(policy.handling(lang), handling, "{lang:?}");
        }
        let all = LanguagePolicy { others: OtherLanguages::Skip, ..LanguagePolicy::default() };
        assert_eq!(all.handling(Some("de")), OtherLanguages::Analyze);
    }
}
