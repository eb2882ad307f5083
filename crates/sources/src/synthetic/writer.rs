//! Writes generated posts: chooses source, author, topic, emotion and text.

use rand::rngs::StdRng;
use rand::seq::IndexedRandom;
use rand::{Rng, SeedableRng};

use super::grammar::{Grammar, RuleId, Subject, Topic};
use super::incident::Calendar;
use super::name::Name;
use super::style;
use super::writing_style::{Rules, TextRequest, WritingStyle};
use sentistream_core::domain::{Author, Emotion, Source};

/// The frequency of each emotion, in the order of [`Emotion::ALL`].
type EmotionWeights = [u32; 7];

const EVERYDAY: EmotionWeights = [8, 4, 4, 38, 33, 7, 6];
const REVIEWS: EmotionWeights = [12, 4, 2, 52, 16, 10, 4];
const HEADLINES: EmotionWeights = [5, 2, 5, 12, 66, 5, 5];
const CRISIS: EmotionWeights = [42, 14, 15, 16, 6, 4, 3];

/// The sources, each with its name, its share of all posts, its writing style and its emotions.
const SOURCES: [(&str, u32, WritingStyle, EmotionWeights); 7] = [
    ("twitter", 33, WritingStyle::Short, EVERYDAY),
    ("reddit", 22, WritingStyle::Forum, EVERYDAY),
    ("bluesky", 13, WritingStyle::Short, EVERYDAY),
    ("mastodon", 9, WritingStyle::Short, EVERYDAY),
    ("youtube", 10, WritingStyle::Comment, EVERYDAY),
    ("reviews", 7, WritingStyle::Review, REVIEWS),
    ("news", 6, WritingStyle::News, HEADLINES),
];
/// The sources that an incident of a single source can affect, by their index in [`SOURCES`].
const AFFECTABLE: [usize; 3] = [0, 1, 2];
/// One in this many incidents affects all sources.
const EVERYWHERE: u64 = 3;
/// The factor by which an incident raises the share of posts of the affected source. The other sources then have fewer
/// posts, because the total rate is exact.
const SURGE: u32 = 2;
/// The number of authors, excluding news accounts.
const AUTHORS: usize = 2_000;
/// The relative amplitude of the periodic change of emotions, which makes charts look realistic.
const SWING: f64 = 0.3;
/// The period of the change of emotions, in posts.
const SWING_POSTS: u64 = 1_500;

/// A generated post, without id and time.
#[derive(Clone, Debug, PartialEq)]
pub struct Written {
    /// The made-up source of the post.
    pub source: Source,
    /// The made-up author of the post.
    pub author: Author,
    /// The generated text.
    pub content: String,
    /// The language code of the text, such as `en`.
    pub lang: &'static str,
    /// The URL of the post's page, for all headlines and for some short posts.
    pub url: Option<String>,
    /// Whether the post is a reply to an earlier post.
    pub is_reply: bool,
    /// Whether the post is about the active incident.
    pub about_incident: bool,
}

/// The source and the emotion of a post.
#[derive(Clone, Copy, Debug)]
struct Plan {
    /// The index of the post's source in [`SOURCES`].
    place: usize,
    emotion: Emotion,
    /// Whether the post is about the active incident.
    about_incident: bool,
}

struct Incident {
    number: u64,
    topic: usize,
    /// The index of the affected source. `None`: all sources.
    place: Option<usize>,
    /// Descriptions of the event in different words.
    crises: Vec<String>,
}

/// Writes posts. The same seed produces the same posts in the same order.
pub struct Writer {
    rng: StdRng,
    seed: u64,
    grammar: Grammar,
    rules: Rules,
    topics: Vec<Topic>,
    sources: Vec<Source>,
    authors: Vec<Author>,
    outlets: Vec<Author>,
    calendar: Calendar,
    incident: Option<Incident>,
}

impl Writer {
    /// Creates a writer whose posts turn negative during the incidents of `calendar`.
    pub fn new(seed: u64, calendar: Calendar) -> Self {
        let mut rng = StdRng::seed_from_u64(seed);
        let (mut grammar, topics) = Grammar::load();
        let rules = Rules::find(&grammar);
        let mut people = |rule: Option<RuleId>, count: usize, style: fn(String, usize) -> String| {
            let subject = Subject { topic: &topics[0], crisis: "" };
            let mut names = Vec::with_capacity(count);
            for index in 0..count {
                let mut name = String::new();
                if let Some(rule) = rule {
                    grammar.about(subject, &mut rng).expand(rule, &mut name);
                }
                names.extend(Author::parse(&style(name, index)).ok());
            }
            names
        };
        let authors = people(rules.account, AUTHORS, style::account);
        let outlets = people(rules.outlet, 8, |name, _| name);
        let sources = SOURCES.iter().filter_map(|(name, ..)| Source::parse(name).ok()).collect();
        Self { rng, seed, grammar, rules, topics, sources, authors, outlets, calendar, incident: None }
    }

    /// The source and the emotion of post number `index`, which is written `seconds` after the start. Must be called
    /// for consecutive indices.
    fn plan(&mut self, index: u64, seconds: f64) -> Plan {
        self.follow_incident(seconds);
        let busy = self.incident.as_ref().and_then(|incident| incident.place);
        let weight =
            |(index, place): (usize, &(_, u32, _, _))| if busy == Some(index) { SURGE * place.1 } else { place.1 };
        let place = weighted(&mut self.rng, SOURCES.iter().enumerate().map(weight));
        let weights = SOURCES[place].3;
        let about_incident = self.chooses_incident(place);
        let emotion = if about_incident {
            emotion(&mut self.rng, &CRISIS, 0.0)
        } else {
            emotion(&mut self.rng, &weights, swing(index))
        };
        Plan { place, emotion, about_incident }
    }

    /// The source with this index.
    pub fn source(&self, place: usize) -> &Source {
        &self.sources[place]
    }

    /// The number of the active incident, and the affected source (`None`: all sources).
    pub fn incident(&self) -> Option<(u64, Option<&Source>)> {
        self.incident.as_ref().map(|incident| (incident.number, incident.place.map(|place| self.source(place))))
    }

    /// Writes post number `index`, which is written `seconds` after the start. Must be called for consecutive indices.
    pub fn write(&mut self, index: u64, seconds: f64) -> Written {
        let Plan { place, emotion, about_incident } = self.plan(index, seconds);
        let writing_style = SOURCES[place].2;
        let topic = match &self.incident {
            Some(incident) if about_incident => incident.topic,
            // A few topics are much more frequent than the others.
            _ => (self.rng.random::<f64>().powi(2) * self.topics.len() as f64) as usize,
        };
        let crises = self.incident.as_ref().filter(|_| about_incident).map_or(&[][..], |incident| &incident.crises);
        let crisis = crises.choose(&mut self.rng).map_or("", String::as_str);
        let subject = Subject { topic: &self.topics[topic], crisis };
        let authors = if matches!(writing_style, WritingStyle::News) { &self.outlets } else { &self.authors };
        // Some authors write much more than others.
        let author = (self.rng.random::<f64>().powi(2) * authors.len() as f64) as usize;
        let request = TextRequest { writing_style, emotion, subject, authors };
        let text = self.rules.write(&mut self.grammar, request, &mut self.rng);
        Written {
            source: self.sources[place].clone(),
            author: authors[author].clone(),
            content: text.content,
            lang: text.lang,
            url: text.url,
            is_reply: text.is_reply,
            about_incident,
        }
    }

    /// The topic of an incident, by its index.
    pub fn topic_of_incident(&self, number: u64) -> usize {
        self.rng_of_incident(number).random_range(0..self.topics.len())
    }

    /// The names of a topic.
    pub fn name(&self, topic: usize) -> Name {
        let Topic { name, tag, handle, .. } = &self.topics[topic];
        Name { name, tag: tag.clone(), handle: handle.clone() }
    }

    /// A separate random generator per incident, so that the incident does not depend on the number of earlier posts.
    fn rng_of_incident(&self, number: u64) -> StdRng {
        StdRng::seed_from_u64(self.seed ^ number.wrapping_mul(0x9e37_79b9_7f4a_7c15))
    }

    fn follow_incident(&mut self, seconds: f64) {
        let number = self.calendar.incident_at(seconds);
        if self.incident.as_ref().map(|incident| incident.number) == number {
            return;
        }
        self.incident = number.map(|number| {
            let mut rng = self.rng_of_incident(number);
            let topic = rng.random_range(0..self.topics.len());
            let mut crisis = String::new();
            if let Some(rule) = self.rules.crisis {
                let subject = Subject { topic: &self.topics[topic], crisis: "" };
                self.grammar.about(subject, &mut rng).expand(rule, &mut crisis);
            }
            let crises = crisis.split("; ").map(str::to_owned).collect();
            let everywhere = number % EVERYWHERE == EVERYWHERE - 1;
            let place = if everywhere { None } else { AFFECTABLE.choose(&mut rng).copied() };
            Incident { number, topic, place, crises }
        });
    }

    /// Draws whether the next post of the source `place` is about the active incident.
    fn chooses_incident(&mut self, place: usize) -> bool {
        let share = match &self.incident {
            None => return false,
            Some(Incident { place: None, .. }) => 0.75,
            Some(incident) if incident.place == Some(place) => 0.88,
            Some(_) => 0.06,
        };
        self.rng.random_bool(share)
    }
}

fn swing(index: u64) -> f64 {
    let turn = (index % SWING_POSTS) as f64 / SWING_POSTS as f64;
    SWING * (turn * std::f64::consts::TAU).sin()
}

/// Draws an emotion. `swing` from -1 to 1 makes negative or positive emotions more frequent.
fn emotion(rng: &mut StdRng, weights: &EmotionWeights, swing: f64) -> Emotion {
    let weights = Emotion::ALL.iter().zip(weights).map(|(emotion, &weight)| {
        let factor = match emotion {
            Emotion::Joy => 1.0 + swing,
            Emotion::Neutral | Emotion::Surprise => 1.0,
            Emotion::Anger | Emotion::Disgust | Emotion::Fear | Emotion::Sadness => 1.0 - swing,
        };
        (f64::from(weight) * 100.0 * factor) as u32
    });
    Emotion::ALL[weighted(rng, weights)]
}

/// Draws an index with these weights.
fn weighted(rng: &mut StdRng, weights: impl Iterator<Item = u32> + Clone) -> usize {
    let total: u32 = weights.clone().sum();
    let mut pick = rng.random_range(0..total.max(1));
    for (index, weight) in weights.enumerate() {
        match pick.checked_sub(weight) {
            Some(left) => pick = left,
            None => return index,
        }
    }
    0
}

#[cfg(test)]
mod tests {
    use std::collections::{HashMap, HashSet};

    use super::*;

    fn posts(seed: u64, count: u64, every: Option<f64>) -> Vec<Written> {
        let mut writer = Writer::new(seed, Calendar::new(every));
        (0..count).map(|index| writer.write(index, index as f64 / 10.0)).collect()
    }

    #[test]
    fn same_seed_gives_the_same_posts() {
        assert_eq!(posts(7, 3_000, Some(60.0)), posts(7, 3_000, Some(60.0)));
        assert_ne!(posts(7, 20, None), posts(8, 20, None));
    }

    #[test]
    fn two_hundred_posts_are_valid_and_varied() {
        for seed in 0..20 {
            let feed = posts(seed, 200, None);
            let texts: HashSet<_> = feed.iter().map(|post| post.content.as_str()).collect();
            assert!(texts.len() >= 196, "seed {seed}: {} different texts", texts.len());
            let lengths: HashSet<_> = feed.iter().map(|post| post.content.chars().count() / 10).collect();
            assert!(lengths.len() >= 12, "seed {seed}: lengths hardly vary");
            assert!(feed.iter().all(|post| !post.content.trim().is_empty() && !post.content.contains(['{', '}'])));
        }
    }

    #[test]
    fn incident_affects_one_source_or_all_and_ends() {
        // An incident of four minutes with ten posts per second contains 2,400 posts. It starts in the middle of each
        // period of ten minutes.
        let mut writer = Writer::new(5, Calendar::new(Some(600.0)));
        let mut mentions: HashMap<(u64, Source), (u32, u32)> = HashMap::new();
        for index in 0..18_000 {
            let post = writer.write(index, index as f64 / 10.0);
            let into = index % 6_000;
            let Some(incident) = &writer.incident else {
                assert!(!(3_000..5_400).contains(&into), "no incident at {into}");
                continue;
            };
            assert!((3_000..5_400).contains(&into), "an incident at {into}");
            let text = post.content.to_lowercase();
            let names_it = incident.crises.iter().any(|crisis| text.contains(&crisis.to_lowercase()));
            let (of_it, all) = mentions.entry((incident.number, post.source)).or_default();
            *of_it += u32::from(names_it);
            *all += 1;
        }
        let places = |number: u64| {
            // Some posts describe the topic in other words or contain typing errors, so only most of the posts contain
            // its name.
            mentions.iter().filter(|((n, _), (of_it, all))| *n == number && of_it * 2 > *all).count()
        };
        assert_eq!([places(0), places(1), places(2)], [1, 1, SOURCES.len()]);
    }
}
