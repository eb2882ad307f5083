//! How posts speak about their topics: the parts of their texts to classify, and the sentiments that follow from them.

use std::collections::BTreeSet;
use std::ops::Range;

use crate::domain::{Analysis, Clause, PostTopic, Scores, TopicId, TopicSentiment, Towards};
use crate::inference::towards::Target;
use crate::inference::{ModelInfo, llm};
use crate::topics::{Tracked, Words};

/// The maximum number of parts that are classified for one post. Topics without parts get the post's label.
const MAX_PARTS: usize = 24;

/// The parts of a post's text that are about its topics.
#[derive(Debug, Default)]
pub struct PostTargets {
    targets: Vec<(TopicId, Target)>,
    /// The ranges of the parts in bytes, without repetitions.
    parts: Vec<Range<usize>>,
}

impl PostTargets {
    /// The parts of `text` about `topics`.
    pub fn of(text: &str, topics: impl IntoIterator<Item = TopicId>, tracked: &Tracked) -> Self {
        let mut topics = topics.into_iter().peekable();
        if topics.peek().is_none() {
            return Self::default();
        }
        let words = Words::of(text);
        let mut targets = Vec::new();
        let mut parts: BTreeSet<(usize, usize)> = BTreeSet::new();
        for topic in topics {
            let Some(target) = Target::of(text, &tracked.mentions(topic, &words)) else { continue };
            let own: Vec<(usize, usize)> = target.parts().map(|part| (part.start, part.end)).collect();
            if parts.len() + own.len() > MAX_PARTS {
                break;
            }
            parts.extend(own);
            targets.push((topic, target));
        }
        Self { targets, parts: parts.into_iter().map(|(start, end)| start..end).collect() }
    }

    /// The texts of the parts.
    pub fn texts<'t>(&'t self, text: &'t str) -> impl Iterator<Item = String> + 't {
        self.parts.iter().map(|part| text[part.clone()].to_owned())
    }

    /// The number of parts.
    pub fn count(&self) -> usize {
        self.parts.len()
    }

    /// How the post speaks about each of `topics`. `analyses` are those of the parts.
    pub fn judge(&self, text: &str, whole: &Scores, analyses: &[Analysis], topics: &[TopicId]) -> Vec<PostTopic> {
        let scores_of = |range: &Range<usize>| {
            let index = self.parts.iter().position(|part| part == range)?;
            analyses.get(index).map(|analysis| analysis.scores.sentiment)
        };
        let towards = |topic: &TopicId| match self.targets.iter().find(|(of, _)| of == topic) {
            None => Towards::Post,
            Some((_, target)) => {
                let opinion = target.judge(whole, scores_of);
                Towards::Own(TopicSentiment {
                    sentiment: opinion.sentiment,
                    confidence: opinion.confidence,
                    clause: Clause::of(text, &opinion.clause),
                })
            }
        };
        topics.iter().map(|topic| PostTopic { topic: *topic, towards: towards(topic) }).collect()
    }
}

/// Whether the model classifies parts of texts. Each part is one more request to a remote model, so it does not.
pub fn divides(model: &ModelInfo) -> bool {
    model.architecture != llm::ARCHITECTURE
}
