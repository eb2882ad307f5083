//! The evidence of an alert: the numbers of its window, the terms, sources and authors that stand out, and some posts.

use std::collections::BTreeMap;
use std::time::Duration;

use percent_encoding::{NON_ALPHANUMERIC, utf8_percent_encode};
use serde_json::{Map, Value, json};

use crate::domain::alert::{Class, RuleKind, RuleSpec, Scope};
use crate::domain::counts::percentage;
use crate::domain::event::PREVIEW_CHARS;
use crate::domain::op::preview;
use crate::domain::{Emotion, Sentiment, Source, TimeRange};
use crate::rules::evaluate::{Evaluation, negative_ratio};
use crate::rules::load::RuleLoadError;
use crate::rules::series::Tally;
use crate::rules::{DAY, Group, View, copies, load};
use crate::store::posts::{PostFilter, Start, StoredPost};
use crate::store::{Store, StoreError};
use crate::terms::vocabulary::Vocabulary;
use crate::terms::{self, Term};

/// The maximum number of posts that an alert cites.
const POSTS: usize = 10;
/// The number of newest posts of the window that are searched for evidence and terms.
const READ: i64 = 500;
/// The number of hours before the window from which posts are sampled to find the usual terms. The sample covers a
/// whole day, because the newest posts alone may belong to the incident.
const HOURS: u32 = 24;
/// The maximum number of sampled posts per hour.
const READ_PER_HOUR: i64 = 25;
const HOUR: Duration = Duration::from_secs(3_600);
/// The minimum number of earlier posts with the same sentiment or emotion. With fewer posts, posts of any sentiment and
/// emotion are sampled too.
const FEW_EARLIER: usize = 50;
/// The maximum number of terms, sources or authors that are listed.
const NAMED: usize = 10;
/// The maximum number of post ids that are stored with the name of an author. The name is removed when all of these
/// posts are deleted.
const POSTS_OF_AUTHOR: usize = 20;

/// A series that starts to fire or already fires.
pub struct Case<'a> {
    /// The rule.
    pub spec: &'a RuleSpec,
    /// The series of the rule.
    pub group: &'a Group,
    /// The window in which the series was evaluated.
    pub window: TimeRange,
    /// The result of the evaluation, with the value that is compared with the threshold.
    pub evaluation: &'a Evaluation,
    /// The counts of the posts in the rule's scope.
    pub view: &'a dyn View,
}

/// The numbers of counted posts and of all posts of a source in the window.
struct SourceCount {
    name: String,
    count: i64,
    posts: i64,
}

impl Case<'_> {
    /// The numbers of the window, without posts, terms and authors.
    pub fn numbers(&self) -> Map<String, Value> {
        let tally = self.view.window(self.window, self.group.source.as_deref());
        let total = tally.total();
        let counted = if self.spec.condition.class() == Class::Posts { tally.posts() } else { total };
        let by_sentiment = |value: &dyn Fn(i64) -> Value| {
            let of = |label: Sentiment| (label.as_str().to_owned(), value(tally.of(Class::Sentiment(label))));
            Sentiment::ALL.into_iter().map(of).collect::<Map<_, _>>()
        };
        let mut counts = by_sentiment(&|count| json!(count));
        counts.insert("total".to_owned(), json!(counted));
        let mut emotions: Vec<(Emotion, i64)> =
            Emotion::ALL.into_iter().map(|label| (label, tally.of(Class::Emotion(label)))).collect();
        emotions.retain(|(_, count)| *count > 0);
        emotions.sort_by_key(|(label, count)| (std::cmp::Reverse(*count), *label));
        let emotion = |(label, count): &(Emotion, i64)| json!({"emotion": label, "count": count, "percentage": percentage(*count, total)});
        let usual = self.evaluation.usual.map(
            |usual| json!({"level": usual.level, "spread": usual.spread, "windows": usual.windows, "days": usual.days}),
        );
        let fields = [
            ("counts", Value::Object(counts)),
            ("percentages", Value::Object(by_sentiment(&|count| json!(percentage(count, total))))),
            ("negative_share", json!(tally.of(Class::Sentiment(Sentiment::Negative)) as f64 / total.max(1) as f64)),
            ("negative_ratio", json!(negative_ratio(&tally))),
            ("top_emotions", json!(emotions.iter().map(emotion).collect::<Vec<_>>())),
            ("kind", json!(self.spec.condition.kind())),
            ("value", json!(self.evaluation.value)),
            ("threshold", json!(self.spec.condition.threshold())),
            ("baseline", json!(self.evaluation.baseline)),
            ("usual", json!(usual)),
            ("p_value", json!(self.evaluation.p_value)),
            ("top_sources", json!(self.top_sources(&tally))),
            ("link", json!(self.link())),
            ("evidence", json!([])),
        ];
        fields.into_iter().map(|(name, value)| (name.to_owned(), value)).collect()
    }

    /// The numbers of the window, with posts, terms and authors as evidence.
    ///
    /// # Errors
    /// When the store does not answer.
    pub async fn details(&self, store: &Store) -> Result<Map<String, Value>, StoreError> {
        let mut details = self.numbers();
        if self.spec.condition.kind() == RuleKind::Absence {
            return Ok(details);
        }
        let filter = match self.filter(store).await {
            Ok(filter) => filter,
            Err(RuleLoadError::Store(error)) => return Err(error),
            // The topic was deleted after the rule was read, so its posts cannot be selected any more.
            Err(_) => return Ok(details),
        };
        let posts = newest(store, &filter, self.window, READ).await?;
        let day = TimeRange::last(DAY, self.window.start());
        let mut earlier = sample(store, &filter, day).await?;
        if earlier.len() < FEW_EARLIER {
            earlier.extend(sample(store, &PostFilter { sentiment: None, emotion: None, ..filter }, day).await?);
        }
        details.insert("top_terms".to_owned(), json!(top_terms(&posts, &earlier)));
        details.insert("top_authors".to_owned(), json!(top_authors(&posts)));
        details.insert("evidence".to_owned(), json!(representative(posts)));
        Ok(details)
    }

    /// The filter that selects the posts that the rule counts.
    async fn filter(&self, store: &Store) -> Result<PostFilter, RuleLoadError> {
        let mut filter = load::filter(store, &self.spec.scope).await?;
        if let Some(source) = &self.group.source {
            // Parsing does not fail, because the name comes from a stored post.
            filter.source = Source::parse(source).ok();
        }
        match self.spec.condition.class() {
            Class::Posts => {}
            Class::Sentiment(label) => filter.sentiment = Some(label.into()),
            Class::Emotion(label) => filter.emotion = Some(label),
        }
        Ok(filter)
    }

    /// The sources with the most counted posts, with the percentage of all counted posts that each contributes.
    fn top_sources(&self, tally: &Tally) -> Vec<Value> {
        let class = self.spec.condition.class();
        let names = match &self.group.source {
            Some(name) => vec![name.clone()],
            None => self.view.sources(self.window).into_iter().collect(),
        };
        let counted = |name: String| {
            let tally = self.view.window(self.window, Some(&name));
            SourceCount { name, count: tally.of(class), posts: tally.posts() }
        };
        let mut sources: Vec<SourceCount> = names.into_iter().map(counted).filter(|source| source.count > 0).collect();
        sources.sort_by(|one, other| (other.count, &one.name).cmp(&(one.count, &other.name)));
        sources.truncate(NAMED);
        let all = tally.of(class);
        sources
            .into_iter()
            .map(|SourceCount { name, count, posts }| {
                json!({"source": name, "count": count, "posts": posts, "percentage": percentage(count, all)})
            })
            .collect()
    }

    /// The path of the dashboard page that shows the counted posts.
    fn link(&self) -> String {
        let (start, end) = (self.window.start().to_string(), self.window.end().to_string());
        let mut pairs = vec![("from", start), ("to", end)];
        match self.spec.condition.class() {
            Class::Posts => {}
            Class::Sentiment(label) => pairs.push(("sentiment", label.to_string())),
            Class::Emotion(label) => pairs.push(("emotion", label.to_string())),
        }
        if let Some(source) = &self.group.source {
            pairs.push(("source", source.clone()));
        }
        match &self.spec.scope {
            Scope::Author(name) => pairs.push(("author", name.as_str().to_owned())),
            Scope::Topic(name) => pairs.push(("topic", name.as_str().to_owned())),
            Scope::Text(words) => pairs.push(("q", words.clone())),
            Scope::All | Scope::Source(_) => {}
        }
        let pair = |(name, value): (&str, String)| format!("{name}={}", utf8_percent_encode(&value, NON_ALPHANUMERIC));
        format!("/posts?{}", pairs.into_iter().map(pair).collect::<Vec<_>>().join("&"))
    }
}

/// The newest posts of `range` that match `filter`.
async fn newest(
    store: &Store,
    filter: &PostFilter,
    range: TimeRange,
    most: i64,
) -> Result<Vec<StoredPost>, StoreError> {
    let filter = PostFilter { start: Some(range.start()), end: Some(range.end()), ..filter.clone() };
    Ok(store.posts(&filter, Start::Offset(0), most).await?.items)
}

/// The newest posts of every hour of `day` that match `filter`.
async fn sample(store: &Store, filter: &PostFilter, day: TimeRange) -> Result<Vec<StoredPost>, StoreError> {
    let mut posts = Vec::new();
    for hour in 0..HOURS {
        let range = TimeRange::last(HOUR, day.end() - HOUR * hour);
        posts.extend(newest(store, filter, range, READ_PER_HOUR).await?);
    }
    Ok(posts)
}

/// The authors with the most posts among `posts`.
fn top_authors(posts: &[StoredPost]) -> Vec<Value> {
    let mut authors: BTreeMap<(&str, &str), Vec<&str>> = BTreeMap::new();
    for post in posts {
        if let Some(author) = &post.author {
            authors.entry((author, &post.source)).or_default().push(&post.post_id);
        }
    }
    let mut authors: Vec<_> = authors.into_iter().collect();
    authors.sort_by_key(|(_, ids)| std::cmp::Reverse(ids.len()));
    let author = |((author, source), mut ids): ((&str, &str), Vec<&str>)| {
        let count = ids.len();
        ids.truncate(POSTS_OF_AUTHOR);
        json!({"author": author, "source": source, "count": count, "post_ids": ids})
    };
    authors.into_iter().take(NAMED).map(author).collect()
}

/// The terms that are more frequent in `posts` than in the `earlier` posts.
fn top_terms(posts: &[StoredPost], earlier: &[StoredPost]) -> Vec<Term> {
    let mut vocabulary = Vocabulary::default();
    let mut terms =
        |posts: &[StoredPost]| posts.iter().map(|post| vocabulary.telling(&post.content)).collect::<Vec<_>>();
    let (now, then) = (terms(posts), terms(earlier));
    terms::distinctive(&now, &then, &vocabulary, NAMED)
}

/// The posts with the highest confidence. Copies of a text are listed once, with the number of duplicates.
fn representative(mut posts: Vec<StoredPost>) -> Vec<Value> {
    posts.sort_by(|one, other| other.confidence().total_cmp(&one.confidence()));
    let texts: Vec<_> = posts.iter().map(|post| post.content.as_str()).collect();
    let groups = copies::groups(&texts);
    let firsts = (0..posts.len()).filter(|index| groups[*index] == *index).take(POSTS);
    let view = |index: usize| {
        let post = &posts[index];
        let duplicates = groups.iter().filter(|first| **first == index).count() - 1;
        json!({
            "post_id": post.post_id,
            "content": preview(&post.content, PREVIEW_CHARS),
            "source": post.source,
            "author": post.author,
            "url": post.url,
            "created_at": post.created_at,
            "sentiment": post.analysis.as_ref().map(|analysis| analysis.sentiment),
            "emotion": post.analysis.as_ref().map(|analysis| analysis.emotion),
            "confidence": post.analysis.as_ref().map(|analysis| analysis.confidence),
            "duplicates": duplicates,
        })
    };
    firsts.map(view).collect()
}
