use serde_json::json;

use super::*;
use crate::domain::{Emotion, PostLabels, Sentiment};
use crate::rules::PROFILE;
use crate::rules::history::{Gaps, LateCount};
use crate::rules::series::BucketCount;

const START: i64 = 1_767_225_600;

fn minute(number: u32) -> Timestamp {
    Timestamp::from_unix(START).unwrap() + STEP * number
}

fn range(from: u32, to: u32) -> TimeRange {
    TimeRange::new(minute(from), minute(to)).unwrap()
}

fn labels(sentiment: Sentiment) -> Option<PostLabels> {
    Some(PostLabels { sentiment, emotion: Emotion::Neutral })
}

fn count(number: u32, sentiment: Sentiment, count: i64) -> BucketCount {
    BucketCount { at: minute(number), source: "web".to_owned(), labels: labels(sentiment), count }
}

fn spec(rule: serde_json::Value) -> RuleSpec {
    let mut rule = rule;
    rule["name"] = json!("x");
    RuleSpec::parse(rule).unwrap()
}

#[test]
fn backtest_reports_when_and_how_long_a_rule_fired() {
    let counts: Vec<BucketCount> = (0..240)
        .flat_map(|number| {
            let upset = (100..112).contains(&number);
            [count(number, Sentiment::Negative, if upset { 9 } else { 1 }), count(number, Sentiment::Positive, 4)]
        })
        .collect();
    let recording = Recording::new(History::of_counts(range(0, 240), &counts));
    let spec = spec(json!({"kind": "share", "threshold": 0.5, "window": "5min", "for": "2min",
                           "keep_firing_for": "3min", "group_by": "source_and_total"}));
    let test = run(&spec, &recording, range(0, 240));
    assert_eq!(test.evaluations, 241);
    let times: Vec<_> =
        test.firings.iter().map(|f| (f.scope.as_str(), f.pending_at, f.fired_at, f.resolved_at)).collect();
    // A window with two mostly negative minutes has 21 negative posts of 41. With one such minute it has 13 of 33.
    let (pending, fired, resolved) = (minute(102), minute(104), Some(minute(119)));
    assert_eq!(times, [("all", pending, fired, resolved), ("source:web", pending, fired, resolved)]);
    assert_eq!(test.firings[0].duration_seconds, 15 * 60);
    assert!((test.firings[0].peak - 9.0 / 13.0).abs() < 1e-9);
    assert_eq!(run(&spec, &recording, range(0, 240)), test, "a second run has the same result");
    let half = run(&spec, &recording, range(0, 110));
    assert_eq!((half.firings[0].resolved_at, half.firings[0].duration_seconds), (None, 360));
}

#[test]
fn windows_without_posts_do_not_change_the_peak() {
    let counts: Vec<BucketCount> = (0..60)
        .flat_map(|number| {
            let negative = if number < 20 { 1 } else { 3 };
            let posts = if number < 30 { [negative, 4 - negative] } else { [0, 0] };
            [count(number, Sentiment::Negative, posts[0]), count(number, Sentiment::Positive, posts[1])]
        })
        .collect();
    let recording = Recording::new(History::of_counts(range(0, 60), &counts));
    let spec = spec(json!({"kind": "share", "threshold": 0.5, "direction": "below", "of": "sentiment:positive",
                           "window": "5min", "min_posts": 1, "no_data": "keep"}));
    let firings = run(&spec, &recording, range(5, 60)).firings;
    assert_eq!(firings.len(), 1, "{firings:?}");
    // The share of positive posts falls to a quarter. The last windows have no posts, and so no share.
    assert_eq!((firings[0].resolved_at, firings[0].peak), (None, 0.25));
}

/// A history of four days with one post per minute, and 60 negative posts within ten minutes of the last day.
fn spike() -> History {
    let days = 4 * 1_440;
    let mut counts: Vec<BucketCount> = (0..days).map(|number| count(number, Sentiment::Neutral, 1)).collect();
    counts.extend((days - 300..days - 290).map(|number| count(number, Sentiment::Negative, 6)));
    let start = minute(0) - PROFILE;
    History::of_counts(TimeRange::new(start, minute(days)).unwrap(), &counts)
}

#[test]
fn backtests_of_one_and_two_days_agree_on_a_spike() {
    let recording = Recording::new(spike());
    let spec = spec(json!({"kind": "spike", "threshold": 5, "of": "sentiment:negative", "keep_firing_for": "5min"}));
    let end = 4 * 1_440;
    let [one, two] = [1_440, 2 * 1_440].map(|length| run(&spec, &recording, range(end - length, end)).firings);
    assert_eq!(one.len(), 1, "{one:?}");
    assert_eq!(one, two);
    assert!(one[0].fired_at >= minute(end - 300) && one[0].fired_at <= minute(end - 295), "{one:?}");
}

#[test]
fn generated_posts_of_a_demonstration_count_as_punctual() {
    let mut history = spike();
    let (start, end) = (4 * 1_440 - 300, 4 * 1_440);
    let mut tally = Tally::default();
    tally.add(labels(Sentiment::Negative), 6);
    let late =
        |number| LateCount { written_at: minute(number), stored_at: minute(end), source: "web".to_owned(), tally };
    history.late = (start..start + 10).map(late).collect();
    let window = range(start, start + 10);
    let before = history.seen(window, None, minute(end - 1)).total();
    history.made_up_until = Some(minute(start + 5));
    assert_eq!(
        history.seen(window, None, minute(end - 1)).total(),
        before + 5 * 6,
        "posts of the generated half count before they were stored"
    );
    assert_eq!(history.seen(window, None, minute(end)).total(), before + 10 * 6);
}

#[test]
fn late_posts_raise_an_alert_only_with_a_delay() {
    let mut recording = Recording::new(spike());
    let mut tally = Tally::default();
    tally.add(labels(Sentiment::Negative), 6);
    let end = 4 * 1_440;
    // The source delivers these posts half an hour late.
    recording.history.late = (end - 300..end - 290)
        .map(|number| LateCount {
            written_at: minute(number),
            stored_at: minute(end - 270),
            source: "web".to_owned(),
            tally,
        })
        .collect();
    let rule = |delay: &str| {
        spec(
            json!({"kind": "spike", "threshold": 5, "of": "sentiment:negative", "delay": delay, "keep_firing_for": "5min"}),
        )
    };
    assert_eq!(run(&rule("0s"), &recording, range(end - 1_440, end)).firings, []);
    let found = run(&rule("40min"), &recording, range(end - 1_440, end)).firings;
    assert_eq!(found.len(), 1, "{found:?}");
    assert!(found[0].fired_at >= minute(end - 270), "{found:?}");
    // A measured delay has the same effect as a configured delay.
    recording.delays.together = Duration::from_secs(40 * 60);
    let measured =
        spec(json!({"kind": "spike", "threshold": 5, "of": "sentiment:negative", "keep_firing_for": "5min"}));
    assert_eq!(run(&measured, &recording, range(end - 1_440, end)).firings, found);
}

#[test]
fn downtime_does_not_resolve_or_raise_an_alert() {
    let mut counts: Vec<BucketCount> = (0..60).map(|number| count(number, Sentiment::Negative, 20)).collect();
    counts.retain(|one| !(30..33).contains(&(one.at.since(minute(0)).as_secs() / 60)));
    let gapless = History::of_counts(range(0, 60), &counts);
    let mut history = History::of_counts(range(0, 60), &counts);
    history.gaps = Gaps::new(vec![range(30, 33)]);
    let share = spec(json!({"kind": "share", "threshold": 0.5, "window": "1min"}));
    let absence = spec(json!({"kind": "absence", "window": "1min"}));
    let (known, unknown) = (Recording::new(history), Recording::new(gapless));
    let firings = |spec: &RuleSpec, recording: &Recording| run(spec, recording, range(1, 59)).firings.len();
    assert_eq!((firings(&share, &known), firings(&absence, &known)), (1, 0));
    // If the downtime is unknown, the incident fires twice, and a false absence fires in between.
    assert_eq!((firings(&share, &unknown), firings(&absence, &unknown)), (2, 1));
}

#[test]
fn backtest_counts_copies_of_a_text_once() {
    let counts: Vec<BucketCount> = (0..60)
        .flat_map(|number| {
            let copies = if (30..33).contains(&number) { 20 } else { 0 };
            [count(number, Sentiment::Positive, 4), count(number, Sentiment::Negative, copies)]
        })
        .collect();
    let spec = spec(json!({"kind": "share", "threshold": 0.5, "distinct": "texts", "window": "5min"}));
    let mut recording = Recording::new(History::of_counts(range(0, 60), &counts));
    let windows = windows_to_read(&spec, &recording, range(5, 60));
    assert!(!windows.is_empty());
    assert_eq!(run(&spec, &recording, range(5, 60)).firings.len(), 1, "without the texts, every copy counts");
    let post = |sentiment, content: String| PostText {
        source: "web".to_owned(),
        author: None,
        labels: labels(sentiment),
        content,
    };
    for window in windows {
        let negative =
            recording.history.minutes.sum(window, None).of(crate::domain::alert::Class::Sentiment(Sentiment::Negative));
        let mut texts =
            vec![post(Sentiment::Negative, "keep away from this fraud of a shop".to_owned()); negative as usize];
        let words = ["lake", "hill", "tree", "bird", "song", "boat", "road", "wind"];
        texts.extend(
            (0..20).map(|n| post(Sentiment::Positive, format!("nice {} by the {}", words[n % 8], words[n / 8]))),
        );
        recording.texts.insert(window, texts);
    }
    assert_eq!(run(&spec, &recording, range(5, 60)).firings, []);
}
