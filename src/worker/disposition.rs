//! Decides how each task of a batch is processed.

use std::collections::{HashMap, HashSet};
use std::sync::Arc;

use super::context::StoragePolicy;
use super::languages;
use super::task::Task;
use super::towards::PostTargets;
use crate::domain::{Analysis, Op, PostId, PostLabels, PostTopic, TopicId, Towards};
use crate::inference::routes::Routes;
use crate::language::{OtherLanguages, SupportedLanguages};
use crate::store::settle::{Change, Matched, Settlement};
use crate::topics::{Scratch, TopicMatch, Tracked};

/// How a task is processed.
#[derive(Clone, Debug, PartialEq)]
pub enum Disposition {
    /// The post is analysed first. The analysis decides which of these topics are stored with the post.
    Analyse { matches: Vec<TopicMatch>, storage: StoragePolicy },
    /// The post was analysed and is stored with these topics.
    Analysed(Vec<PostTopic>),
    /// The post is stored with these topics as neutral, because the model does not support its language, and the
    /// setting for such languages is [`OtherLanguages::Neutral`].
    Unclassified(Vec<PostTopic>),
    /// The post is stored with these topics and without a sentiment, because the model does not support its language,
    /// or the model of its route (a model for certain languages) is not available.
    Unscored(Vec<PostTopic>),
    /// The post is already stored.
    Known,
    /// The post is not stored.
    Skip,
    /// The task is a deletion.
    Delete,
}

impl Disposition {
    /// The topics of the post, if it is stored.
    pub fn topics(&self) -> Option<&[PostTopic]> {
        match self {
            Self::Analysed(topics) | Self::Unclassified(topics) | Self::Unscored(topics) => Some(topics),
            Self::Analyse { .. } | Self::Known | Self::Skip | Self::Delete => None,
        }
    }
}

/// A task with its disposition.
pub struct Work<'a> {
    /// The entry and its operation.
    pub task: &'a Task,
    /// How the task is processed.
    pub disposition: Disposition,
    /// The number of the route whose model classifies the post; `None`: the main model.
    pub route: Option<usize>,
    /// The analysis to store; `None` before the analysis, and if no analysis is stored.
    pub analysis: Option<Analysis>,
    /// The parts of the post's text that are about its topics.
    targets: PostTargets,
}

impl Work<'_> {
    /// Whether a model must analyse the post.
    pub fn is_analysed(&self) -> bool {
        matches!(self.disposition, Disposition::Analyse { .. })
    }

    /// The text of the post and the topics that it may match. Both are empty if the post is not divided into parts.
    fn text_with_topics(&self) -> (String, Vec<TopicId>) {
        match (&self.disposition, self.task.op.post()) {
            (Disposition::Analyse { matches, .. }, Some(post)) if !matches.is_empty() => {
                (post.content.clone(), matches.iter().map(|found| found.topic).collect())
            }
            _ => (String::new(), Vec::new()),
        }
    }

    /// The texts that the model reads: the text of the post, and its parts about topics. Empty if the post is not
    /// analysed.
    pub fn texts(&self) -> Vec<String> {
        let text = self.task.op.post().filter(|_| matches!(self.disposition, Disposition::Analyse { .. }));
        text.map_or_else(Vec::new, |post| {
            std::iter::once(post.content.clone()).chain(self.targets.texts(&post.content)).collect()
        })
    }

    /// The number of texts in [`Self::texts`] that are parts of the post.
    pub fn parts(&self) -> usize {
        self.targets.count()
    }

    /// Removes the parts of the post, so that the label of the whole post applies to its topics.
    pub fn leave_whole(&mut self) {
        self.targets = PostTargets::default();
    }

    /// Takes the analyses of [`Self::texts`] from `analyses`, and determines the topics and the sentiments towards
    /// them.
    pub fn decide(&mut self, analyses: &mut impl Iterator<Item = Analysis>) {
        let Disposition::Analyse { matches, storage } = &self.disposition else { return };
        let (Some(post), Some(analysis)) = (self.task.op.post(), analyses.next()) else { return };
        let parts: Vec<Analysis> = analyses.take(self.targets.count()).collect();
        let topics = TopicMatch::decided(matches, Some(analysis.labels()));
        let topics = self.targets.sentiments(&post.content, &analysis.scores, &parts, &topics);
        if *storage == StoragePolicy::Matching && topics.is_empty() {
            self.disposition = Disposition::Skip;
        } else {
            self.disposition = Disposition::Analysed(topics);
            self.analysis = Some(analysis);
        }
    }

    /// Sets the disposition to store the post without a sentiment, because the model of its route is not available. A
    /// post that is stored only if it matches a topic, and matches none, is skipped.
    pub fn leave_unscored(&mut self) {
        let Disposition::Analyse { matches, storage } = &self.disposition else { return };
        let topics = as_post(&TopicMatch::decided(matches, None));
        let is_stored = *storage == StoragePolicy::All || !topics.is_empty();
        self.disposition = if is_stored { Disposition::Unscored(topics) } else { Disposition::Skip };
    }

    /// Whether the post is stored without a sentiment.
    pub fn is_unscored(&self) -> bool {
        matches!(self.disposition, Disposition::Unscored(_))
    }

    /// The change of the store that the task requires.
    pub fn settlement(&self) -> Settlement {
        let is_stored = self.analysis.is_some() || self.is_unscored();
        let change = match (&self.task.op, &self.analysis) {
            (Op::Post(post), analysis) if is_stored => {
                Change::Insert { post: post.clone(), analysis: analysis.clone() }
            }
            (Op::Post(post), _) if self.disposition == Disposition::Known => {
                Change::Known { post_id: post.post_id.clone() }
            }
            (Op::Replace { post, edited_at }, analysis) if is_stored => {
                Change::Replace { post: post.clone(), analysis: analysis.clone(), edited_at: *edited_at }
            }
            (Op::Post(_) | Op::Replace { .. }, _) => Change::Skip,
            (Op::Delete { post_id }, _) => Change::Delete { post_id: post_id.clone() },
            (Op::DeleteAuthor { source, author }, _) => {
                Change::DeleteAuthor { source: source.clone(), author: author.clone() }
            }
        };
        Settlement { key: self.task.entry.key.clone(), change }
    }
}

/// The settings and models on which the disposition of posts depends.
#[derive(Clone, Copy)]
pub struct PlanContext<'c> {
    /// The topics that posts are matched against.
    pub topics: &'c Tracked,
    /// Which posts are stored.
    pub storage: StoragePolicy,
    /// The languages that the model supports, and how posts in other languages are handled.
    pub languages: SupportedLanguages<'c>,
    /// The models that classify the posts in certain languages instead of the main model.
    pub routes: &'c Routes,
}

/// Assigns the label of the whole post to each of the topics.
fn as_post(topics: &[TopicId]) -> Vec<PostTopic> {
    topics.iter().map(|topic| PostTopic { topic: *topic, towards: Towards::Post }).collect()
}

/// Decides how each task is processed. The posts in `known` are already stored.
pub fn plan<'a>(tasks: &'a [Task], known: &HashSet<PostId>, context: PlanContext<'_>) -> Vec<Work<'a>> {
    let PlanContext { topics, storage, languages, routes } = context;
    let mut scratch = Scratch::default();
    let mut disposition = |task: &Task| {
        let (post, is_known) = match &task.op {
            Op::Post(post) if known.contains(&post.post_id) => return Disposition::Known,
            Op::Post(post) => (post, false),
            // A stored post remains stored if its later version matches no topic.
            Op::Replace { post, .. } => (post, known.contains(&post.post_id)),
            Op::Delete { .. } | Op::DeleteAuthor { .. } => return Disposition::Delete,
        };
        let matches = topics.matches(&post.subject(), &mut scratch);
        let storage = if is_known { StoragePolicy::All } else { storage };
        let lang = post.lang.as_deref();
        let handling = if routes.of(lang).is_some() { OtherLanguages::Analyze } else { languages.handling(lang) };
        let stored_as = |labels: Option<PostLabels>, kind: fn(Vec<PostTopic>) -> Disposition| {
            let topics = as_post(&TopicMatch::decided(&matches, labels));
            let is_stored = storage == StoragePolicy::All || !topics.is_empty();
            if is_stored { kind(topics) } else { Disposition::Skip }
        };
        match handling {
            OtherLanguages::Analyze if storage == StoragePolicy::Matching && matches.is_empty() => Disposition::Skip,
            OtherLanguages::Analyze => Disposition::Analyse { matches, storage },
            // If a later version were skipped, the earlier one would remain visible.
            OtherLanguages::Skip if matches!(task.op, Op::Post(_)) => Disposition::Skip,
            OtherLanguages::Unscored | OtherLanguages::Skip => stored_as(None, Disposition::Unscored),
            OtherLanguages::Neutral => stored_as(Some(languages::unclassified().labels()), Disposition::Unclassified),
        }
    };
    let work = |task| {
        let disposition = disposition(task);
        let analysis = matches!(disposition, Disposition::Unclassified(_)).then(languages::unclassified);
        let route = task.op.post().and_then(|post| routes.number_of(post.lang.as_deref()));
        Work { task, disposition, route, analysis, targets: PostTargets::default() }
    };
    tasks.iter().map(work).collect()
}

/// For each post to analyse, finds the parts of its text that are about its topics.
pub async fn divide(works: &mut [Work<'_>], topics: Arc<Tracked>) {
    let texts: Vec<(String, Vec<TopicId>)> = works.iter().map(Work::text_with_topics).collect();
    let targets = PostTargets::of_each(texts, topics).await;
    for (work, targets) in works.iter_mut().zip(targets) {
        work.targets = targets;
    }
}

/// The topics of the posts that will be stored.
pub fn matched(works: &[Work<'_>], tracked: &Tracked) -> Matched {
    let topics = works.iter().filter_map(|work| {
        let topics = work.disposition.topics().filter(|topics| !topics.is_empty())?;
        Some((work.task.entry.key.clone(), topics.to_vec()))
    });
    Matched { version: tracked.version(), topics: topics.collect::<HashMap<_, _>>() }
}
