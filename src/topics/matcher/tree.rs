//! Conditions whose terms are replaced by their numbers.

use std::cell::OnceCell;

use super::lists::Marks;
use crate::domain::{LabelSet, Subject};
use crate::terms::text::{MARKS, is_emoji, words_of};
use crate::topics::node::{Field, Near, Phrase};

/// A condition, in which terms are replaced by their numbers.
pub enum Tree {
    /// All conditions are true. An empty list is true.
    And(Box<[Tree]>),
    /// At least one condition is true.
    Or(Box<[Tree]>),
    /// The condition is false.
    Not(Box<Tree>),
    /// The term with this number occurs.
    Term(u32),
    /// The text contains this phrase with wildcards.
    Phrase(Phrase),
    /// The text contains these phrases close to each other.
    Near(Near),
    /// The post has this property.
    Field(Field),
    /// The analysis of the post has one of these results.
    Labels(LabelSet),
}

/// A post while topics are matched against it.
pub struct PostView<'a> {
    subject: &'a Subject<'a>,
    normal: &'a str,
    words: OnceCell<Vec<&'a str>>,
    /// The numbers of the terms that occur in the post.
    found: &'a Marks,
}

impl<'a> PostView<'a> {
    /// Creates the view from the text in normal form and the terms that occur in the post.
    pub fn new(subject: &'a Subject<'a>, normal: &'a str, found: &'a Marks) -> Self {
        Self { subject, normal, words: OnceCell::new(), found }
    }

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
    /// The results of the analysis for which the condition is true for a post.
    pub fn holds(&self, post: &PostView<'_>) -> LabelSet {
        match self {
            Self::And(trees) => {
                let mut holds = LabelSet::ALL;
                for tree in trees {
                    holds = holds & tree.holds(post);
                    if holds == LabelSet::NONE {
                        break;
                    }
                }
                holds
            }
            Self::Or(trees) => {
                let mut holds = LabelSet::NONE;
                for tree in trees {
                    holds = holds | tree.holds(post);
                    if holds == LabelSet::ALL {
                        break;
                    }
                }
                holds
            }
            Self::Not(tree) => !tree.holds(post),
            Self::Term(term) => LabelSet::all_if(post.found.has(*term)),
            Self::Phrase(phrase) => LabelSet::all_if(phrase.occurs(post.words())),
            Self::Near(near) => LabelSet::all_if(near.occurs(post.words())),
            Self::Field(field) => LabelSet::all_if(field.holds(post)),
            Self::Labels(set) => *set,
        }
    }

    /// The relative cost of [`Self::holds`]. Conditions with a low cost are evaluated first.
    pub fn cost(&self) -> u8 {
        match self {
            Self::Term(_) | Self::Labels(_) => 0,
            Self::Not(tree) => tree.cost(),
            Self::Field(Field::Reply) => 1,
            Self::And(trees) | Self::Or(trees) => trees.iter().map(Self::cost).max().unwrap_or_default().max(2),
            Self::Field(_) => 3,
            Self::Phrase(_) => 4,
            Self::Near(_) => 5,
        }
    }
}

impl Field {
    fn holds(&self, post: &PostView<'_>) -> bool {
        let subject = post.subject;
        let url = || subject.url.map(str::to_lowercase);
        match self {
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

/// The host in a URL.
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
