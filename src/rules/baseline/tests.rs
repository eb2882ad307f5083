use super::*;
use crate::domain::alert::Class;
use crate::domain::{Emotion, PostLabels, Sentiment};
use crate::rules::history::Gaps;
use crate::rules::series::BucketCount;

const HOUR: Duration = Duration::from_secs(3_600);
const WINDOW: Duration = Duration::from_secs(300);

/// The start of all histories: Monday, 2026-01-05.
fn start() -> Timestamp {
    Timestamp::from_unix(1_767_571_200).unwrap()
}

fn at(day: u32, hour: u32, minute: u32) -> Timestamp {
    start() + DAY * day + HOUR * hour + MINUTE * minute
}

fn selection() -> Selection<'static> {
    Selection { class: Class::Posts, source: None }
}

/// A history of `days` days. `rate` gives the posts per minute for a day and an hour.
fn history(days: u32, rate: impl Fn(u32, u32) -> i64) -> History {
    let minutes = (0..days * 1_440).map(|number| {
        let (day, hour) = (number / 1_440, number / 60 % 24);
        // The counts of three consecutive minutes differ. Their mean is the rate.
        let count = rate(day, hour) + i64::from(number % 3) - 1;
        BucketCount {
            at: start() + MINUTE * number,
            source: "web".to_owned(),
            labels: Some(PostLabels { sentiment: Sentiment::Neutral, emotion: Emotion::Neutral }),
            count: count.max(0),
        }
    });
    let counts: Vec<BucketCount> = minutes.collect();
    let range = TimeRange::new(start(), at(days, 0, 0)).unwrap();
    let mut history = History::of_counts(range, &counts);
    history.since = Some(start());
    history
}

fn score(history: &History, end: Timestamp, count: f64) -> f64 {
    baseline(history, TimeRange::last(WINDOW, end), selection(), None).unwrap().score(count)
}

#[test]
fn baseline_of_a_topic_without_posts_has_the_level_zero() {
    let silent = history(1, |_, _| -1);
    let usual = baseline(&silent, TimeRange::last(WINDOW, at(0, 12, 0)), selection(), None).unwrap();
    assert!(usual.level < 0.1 && usual.windows == 143, "{usual:?}");
    assert!(usual.score(120.0) > 15.0 && usual.score(2.0) < 3.0, "{usual:?}");
    // There is no baseline until six windows have passed since the first post.
    assert_eq!(baseline(&silent, TimeRange::last(WINDOW, at(0, 0, 30)), selection(), None), None);
    assert!(baseline(&silent, TimeRange::last(WINDOW, at(0, 0, 40)), selection(), None).is_some());
}

#[test]
fn surge_at_night_is_a_spike_and_usual_daytime_growth_is_not() {
    let office = |day: u32, hour: u32| if day % 7 < 5 && (8..18).contains(&hour) { 20 } else { -1 };
    for days in [3, 7, 21] {
        let history = history(days + 1, office);
        let monday_like = at(days, 8, 15);
        let count = history.minutes.sum(TimeRange::last(WINDOW, monday_like), None).total() as f64;
        assert!(score(&history, monday_like, count) < 3.5, "{days} days: {}", score(&history, monday_like, count));
        let night = at(days, 3, 0);
        assert!(score(&history, night, 20.0) > 5.0, "{days} days: {}", score(&history, night, 20.0));
    }
}

#[test]
fn baseline_of_weekends_differs_from_that_of_workdays() {
    let history = history(22, |day, _| if day % 7 < 5 { 40 } else { 4 });
    let saturday = baseline(&history, TimeRange::last(WINDOW, at(19, 12, 0)), selection(), None).unwrap();
    assert!((15.0..45.0).contains(&saturday.level), "{saturday:?}");
    let monday = baseline(&history, TimeRange::last(WINDOW, at(21, 12, 0)), selection(), None).unwrap();
    assert!((150.0..230.0).contains(&monday.level), "{monday:?}");
}

#[test]
fn downtime_is_not_part_of_the_baseline() {
    let ten_hours = |_: u32, hour: u32| if (8..18).contains(&hour) { 20 } else { -1 };
    let mut history = history(4, ten_hours);
    let nights = (0..4).flat_map(|day| [(day, 0, 8), (day, 18, 24)]);
    let night = |(day, from, to)| TimeRange::new(at(day, from, 0), at(day, to, 0)).unwrap();
    history.gaps = Gaps::new(nights.map(night).collect());
    for hour in [8, 9, 12, 17] {
        let end = at(3, hour, 10);
        assert!(score(&history, end, 100.0) < 3.0, "at {hour}: {}", score(&history, end, 100.0));
    }
}

#[test]
fn counts_of_an_incident_do_not_raise_its_baseline() {
    let steady = history(3, |_, _| 4);
    let mut counts = Vec::new();
    for number in 0..3 * 1_440_u32 {
        let incident = number >= 2 * 1_440 + 600;
        counts.push(BucketCount {
            at: start() + MINUTE * number,
            source: "web".to_owned(),
            labels: Some(PostLabels { sentiment: Sentiment::Neutral, emotion: Emotion::Neutral }),
            count: if incident { 40 } else { 4 },
        });
    }
    let history = History::of_counts(steady.minutes.range(), &counts);
    let began = at(2, 10, 1);
    for minutes in [5, 30, 120, 360] {
        let window = TimeRange::last(WINDOW, began + MINUTE * minutes);
        let usual = baseline(&history, window, selection(), Some(began - WINDOW)).unwrap();
        assert!(usual.score(200.0) > 5.0 && usual.level < 40.0, "{minutes} min: {usual:?}");
    }
    // The counts of the incident are clipped, so they do not raise the level of the next day.
    let clipped = baseline(&history, TimeRange::last(WINDOW, at(2, 9, 0)), selection(), None).unwrap();
    assert!(clipped.level < 30.0, "{clipped:?}");
}

#[test]
fn equally_rare_counts_have_equal_scores_at_every_level() {
    let baseline = |level: f64| Baseline { level, spread: (level + SHIFT).sqrt(), windows: 100, days: 7 };
    // Random variation exceeds 21 posts at a level of 8, and 140 posts at a level of 100, once in about 10,000 windows.
    assert!((baseline(8.0).score(21.0) - baseline(100.0).score(140.0)).abs() < 0.25);
    assert_eq!((baseline(100.0).score(130.0) * 10.0).round(), 28.0);
}

#[test]
fn growth_of_generated_posts_is_not_a_spike() {
    // The number of posts per minute doubles every hour, up to 64 posts.
    let mut history = history(3, |day, hour| if day == 2 && hour >= 2 { 1 << (hour - 2).min(6) } else { 1 });
    let (end, window) = (at(2, 8, 0), TimeRange::last(WINDOW, at(2, 8, 5)));
    history.made_up_until = Some(end);
    assert_eq!(baseline(&history, window, selection(), None), None);
    let later = TimeRange::last(WINDOW, at(2, 8, 45));
    let count = history.minutes.sum(later, None).total() as f64;
    assert!(baseline(&history, later, selection(), None).unwrap().score(count) < 3.0);
}

#[test]
fn baseline_follows_slow_growth() {
    let history = history(15, |day, _| 10 + i64::from(day));
    let end = at(14, 12, 0);
    let count = history.minutes.sum(TimeRange::last(WINDOW, end), None).total() as f64;
    assert!(score(&history, end, count) < 2.0, "{}", score(&history, end, count));
}

#[test]
fn incomplete_cached_quarters_do_not_lower_the_baseline() {
    let complete = history(4, |_, _| 20);
    // These quarters were read before the posts of the last two hours arrived.
    let earlier = history(4, |day, hour| if (day, hour) < (3, 22) { 20 } else { -1 });
    let mut stale = History::new(complete.minutes.clone(), earlier.quarters);
    stale.since = complete.since;
    let window = TimeRange::last(WINDOW, at(4, 0, 0));
    let usual = baseline(&complete, window, selection(), None);
    assert!(usual.is_some());
    assert_eq!(baseline(&stale, window, selection(), None), usual);
}
