//! Matches a post against all topics at once: one automaton finds the terms of all topics, and then only the clauses
//! whose terms occur are evaluated. The clauses of a query are the parts of its outermost `OR`.

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
    /// Finds the terms of all topics in texts in normal form. `None`: there are no terms.
    automaton: Option<AhoCorasick>,
    /// Finds the literal terms in unchanged texts.
    literals: Option<AhoCorasick>,
    /// Which literals must begin and end at a word boundary.
    bounds: Vec<Bounds>,
    /// The pattern of each author, by folded name.
    authors: HashMap<String, u32>,
    /// The clauses that may hold when a pattern occurs, by pattern: first those of texts, then of literals, then of
    /// authors.
    touches: Vec<Vec<u32>>,
    topics: Vec<TopicId>,
    clauses: Vec<Clause>,
    /// Clauses that may hold without any of their terms.
    always: Vec<u32>,
}

/// A condition that is sufficient for a topic to match.
struct Clause {
    /// The index of the topic.
    topic: u32,
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

/// The ends of a literal at which a word boundary is required.
#[derive(Clone, Copy)]
struct Bounds {
    start: bool,
    end: bool,
}

/// Buffers that are reused for each post.
#[derive(Default)]
pub struct Scratch {
    words: String,
    /// By pattern, by clause and by topic: the number of the post in which it was last seen, touched or matched.
    seen: Vec<u64>,
    touched: Vec<u64>,
    matched: Vec<u64>,
    /// Clauses that may hold.
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
        let first_author = patterns.texts.len() + patterns.literals.len();
        let mut touches = vec![Vec::new(); first_author + patterns.authors.len()];
        let (mut clauses, mut always) = (Vec::with_capacity(topics.len()), Vec::new());
        for (topic, (_, query)) in (0..).zip(&topics) {
            for node in query.node.clauses() {
                let number = clauses.len() as u32;
                let tree = patterns.compile(node, &mut |pattern| {
                    let touched: &mut Vec<u32> = &mut touches[pattern as usize];
                    if touched.last() != Some(&number) {
                        touched.push(number);
                    }
                });
                if node.without_terms().can_hold {
                    always.push(number);
                }
                clauses.push(Clause { topic, tree });
            }
        }
        let build = |texts: &[String]| match texts {
            [] => Ok(None),
            texts => AhoCorasick::builder().match_kind(MatchKind::Standard).build(texts).map(Some),
        };
        Ok(Self {
            automaton: build(&patterns.texts)?,
            literals: build(&patterns.literals)?,
            bounds: patterns.bounds,
            authors: patterns.authors.into_iter().map(|(name, number)| (name, first_author as u32 + number)).collect(),
            touches,
            topics: topics.into_iter().map(|(id, _)| id).collect(),
            clauses,
            always,
        })
    }

    /// Whether there are no topics.
    pub fn is_empty(&self) -> bool {
        self.topics.is_empty()
    }

    /// The topics of `subject`, sorted by id.
    pub fn matches(&self, subject: &Subject<'_>, scratch: &mut Scratch) -> Vec<TopicId> {
        if self.topics.is_empty() {
            return Vec::new();
        }
        scratch.begin(self);
        let mut normal = std::mem::take(&mut scratch.words);
        push_words(subject.content, &mut normal);
        if let Some(automaton) = &self.automaton {
            for found in automaton.find_overlapping_iter(&normal) {
                let pattern = found.pattern().as_usize();
                scratch.touch(pattern, &self.touches[pattern]);
            }
        }
        if let Some(literals) = &self.literals {
            let first = self.touches.len() - self.authors.len() - self.bounds.len();
            for found in literals.find_overlapping_iter(subject.content) {
                let number = found.pattern().as_usize();
                if self.bounds[number].hold(subject.content, found.range()) {
                    let pattern = first + number;
                    scratch.touch(pattern, &self.touches[pattern]);
                }
            }
        }
        if let Some(author) = subject.author.filter(|_| !self.authors.is_empty())
            && let Some(&pattern) = self.authors.get(&*fold(author.trim_start_matches('@')))
        {
            scratch.touch(pattern as usize, &self.touches[pattern as usize]);
        }
        scratch.consider(&self.always);
        let post =
            PostView { subject, normal: &normal, words: OnceCell::new(), seen: &scratch.seen, number: scratch.post };
        let mut matched = Vec::new();
        for candidate in &scratch.candidates {
            let Clause { topic, tree } = &self.clauses[*candidate as usize];
            let last = &mut scratch.matched[*topic as usize];
            if *last != scratch.post && tree.holds(&post) {
                *last = scratch.post;
                matched.push(self.topics[*topic as usize]);
            }
        }
        matched.sort_unstable();
        scratch.words = normal;
        matched
    }
}

impl Scratch {
    fn begin(&mut self, matcher: &Matcher) {
        self.words.clear();
        self.candidates.clear();
        self.post += 1;
        // The numbers of posts only increase, so values that another matcher left are never equal to the number of this
        // post.
        self.seen.resize(matcher.touches.len().max(self.seen.len()), 0);
        self.touched.resize(matcher.clauses.len().max(self.touched.len()), 0);
        self.matched.resize(matcher.topics.len().max(self.matched.len()), 0);
    }

    /// Records that a pattern occurs, and that clauses may hold because of it.
    fn touch(&mut self, pattern: usize, clauses: &[u32]) {
        if std::mem::replace(&mut self.seen[pattern], self.post) != self.post {
            self.consider(clauses);
        }
    }

    /// Adds clauses to the candidates, unless they are already included.
    fn consider(&mut self, clauses: &[u32]) {
        for &clause in clauses {
            if std::mem::replace(&mut self.touched[clause as usize], self.post) != self.post {
                self.candidates.push(clause);
            }
        }
    }
}

impl Bounds {
    /// Whether the text has the required word boundaries around a literal at `range`.
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
    authors: HashMap<String, u32>,
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
            Node::Author(name) => _ = self.author(name),
            Node::Field(_) => {}
        }
    }

    /// Replaces the patterns of a tree by their numbers. Calls `touch` with the patterns whose occurrence may make the
    /// tree true.
    fn compile(&mut self, node: &Node, touch: &mut dyn FnMut(u32)) -> Tree {
        self.signed(node, Sign::Plus, touch)
    }

    fn signed(&mut self, node: &Node, sign: Sign, touch: &mut dyn FnMut(u32)) -> Tree {
        // A pattern that can only prevent a match does not make the clause a candidate.
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
                // All groups must occur, so the occurrence of one of them is sufficient to make the clause a candidate.
                for phrase in &near.groups[0] {
                    helps(self.text(&phrase.seed()));
                }
                Tree::Near(near.clone())
            }
            Node::Literal(literal) => {
                let number = self.literal(literal) + self.texts.len() as u32;
                Tree::Text(helps(number))
            }
            Node::Author(name) => {
                let number = (self.texts.len() + self.literals.len()) as u32 + self.author(name);
                Tree::Text(helps(number))
            }
            Node::Field(field) => Tree::Field(field.clone()),
        }
    }

    fn author(&mut self, name: &str) -> u32 {
        let next = self.authors.len() as u32;
        *self.authors.entry(name.to_owned()).or_insert(next)
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

/// The properties of a post that topics are matched against.
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

/// The host of a URL.
fn host(url: &str) -> &str {
    let rest = url.split_once("://").map_or(url, |(_, rest)| rest);
    let authority = rest.split(['/', '?', '#']).next().unwrap_or(rest);
    let host = authority.rsplit('@').next().unwrap_or(authority);
    host.split(':').next().unwrap_or(host)
}

/// Whether `host` is `site` or a subdomain of it.
fn is_below(host: &str, site: &str) -> bool {
    host.strip_suffix(site).is_some_and(|rest| rest.is_empty() || rest.ends_with('.'))
}

/// Whether `lang` is `tag` or a regional form of it, as `en-US` is of `en`.
fn is_variety(lang: &str, tag: &str) -> bool {
    let (lang, tag) = (lang.as_bytes(), tag.as_bytes());
    lang.len() >= tag.len()
        && lang[..tag.len()].eq_ignore_ascii_case(tag)
        && lang.get(tag.len()).is_none_or(|next| matches!(next, b'-' | b'_'))
}

#[cfg(test)]
mod tests;
