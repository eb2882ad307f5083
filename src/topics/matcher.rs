//! Matches a post against all topics at once. The matcher finds the terms of all topics in the post. It then evaluates
//! only the clauses that one of these terms can make true. The clauses of a query are the parts of its outermost `OR`.

mod compile;
mod lists;
mod terms;
#[cfg(test)]
mod tests;
mod tree;

use std::ops::Range;

use super::query::Query;
use crate::domain::{LabelSet, PostLabels, Subject, TopicId};
use crate::terms::text::push_words;
use compile::{Compiler, Triggers, collect};
use lists::{Lists, Marks};
use terms::{Terms, TermsBuilder};
use tree::{PostView, Tree};

/// The compiled queries of topics.
#[derive(Default)]
pub struct Matcher {
    terms: Terms,
    /// For each term, the topics that it makes true and the clauses that it can make true.
    triggered: Lists<Triggered>,
    /// The ids of the topics, in ascending order.
    topics: Vec<TopicId>,
    clauses: Vec<Clause>,
    /// The conditions of all [`Condition::Terms`], in one list.
    asked: Vec<Asked>,
    /// The clauses that can be true without any term. They are evaluated for every post.
    always: Vec<u32>,
    depends_on_labels: bool,
}

/// The effect of a term that occurs in a post.
#[derive(Clone, Copy, PartialEq)]
enum Triggered {
    /// The topic with this index matches.
    Topic(u32),
    /// The clause with this index can be true and must be evaluated.
    Clause(u32),
}

/// One clause of a topic's query. The topic matches if any of its clauses is true.
struct Clause {
    /// The index of the topic.
    topic: u32,
    condition: Condition,
}

enum Condition {
    /// All of these conditions in `asked` must be true.
    Terms(Range<u32>),
    Tree(Tree),
}

/// The condition that a term occurs, or that it does not. The value is twice the number of the term, plus 1 if the term
/// must not occur.
#[derive(Clone, Copy)]
struct Asked(u32);

impl Asked {
    fn of(tree: &Tree) -> Option<Self> {
        match tree {
            Tree::Term(term) => Some(Self(term << 1)),
            Tree::Not(tree) => match &**tree {
                Tree::Term(term) => Some(Self(term << 1 | 1)),
                _ => None,
            },
            _ => None,
        }
    }

    fn holds(self, found: &Marks) -> bool {
        found.has(self.0 >> 1) != (self.0 & 1 == 1)
    }
}

/// The conditions on terms that `tree` consists of; `None` if it contains any other condition.
fn asked_by(tree: &Tree) -> Option<Vec<Asked>> {
    match tree {
        Tree::And(trees) => trees.iter().map(Asked::of).collect(),
        tree => Asked::of(tree).map(|asked| vec![asked]),
    }
}

/// A topic that a post matches if the analysis of the post has one of the results in `labels`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct TopicMatch {
    /// The id of the topic.
    pub topic: TopicId,
    /// The labels with which the post matches; never empty. [`LabelSet::ALL`] if the query has no conditions on labels.
    pub labels: LabelSet,
}

impl TopicMatch {
    /// The topics among `matches` that a post with these labels matches. `None`: the post is unscored.
    pub fn decided(matches: &[Self], labels: Option<PostLabels>) -> Vec<TopicId> {
        matches.iter().filter(|found| found.labels.contains(labels)).map(|found| found.topic).collect()
    }
}

/// Buffers that are reused for each post.
#[derive(Default)]
pub struct Scratch {
    /// The text of the post in normal form.
    normal: String,
    /// The numbers of the words in the text.
    numbers: Vec<u32>,
    terms: Marks,
    candidates: Marks,
    /// The indexes of the topics that match, whatever the result of the analysis is.
    matched: Marks,
}

/// The terms need more memory than an automaton may use.
#[derive(Debug, thiserror::Error)]
#[error("the topics have too many terms ({0}): delete topics, or use fewer terms")]
pub struct TooManyTerms(#[from] aho_corasick::BuildError);

impl Matcher {
    /// Builds a matcher of these topics.
    ///
    /// # Errors
    /// When the topics have more terms than an automaton supports.
    pub fn new<'q>(topics: impl IntoIterator<Item = (TopicId, &'q Query)>) -> Result<Self, TooManyTerms> {
        let mut topics: Vec<(TopicId, &Query)> = topics.into_iter().collect();
        topics.sort_unstable_by_key(|(id, _)| *id);
        let mut terms = TermsBuilder::default();
        topics.iter().for_each(|(_, query)| collect(&query.node, &mut terms));
        let mut triggered = vec![Vec::new(); terms.count()];
        let (mut clauses, mut asked, mut always) = (Vec::new(), Vec::new(), Vec::new());
        for (topic, (_, query)) in (0..).zip(&topics) {
            for node in query.node.clauses() {
                let compiled = Compiler { terms: &mut terms }.clause(node);
                let clause = clauses.len() as u32;
                let consequence = match asked_by(&compiled.tree) {
                    Some(terms) if terms.is_empty() => Triggered::Topic(topic),
                    Some(terms) => {
                        let start = asked.len() as u32;
                        asked.extend(terms);
                        clauses.push(Clause { topic, condition: Condition::Terms(start..asked.len() as u32) });
                        Triggered::Clause(clause)
                    }
                    None => {
                        clauses.push(Clause { topic, condition: Condition::Tree(compiled.tree) });
                        Triggered::Clause(clause)
                    }
                };
                match compiled.triggers {
                    Triggers::Always => always.push(clause),
                    Triggers::Terms { terms, .. } => {
                        for term in terms {
                            let list: &mut Vec<Triggered> = &mut triggered[term as usize];
                            if list.last() != Some(&consequence) {
                                list.push(consequence);
                            }
                        }
                    }
                }
            }
        }
        Ok(Self {
            terms: terms.build()?,
            triggered: Lists::new(triggered),
            clauses,
            asked,
            always,
            depends_on_labels: topics.iter().any(|(_, query)| query.node.depends_on_labels()),
            topics: topics.into_iter().map(|(id, _)| id).collect(),
        })
    }

    /// The ids of the topics.
    pub fn topics(&self) -> &[TopicId] {
        &self.topics
    }

    /// Whether a query has conditions on labels.
    pub fn depends_on_labels(&self) -> bool {
        self.depends_on_labels
    }

    /// Whether there are no topics.
    pub fn is_empty(&self) -> bool {
        self.topics.is_empty()
    }

    /// The topics that `subject` matches, each with the labels for which it matches, in the order of their ids.
    pub fn matches(&self, subject: &Subject<'_>, scratch: &mut Scratch) -> Vec<TopicMatch> {
        if self.topics.is_empty() {
            return Vec::new();
        }
        let Scratch { normal, numbers, terms, candidates, matched } = scratch;
        normal.clear();
        terms.reset(self.terms.count());
        candidates.reset(self.clauses.len());
        matched.reset(self.topics.len());
        push_words(subject.content, normal);
        self.terms.find(subject, normal, numbers, terms);
        for &term in terms.added() {
            for triggered in self.triggered.get(term as usize) {
                _ = match *triggered {
                    Triggered::Topic(topic) => matched.add(topic),
                    Triggered::Clause(clause) => candidates.add(clause),
                };
            }
        }
        let post = PostView::new(subject, normal, terms);
        // The topics that match only with some results of the analysis.
        let mut partly: Vec<(u32, LabelSet)> = Vec::new();
        for &candidate in candidates.added().iter().chain(&self.always) {
            let Clause { topic, condition } = &self.clauses[candidate as usize];
            if matched.has(*topic) {
                continue;
            }
            let holds = match condition {
                Condition::Terms(Range { start, end }) => {
                    let asked = &self.asked[*start as usize..*end as usize];
                    LabelSet::all_if(asked.iter().all(|asked| asked.holds(terms)))
                }
                Condition::Tree(tree) => tree.holds(&post),
            };
            match holds {
                LabelSet::NONE => {}
                LabelSet::ALL => _ = matched.add(*topic),
                labels => partly.push((*topic, labels)),
            }
        }
        let all = matched.added().iter().map(|topic| (*topic, LabelSet::ALL));
        let mut found: Vec<(u32, LabelSet)> =
            all.chain(partly.into_iter().filter(|(topic, _)| !matched.has(*topic))).collect();
        found.sort_unstable_by_key(|(topic, _)| *topic);
        found.dedup_by(|next, first| {
            let is_same = next.0 == first.0;
            if is_same {
                first.1 = first.1 | next.1;
            }
            is_same
        });
        found.into_iter().map(|(topic, labels)| TopicMatch { topic: self.topics[topic as usize], labels }).collect()
    }
}
