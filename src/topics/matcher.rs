//! Matches all topics at once: one automaton finds the terms of all topics, and only topics whose terms occur are
//! evaluated.

use std::cell::OnceCell;
use std::collections::HashMap;

use aho_corasick::{AhoCorasick, MatchKind};

use super::node::{Field, Literal, Near, Node, Phrase};
use super::query::Query;
use crate::domain::{Subject, TopicId};
use crate::terms::text::{MARKS, fold, is_emoji, push_words, words_of};

/// Topics that posts can be matched against.
#[derive(Default)]
pub struct Matcher {
    /// Finds the terms of all topics in texts in normal form; `None` when there are no terms.
    automaton: Option<AhoCorasick>,
    /// Finds the literal terms in texts as they are written.
    literals: Option<AhoCorasick>,
    /// Which literals must begin and end at a word boundary.
    bounds: Vec<Bounds>,
    /// For each pattern, the topics that may match when it occurs. Literals follow the other patterns.
    touches: Vec<Vec<u32>>,
    topics: Vec<Compiled>,
    /// Topics that may match although no term occurs.
    always: Vec<u32>,
}

struct Compiled {
    id: TopicId,
    tree: Tree,
}

/// A query whose terms are replaced by pattern numbers.
enum Tree {
    And(Box<[Tree]>),
    Or(Box<[Tree]>),
    Not(Box<Tree>),
    Text(u32),
    Phrase(Phrase),
    Near(Near),
    Field(Field),
}

/// At which ends of a literal there must be a word boundary.
#[derive(Clone, Copy)]
struct Bounds {
    start: bool,
    end: bool,
}

/// Buffers that are reused for each post.
#[derive(Default)]
pub struct Scratch {
    words: String,
    /// For each pattern and each topic, the number of the last post that it was found in.
    seen: Vec<u64>,
    touched: Vec<u64>,
    candidates: Vec<u32>,
    post: u64,
}

/// The terms need more memory than an automaton may use.
#[derive(Debug, thiserror::Error)]
#[error("the topics have too many terms: {0}")]
pub struct TooManyTerms(#[from] aho_corasick::BuildError);

impl Matcher {
    /// A matcher of these topics.
    ///
    /// # Errors
    /// When they have more terms than an automaton can hold.
    pub fn new<'q>(topics: impl IntoIterator<Item = (TopicId, &'q Query)>) -> Result<Self, TooManyTerms> {
        let topics: Vec<(TopicId, &Query)> = topics.into_iter().collect();
        let mut patterns = Patterns::default();
        for (_, query) in &topics {
            patterns.collect(&query.node);
        }
        let mut touches = vec![Vec::new(); patterns.texts.len() + patterns.literals.len()];
        let (mut compiled, mut always) = (Vec::with_capacity(topics.len()), Vec::new());
        for (number, (id, query)) in (0..).zip(topics) {
            let tree = patterns.compile(&query.node, &mut |pattern| {
                let topics: &mut Vec<u32> = &mut touches[pattern as usize];
                if topics.last() != Some(&number) {
                    topics.push(number);
                }
            });
            if query.node.without_terms().can_hold {
                always.push(number);
            }
            compiled.push(Compiled { id, tree });
        }
        let build = |texts: &[String]| match texts {
            [] => Ok(None),
            texts => AhoCorasick::builder().match_kind(MatchKind::Standard).build(texts).map(Some),
        };
        Ok(Self {
            automaton: build(&patterns.texts)?,
            literals: build(&patterns.literals)?,
            bounds: patterns.bounds,
            touches,
            topics: compiled,
            always,
        })
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
        let mut normal = std::mem::take(&mut scratch.words);
        push_words(subject.content, &mut normal);
        if let Some(automaton) = &self.automaton {
            for found in automaton.find_overlapping_iter(&normal) {
                let pattern = found.pattern().as_usize();
                scratch.touch(pattern, &self.touches[pattern]);
            }
        }
        if let Some(literals) = &self.literals {
            let first = self.touches.len() - self.bounds.len();
            for found in literals.find_overlapping_iter(subject.content) {
                let number = found.pattern().as_usize();
                if self.bounds[number].hold(subject.content, found.range()) {
                    let pattern = first + number;
                    scratch.touch(pattern, &self.touches[pattern]);
                }
            }
        }
        for &topic in &self.always {
            if scratch.touched[topic as usize] != scratch.post {
                scratch.candidates.push(topic);
            }
        }
        let post =
            PostView { subject, normal: &normal, words: OnceCell::new(), seen: &scratch.seen, number: scratch.post };
        let mut matched: Vec<TopicId> = scratch
            .candidates
            .iter()
            .map(|topic| &self.topics[*topic as usize])
            .filter(|topic| topic.tree.holds(&post))
            .map(|topic| topic.id)
            .collect();
        matched.sort_unstable();
        scratch.words = normal;
        matched
    }
}

impl Scratch {
    fn begin(&mut self, patterns: usize, topics: usize) {
        self.words.clear();
        self.candidates.clear();
        self.post += 1;
        // Post numbers only increase, so marks that another matcher left never count for this post.
        self.seen.resize(patterns.max(self.seen.len()), 0);
        self.touched.resize(topics.max(self.touched.len()), 0);
    }

    /// Records that a pattern occurs, and the topics that may match because of it.
    fn touch(&mut self, pattern: usize, topics: &[u32]) {
        if std::mem::replace(&mut self.seen[pattern], self.post) == self.post {
            return;
        }
        for &topic in topics {
            if std::mem::replace(&mut self.touched[topic as usize], self.post) != self.post {
                self.candidates.push(topic);
            }
        }
    }
}

impl Bounds {
    /// Whether the required word boundaries exist around a literal at `range`.
    fn hold(self, text: &str, range: std::ops::Range<usize>) -> bool {
        let is_word = |c: Option<char>| c.is_some_and(char::is_alphanumeric);
        let before = is_word(text[..range.start].chars().next_back());
        let after = is_word(text[range.end..].chars().next());
        !(self.start && before || self.end && after)
    }
}

#[derive(Default)]
struct Patterns {
    numbers: HashMap<String, u32>,
    texts: Vec<String>,
    literal_numbers: HashMap<Literal, u32>,
    literals: Vec<String>,
    bounds: Vec<Bounds>,
}

/// Whether a condition makes a topic match, or prevents it from matching.
#[derive(Clone, Copy, PartialEq)]
enum Sign {
    Plus,
    Minus,
}

impl Patterns {
    /// Assigns a number to each pattern of a tree.
    fn collect(&mut self, node: &Node) {
        match node {
            Node::And(nodes) | Node::Or(nodes) => nodes.iter().for_each(|node| self.collect(node)),
            Node::Not(node) => self.collect(node),
            Node::Text(text) => _ = self.text(text),
            Node::Phrase(phrase) => _ = self.text(&phrase.seed()),
            Node::Near(near) => near.groups.iter().flatten().for_each(|phrase| _ = self.text(&phrase.seed())),
            Node::Literal(literal) => _ = self.literal(literal),
            Node::Field(_) => {}
        }
    }

    /// Replaces the patterns of a tree by their numbers. Calls `touch` with the patterns whose occurrence may make the
    /// tree true.
    fn compile(&mut self, node: &Node, touch: &mut dyn FnMut(u32)) -> Tree {
        self.signed(node, Sign::Plus, touch)
    }

    fn signed(&mut self, node: &Node, sign: Sign, touch: &mut dyn FnMut(u32)) -> Tree {
        // A pattern that only prevents a match does not make the topic a candidate.
        let mut helps = |pattern: u32| {
            if sign == Sign::Plus {
                touch(pattern);
            }
            pattern
        };
        match node {
            Node::And(nodes) => Tree::And(nodes.iter().map(|node| self.signed(node, sign, touch)).collect()),
            Node::Or(nodes) => Tree::Or(nodes.iter().map(|node| self.signed(node, sign, touch)).collect()),
            Node::Not(node) => {
                let other = if sign == Sign::Plus { Sign::Minus } else { Sign::Plus };
                Tree::Not(Box::new(self.signed(node, other, touch)))
            }
            Node::Text(text) => Tree::Text(helps(self.text(text))),
            Node::Phrase(phrase) => {
                helps(self.text(&phrase.seed()));
                Tree::Phrase(phrase.clone())
            }
            Node::Near(near) => {
                // All groups must occur, so one of them is enough to make the topic a candidate.
                for phrase in &near.groups[0] {
                    helps(self.text(&phrase.seed()));
                }
                Tree::Near(near.clone())
            }
            Node::Literal(literal) => {
                let number = self.literal(literal) + self.texts.len() as u32;
                Tree::Text(helps(number))
            }
            Node::Field(field) => Tree::Field(field.clone()),
        }
    }

    fn text(&mut self, text: &str) -> u32 {
        if let Some(number) = self.numbers.get(text) {
            return *number;
        }
        let number = self.texts.len() as u32;
        self.numbers.insert(text.to_owned(), number);
        self.texts.push(text.to_owned());
        number
    }

    fn literal(&mut self, literal: &Literal) -> u32 {
        if let Some(number) = self.literal_numbers.get(literal) {
            return *number;
        }
        let number = self.literals.len() as u32;
        let is_word = |c: Option<char>| literal.whole_words || c.is_some_and(char::is_alphanumeric);
        self.bounds.push(Bounds {
            start: is_word(literal.text.chars().next()),
            end: is_word(literal.text.chars().next_back()),
        });
        self.literal_numbers.insert(literal.clone(), number);
        self.literals.push(literal.text.clone());
        number
    }
}

/// A post while topics are matched against it.
struct PostView<'a> {
    subject: &'a Subject<'a>,
    normal: &'a str,
    words: OnceCell<Vec<&'a str>>,
    seen: &'a [u64],
    number: u64,
}

impl<'a> PostView<'a> {
    fn words(&self) -> &[&'a str] {
        self.words.get_or_init(|| words_of(self.normal))
    }

    fn hashtags(&self) -> usize {
        let marks = self.normal.split_once(MARKS).map_or("", |(_, marks)| marks);
        marks.split(' ').filter(|mark| mark.starts_with('#')).count()
    }

    fn links(&self) -> impl Iterator<Item = String> {
        let words = self.subject.content.split_whitespace();
        words.filter_map(|word| {
            let lower = word.to_lowercase();
            let at = lower.find("https://").or_else(|| lower.find("http://")).or_else(|| lower.find("www."))?;
            Some(lower[at..].to_owned())
        })
    }
}

impl Tree {
    fn holds(&self, post: &PostView<'_>) -> bool {
        match self {
            Self::And(trees) => trees.iter().all(|tree| tree.holds(post)),
            Self::Or(trees) => trees.iter().any(|tree| tree.holds(post)),
            Self::Not(tree) => !tree.holds(post),
            Self::Text(pattern) => post.seen[*pattern as usize] == post.number,
            Self::Phrase(phrase) => phrase.occurs(post.words()),
            Self::Near(near) => near.occurs(post.words()),
            Self::Field(field) => field.holds(post),
        }
    }
}

impl Field {
    fn holds(&self, post: &PostView<'_>) -> bool {
        let subject = post.subject;
        let url = || subject.url.map(str::to_lowercase);
        match self {
            Self::Source(name) => subject.source == name,
            Self::Author(name) => subject.author.is_some_and(|author| fold(author.trim_start_matches('@')) == **name),
            Self::Lang(tag) => subject.lang.is_some_and(|lang| is_variety(lang, tag)),
            Self::Site(site) => url().is_some_and(|url| is_below(host(&url), site)),
            Self::Url(part) => url().is_some_and(|url| url.contains(part)),
            Self::Links(part) => post.links().any(|link| link.contains(part)),
            Self::Reply => subject.is_reply,
            Self::Emoji => post.words().iter().any(|word| is_emoji(word)),
            Self::Link => post.links().next().is_some(),
            Self::Hashtags(comparison, number) => comparison.holds(post.hashtags(), *number),
        }
    }
}

/// The host of an address.
fn host(url: &str) -> &str {
    let rest = url.split_once("://").map_or(url, |(_, rest)| rest);
    let authority = rest.split(['/', '?', '#']).next().unwrap_or(rest);
    let host = authority.rsplit('@').next().unwrap_or(authority);
    host.split(':').next().unwrap_or(host)
}

/// Whether `host` is `site` or below it.
fn is_below(host: &str, site: &str) -> bool {
    host.strip_suffix(site).is_some_and(|rest| rest.is_empty() || rest.ends_with('.'))
}

/// Whether `lang` is `tag` or a variety of it: `en-US` is English.
fn is_variety(lang: &str, tag: &str) -> bool {
    let (lang, tag) = (lang.as_bytes(), tag.as_bytes());
    lang.len() >= tag.len()
        && lang[..tag.len()].eq_ignore_ascii_case(tag)
        && lang.get(tag.len()).is_none_or(|next| matches!(next, b'-' | b'_'))
}

#[cfg(test)]
mod tests;
