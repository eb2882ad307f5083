//! Detecting the language of a text.

use whatlang::{Detector, Lang};

/// Texts with fewer bytes of letters are too short to detect: 24 Latin letters, 12 Cyrillic, 8 Chinese.
const MIN_LETTER_BYTES: usize = 24;
/// Only the first part of a text is read.
const MAX_BYTES: usize = 320;
/// Frequent English words that are no words of other languages with Latin letters.
const ENGLISH: [&str; 28] = [
    "the", "and", "of", "to", "you", "this", "that", "with", "my", "your", "they", "have", "what", "just", "would",
    "about", "because", "i'm", "it's", "don't", "been", "when", "from", "which", "there", "should", "how", "not",
];

/// The language of `text` as a BCP 47 tag (two letters where there are), if detection is reliable.
/// URLs, mentions and hashtags are ignored.
pub fn detect(text: &str) -> Option<&'static str> {
    let words = prose(text);
    let letter_bytes: usize = words.chars().filter(|c| c.is_alphabetic()).map(char::len_utf8).sum();
    if letter_bytes < MIN_LETTER_BYTES {
        return None;
    }
    if is_plainly_english(&words) {
        return Some("en");
    }
    Detector::new().detect(&words).filter(whatlang::Info::is_reliable).map(|info| tag(info.lang()))
}

fn prose(text: &str) -> String {
    let mut prose = String::with_capacity(text.len().min(MAX_BYTES) + 64);
    let words = text
        .split_whitespace()
        .filter(|word| !word.starts_with(['@', '#']) && !word.starts_with("http://") && !word.starts_with("https://"));
    for word in words {
        if prose.len() + word.len() > MAX_BYTES && !prose.is_empty() {
            break;
        }
        // A text without spaces is one word of any length.
        prose.extend(word.chars().take(MAX_BYTES));
        prose.push(' ');
    }
    prose
}

/// Most texts of most streams are English, and comparing a text with the profiles of forty
/// languages costs about fifty times as much as this check of its words.
fn is_plainly_english(words: &str) -> bool {
    let mut found = 0_u32;
    let (mut hits, mut all) = (0_usize, 0_usize);
    for word in words.split_ascii_whitespace() {
        all += 1;
        let word = word.trim_matches(|c: char| c.is_ascii_punctuation());
        if let Some(index) = ENGLISH.iter().position(|english| english.eq_ignore_ascii_case(word)) {
            found |= 1 << index;
            hits += 1;
        }
    }
    found.count_ones() >= 2 && hits * 6 >= all
}

/// The tag of a language: ISO 639-1, else 639-3.
fn tag(lang: Lang) -> &'static str {
    match lang {
        Lang::Epo => "eo",
        Lang::Eng => "en",
        Lang::Rus => "ru",
        Lang::Cmn => "zh",
        Lang::Spa => "es",
        Lang::Por => "pt",
        Lang::Ita => "it",
        Lang::Ben => "bn",
        Lang::Fra => "fr",
        Lang::Deu => "de",
        Lang::Ukr => "uk",
        Lang::Kat => "ka",
        Lang::Ara => "ar",
        Lang::Hin => "hi",
        Lang::Jpn => "ja",
        Lang::Heb => "he",
        Lang::Yid => "yi",
        Lang::Pol => "pl",
        Lang::Amh => "am",
        Lang::Jav => "jv",
        Lang::Kor => "ko",
        Lang::Nob => "nb",
        Lang::Dan => "da",
        Lang::Swe => "sv",
        Lang::Fin => "fi",
        Lang::Tur => "tr",
        Lang::Nld => "nl",
        Lang::Hun => "hu",
        Lang::Ces => "cs",
        Lang::Ell => "el",
        Lang::Bul => "bg",
        Lang::Bel => "be",
        Lang::Mar => "mr",
        Lang::Kan => "kn",
        Lang::Ron => "ro",
        Lang::Slv => "sl",
        Lang::Hrv => "hr",
        Lang::Srp => "sr",
        Lang::Mkd => "mk",
        Lang::Lit => "lt",
        Lang::Lav => "lv",
        Lang::Est => "et",
        Lang::Tam => "ta",
        Lang::Vie => "vi",
        Lang::Urd => "ur",
        Lang::Tha => "th",
        Lang::Guj => "gu",
        Lang::Uzb => "uz",
        Lang::Pan => "pa",
        Lang::Aze => "az",
        Lang::Ind => "id",
        Lang::Tel => "te",
        Lang::Pes => "fa",
        Lang::Mal => "ml",
        Lang::Ori => "or",
        Lang::Mya => "my",
        Lang::Nep => "ne",
        Lang::Sin => "si",
        Lang::Khm => "km",
        Lang::Tuk => "tk",
        Lang::Aka => "ak",
        Lang::Zul => "zu",
        Lang::Sna => "sn",
        Lang::Afr => "af",
        Lang::Lat => "la",
        Lang::Slk => "sk",
        Lang::Cat => "ca",
        Lang::Tgl => "tl",
        Lang::Hye => "hy",
        Lang::Cym => "cy",
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn detect_long_text_returns_language() {
        for (text, language) in [
            ("My phone broke again and this is the third time, I don't know what to do", "en"),
            ("Das neue Telefon ist schon wieder kaputt und niemand beim Kundendienst hilft mir", "de"),
            (
                "Ayer compramos un coche nuevo y hoy ya no funciona, nadie nos quiere devolver el dinero que pagamos",
                "es",
            ),
            (
                "Очень плохой телефон, больше никогда не куплю ничего у этой компании, вчера снова сломался экран и никто не отвечает",
                "ru",
            ),
            ("这个手机太棒了，我非常喜欢它的相机和电池", "zh"),
            ("この電話は本当に素晴らしいです。カメラが大好きです", "ja"),
        ] {
            assert_eq!(detect(text), Some(language), "{text}");
        }
    }

    #[test]
    fn detect_shared_words_are_not_english() {
        for text in
            ["Dit is of was een slecht idee, en de winkel wil er niets van weten", "Was will der not so true Mann"]
        {
            assert_ne!(detect(text), Some("en"), "{text}");
        }
    }

    #[test]
    fn detect_short_text_returns_none() {
        for text in ["", "lol", "🎉🎉🎉", "https://a.example/the/and/this #that @with", "OMG yesss"] {
            assert_eq!(detect(text), None, "{text}");
        }
    }

    proptest::proptest! {
        #[test]
        fn detect_any_text_returns_valid_tag(text: String) {
            if let Some(tag) = detect(&text) {
                proptest::prop_assert!((2..=3).contains(&tag.len()));
            }
        }
    }
}
