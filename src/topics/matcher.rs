//! All topics at once: one automaton over the terms of all, then only the topics whose terms occur.

use std::collections::HashMap;

use aho_corasick::{AhoCorasick, MatchKind};

use super::query::{Node, Query};
use super::text::{fold, push_words};
use crate::domain::{Subject, TopicId};

/// The topics that are tracked, ready to be asked of posts.
#[derive(Default)]
pub struct Matcher {
    /// Of the terms of all topics; `None` when there are none.
    automaton: Option<AhoCorasick>,
    /// By pattern: the topics that may match when it occurs.
    touches: Vec<Vec<u32>>,
    topics: Vec<Compiled>,
    /// Topics that may match without any term.
    always: Vec<u32>,
}

struct Compiled {
    id: TopicId,
    tree: Tree,
}

/// A query whose terms are numbers of patterns.
enum Tree {
    And(Box<[Tree]>),
    Or(Box<[Tree]>),
    Not(Box<Tree>),
    Text(u32),
    Source(Box<str>),
    Author(Box<str>),
    Lang(Box<str>),
}

/// What is used again from post to post.
#[derive(Default)]
pub struct Scratch {
    words: String,
    /// By pattern and by topic: the number of the post that it was last seen in.
    seen: Vec<u64>,
    touched: Vec<u64>,
    candidates: Vec<u32>,
    post: u64,
}

/// The automaton cannot be built from these terms.
#[derive(Debug, thiserror::Error)]
#[error("the topics have too many terms: {0}")]
pub struct TooManyTerms(#[from] aho_corasick::BuildError);

impl Matcher {
    /// A matcher of these topics.
    ///
    /// # Errors
    /// When their terms are more than an automaton can hold.
    pub fn new<'q>(topics: impl IntoIterator<Item = (TopicId, &'q Query)>) -> Result<Self, TooManyTerms> {
        let mut patterns = Patterns::default();
        let (mut compiled, mut always) = (Vec::new(), Vec::new());
        for (number, (id, query)) in (0..).zip(topics) {
            let tree = patterns.compile(&query.0, number, Sign::Plus);
            if query.0.without_terms().0 {
                always.push(number);
            }
            compiled.push(Compiled { id, tree });
        }
        let automaton = if patterns.texts.is_empty() {
            None
        } else {
            Some(AhoCorasick::builder().match_kind(MatchKind::Standard).build(&patterns.texts)?)
        };
        Ok(Self { automaton, touches: patterns.touches, topics: compiled, always })
    }

    /// Whether there are no topics.
    pub fn is_empty(&self) -> bool {
        self.topics.is_empty()
    }

    /// The topics that `subject` is about, in the order of their ids.
    pub fn matches(&self, subject: &Subject<'_>, scratch: &mut Scratch) -> Vec<TopicId> {
        if self.topics.is_empty() {
            return Vec::new();
        }
        scratch.begin(self.touches.len(), self.topics.len());
        if let Some(automaton) = &self.automaton {
            push_words(subject.content, &mut scratch.words);
            for found in automaton.find_overlapping_iter(&scratch.words) {
                let pattern = found.pattern().as_usize();
                if std::mem::replace(&mut scratch.seen[pattern], scratch.post) == scratch.post {
                    continue;
                }
                for &topic in &self.touches[pattern] {
                    if std::mem::replace(&mut scratch.touched[topic as usize], scratch.post) != scratch.post {
                        scratch.candidates.push(topic);
                    }
                }
            }
        }
        for &topic in &self.always {
            if scratch.touched[topic as usize] != scratch.post {
                scratch.candidates.push(topic);
            }
        }
        let holds = |pattern: u32| scratch.seen[pattern as usize] == scratch.post;
        let mut matched: Vec<TopicId> = scratch
            .candidates
            .iter()
            .map(|topic| &self.topics[*topic as usize])
            .filter(|topic| topic.tree.holds(subject, &holds))
            .map(|topic| topic.id)
            .collect();
        matched.sort_unstable();
        matched
    }
}

impl Scratch {
    fn begin(&mut self, patterns: usize, topics: usize) {
        self.words.clear();
        self.candidates.clear();
        self.post += 1;
        if self.seen.len() != patterns || self.touched.len() != topics {
            self.seen = vec![0; patterns];
            self.touched = vec![0; topics];
        }
    }
}

#[derive(Default)]
struct Patterns {
    numbers: HashMap<String, u32>,
    texts: Vec<String>,
    touches: Vec<Vec<u32>>,
}

/// Whether a condition helps a topic to match, or keeps it from it.
#[derive(Clone, Copy, PartialEq)]
enum Sign {
    Plus,
    Minus,
}

impl Patterns {
    fn compile(&mut self, node: &Node, topic: u32, sign: Sign) -> Tree {
        let mut all = |nodes: &[Node]| nodes.iter().map(|node| self.compile(node, topic, sign)).collect();
        match node {
            Node::And(nodes) => Tree::And(all(nodes)),
            Node::Or(nodes) => Tree::Or(all(nodes)),
            Node::Not(node) => {
                let other = if sign == Sign::Plus { Sign::Minus } else { Sign::Plus };
                Tree::Not(Box::new(self.compile(node, topic, other)))
            }
            Node::Text(text) => {
                let number = self.number(text);
                let touches = &mut self.touches[number as usize];
                // What only keeps a topic from matching need not bring it up.
                if sign == Sign::Plus && touches.last() != Some(&topic) {
                    touches.push(topic);
                }
                Tree::Text(number)
            }
            Node::Source(name) => Tree::Source(name.as_str().into()),
            Node::Author(name) => Tree::Author(name.as_str().into()),
            Node::Lang(tag) => Tree::Lang(tag.as_str().into()),
        }
    }

    fn number(&mut self, text: &str) -> u32 {
        if let Some(number) = self.numbers.get(text) {
            return *number;
        }
        let number = self.texts.len() as u32;
        self.numbers.insert(text.to_owned(), number);
        self.texts.push(text.to_owned());
        self.touches.push(Vec::new());
        number
    }
}

impl Tree {
    fn holds(&self, subject: &Subject<'_>, text: &impl Fn(u32) -> bool) -> bool {
        match self {
            Self::And(trees) => trees.iter().all(|tree| tree.holds(subject, text)),
            Self::Or(trees) => trees.iter().any(|tree| tree.holds(subject, text)),
            Self::Not(tree) => !tree.holds(subject, text),
            Self::Text(pattern) => text(*pattern),
            Self::Source(name) => subject.source == &**name,
            Self::Author(name) => subject.author.is_some_and(|author| fold(author.trim_start_matches('@')) == **name),
            Self::Lang(tag) => subject.lang.is_some_and(|lang| is_variety(lang, tag)),
        }
    }
}

/// Whether `lang` is `tag` or a variety of it: `en-US` is English.
fn is_variety(lang: &str, tag: &str) -> bool {
    let (lang, tag) = (lang.as_bytes(), tag.as_bytes());
    lang.len() >= tag.len()
        && lang[..tag.len()].eq_ignore_ascii_case(tag)
        && lang.get(tag.len()).is_none_or(|next| matches!(next, b'-' | b'_'))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn post(content: &str) -> Subject<'_> {
        Subject { content, author: Some("Ada"), source: "web", lang: Some("en-US") }
    }

    fn matcher(queries: &[&str]) -> Matcher {
        let queries: Vec<Query> = queries.iter().map(|text| Query::parse(text).expect(text)).collect();
        Matcher::new((1..).map(TopicId).zip(&queries)).unwrap()
    }

    #[test]
    fn a_query_matches_whole_words_phrases_tags_and_fields() {
        for (query, content, expected) in [
            ("acme", "The ACME, again", true),
            ("acme", "acmetic", false),
            ("acme*", "acmetic", true),
            ("acme*", "placme", false),
            ("acme", "love #acme", true),
            ("#acme", "love #Acme!", true),
            ("#acme", "love acme", false),
            ("#acme*", "love #acmephone", true),
            ("@ada.b", "hi @Ada.B!", true),
            ("@acme", "me@acme.com", false),
            ("\"acme phone\"", "an Acme-Phone", true),
            ("\"acme phone\"", "acme's phone", false),
            ("acme phone", "phone by acme", true),
            ("acme OR phone", "phone", true),
            ("\"acme phone\" OR #acme -giveaway", "win the acme phone in a giveaway", true),
            ("(\"acme phone\" OR #acme) -giveaway", "win the acme phone in a giveaway", false),
            ("acme NOT (free OR win)", "acme wins", true),
            ("acme lang:en source:web author:@ADA", "acme", true),
            ("acme lang:EN-us", "acme", true),
            ("acme lang:e", "acme", false),
            ("acme -source:web", "acme", false),
            ("lang:en -giveaway", "anything", true),
            ("lang:en -giveaway", "a giveaway", false),
            ("source:blog OR acme", "nothing", false),
            ("author:\"ada\"", "nothing", true),
            ("東京", "今日は東京です", true),
            ("京東", "東京", false),
            ("größe", "Die GRÖẞE", true),
            ("größe", "GRÖSSE", false),
            ("groß*", "Die GROẞE", true),
            ("❤️", "I ❤ it", true),
            ("don't", "DON’T", true),
        ] {
            let matched = matcher(&[query]).matches(&post(content), &mut Scratch::default());
            assert_eq!(!matched.is_empty(), expected, "{query} in {content}");
        }
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(48))]

        #[test]
        fn many_topics_match_as_each_alone(
            queries in prop::collection::vec("(a|b|-c|\"a b\"|#a|ab\\*|\\(a OR -b\\)|lang:en|-source:x)( (OR )?(a|-b|c|#c|-a)){0,3}", 1..12),
            contents in prop::collection::vec("(a|b|c|ab|#a|#c|é| ){0,8}", 1..6),
        ) {
            let queries: Vec<&str> = queries.iter().map(String::as_str).filter(|q| Query::parse(q).is_ok()).collect();
            let together = matcher(&queries);
            let mut scratch = Scratch::default();
            for content in &contents {
                let expected: Vec<TopicId> = (1..)
                    .map(TopicId)
                    .zip(&queries)
                    .filter(|(_, query)| !matcher(&[query]).matches(&post(content), &mut Scratch::default()).is_empty())
                    .map(|(id, _)| id)
                    .collect();
                prop_assert_eq!(together.matches(&post(content), &mut scratch), expected, "{} {:?}", content, queries);
            }
        }
    }
}
