//! What a batch's entries ask for, and what is done about each.

use std::collections::HashSet;

use super::batch::Task;
use super::{StoredPosts, WorkerOptions, languages};
use crate::domain::{Analysis, Op, PostId, TopicId};
use crate::language::OtherLanguages;
use crate::store::settle::{Change, Matched, Settlement};
use crate::topics::{Scratch, Tracked};

/// What is to be done with a task.
pub enum Fate {
    /// It is analysed; its post is about these topics.
    Analyse(Vec<TopicId>),
    /// It is stored without a judgement, since the model does not know its language; its post is about these topics.
    Unjudged(Vec<TopicId>),
    /// Its post is stored already.
    Known,
    /// Nothing is kept of it.
    Skip,
    /// It asks for a deletion.
    Delete,
}

impl Fate {
    /// What the post is about, if it is stored.
    pub fn topics(&self) -> Option<&[TopicId]> {
        match self {
            Self::Analyse(topics) | Self::Unjudged(topics) => Some(topics),
            Self::Known | Self::Skip | Self::Delete => None,
        }
    }
}

/// What is to be done with each task, of which the posts `known` are stored.
pub fn fates(tasks: &[Task], known: &HashSet<PostId>, topics: &Tracked, options: &WorkerOptions) -> Vec<Fate> {
    let mut scratch = Scratch::default();
    let mut fate = |task: &Task| {
        let (post, is_known) = match &task.op {
            Op::Post(post) if known.contains(&post.post_id) => return Fate::Known,
            Op::Post(post) => (post, false),
            // A post that is kept is also kept when its later version is about something else.
            Op::Replace { post, .. } => (post, known.contains(&post.post_id)),
            Op::Delete { .. } | Op::DeleteAuthor { .. } => return Fate::Delete,
        };
        let topics = topics.matches(&post.subject(), &mut scratch);
        let kept = options.store == StoredPosts::All || is_known || !topics.is_empty();
        match options.languages.handling(post.lang.as_deref()) {
            _ if !kept => Fate::Skip,
            OtherLanguages::Analyze => Fate::Analyse(topics),
            // To leave out a later version would leave the earlier one standing.
            OtherLanguages::Skip if matches!(task.op, Op::Post(_)) => Fate::Skip,
            OtherLanguages::Neutral | OtherLanguages::Skip => Fate::Unjudged(topics),
        }
    };
    tasks.iter().map(&mut fate).collect()
}

/// What the posts of the tasks are about.
pub fn matched(tasks: &[Task], fates: &[Fate], tracked: &Tracked) -> Matched {
    let about = |(task, fate): (&Task, &Fate)| {
        let topics = fate.topics().filter(|topics| !topics.is_empty())?;
        Some((task.entry.key.clone(), topics.to_vec()))
    };
    Matched { version: tracked.version(), topics: tasks.iter().zip(fates).filter_map(about).collect() }
}

/// The changes that `tasks` ask for; `analyses` are those of the tasks that are analysed, in order.
pub fn settlements(tasks: &[Task], fates: &[Fate], analyses: Vec<Analysis>) -> Vec<Settlement> {
    let mut analyses = analyses.into_iter();
    let mut change = |task: &Task, fate: &Fate| {
        let analysis = match fate {
            Fate::Analyse(_) => analyses.next(),
            Fate::Unjudged(_) => Some(languages::unjudged()),
            Fate::Known | Fate::Skip | Fate::Delete => None,
        };
        match (&task.op, analysis) {
            (Op::Post(post), Some(analysis)) => Change::Insert { post: post.clone(), analysis },
            (Op::Post(post), None) if matches!(fate, Fate::Known) => Change::Known { post_id: post.post_id.clone() },
            (Op::Replace { post, edited_at }, Some(analysis)) => {
                Change::Replace { post: post.clone(), analysis, edited_at: *edited_at }
            }
            (Op::Post(_) | Op::Replace { .. }, None) => Change::Skip,
            (Op::Delete { post_id }, _) => Change::Delete { post_id: post_id.clone() },
            (Op::DeleteAuthor { source, author }, _) => {
                Change::DeleteAuthor { source: source.clone(), author: author.clone() }
            }
        }
    };
    let settlement =
        |(task, fate): (&Task, &Fate)| Settlement { key: task.entry.key.clone(), change: change(task, fate) };
    tasks.iter().zip(fates).map(settlement).collect()
}
