//! Detects the language of a text.
//!
//! `whichlang` supports sixteen languages and is the most accurate on short texts; `whatlang` supports seventy and
//! returns a confidence. docs/models.md has the measurements from which the limits in this module were chosen.

use whatlang::{Detector, Lang, Script};

/// The minimum number of bytes of letters for detection: six Latin letters, or two Chinese characters.
const MIN_LETTER_BYTES: usize = 6;
/// The minimum number of bytes of letters for which the result of `whichlang` is used although `whatlang` returns
/// another language without enough confidence. This applies to texts in Latin letters.
const ALONE_LETTER_BYTES: usize = 20;
/// The approximate number of bytes at the beginning of a text that detection reads.
const MAX_BYTES: usize = 320;
/// Frequent English words that do not occur in other languages with Latin letters.
const ENGLISH: [&str; 28] = [
    "the", "and", "of", "to", "you", "this", "that", "with", "my", "your", "they", "have", "what", "just", "would",
    "about", "because", "i'm", "it's", "don't", "been", "when", "from", "which", "there", "should", "how", "not",
];
/// Frequent words of Hindi and Urdu in Latin letters, which no detector supports. None of them is a frequent English
/// word.
const ROMANISED_HINDI: [&str; 64] = [
    "hai", "hain", "nahi", "nahin", "kya", "kyun", "kyu", "mein", "bhi", "aur", "raha", "rahi", "rahe", "karo",
    "karna", "karne", "hota", "hoti", "apna", "apne", "apni", "sirf", "kuch", "koi", "jaise", "bahut", "bohot",
    "accha", "acha", "mera", "meri", "tera", "teri", "tere", "lekin", "matlab", "kabhi", "abhi", "gaya", "gayi",
    "gaye", "wala", "wale", "hum", "tum", "aap", "yeh", "woh", "bhai", "toh", "tha", "thi", "unka", "uska", "uske",
    "iska", "iske", "kaise", "kahan", "nhi", "hua", "hui", "diya", "kiya",
];

/// The language of `text` as a BCP 47 tag, if detection is reliable enough. URLs, mentions and hashtags are ignored, so
/// a text that consists only of these, of emoji or of numbers has no language.
pub fn detect(text: &str) -> Option<&'static str> {
    let words = prose(text);
    let letter_bytes: usize = words.chars().filter(|c| c.is_alphabetic()).map(char::len_utf8).sum();
    if letter_bytes < MIN_LETTER_BYTES {
        return None;
    }
    let (english, hindi) = (Hits::of(&ENGLISH, &words), Hits::of(&ROMANISED_HINDI, &words));
    if hindi.are_typical() && hindi.all >= english.all {
        return Some("hi-Latn");
    }
    // Most texts are English, so this check for frequent words comes first. `whatlang`, which compares a text with the
    // profiles of all languages, takes about fifty times as long as this check, and ten times as long as `whichlang`.
    if english.are_typical() {
        return Some("en");
    }
    let likely = likely(whichlang::detect_language(&words));
    if likely == "en" && english.different > 0 && is_latin(&words) {
        return Some("en");
    }
    let info = Detector::new().detect(&words)?;
    let sure = info.is_reliable().then(|| tag(info.lang()));
    if info.script() != Script::Latin {
        // `whichlang` returns no script, so its result is used only if that language is written in the script of the
        // text.
        let fits = is_written_in(likely, info.script());
        return Some(sure.unwrap_or(if fits { likely } else { tag(info.lang()) }));
    }
    match sure {
        Some(sure) => Some(sure),
        None if likely == "en" || likely == tag(info.lang()) => Some(likely),
        // If `whatlang` returns another language without enough confidence, the language of `whichlang` is used only
        // for longer texts without a word of [`ENGLISH`].
        None => (letter_bytes >= ALONE_LETTER_BYTES && english.different == 0).then_some(likely),
    }
}

/// Whether all letters of `text` are Latin.
fn is_latin(text: &str) -> bool {
    text.chars().all(|c| !c.is_alphabetic() || c < BEHIND_LATIN)
}

/// The first character after the Latin letters in common use.
const BEHIND_LATIN: char = '\u{250}';

/// How many words of a list a text contains.
struct Hits {
    different: u32,
    all: usize,
    words: usize,
}

impl Hits {
    fn of(list: &[&str], text: &str) -> Self {
        let (mut found, mut hits) = (0_u64, Self { different: 0, all: 0, words: 0 });
        for word in text.split_ascii_whitespace() {
            hits.words += 1;
            let word = word.trim_matches(|c: char| c.is_ascii_punctuation());
            if let Some(index) = list.iter().position(|listed| listed.eq_ignore_ascii_case(word)) {
                found |= 1 << index;
                hits.all += 1;
            }
        }
        hits.different = found.count_ones();
        hits
    }

    /// Whether the text is most likely in the language of the list: it contains two different words of the list, and a
    /// sixth of its words or more are in the list.
    fn are_typical(&self) -> bool {
        self.different >= 2 && self.all * 6 >= self.words
    }
}

/// The tag of a language of `whichlang`.
fn likely(lang: whichlang::Lang) -> &'static str {
    use whichlang::Lang;
    match lang {
        Lang::Ara => "ar",
        Lang::Cmn => "zh",
        Lang::Deu => "de",
        Lang::Eng => "en",
        Lang::Fra => "fr",
        Lang::Hin => "hi",
        Lang::Ita => "it",
        Lang::Jpn => "ja",
        Lang::Kor => "ko",
        Lang::Nld => "nl",
        Lang::Por => "pt",
        Lang::Rus => "ru",
        Lang::Spa => "es",
        Lang::Swe => "sv",
        Lang::Tur => "tr",
        Lang::Vie => "vi",
    }
}

/// Whether `lang`, a language of `whichlang`, is written in `script`, which is not Latin.
fn is_written_in(lang: &str, script: Script) -> bool {
    matches!(
        (lang, script),
        ("ar", Script::Arabic)
            | ("hi", Script::Devanagari)
            | ("ru", Script::Cyrillic)
            | ("zh" | "ja", Script::Mandarin)
            | ("ja", Script::Hiragana | Script::Katakana)
            | ("ko", Script::Hangul)
    )
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
        // A text without spaces is a single word, so the length of words must be limited too.
        prose.extend(word.chars().take(MAX_BYTES));
        prose.push(' ');
    }
    prose
}

/// The tag of a language: ISO 639-1, or else 639-3.
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
    fn detect_english_text_without_common_words_returns_english() {
        for text in ["Terrible service from them", "Watching football tonight with friends, amazing crowd"] {
            assert_eq!(detect(text), Some("en"), "{text}");
        }
        assert_ne!(detect("the Привет, как дела, друзья"), Some("en"));
    }

    #[test]
    fn detect_words_shared_with_english_does_not_return_english() {
        for text in
            ["Dit is of was een slecht idee, en de winkel wil er niets van weten", "Was will der not so true Mann"]
        {
            assert_ne!(detect(text), Some("en"), "{text}");
        }
    }

    #[test]
    fn detect_short_text_returns_none() {
        for text in ["", "lol", "https://a.example/the/and/this #that @with", "😂 12:30"] {
            assert_eq!(detect(text), None, "{text}");
        }
    }

    #[test]
    fn detect_emoji_hashtags_and_names_returns_none_or_english() {
        for text in ["🎉🎉🎉", "#Wahnsinn #toll", "@käthe @müller", "OMG yesss", "Carol Brady", "Terrible service"]
        {
            assert!(matches!(detect(text), None | Some("en")), "{text}: {:?}", detect(text));
        }
    }

    #[test]
    fn detect_short_foreign_text_returns_language() {
        for (text, language) in [
            ("Das ist wirklich schlecht", "de"),
            ("c'est vraiment nul, je suis déçu", "fr"),
            ("no me gusta nada este teléfono", "es"),
            ("не работает", "ru"),
            ("最高です！", "ja"),
            ("太棒了", "zh"),
            ("هذا رائع جدا", "ar"),
            ("यह बहुत अच्छा है", "hi"),
        ] {
            assert_eq!(detect(text), Some(language), "{text}");
        }
    }

    #[test]
    fn detect_romanised_hindi_does_not_return_english() {
        for text in ["yeh phone bahut accha hai bhai", "kya bakwas service hai, kuch kaam nahi karta"] {
            assert_eq!(detect(text), Some("hi-Latn"), "{text}");
        }
    }

    #[test]
    fn detect_mixed_text_returns_the_prevailing_language() {
        for (text, language) in [
            ("The new phone is great and I would buy it again, danke schön!", "en"),
            ("Der neue Release ist ein Gamechanger, aber der Support antwortet nie", "de"),
        ] {
            assert_eq!(detect(text), Some(language), "{text}");
        }
    }

    proptest::proptest! {
        #[test]
        fn detect_any_text_returns_valid_tag(text: String) {
            if let Some(tag) = detect(&text) {
                proptest::prop_assert!((2..=3).contains(&crate::language::primary(tag).len()));
            }
        }
    }
}
