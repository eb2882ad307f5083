//! What is done with each task of a batch.

use std::collections::{HashMap, HashSet};

use super::context::{StoragePolicy, WorkerOptions};
use super::languages;
use super::task::Task;
use crate::domain::{Analysis, Op, PostId, TopicId};
use crate::language::OtherLanguages;
use crate::store::settle::{Change, Matched, Settlement};
use crate::topics::{Scratch, Tracked};

/// What is done with a task.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Disposition {
    /// Its post is analysed and stored with these topics.
    Analyse(Vec<TopicId>),
    /// Its post is stored with these topics and without an analysis, because the model does not know its language.
    Unjudged(Vec<TopicId>),
    /// Its post is stored already.
    Known,
    /// Its post is not stored.
    Skip,
    /// It asks for a deletion.
    Delete,
}

impl Disposition {
    /// The topics of the post, if it is stored.
    pub fn topics(&self) -> Option<&[TopicId]> {
        match self {
            Self::Analyse(topics) | Self::Unjudged(topics) => Some(topics),
            Self::Known | Self::Skip | Self::Delete => None,
        }
    }
}

/// A task with what is done with it.
pub struct Work<'a> {
    pub task: &'a Task,
    pub disposition: Disposition,
    /// The analysis to store, once there is one.
    pub analysis: Option<Analysis>,
}

impl Work<'_> {
    /// The text that the model reads, if it does.
    pub fn text(&self) -> Option<&str> {
        let post = self.task.op.post().filter(|_| matches!(self.disposition, Disposition::Analyse(_)))?;
        Some(&post.content)
    }

    /// The change of the store that the task asks for.
    pub fn settlement(&self) -> Settlement {
        let change = match (&self.task.op, &self.analysis) {
            (Op::Post(post), Some(analysis)) => Change::Insert { post: post.clone(), analysis: analysis.clone() },
            (Op::Post(post), None) if self.disposition == Disposition::Known => {
                Change::Known { post_id: post.post_id.clone() }
            }
            (Op::Replace { post, edited_at }, Some(analysis)) => {
                Change::Replace { post: post.clone(), analysis: analysis.clone(), edited_at: *edited_at }
            }
            (Op::Post(_) | Op::Replace { .. }, None) => Change::Skip,
            (Op::Delete { post_id }, _) => Change::Delete { post_id: post_id.clone() },
            (Op::DeleteAuthor { source, author }, _) => {
                Change::DeleteAuthor { source: source.clone(), author: author.clone() }
            }
        };
        Settlement { key: self.task.entry.key.clone(), change }
    }
}

/// Decides what is done with each task; the posts `known` are stored already.
pub fn plan<'a>(
    tasks: &'a [Task],
    known: &HashSet<PostId>,
    topics: &Tracked,
    options: &WorkerOptions,
) -> Vec<Work<'a>> {
    let mut scratch = Scratch::default();
    let mut disposition = |task: &Task| {
        let (post, is_known) = match &task.op {
            Op::Post(post) if known.contains(&post.post_id) => return Disposition::Known,
            Op::Post(post) => (post, false),
            // A stored post stays stored when its later version matches no topic.
            Op::Replace { post, .. } => (post, known.contains(&post.post_id)),
            Op::Delete { .. } | Op::DeleteAuthor { .. } => return Disposition::Delete,
        };
        let topics = topics.matches(&post.subject(), &mut scratch);
        let is_stored = options.storage == StoragePolicy::All || is_known || !topics.is_empty();
        match options.languages.handling(post.lang.as_deref()) {
            _ if !is_stored => Disposition::Skip,
            OtherLanguages::Analyze => Disposition::Analyse(topics),
            // Skipping a later version would keep the earlier one visible.
            OtherLanguages::Skip if matches!(task.op, Op::Post(_)) => Disposition::Skip,
            OtherLanguages::Neutral | OtherLanguages::Skip => Disposition::Unjudged(topics),
        }
    };
    let work = |task| {
        let disposition = disposition(task);
        let analysis = matches!(disposition, Disposition::Unjudged(_)).then(languages::unjudged);
        Work { task, disposition, analysis }
    };
    tasks.iter().map(work).collect()
}

/// The topics of the posts that are stored.
pub fn matched(works: &[Work<'_>], tracked: &Tracked) -> Matched {
    let topics = works.iter().filter_map(|work| {
        let topics = work.disposition.topics().filter(|topics| !topics.is_empty())?;
        Some((work.task.entry.key.clone(), topics.to_vec()))
    });
    Matched { version: tracked.version(), topics: topics.collect::<HashMap<_, _>>() }
}
