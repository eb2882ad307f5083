//! Generates the past of a demonstration: one week of posts up to the present. More posts are written by day and in the
//! last hours. One incident happened yesterday, and one has just begun.
//!
//! The same run id and end produce the same posts with the same ids, so an interrupted attempt can be repeated.

use std::collections::BTreeMap;
use std::f64::consts::TAU;
use std::time::Duration;

use super::incident::{Calendar, Span};
use super::name::Name;
use super::writer::Writer;
use sentistream_core::domain::made_up;
use sentistream_core::domain::{Post, PostId, TimeRange, Timestamp};

/// The length of the generated past.
pub const PAST: Duration = Duration::from_secs(7 * 86_400);
/// The seed of texts, authors and topics.
const SEED: u64 = 7;
const MINUTE: f64 = 60.0;
const HOUR: f64 = 3_600.0;

/// The approximate number of posts that the rates below produce.
const DEFAULT_COUNT: f64 = 20_000.0;
/// The constant part of the rate, in posts per hour.
const BASE_RATE: f64 = 76.0;
/// The additional posts per hour at the end of the past.
const RECENT_RATE: f64 = 2_600.0;
/// The additional rate decreases by a factor of e for each period of this many hours before the end.
const RECENT_HOURS: f64 = 2.8;
/// The relative amplitude of the daily rhythm.
const DAY_AMPLITUDE: f64 = 0.5;
/// The hour of the day (UTC) at which the rate is highest.
const BUSIEST_HOUR: f64 = 15.0;

/// Yesterday's incident: its start in seconds before the end, and its duration in seconds.
const YESTERDAY_AGO: f64 = 21.0 * HOUR;
const YESTERDAY_LENGTH: f64 = 50.0 * MINUTE;
/// The posts per hour that yesterday's incident adds at its peak.
const INCIDENT_RATE: f64 = 1_500.0;
/// One in this many posts about an incident gets the hashtag of its topic.
const TAG_EVERY: u64 = 2;
/// The start of the present incident, in seconds before the end.
const PRESENT_AGO: f64 = 15.0 * MINUTE;
/// The factor by which the present incident raises the rate of posts.
const PRESENT_FACTOR: f64 = 1.4;

/// A generated past.
#[derive(Debug)]
pub struct Past {
    /// The posts, sorted by time.
    pub posts: Vec<Post>,
    /// Yesterday's incident, and the present incident.
    pub incidents: [PastIncident; 2],
    /// A topic with many posts, but without an incident.
    pub unaffected: Name,
}

/// An incident and its topic.
#[derive(Clone, Debug, PartialEq)]
pub struct PastIncident {
    /// The topic whose posts turn negative.
    pub about: Name,
    /// When the incident happens. The present incident ends with the generated past.
    pub during: TimeRange,
}

impl Past {
    /// Generates about `count` posts until `end`, with ids that contain `run`.
    pub fn new(run: &str, end: Timestamp, count: u32) -> Self {
        let length = PAST.as_secs_f64();
        let spans = [
            Span { start: length - YESTERDAY_AGO, end: length - YESTERDAY_AGO + YESTERDAY_LENGTH },
            Span { start: length - PRESENT_AGO, end: length + HOUR },
        ];
        let start = end - PAST;
        let mut writer = Writer::new(SEED, Calendar::Two(spans));
        let during = |span: &Span| {
            let (from, to) = (span.start, span.end.min(length));
            let at = |seconds: f64| start + Duration::from_secs_f64(seconds);
            TimeRange::new(at(from), at(to)).unwrap_or_else(|| TimeRange::last(Duration::ZERO, end))
        };
        let posts = posts(&mut writer, run, &Shape { start, spans, density: f64::from(count) / DEFAULT_COUNT });
        let about = [writer.topic_of_incident(0), writer.topic_of_incident(1)];
        let incidents =
            [0, 1].map(|number| PastIncident { about: writer.name(about[number]), during: during(&spans[number]) });
        let unaffected = (0..).find(|topic| !about.contains(topic)).unwrap_or_default();
        Self { posts, incidents, unaffected: writer.name(unaffected) }
    }
}

/// The time around each incident of a past that ends at `end`. Each range starts five minutes before its incident. The
/// first range ends one hour after its incident. The second range ends at `end`, when its incident is still active.
pub fn incident_ranges(end: Timestamp) -> [TimeRange; 2] {
    let before = Duration::from_secs(5 * 60);
    let after = Duration::from_secs(60 * 60);
    let seconds = Duration::from_secs_f64;
    let over = end - seconds(YESTERDAY_AGO) + seconds(YESTERDAY_LENGTH) + after;
    [
        TimeRange::last(seconds(YESTERDAY_LENGTH) + before + after, over),
        TimeRange::last(seconds(PRESENT_AGO) + before, end),
    ]
}

/// The start of the past, its incidents, and the number of its posts.
struct Shape {
    start: Timestamp,
    spans: [Span; 2],
    /// The number of posts, as a multiple of [`DEFAULT_COUNT`].
    density: f64,
}

fn posts(writer: &mut Writer, run: &str, shape: &Shape) -> Vec<Post> {
    let mut posts: Vec<Post> = Vec::new();
    let mut recent: BTreeMap<sentistream_core::domain::Source, PostId> = BTreeMap::new();
    let mut due = 0.0;
    let minutes = (PAST.as_secs_f64() / MINUTE) as u32;
    for minute in 0..minutes {
        let begins = f64::from(minute) * MINUTE;
        due += shape.density * per_hour(shape, begins) * MINUTE / HOUR;
        let count = due as u32;
        due -= f64::from(count);
        for number in 0..count {
            // The posts of a minute are spread evenly, with a random offset.
            let jitter = (posts.len() as u64).wrapping_mul(0x9e37_79b9_7f4a_7c15) as f64 / u64::MAX as f64;
            let seconds = begins + MINUTE * (f64::from(number) + jitter) / f64::from(count);
            let index = posts.len() as u64;
            let mut written = writer.write(index, seconds);
            if written.about_incident && index.is_multiple_of(TAG_EVERY) {
                add_tag(writer, &mut written.content);
            }
            let Ok(post_id) = PostId::parse(&made_up::post_id(run, index)) else { continue };
            let reply_to = if written.is_reply {
                recent.get(&written.source).map(|id| id.as_str().to_owned())
            } else {
                recent.insert(written.source.clone(), post_id.clone());
                None
            };
            posts.push(Post {
                post_id,
                source: written.source,
                content: written.content,
                author: Some(written.author),
                created_at: shape.start + Duration::from_secs_f64(seconds),
                lang: Some(written.lang.to_owned()),
                url: written.url,
                reply_to,
            });
        }
    }
    posts
}

/// Adds the hashtag of the active incident's topic, unless the text already contains the name or the hashtag.
fn add_tag(writer: &Writer, content: &mut String) {
    let Some((number, _)) = writer.incident() else { return };
    let Name { name, tag, .. } = writer.name(writer.topic_of_incident(number));
    if !content.contains(name) && !content.contains(&tag) {
        content.push_str(" #");
        content.push_str(&tag);
    }
}

/// The posts per hour at `seconds` after the start.
fn per_hour(shape: &Shape, seconds: f64) -> f64 {
    let ago = (PAST.as_secs_f64() - seconds) / HOUR;
    let at = shape.start + Duration::from_secs_f64(seconds);
    let hour = (at.as_millis().rem_euclid(86_400_000)) as f64 / 3_600_000.0;
    // The daily rhythm fades out in the last hours, so that the final rate does not depend on the time of day.
    let swing = DAY_AMPLITUDE * (1.0 - (-ago / 3.0).exp()) * (TAU * (hour - BUSIEST_HOUR) / 24.0).cos();
    let usual = (BASE_RATE + RECENT_RATE * (-ago / RECENT_HOURS).exp()) * (1.0 + swing);
    let [yesterday, present] = shape.spans;
    if (yesterday.start..yesterday.end).contains(&seconds) {
        let progress = (seconds - yesterday.start) / (yesterday.end - yesterday.start);
        usual + INCIDENT_RATE * (progress * TAU / 2.0).sin()
    } else if seconds >= present.start {
        usual * PRESENT_FACTOR
    } else {
        usual
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const RUN: &str = "0123456789abcdef0123456789abcdef";

    fn past() -> Past {
        Past::new(RUN, "2026-03-01T12:00:00Z".parse().unwrap(), 20_000)
    }

    #[test]
    fn past_has_more_posts_towards_its_end() {
        let past = past();
        assert!((18_000..23_000).contains(&past.posts.len()), "{} posts", past.posts.len());
        let end = "2026-03-01T12:00:00Z".parse::<Timestamp>().unwrap();
        let hours = |from: u64, to: u64| {
            let range = TimeRange::new(end - Duration::from_secs(from * 3_600), end - Duration::from_secs(to * 3_600));
            let range = range.unwrap();
            past.posts.iter().filter(|post| post.created_at >= range.start() && post.created_at < range.end()).count()
        };
        assert!(hours(1, 0) > 3 * hours(6, 5), "{} and {}", hours(1, 0), hours(6, 5));
        assert!(hours(21, 20) > 5 * hours(26, 25), "{} and {}", hours(21, 20), hours(26, 25));
        // The rate in the afternoon is higher than in the night of the same day.
        assert!(hours(94, 90) * 2 > 3 * hours(106, 102), "{} and {}", hours(94, 90), hours(106, 102));
        assert!(past.posts.windows(2).all(|pair| pair[0].created_at <= pair[1].created_at));
        assert!(past.posts.iter().all(|post| post.created_at < end));
    }

    #[test]
    fn past_of_the_same_run_and_end_is_equal() {
        let ids = |past: &Past| past.posts.iter().map(|post| post.post_id.clone()).collect::<Vec<_>>();
        let (one, other) = (past(), past());
        assert_eq!(ids(&one), ids(&other));
        assert_eq!(one.posts[777].content, other.posts[777].content);
        assert!(one.posts.iter().all(|post| made_up::is_made_up(post.post_id.as_str())));
    }

    #[test]
    fn incidents_are_about_their_topic() {
        let past = past();
        for PastIncident { about, during } in &past.incidents {
            let inside: Vec<_> = past
                .posts
                .iter()
                .filter(|post| post.created_at >= during.start() && post.created_at < during.end())
                .collect();
            let of_it = |post: &&&Post| {
                let text = post.content.to_lowercase();
                [about.name, &about.tag, &about.handle].iter().any(|name| text.contains(&name.to_lowercase()))
            };
            let count = inside.iter().filter(of_it).count();
            assert!(inside.len() > 300 && count * 4 > inside.len(), "{}: {count} of {}", about.name, inside.len());
        }
        assert_ne!(past.incidents[0].about, past.incidents[1].about);
    }
}
