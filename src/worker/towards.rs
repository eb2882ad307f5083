//! The sentiment of posts towards their topics: finds the parts of a text that are about a topic, and computes the
//! sentiment from the analyses of these parts.

use std::collections::BTreeSet;
use std::ops::Range;
use std::sync::Arc;

use crate::domain::{Analysis, Clause, PostTopic, Scores, TopicId, TopicSentiment, Towards};
use crate::inference::towards::{Sentences, Target};
use crate::inference::{ModelInfo, llm};
use crate::topics::{Tracked, Words};

/// The maximum number of parts that are classified for one post. A topic without a part gets the label of the whole
/// post.
const MAX_PARTS: usize = 24;
/// The maximum length of a text that is divided into parts, in bytes. Finding the sentences of some texts takes quadratic
/// time, and the model does not read the end of a longer text.
const MAX_BYTES: usize = 10_000;

/// The parts of a post's text that are about its topics.
#[derive(Debug, Default)]
pub struct PostTargets {
    targets: Vec<(TopicId, Target)>,
    /// The ranges of the parts in bytes, without repetitions.
    parts: Vec<Range<usize>>,
}

impl PostTargets {
    /// The parts of `text` about `topics`.
    fn of(text: &str, topics: &[TopicId], tracked: &Tracked) -> Self {
        if topics.is_empty() || text.len() > MAX_BYTES {
            return Self::default();
        }
        let (words, sentences) = (Words::of(text), Sentences::of(text));
        let mut targets = Vec::new();
        let mut parts: BTreeSet<(usize, usize)> = BTreeSet::new();
        for topic in topics {
            let Some(target) = Target::of(&sentences, &tracked.mentions(*topic, &words)) else { continue };
            let own: Vec<(usize, usize)> = target.parts().map(|part| (part.start, part.end)).collect();
            if parts.len() + own.len() > MAX_PARTS {
                break;
            }
            parts.extend(own);
            targets.push((*topic, target));
        }
        Self { targets, parts: parts.into_iter().map(|(start, end)| start..end).collect() }
    }

    /// For each text with its topics, the parts about these topics. The work runs on a blocking thread, because it is
    /// computationally expensive.
    pub async fn of_each(texts: Vec<(String, Vec<TopicId>)>, tracked: Arc<Tracked>) -> Vec<Self> {
        let count = texts.len();
        let mut found = Vec::new();
        if texts.iter().any(|(_, topics)| !topics.is_empty()) {
            let divide =
                move || -> Vec<Self> { texts.iter().map(|(text, topics)| Self::of(text, topics, &tracked)).collect() };
            // If finding the parts panics, the labels of the whole texts apply.
            found = tokio::task::spawn_blocking(divide).await.unwrap_or_default();
        }
        found.resize_with(count, Self::default);
        found
    }

    /// The texts of the parts.
    pub fn texts<'t>(&'t self, text: &'t str) -> impl Iterator<Item = String> + 't {
        self.parts.iter().map(|part| text[part.clone()].to_owned())
    }

    /// The number of parts.
    pub fn count(&self) -> usize {
        self.parts.len()
    }

    /// The sentiment of the post towards each of `topics`. `analyses` contains the analyses of the parts.
    pub fn sentiments(&self, text: &str, whole: &Scores, analyses: &[Analysis], topics: &[TopicId]) -> Vec<PostTopic> {
        let scores_of = |range: &Range<usize>| {
            let index = self.parts.iter().position(|part| part == range)?;
            analyses.get(index).map(|analysis| analysis.scores.sentiment)
        };
        let towards = |topic: &TopicId| match self.targets.iter().find(|(of, _)| of == topic) {
            None => Towards::Post,
            Some((_, target)) => {
                let opinion = target.opinion(whole, scores_of);
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

/// Whether the model classifies parts of texts. A remote model does not, because each part would be a further request.
pub fn divides(model: &ModelInfo) -> bool {
    model.architecture != llm::ARCHITECTURE
}
