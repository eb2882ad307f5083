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
au aux avec ce ces dans de des du elle en est et il ils je la le les leur lui mais me nous on ou par pas plus pour que qui \
sa se ses son sur tu un une vous \
al como con del el ella esta este las lo los más mi muy para pero por si sin su una y ya \
da do e em na no os um uma não que se mas foi com \
che di il per una non sono anche della nel ma";

/// Words that negate the following word. A pair such as `not working` is a useful term, although `not` alone is not.
const NEGATIONS: [&str; 10] = ["not", "no", "never", "without", "nicht", "kein", "keine", "pas", "sin", "cannot"];

static STOP_WORDS: LazyLock<HashSet<&str>> = LazyLock::new(|| WORDS.split_whitespace().collect());

/// Whether a term is a stop word, a negation, a pair that contains a stop word, or a pair that ends with a negation.
/// Hashtags and terms of scripts without spaces are never stop terms.
pub fn is_stop_term(term: &str) -> bool {
    match term.split_once(' ') {
        Some((first, second)) => is_stop_word(first) || is_stop_word(second) || NEGATIONS.contains(&second),
        None => is_stop_word(term) || NEGATIONS.contains(&term),
    }
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
        for term in ["the", "don’t", "the refund", "refund the", "not", "nicht", "working not"] {
            assert!(is_stop_term(term), "{term}");
        }
        for term in ["refund", "not working", "never arrived", "#the", "退款", "customer service"] {
            assert!(!is_stop_term(term), "{term}");
        }
    }
}
