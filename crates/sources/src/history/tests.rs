use std::sync::{Arc, Mutex};

use super::super::Opening;
use super::super::draft::Found;
use super::*;

/// Places with one post per hour before the present, and ten posts per page.
#[derive(Clone, Default)]
struct Hourly {
    places: Vec<&'static str>,
    /// The number of posts per place.
    count: usize,
    /// The number of hours from the start of the history to the newest post.
    newer: u32,
    /// Errors that the next requests return instead of pages.
    errors: Arc<Mutex<Vec<SourceError>>>,
    asked: Arc<Mutex<Vec<String>>>,
}

const HOUR: Duration = Duration::from_secs(3_600);

impl Pages for Hourly {
    fn places(&self) -> Vec<String> {
        self.places.iter().map(|place| (*place).to_owned()).collect()
    }

    fn page<'a>(&'a mut self, wanted: Wanted<'a>) -> BoxFuture<'a, Result<Page, SourceError>> {
        Box::pin(async move {
            let place = self.places[wanted.place];
            self.asked.lock().unwrap().push(format!("{place} {}", wanted.position.unwrap_or("-")));
            if let Some(error) = self.errors.lock().unwrap().pop() {
                return Err(error);
            }
            let start: usize = wanted.position.map_or(0, |position| position.parse().unwrap());
            let (mut page, newest) = (Page::default(), wanted.began + HOUR * self.newer);
            for number in start..(start + 10).min(self.count) {
                let found = Found {
                    post_id: format!("{place}-{number}"),
                    content: "text".to_owned(),
                    created_at: Some(newest - HOUR * u32::try_from(number).unwrap()),
                    ..Found::default()
                };
                found.add_to(&mut page.batch, "x", newest);
            }
            page.next = (start + 10 < self.count).then(|| (start + 10).to_string());
            Ok(page)
        })
    }
}

fn spec(pages: &Hourly, span: Duration) -> SourceSpec {
    spec_at(pages, span, &Clock::fixed("2026-03-01T12:00:00Z".parse().unwrap()))
}

fn spec_at(pages: &Hourly, span: Duration, clock: &Clock) -> SourceSpec {
    let (pages, clock) = (pages.clone(), clock.clone());
    Past { name: "blog", kind: "rss", span, clock }.spec(move || Box::new(pages.clone())).unwrap()
}

/// Reads at most `calls` batches, starting at `cursor`. Returns the ids of the posts and the last cursor.
async fn read(spec: &SourceSpec, cursor: Option<String>, calls: usize) -> (Vec<String>, Option<String>) {
    let mut source = spec.open(Opening { cursor: cursor.clone(), failures: 0 });
    let (mut ids, mut cursor) = (Vec::new(), cursor);
    for _ in 0..calls {
        let batch = source.next(500).await.unwrap();
        ids.extend(batch.ops.iter().filter_map(|op| op.post()).map(|post| post.post_id.as_str().to_owned()));
        cursor = batch.cursor.or(cursor);
        if batch.finished {
            break;
        }
    }
    (ids, cursor)
}

#[tokio::test]
async fn history_ends_at_its_span_in_each_place() {
    let pages = Hourly { places: vec!["a", "b"], count: 1_000, ..Hourly::default() };
    let (ids, cursor) = read(&spec(&pages, HOUR * 24), None, 100).await;
    // A post whose time equals the start of the span is included.
    assert_eq!(ids.len(), 50);
    assert_eq!((ids[0].as_str(), ids[24].as_str(), ids[25].as_str()), ("a-0", "a-24", "b-0"));
    let progress = Progress::read(&cursor.unwrap()).unwrap();
    assert_eq!((progress.posts, progress.until), (50, Some(progress.since)));
    assert_eq!(pages.asked.lock().unwrap().len(), 8, "one page beyond the span per place");
}

#[tokio::test]
async fn posts_newer_than_the_history_are_skipped() {
    let pages = Hourly { places: vec!["a"], count: 1_000, newer: 25, ..Hourly::default() };
    let (ids, _) = read(&spec(&pages, HOUR * 24), None, 100).await;
    assert_eq!((ids.len(), ids[0].as_str(), ids[24].as_str()), (25, "a-25", "a-49"));
    assert_eq!(pages.asked.lock().unwrap().len(), 6, "two pages of newer posts, and one beyond the span");
}

#[tokio::test]
async fn history_that_ends_at_the_page_limit_is_reported() {
    // The posts of the first 2,500 pages are newer than the history.
    let pages = Hourly { places: vec!["a"], count: 25_010, newer: 25_000, ..Hourly::default() };
    let mut source = spec(&pages, HOUR * 24).open(Opening::default());
    let mut troubles = Vec::new();
    loop {
        let batch = source.next(500).await.unwrap();
        if batch.finished {
            break;
        }
        troubles.extend(batch.troubles);
    }
    assert_eq!(troubles, ["the history has more than 2000 pages; older posts were not read"]);
}

#[tokio::test]
async fn place_that_is_added_later_has_its_own_span() {
    let clock = Clock::fixed("2026-03-01T12:00:00Z".parse().unwrap());
    let one = Hourly { places: vec!["a"], count: 1_000, ..Hourly::default() };
    let (_, cursor) = read(&spec_at(&one, HOUR * 24, &clock), None, 100).await;
    clock.set(clock.now() + HOUR * 1_000);
    let two = Hourly { places: vec!["a", "b"], ..one };
    let (ids, cursor) = read(&spec_at(&two, HOUR * 24, &clock), cursor, 100).await;
    assert_eq!((ids.len(), ids[0].as_str(), ids[24].as_str()), (25, "b-0", "b-24"));
    let progress = Progress::read(&cursor.unwrap()).unwrap();
    assert_eq!((progress.began, progress.since), (clock.now(), clock.now() - HOUR * 24));
}

#[tokio::test]
async fn start_of_a_history_is_stored_before_its_posts() {
    let clock = Clock::fixed("2026-03-01T12:00:00Z".parse().unwrap());
    let one = Hourly { places: vec!["a"], count: 5, ..Hourly::default() };
    let first = spec_at(&one, HOUR * 24, &clock).open(Opening::default()).next(500).await.unwrap();
    assert_eq!((first.ops.len(), first.must_store, first.wait), (0, true, Duration::ZERO));
    let began = |cursor: &Option<String>| Progress::read(cursor.as_ref().unwrap()).unwrap().began;
    assert_eq!((began(&first.cursor), one.asked.lock().unwrap().len()), (clock.now(), 0));

    // A restart continues the history, and a place that is added later changes the start.
    let opening = Opening { cursor: first.cursor, failures: 0 };
    let batch = spec_at(&one, HOUR * 24, &clock).open(opening).next(500).await.unwrap();
    assert_eq!((batch.ops.len(), batch.must_store), (5, false));
    clock.set(clock.now() + HOUR);
    let two = Hourly { places: vec!["a", "b"], ..one };
    let opening = Opening { cursor: batch.cursor, failures: 0 };
    let moved = spec_at(&two, HOUR * 24, &clock).open(opening).next(500).await.unwrap();
    assert_eq!((moved.ops.len(), moved.must_store, began(&moved.cursor)), (0, true, clock.now()));
}

#[tokio::test]
async fn history_continues_at_its_cursor() {
    let pages = Hourly { places: vec!["a", "b"], count: 35, ..Hourly::default() };
    let spec = spec(&pages, HOUR * 1_000);
    let (mut ids, mut cursor) = (Vec::new(), None);
    for _ in 0..12 {
        let (more, next) = read(&spec, cursor, 1).await;
        ids.extend(more);
        cursor = next;
    }
    let expected = |place: &str| (0..35).map(move |number| format!("{place}-{number}")).collect::<Vec<_>>();
    assert_eq!(ids, [expected("a"), expected("b")].concat());
    assert_eq!(pages.asked.lock().unwrap().len(), 8, "a finished history requests nothing");
}

#[tokio::test]
async fn history_ends_after_its_number_of_posts() {
    let pages = Hourly { places: vec!["a"], count: 30_000, ..Hourly::default() };
    let (ids, cursor) = read(&spec(&pages, HOUR * 24 * 10_000), None, 3_000).await;
    assert_eq!((ids.len() as u64, Progress::read(&cursor.unwrap()).unwrap().posts), (MAX_POSTS, MAX_POSTS));
}

#[tokio::test]
async fn place_is_skipped_after_repeated_failures() {
    let pages = Hourly { places: vec!["a", "b"], count: 5, ..Hourly::default() };
    let away = || SourceError::Transient("away".to_owned());
    let busy = || SourceError::Busy { reason: "busy".to_owned(), after: HOUR };
    *pages.errors.lock().unwrap() = vec![away(), away(), away(), away(), away(), busy(), away()];
    let spec = spec(&pages, HOUR * 24);
    let (ids, _) = read(&spec, None, 20).await;
    assert_eq!(ids, ["b-0", "b-1", "b-2", "b-3", "b-4"]);
    let pages = Hourly { errors: Arc::new(Mutex::new(vec![SourceError::Permanent("gone".to_owned())])), ..pages };
    assert_eq!(read(&self::spec(&pages, HOUR * 24), None, 20).await.0.len(), 5);
}

#[tokio::test]
async fn busy_server_is_asked_after_growing_delays() {
    let pages = Hourly { places: vec!["a"], count: 5, ..Hourly::default() };
    let busy = || SourceError::Busy { reason: "busy".to_owned(), after: Duration::ZERO };
    *pages.errors.lock().unwrap() = std::iter::repeat_with(busy).take(12).collect();
    let mut source = spec(&pages, HOUR * 24).open(Opening { cursor: None, failures: 0 });
    source.next(500).await.unwrap();
    let mut waits = Vec::new();
    for _ in 0..12 {
        waits.push(source.next(500).await.unwrap().wait);
    }
    assert_eq!((waits[0], waits[1], waits[11]), (FIRST_DELAY, FIRST_DELAY * 2, MAX_DELAY));
    assert_eq!(source.next(500).await.unwrap().ops.len(), 5, "the place is not left out");
}

#[test]
fn history_with_a_span_of_zero_is_not_read() {
    let clock = Clock::fixed(Timestamp::EPOCH);
    let past = Past { name: "blog", kind: "rss", span: Duration::ZERO, clock };
    assert!(past.spec(|| Box::new(Hourly::default())).is_none());
}
