//! Random changes of the topics and the sentiments of posts.

use sentistream::domain::{Emotion, PostTopic, Sentiment, Topic, Towards};
use sentistream::store::settle::{PendingPost, Reanalyses, Reanalysis, Replaced, TopicReanalysis};

use super::super::fixture::{Fixture, analysis, post_id};
use super::own;

/// The number of different posts. A deleted post is not stored again.
pub const IDS: u64 = 24;

/// A random number generator with a fixed seed, so that a failure can be reproduced.
pub struct Numbers(pub u64);

impl Numbers {
    pub fn below(&mut self, end: u64) -> u64 {
        self.0 = self.0.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (self.0 >> 33) % end
    }

    pub fn towards(&mut self) -> Towards {
        match self.below(5) {
            0 => Towards::Pending,
            1 => Towards::Post,
            class => own(Sentiment::ALL[class as usize - 2], 0.5 + 0.07 * self.below(7) as f64),
        }
    }

    pub fn topics(&mut self, all: &[Topic]) -> Vec<PostTopic> {
        let mut chosen = Vec::new();
        for topic in all {
            if self.below(3) > 0 {
                chosen.push(PostTopic { topic: topic.id, towards: self.towards() });
            }
        }
        chosen
    }
}

/// Determines the sentiment of the next pending matches, at most seven, at random.
pub async fn determine(fixture: &Fixture, numbers: &mut Numbers) {
    let pending = fixture.store.pending_topics(7).await.expect("posts");
    let reanalysis = |post: &PendingPost| TopicReanalysis {
        post_id: post.post_id.clone(),
        analyzed_at: post.analyzed_at,
        replaces: Towards::Pending,
        topics: post.topics.iter().map(|topic| PostTopic { topic: *topic, towards: numbers.towards() }).collect(),
    };
    let reanalysed = pending.iter().map(reanalysis).collect();
    fixture.store.reanalyse_topics(reanalysed).await.expect("stored");
}

pub async fn reanalyse(fixture: &Fixture, id: &str) {
    let Some(stored) = fixture.store.post(&post_id(id)).await.expect("an answer") else { return };
    let Some(before) = stored.analysis else { return };
    let list = vec![Reanalysis {
        post_id: post_id(id),
        analysis: analysis(Sentiment::Neutral, Emotion::Fear),
        replaces: Replaced::Analysis(before.analyzed_at),
    }];
    fixture
        .store
        .reanalyse(Reanalyses { list, topics: None })
        .await
        .expect("an answer")
        .expect("the version is current");
}
