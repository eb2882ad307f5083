//! Language tags.

/// The language of a BCP 47 tag without its region or script, in lower case: `en` for `en-US`.
pub fn primary(tag: &str) -> String {
    let end = tag.find(['-', '_']).unwrap_or(tag.len());
    tag[..end].trim().to_lowercase()
}

/// The result of [`primary`] if it has two or three letters, as language codes have; otherwise `None`, because sources
/// may send any text as a tag.
pub fn code(tag: &str) -> Option<String> {
    let code = primary(tag);
    ((2..=3).contains(&code.len()) && code.bytes().all(|b| b.is_ascii_lowercase())).then_some(code)
}

/// The language codes of ISO 639-1, separated by spaces.
const TWO_LETTERS: &str = "aa ab ae af ak am an ar as av ay az ba be bg bh bi bm bn bo br bs ca ce ch co cr cs cu cv cy \
     da de dv dz ee el en eo es et eu fa ff fi fj fo fr fy ga gd gl gn gu gv ha he hi ho hr ht hu hy hz ia id ie ig ii \
     ik io is it iu ja jv ka kg ki kj kk kl km kn ko kr ks ku kv kw ky la lb lg li ln lo lt lu lv mg mh mi mk ml mn mr \
     ms mt my na nb nd ne ng nl nn no nr nv ny oc oj om or os pa pi pl ps pt qu rm rn ro ru rw sa sc sd se sg sh si sk \
     sl sm sn so sq sr ss st su sv sw ta te tg th ti tk tl tn to tr ts tt tw ty ug uk ur uz ve vi vo wa wo xh yi yo za \
     zh zu";

/// Whether `code` may be a language: a code of ISO 639-1, or any code of three letters.
pub fn is_assigned(code: &str) -> bool {
    let is_code = (2..=3).contains(&code.len()) && code.bytes().all(|b| b.is_ascii_lowercase());
    is_code && (code.len() == 3 || TWO_LETTERS.split_ascii_whitespace().any(|known| known == code))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn language_code_is_accepted_if_listed_or_of_three_letters() {
        let assigned = ["de", "fil", "xx", "german", "DE", ""].map(is_assigned);
        assert_eq!(assigned, [true, true, false, false, false, false]);
    }

    #[test]
    fn language_code_omits_the_region_and_rejects_other_text() {
        for (tag, expected) in [
            ("en", Some("en")),
            ("EN_us", Some("en")),
            ("fil-PH", Some("fil")),
            ("", None),
            ("x", None),
            ("日本", None),
        ] {
            assert_eq!(code(tag).as_deref(), expected, "{tag}");
        }
    }
}
