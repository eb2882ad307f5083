//! Common classifiers of the Hugging Face Hub that the engine can load.

use serde::Serialize;

/// A model of the Hub, and the texts that it is suited for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
pub struct KnownModel {
    /// A short name for `sentistream models pull`.
    pub alias: &'static str,
    /// The repository of the model.
    pub repository: &'static str,
    /// The architecture of the model.
    pub architecture: &'static str,
    /// The languages of the labelled training texts.
    pub languages: &'static [&'static str],
    /// The size of the download in MB.
    pub download_mb: u32,
    /// The licence, as stated on the model's page.
    pub licence: &'static str,
    /// The texts that the model is suited for, and its restrictions.
    pub suited_for: &'static str,
}

/// The models. Models for short posts come first.
pub const KNOWN: [KnownModel; 5] = [
    KnownModel {
        alias: "tweets-multilingual",
        repository: "cardiffnlp/twitter-xlm-roberta-base-sentiment",
        architecture: "xlm-roberta",
        languages: &["ar", "de", "en", "es", "fr", "hi", "it", "pt"],
        download_mb: 1_110,
        licence: "not stated",
        suited_for: "short posts; pre-trained on tweets in over thirty languages",
    },
    KnownModel {
        alias: "tweets-english",
        repository: "cardiffnlp/twitter-roberta-base-sentiment-latest",
        architecture: "roberta",
        languages: &["en"],
        download_mb: 500,
        licence: "cc-by-4.0",
        suited_for: "short posts in English",
    },
    KnownModel {
        alias: "general-multilingual",
        repository: "tabularisai/multilingual-sentiment-analysis",
        architecture: "distilbert",
        languages: &[
            "ar", "bn", "de", "en", "es", "fr", "gsw", "hi", "it", "ja", "ko", "ms", "nl", "pl", "pt", "ru", "te",
            "tl", "tr", "uk", "vi", "zh",
        ],
        download_mb: 541,
        licence: "cc-by-nc-4.0",
        suited_for: "speed and many languages; trained on synthetic texts; not for commercial use",
    },
    KnownModel {
        alias: "small-multilingual",
        repository: "lxyuan/distilbert-base-multilingual-cased-sentiments-student",
        architecture: "distilbert",
        languages: &["ar", "de", "en", "es", "fr", "hi", "id", "it", "ja", "ms", "pt", "zh"],
        download_mb: 541,
        licence: "apache-2.0",
        suited_for: "speed; distilled from a zero-shot model, so not trained on human labels",
    },
    KnownModel {
        alias: "reviews-multilingual",
        repository: "nlptown/bert-base-multilingual-uncased-sentiment",
        architecture: "bert",
        languages: &["de", "en", "es", "fr", "it", "nl"],
        download_mb: 669,
        licence: "mit",
        suited_for: "product reviews (one to five stars); other texts are outside its domain",
    },
];

/// The model with this short name.
pub fn by_alias(alias: &str) -> Option<&'static KnownModel> {
    KNOWN.iter().find(|known| known.alias == alias)
}

#[cfg(test)]
mod tests {
    use super::*;
    use sentistream_core::domain::language::is_assigned;

    #[test]
    fn known_models_have_distinct_names_and_valid_languages() {
        let mut names: Vec<&str> = KNOWN.iter().flat_map(|known| [known.alias, known.repository]).collect();
        names.sort_unstable();
        names.dedup();
        assert_eq!(names.len(), 2 * KNOWN.len());
        assert!(KNOWN.iter().flat_map(|known| known.languages).all(|lang| is_assigned(lang)));
        assert!(by_alias("tweets-multilingual").is_some() && by_alias("owner/name").is_none());
    }
}
