//! Stop words: frequent words without a meaning of their own, in the most common languages of posts.

use std::collections::HashSet;
use std::sync::LazyLock;

const WORDS: &str = "\
a about after again all also am an and any are as at be because been before being but by can could did do does doing down \
during each even every few for from get gets getting got had has have having he her here hers him his how i if in into is \
it its itself just like made make me more most much my of off on once one only or other our out over own really same she \
should so some still such than that the their them then there these they this those through to too two under until up us \
very was we were what when where which while who why will with would you your \
i'm it's that's don't doesn't isn't i've you're they're we're can't won't didn't wasn't aren't i'll he's she's there's \
aber als am an auch auf aus bei bin bis da das dass dem den der des die ein eine einen er es für hat ich ihr im ist ja \
mit nach noch nur oder schon sein sich sie sind so über um und uns vom von war was wenn wie wir zu zum zur \
au aux avec c'est ce ces d'un d'une dans de des du elle en est et il ils j'ai je la le les leur lui mais me n'a n'ai \
n'est n'ont nous on ou par pas plus pour que qui sa se ses son sur tu un une vous \
al como con del el ella esta este las lo los más mi muy para pero por si sin su una y ya \
da do e em na no os um uma não que se mas foi com \
che di il per una non sono anche della nel ma";

/// Words that negate the following word. A pair such as `not working` is a useful term, although `not` alone is not. A
/// pair remains a term even if its negation is also a stop word (`no` is Portuguese for `in the`): without the
/// negation, only the other word would be left, which says the opposite. English words that end with `n't` are
/// negations too.
const NEGATIONS: [&str; 21] = [
    "not", "no", "never", "without", "cannot", "nicht", "kein", "keine", "keinen", "nie", "ohne", "pas", "jamais",
    "sans", "sin", "nunca", "não", "nao", "sem", "non", "senza",
];

/// Negations that usually follow the negated word, as in `funktioniert nicht` and `marche pas`.
const NEGATIONS_AFTER: [&str; 2] = ["nicht", "pas"];

static STOP_WORDS: LazyLock<HashSet<&str>> = LazyLock::new(|| WORDS.split_whitespace().collect());

/// Whether a term is a stop word, a negation, or a pair of words that is not useful. A pair is not useful if one of its
/// words is a stop word and not a negation, or if its last word is a negation that belongs to the next word. Hashtags
/// and terms of scripts without spaces are never stop terms.
pub fn is_stop_term(term: &str) -> bool {
    let is_frequent = |word: &str| is_stop_word(word) && !is_negation(word);
    match term.split_once(' ') {
        Some((first, second)) if NEGATIONS_AFTER.contains(&second) => is_stop_word(first) || is_negation(first),
        Some((first, second)) => is_frequent(first) || is_stop_word(second) || is_negation(second),
        None => is_stop_word(term) || is_negation(term),
    }
}

fn is_negation(word: &str) -> bool {
    NEGATIONS.contains(&word) || word.ends_with("n't") || word.ends_with("n’t")
}

/// Whether a word is a stop word. Typographic and straight apostrophes are equal.
pub fn is_stop_word(word: &str) -> bool {
    if word.contains('’') {
        STOP_WORDS.contains(word.replace('’', "'").as_str())
    } else {
        STOP_WORDS.contains(word)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn stop_words_are_dropped_and_negated_pairs_kept() {
        for term in ["the", "don’t", "the refund", "refund the", "not", "nicht", "working not", "c'est pas"] {
            assert!(is_stop_term(term), "{term}");
        }
        for term in ["refund", "not working", "never arrived", "#the", "退款", "customer service"] {
            assert!(!is_stop_term(term), "{term}");
        }
    }

    #[test]
    fn negated_pairs_of_other_languages_are_terms_like_english_ones() {
        for pair in [
            "no refund",
            "doesn't work",
            "don’t buy",
            "no funciona",
            "sin servicio",
            "pas bon",
            "marche pas",
            "funktioniert nicht",
            "keinen empfang",
            "não funciona",
            "non funziona",
        ] {
            assert!(!is_stop_term(pair), "{pair}");
        }
        for term in ["no", "pas", "sin", "não", "non", "doesn't", "est pas", "pas de", "ist nicht", "funciona no"] {
            assert!(is_stop_term(term), "{term}");
        }
    }
}
