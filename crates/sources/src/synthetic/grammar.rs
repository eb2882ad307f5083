//! The rules in `words/`, and their expansion to text.
//!
//! A rule is a line `[name]`, followed by one alternative per line. Placeholders in an alternative: `{name}` becomes an
//! alternative of the rule `name`. `{.name}` becomes an alternative of the rule `name.KIND`, where `KIND` is the kind of
//! the topic. `{a|b|}` becomes `a`, `b` or nothing. `{topic}`, `{tag}`, `{handle}`, `{crisis}` and `{n}` (2 to 9) become
//! the respective value. A rule uses all of its alternatives in random order before it repeats one.

use std::collections::HashMap;

use rand::Rng;
use rand::rngs::StdRng;

const WORDS: [&str; 6] = [
    include_str!("words/moods.txt"),
    include_str!("words/sentences.txt"),
    include_str!("words/products.txt"),
    include_str!("words/places.txt"),
    include_str!("words/incidents.txt"),
    include_str!("words/world.txt"),
];

/// The index of a rule.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct RuleId(usize);

/// A topic of generated posts.
#[derive(Clone, Debug)]
pub struct Topic {
    /// The name as it is used in texts.
    pub name: &'static str,
    /// The name as a hashtag, without `#`.
    pub tag: String,
    /// The name as an account, without `@`.
    pub handle: String,
    kind: usize,
}

enum Piece {
    Text(&'static str),
    Rule(RuleId),
    /// One rule per kind of topic.
    ByKind(Vec<Option<RuleId>>),
    OneOf(Vec<&'static str>),
    Topic,
    Tag,
    Handle,
    Crisis,
    Digit,
}

#[derive(Default)]
struct Rule {
    alternatives: Vec<Vec<Piece>>,
}

/// The random order in which a rule's alternatives are used.
struct Shuffle {
    order: Vec<u16>,
    used: usize,
}

impl Shuffle {
    /// The index of the next alternative. When all alternatives were used, a new random order begins.
    fn next_index(&mut self, rng: &mut StdRng) -> usize {
        if self.used >= self.order.len() {
            self.used = 0;
        }
        let pick = rng.random_range(self.used..self.order.len());
        self.order.swap(self.used, pick);
        self.used += 1;
        usize::from(self.order[self.used - 1])
    }
}

/// The subject of a text.
#[derive(Clone, Copy)]
pub struct Subject<'a> {
    /// The topic of the text, for `{topic}`, `{tag}` and `{handle}`.
    pub topic: &'a Topic,
    /// The event that happened to the topic, for `{crisis}`.
    pub crisis: &'a str,
}

/// All rules and topics.
pub struct Grammar {
    rules: Vec<Rule>,
    shuffles: Vec<Shuffle>,
    names: HashMap<&'static str, RuleId>,
}

impl Grammar {
    /// Reads the rules and topics of the word lists.
    pub fn load() -> (Self, Vec<Topic>) {
        let lists = read_lists();
        let kinds: Vec<&str> = lists.iter().filter_map(|(name, _)| name.strip_prefix("topics.")).collect();
        let names: HashMap<_, _> = lists.iter().enumerate().map(|(id, (name, _))| (*name, RuleId(id))).collect();

        let mut topics = Vec::new();
        for (kind, name) in kinds.iter().enumerate() {
            let RuleId(list) = names[format!("topics.{name}").as_str()];
            topics.extend(lists[list].1.iter().map(|&name| topic(name, kind)));
        }
        let rules: Vec<_> = lists
            .iter()
            .map(|(_, lines)| Rule { alternatives: lines.iter().map(|line| parse(line, &names, &kinds)).collect() })
            .collect();
        let shuffles = rules
            .iter()
            .map(|rule| Shuffle { order: (0..rule.alternatives.len() as u16).collect(), used: 0 })
            .collect();
        (Self { rules, shuffles, names }, topics)
    }

    /// The rule with this name; `None` if it has no alternatives.
    pub fn rule(&self, name: &str) -> Option<RuleId> {
        self.names.get(name).copied().filter(|id| !self.rules[id.0].alternatives.is_empty())
    }

    /// Prepares the expansion of rules about `subject`.
    pub fn about<'a>(&'a mut self, subject: Subject<'a>, rng: &'a mut StdRng) -> Expansion<'a> {
        Expansion { rules: &self.rules, shuffles: &mut self.shuffles, subject, rng }
    }
}

/// Expands rules for one subject.
pub struct Expansion<'a> {
    rules: &'a [Rule],
    shuffles: &'a mut [Shuffle],
    subject: Subject<'a>,
    rng: &'a mut StdRng,
}

impl Expansion<'_> {
    /// Appends one alternative of a rule to `out`.
    pub fn expand(&mut self, RuleId(rule): RuleId, out: &mut String) {
        let rules = self.rules;
        let index = self.shuffles[rule].next_index(self.rng);
        for piece in &rules[rule].alternatives[index] {
            match piece {
                Piece::Text(text) => out.push_str(text),
                Piece::Rule(rule) => self.expand(*rule, out),
                Piece::ByKind(rules) => {
                    if let Some(rule) = rules[self.subject.topic.kind] {
                        self.expand(rule, out);
                    }
                }
                Piece::OneOf(texts) => out.push_str(texts[self.rng.random_range(0..texts.len())]),
                Piece::Topic => out.push_str(self.subject.topic.name),
                Piece::Tag => out.push_str(&self.subject.topic.tag),
                Piece::Handle => out.push_str(&self.subject.topic.handle),
                Piece::Crisis => out.push_str(self.subject.crisis),
                Piece::Digit => out.push(char::from(self.rng.random_range(b'2'..=b'9'))),
            }
        }
    }
}

fn read_lists() -> Vec<(&'static str, Vec<&'static str>)> {
    let mut lists: Vec<(&str, Vec<&str>)> = Vec::new();
    for line in WORDS.iter().flat_map(|words| words.lines()) {
        if line.starts_with("//") || line.trim().is_empty() {
            continue;
        }
        if let Some(name) = line.strip_prefix('[').and_then(|rest| rest.strip_suffix(']')) {
            lists.push((name, Vec::new()));
        } else if let Some((_, lines)) = lists.last_mut() {
            lines.push(line);
        }
    }
    lists
}

fn topic(name: &'static str, kind: usize) -> Topic {
    let tag: String = name.chars().filter(|c| c.is_alphanumeric()).collect();
    Topic { name, handle: tag.to_lowercase(), tag, kind }
}

fn parse(line: &'static str, names: &HashMap<&'static str, RuleId>, kinds: &[&str]) -> Vec<Piece> {
    let mut pieces = Vec::new();
    let mut rest = line;
    while let Some((before, (inside, after))) =
        rest.split_once('{').and_then(|(before, tail)| Some((before, tail.split_once('}')?)))
    {
        if !before.is_empty() {
            pieces.push(Piece::Text(before));
        }
        pieces.push(reference(inside, names, kinds));
        rest = after;
    }
    if !rest.is_empty() {
        pieces.push(Piece::Text(rest));
    }
    pieces
}

fn reference(inside: &'static str, names: &HashMap<&'static str, RuleId>, kinds: &[&str]) -> Piece {
    if inside.contains('|') {
        return Piece::OneOf(inside.split('|').collect());
    }
    if let Some(name) = inside.strip_prefix('.') {
        let of_kind = |kind: &&str| names.get(format!("{name}.{kind}").as_str()).copied();
        return Piece::ByKind(kinds.iter().map(of_kind).collect());
    }
    match inside {
        "topic" => Piece::Topic,
        "tag" => Piece::Tag,
        "handle" => Piece::Handle,
        "crisis" => Piece::Crisis,
        "n" => Piece::Digit,
        // An unknown name is inserted as text, without its braces. A test checks that no rule contains one.
        _ => names.get(inside).map_or(Piece::Text(inside), |&id| Piece::Rule(id)),
    }
}

#[cfg(test)]
mod tests {
    use std::collections::HashSet;

    use rand::SeedableRng;

    use super::*;

    #[test]
    fn names_of_word_lists_exist_for_every_topic_kind() {
        let (grammar, topics) = Grammar::load();
        let kinds: HashSet<_> = topics.iter().map(|topic| topic.kind).collect();
        for (name, id) in &grammar.names {
            let rule = &grammar.rules[id.0];
            assert!(!rule.alternatives.is_empty(), "{name} has no alternatives");
            for piece in rule.alternatives.iter().flatten() {
                match piece {
                    Piece::Text(text) => assert!(!text.contains(['{', '}']), "{name}: {text}"),
                    Piece::ByKind(rules) => {
                        assert!(kinds.iter().all(|&kind| rules[kind].is_some()), "{name}: a kind lacks a list");
                    }
                    _ => {}
                }
            }
        }
        for line in read_lists().iter().flat_map(|(_, lines)| lines) {
            for inside in line.split('{').skip(1).filter_map(|rest| rest.split_once('}')).map(|(inside, _)| inside) {
                let built_in = ["topic", "tag", "handle", "crisis", "n"].contains(&inside);
                let known = built_in || inside.contains('|') || inside.starts_with('.');
                assert!(known || grammar.rule(inside).is_some(), "{line}: {inside}");
            }
        }
    }

    #[test]
    fn rule_uses_all_alternatives_before_repeating() {
        let (mut grammar, topics) = Grammar::load();
        let rule = grammar.rule("city").unwrap();
        let mut rng = StdRng::seed_from_u64(3);
        let count = grammar.rules[rule.0].alternatives.len();
        for _ in 0..5 {
            let mut seen = HashSet::new();
            for _ in 0..count {
                let mut city = String::new();
                grammar.about(Subject { topic: &topics[0], crisis: "" }, &mut rng).expand(rule, &mut city);
                seen.insert(city);
            }
            assert_eq!(seen.len(), count);
        }
    }
}
