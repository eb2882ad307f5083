//! Compiles queries to conditions with numbered terms, and finds the terms that trigger the evaluation of a condition.

use super::terms::{TermId, TermsBuilder, frequency};
use super::tree::Tree;
use crate::topics::node::{Node, Phrase};

/// The estimated frequency of a part of a word, divided by the frequency of a whole word of the same length.
const PART: f32 = 4.0;
/// The estimated share of posts that a single author writes.
const AUTHOR: f32 = 0.001;

/// A compiled condition.
pub struct Compiled {
    /// The condition, in which terms are replaced by their numbers.
    pub tree: Tree,
    /// The terms of which at least one occurs in each post for which the condition holds.
    pub triggers: Triggers,
}

impl Compiled {
    /// Whether the condition holds whenever one of its triggers occurs.
    fn is_implied(&self) -> bool {
        let is_term = |tree: &Tree| matches!(tree, Tree::Term(_));
        let is_any = is_term(&self.tree) || matches!(&self.tree, Tree::Or(trees) if trees.iter().all(is_term));
        is_any && matches!(self.triggers, Triggers::Terms { .. })
    }
}

/// Which terms must be found before a condition can be true.
pub enum Triggers {
    /// The condition can only be true if one of these terms occurs. `frequency` is the estimated share of posts in
    /// which one of the terms occurs.
    Terms { frequency: f32, terms: Vec<u32> },
    /// The condition can be true without any term.
    Always,
}

impl Triggers {
    fn frequency(&self) -> f32 {
        match self {
            Self::Terms { frequency, .. } => *frequency,
            Self::Always => f32::INFINITY,
        }
    }

    /// The triggers of a condition that is true if any of its parts is true: the triggers of all parts.
    fn any(parts: impl IntoIterator<Item = Self>) -> Self {
        let (mut sum, mut all) = (0.0, Vec::new());
        for part in parts {
            let Self::Terms { frequency, terms } = part else { return Self::Always };
            sum += frequency;
            all.extend(terms);
        }
        Self::Terms { frequency: sum, terms: all }
    }

    /// The triggers of a condition that is true if all its parts are true: the triggers of the rarest part suffice.
    fn rarest(parts: impl IntoIterator<Item = Self>) -> Self {
        parts.into_iter().min_by(|one, other| one.frequency().total_cmp(&other.frequency())).unwrap_or(Self::Always)
    }
}

/// Adds the terms of a query to `terms`.
pub fn collect(node: &Node, terms: &mut TermsBuilder) {
    match node {
        Node::And(nodes) | Node::Or(nodes) => nodes.iter().for_each(|node| collect(node, terms)),
        Node::Not(node) => collect(node, terms),
        Node::Text(pattern) => _ = terms.pattern(pattern),
        Node::Phrase(phrase) => _ = terms.pattern(&phrase.seed()),
        Node::Near(near) => near.groups.iter().flatten().for_each(|phrase| _ = terms.pattern(&phrase.seed())),
        Node::Literal(literal) => _ = terms.literal(literal),
        Node::Author(name) => _ = terms.author(name),
        Node::Source(name) => _ = terms.source(name),
        Node::Lang(tag) => _ = terms.language(tag),
        Node::Field(_) | Node::Labels(_) => {}
    }
}

/// Compiles conditions whose terms were all collected before.
pub struct Compiler<'t> {
    /// The terms of all queries, with their numbers.
    pub terms: &'t mut TermsBuilder,
}

impl Compiler<'_> {
    /// Compiles a clause of a query. Parts of the condition that are true whenever a trigger occurs are left out.
    pub fn clause(&mut self, node: &Node) -> Compiled {
        let Node::And(nodes) = node else {
            let mut clause = self.holds(node);
            if clause.is_implied() {
                clause.tree = Tree::And(Box::new([]));
            }
            return clause;
        };
        let mut parts: Vec<Compiled> = nodes.iter().map(|node| self.holds(node)).collect();
        let rarest = (0..parts.len())
            .min_by(|one, other| parts[*one].triggers.frequency().total_cmp(&parts[*other].triggers.frequency()));
        match rarest {
            Some(rarest) if parts[rarest].is_implied() => {
                let Compiled { triggers, .. } = parts.swap_remove(rarest);
                Compiled { triggers, ..all(parts) }
            }
            _ => all(parts),
        }
    }

    /// Compiles the condition that `node` is true.
    pub fn holds(&mut self, node: &Node) -> Compiled {
        match node {
            Node::And(nodes) => all(nodes.iter().map(|node| self.holds(node)).collect()),
            Node::Or(nodes) => any(nodes.iter().map(|node| self.holds(node)).collect()),
            Node::Not(node) => self.fails(node),
            Node::Text(pattern) => {
                let term = self.terms.pattern(pattern);
                self.term(term, pattern_frequency(term, pattern))
            }
            Node::Phrase(phrase) => Compiled { tree: Tree::Phrase(phrase.clone()), triggers: self.seed(phrase) },
            Node::Near(near) => {
                let groups =
                    near.groups.iter().map(|group| Triggers::any(group.iter().map(|phrase| self.seed(phrase))));
                Compiled { triggers: Triggers::rarest(groups), tree: Tree::Near(near.clone()) }
            }
            Node::Literal(literal) => {
                let term = self.terms.literal(literal);
                self.term(term, PART * frequency(&literal.text))
            }
            Node::Author(name) => {
                let term = self.terms.author(name);
                self.term(term, AUTHOR)
            }
            Node::Source(name) => {
                let term = self.terms.source(name);
                self.property(term)
            }
            Node::Lang(tag) => {
                let term = self.terms.language(tag);
                self.property(term)
            }
            Node::Field(field) => Compiled { tree: Tree::Field(field.clone()), triggers: Triggers::Always },
            Node::Labels(set) => Compiled { tree: Tree::Labels(*set), triggers: Triggers::Always },
        }
    }

    /// Compiles the condition that `node` is false.
    fn fails(&mut self, node: &Node) -> Compiled {
        match node {
            Node::And(nodes) => any(nodes.iter().map(|node| self.fails(node)).collect()),
            Node::Or(nodes) => all(nodes.iter().map(|node| self.fails(node)).collect()),
            Node::Not(node) => self.holds(node),
            Node::Labels(set) => Compiled { tree: Tree::Labels(!*set), triggers: Triggers::Always },
            node => Compiled { tree: Tree::Not(Box::new(self.holds(node).tree)), triggers: Triggers::Always },
        }
    }

    fn term(&self, term: TermId, frequency: f32) -> Compiled {
        let number = self.terms.number(term);
        Compiled { tree: Tree::Term(number), triggers: Triggers::Terms { frequency, terms: vec![number] } }
    }

    /// Compiles a term that is not used as a trigger, because too many posts have it.
    fn property(&self, term: TermId) -> Compiled {
        Compiled { tree: Tree::Term(self.terms.number(term)), triggers: Triggers::Always }
    }

    fn seed(&mut self, phrase: &Phrase) -> Triggers {
        let seed = phrase.seed();
        let term = self.terms.pattern(&seed);
        Triggers::Terms { frequency: pattern_frequency(term, &seed), terms: vec![self.terms.number(term)] }
    }
}

fn pattern_frequency(term: TermId, pattern: &str) -> f32 {
    let factor = if matches!(term, TermId::Part(_)) { PART } else { 1.0 };
    factor * frequency(pattern)
}

fn all(parts: Vec<Compiled>) -> Compiled {
    let (mut trees, triggers): (Vec<Tree>, Vec<Triggers>) =
        parts.into_iter().map(|part| (part.tree, part.triggers)).unzip();
    trees.sort_by_key(Tree::cost);
    Compiled { tree: Tree::And(trees.into()), triggers: Triggers::rarest(triggers) }
}

fn any(parts: Vec<Compiled>) -> Compiled {
    let (mut trees, triggers): (Vec<Tree>, Vec<Triggers>) =
        parts.into_iter().map(|part| (part.tree, part.triggers)).unzip();
    trees.sort_by_key(Tree::cost);
    Compiled { tree: Tree::Or(trees.into()), triggers: Triggers::any(triggers) }
}
