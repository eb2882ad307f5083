//! Queries as syntax trees.

use crate::domain::LabelSet;
use crate::domain::words::Bounds;

/// A condition of a query.
#[derive(Clone, Debug, PartialEq)]
pub enum Node {
    /// All conditions are true.
    And(Vec<Node>),
    /// At least one condition is true.
    Or(Vec<Node>),
    /// The condition is false.
    Not(Box<Node>),
    /// The text in normal form contains this pattern.
    Text(String),
    /// The text contains this phrase with wildcards.
    Phrase(Phrase),
    /// The text contains these phrases close to each other.
    Near(Near),
    /// The composed text (NFC) contains this literal.
    Literal(Literal),
    /// The author's name, folded, equals this name.
    Author(String),
    /// The post is from this source.
    Source(String),
    /// The post's language is this language (in lower case) or a variety of it.
    Lang(String),
    /// The post has this property.
    Field(Field),
    /// The analysis of the post has one of these results.
    Labels(LabelSet),
}

/// Consecutive words.
#[derive(Clone, Debug, PartialEq)]
pub struct Phrase(pub Vec<Glob>);

/// A folded word with wildcards: `*` matches any number of characters; `?` matches one character or none, and makes the
/// preceding letter optional.
#[derive(Clone, Debug, PartialEq)]
pub struct Glob(pub String);

/// The operator NEAR: phrases of all groups must occur close to each other, one phrase of each group.
#[derive(Clone, Debug, PartialEq)]
pub struct Near {
    /// For each group, its alternative phrases.
    pub groups: Vec<Vec<Phrase>>,
    /// The maximum number of words between two neighbouring phrases.
    pub distance: usize,
    /// Whether the groups must occur in this order.
    pub ordered: bool,
}

/// A text that is searched for with the case, the accents and the punctuation of the query.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Literal {
    /// The composed text (NFC), with the case of the query.
    pub text: String,
    /// Whether the occurrence must begin and end at a word boundary.
    pub whole_words: bool,
}

/// A property of a post.
#[derive(Clone, Debug, PartialEq)]
pub enum Field {
    /// The URL of the post's page is on this host (in lower case) or a subdomain of it.
    Site(String),
    /// The URL of the post's page contains this text (in lower case).
    Url(String),
    /// A link in the text contains this text (in lower case).
    Links(String),
    /// The post is a reply.
    Reply,
    /// The text contains an emoji.
    Emoji,
    /// The text contains a link.
    Link,
    /// The comparison of the number of hashtags with this number is true.
    Hashtags(Comparison, usize),
}

/// A comparison of two numbers.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Comparison {
    /// The first number is equal to the second.
    Equal,
    /// The first number is less than the second.
    Less,
    /// The first number is less than the second or equal to it.
    AtMost,
    /// The first number is greater than the second.
    More,
    /// The first number is greater than the second or equal to it.
    AtLeast,
}

impl Comparison {
    /// Whether the comparison of `number` with `other` is true.
    pub fn holds(self, number: usize, other: usize) -> bool {
        match self {
            Self::Equal => number == other,
            Self::Less => number < other,
            Self::AtMost => number <= other,
            Self::More => number > other,
            Self::AtLeast => number >= other,
        }
    }
}

impl Literal {
    /// The word boundaries that an occurrence needs.
    pub fn bounds(&self) -> Bounds {
        let bounds = Bounds::of(&self.text);
        if !self.whole_words {
            return bounds;
        }
        // In whole words, a character that is not part of a word needs a boundary too, such as the last `+` of {C++}.
        let is_sign = |c: Option<char>| c.is_some_and(|c| !c.is_alphanumeric());
        let (first, last) = (self.text.chars().next(), self.text.chars().next_back());
        Bounds { start: bounds.start || is_sign(first), end: bounds.end || is_sign(last) }
    }
}

impl Node {
    /// The value of the tree if every condition at its leaves has the value `holds`.
    pub fn when_all_are(&self, holds: bool) -> bool {
        match self {
            Self::And(nodes) => nodes.iter().all(|node| node.when_all_are(holds)),
            Self::Or(nodes) => nodes.iter().any(|node| node.when_all_are(holds)),
            Self::Not(node) => !node.when_all_are(holds),
            _ => holds,
        }
    }

    /// Whether the tree contains a condition on labels.
    pub fn depends_on_labels(&self) -> bool {
        match self {
            Self::And(nodes) | Self::Or(nodes) => nodes.iter().any(Self::depends_on_labels),
            Self::Not(node) => node.depends_on_labels(),
            Self::Labels(_) => true,
            _ => false,
        }
    }

    /// The parts of the outermost `OR`. The condition is true if any part is true.
    pub fn clauses(&self) -> Vec<&Self> {
        match self {
            Self::Or(nodes) => nodes.iter().flat_map(Self::clauses).collect(),
            other => vec![other],
        }
    }
}

impl Glob {
    /// Whether the word contains a wildcard.
    pub fn is_wild(&self) -> bool {
        self.0.contains(['*', '?'])
    }

    /// The longest sequence of characters without wildcards, as a pattern for the normal form. The pattern begins with
    /// a space if the sequence is the beginning of the word, and ends with a space if it is the end.
    pub fn seed(&self) -> String {
        let mut best = String::new();
        let mut start = 0;
        for run in self.0.split(['*', '?']) {
            let end = start + run.len();
            let mut pattern = String::new();
            if start == 0 {
                pattern.push(' ');
            }
            pattern.push_str(run);
            if end == self.0.len() {
                pattern.push(' ');
            } else if self.0[end..].starts_with('?') {
                // `?` makes the preceding letter optional, so the letter is not part of the pattern.
                pattern.pop();
            }
            if pattern.trim().chars().count() > best.trim().chars().count() {
                best = pattern;
            }
            start = end + 1;
        }
        best
    }

    /// Whether the pattern matches a word.
    pub fn matches(&self, word: &str) -> bool {
        if !self.is_wild() {
            return self.0 == word;
        }
        let pattern: Vec<char> = self.0.chars().collect();
        let word: Vec<char> = word.chars().collect();
        // The positions in the pattern that can be reached after the current character of the word.
        let mut reached = vec![false; pattern.len() + 1];
        reached[0] = true;
        skip(&pattern, &mut reached);
        for c in word {
            let mut next = vec![false; pattern.len() + 1];
            for at in (0..pattern.len()).filter(|at| reached[*at]) {
                match pattern[at] {
                    '*' => next[at] = true,
                    '?' => next[at + 1] = true,
                    expected if expected == c => next[at + 1] = true,
                    _ => {}
                }
            }
            reached = next;
            skip(&pattern, &mut reached);
        }
        reached[pattern.len()]
    }
}

/// Adds the positions that can be reached without a character of the word: `*` and `?` can match an empty text, and a
/// letter before `?` is optional.
fn skip(pattern: &[char], reached: &mut [bool]) {
    for at in 0..pattern.len() {
        if reached[at] && matches!(pattern[at], '*' | '?') {
            reached[at + 1] = true;
        }
        if reached[at] && pattern.get(at + 1) == Some(&'?') {
            reached[at + 2] = true;
        }
    }
}

impl Phrase {
    /// The indexes in `words` at which the phrase begins.
    pub fn starts<'a>(&'a self, words: &'a [&str]) -> impl Iterator<Item = usize> + 'a {
        let length = self.0.len();
        (0..(words.len() + 1).saturating_sub(length))
            .filter(move |start| self.0.iter().zip(&words[*start..]).all(|(glob, word)| glob.matches(word)))
    }

    /// Whether the phrase occurs in `words`.
    pub fn occurs(&self, words: &[&str]) -> bool {
        self.starts(words).next().is_some()
    }

    /// A pattern that occurs in every text that contains this phrase.
    pub fn seed(&self) -> String {
        self.0.iter().map(Glob::seed).max_by_key(|seed| seed.trim().chars().count()).unwrap_or_default()
    }
}

/// The position of a phrase in a text, in words.
#[derive(Clone, Copy, PartialEq)]
struct Place {
    first: usize,
    last: usize,
}

impl Near {
    /// Whether the groups occur close to each other in `words`.
    pub fn occurs(&self, words: &[&str]) -> bool {
        let mut places: Vec<Vec<Place>> = Vec::with_capacity(self.groups.len());
        for group in &self.groups {
            let of_group = group.iter().flat_map(|phrase| {
                let length = phrase.0.len();
                phrase.starts(words).map(move |first| Place { first, last: first + length - 1 }).collect::<Vec<_>>()
            });
            let of_group: Vec<Place> = of_group.collect();
            if of_group.is_empty() {
                return false;
            }
            places.push(of_group);
        }
        places[0].iter().any(|place| self.continues(&mut vec![*place], &places[1..]))
    }

    /// Whether the remaining groups `rest` occur close to the `chosen` positions.
    fn continues(&self, chosen: &mut Vec<Place>, rest: &[Vec<Place>]) -> bool {
        let Some((group, rest)) = rest.split_first() else { return true };
        for place in group {
            let overlaps = chosen.iter().any(|other| place.first <= other.last && other.first <= place.last);
            let last = chosen[chosen.len() - 1];
            let close = if self.ordered {
                place.first > last.last && place.first - last.last - 1 <= self.distance
            } else {
                let between = |one: &Place, other: &Place| {
                    if one.first > other.last {
                        one.first - other.last - 1
                    } else {
                        other.first.saturating_sub(one.last + 1)
                    }
                };
                chosen.iter().any(|other| between(place, other) <= self.distance)
            };
            if overlaps || !close {
                continue;
            }
            chosen.push(*place);
            let found = self.continues(chosen, rest);
            chosen.pop();
            if found {
                return true;
            }
        }
        false
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn wildcards_match_inside_words() {
        for (glob, word, expected) in [
            ("colo?r", "color", true),
            ("colou?r", "color", true),
            ("colou?r", "colour", true),
            ("colou?r", "colours", false),
            ("ac*me", "acme", true),
            ("ac*me", "acidme", true),
            ("*phone", "smartphone", true),
            ("*phone", "phones", false),
            ("serv*", "service", true),
        ] {
            assert_eq!(Glob(glob.to_owned()).matches(word), expected, "{glob} {word}");
        }
    }

    #[test]
    fn seed_of_a_word_is_its_longest_part_without_wildcards() {
        let of = |glob: &str| Glob(glob.to_owned()).seed();
        assert_eq!([of("acme"), of("servic*"), of("*phone"), of("a*tomat*")], [" acme ", " servic", "phone ", "tomat"]);
        assert_eq!(of("colou?r"), " colo");
    }
}
