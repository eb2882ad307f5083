//! Which language a text is in, and what becomes of texts in languages that the model does not know.
//!
//! A source's own word is taken as it is; only a text without one is looked at. A wrong guess is
//! worse than none here, so short texts and doubtful ones stay without a language.

mod detect;

pub use detect::detect;

/// How posts in languages that the model does not know are handled.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, strum::EnumString, strum::IntoStaticStr, strum::VariantNames)]
#[strum(serialize_all = "lowercase")]
pub enum OtherLanguages {
    /// The model judges them anyway.
    #[default]
    Analyze,
    /// They are stored as neutral, unjudged.
    Neutral,
    /// They are not stored.
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
    /// What becomes of posts in others.
    pub others: OtherLanguages,
    /// Whether to look at texts whose source does not say their language.
    pub detect: bool,
}

impl LanguagePolicy {
    /// Whether this is a language that the model is known not to know.
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
    fn a_policy_concerns_only_languages_that_are_known_to_be_others() {
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
