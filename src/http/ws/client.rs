//! A live client: a bounded queue, and the count of events that did not fit in it.

use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use arc_swap::ArcSwap;
use tokio::sync::mpsc;
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;

use super::frame::Frame;
use super::request::Filters;

/// A client that misses events this often, each time within [`STRIKE_WINDOW`] of the previous time, is disconnected.
const STRIKES: u32 = 3;
const STRIKE_WINDOW: Duration = Duration::from_secs(60);

/// A live client.
pub struct Client {
    queue: mpsc::Sender<Frame>,
    filters: ArcSwap<Filters>,
    account: Mutex<Backpressure>,
    slow_limit: Duration,
    too_slow: CancellationToken,
}

/// The events that the client missed. While the client has missed events, no frame is queued, so that the client gets
/// the `lagged` message at the position of the missing events.
#[derive(Default)]
struct Backpressure {
    missed: Option<Missed>,
    since: Option<Instant>,
    strikes: u32,
    last_strike: Option<Instant>,
}

#[derive(Clone, Copy)]
enum Missed {
    Known(u64),
    Unknown,
}

impl Client {
    /// A client whose queue holds `buffer` frames.
    pub fn new(buffer: usize, slow_limit: Duration) -> (Self, mpsc::Receiver<Frame>) {
        let (queue, frames) = mpsc::channel(buffer.max(1));
        let client = Self {
            queue,
            filters: ArcSwap::default(),
            account: Mutex::default(),
            slow_limit,
            too_slow: CancellationToken::new(),
        };
        (client, frames)
    }

    /// The filters of the client.
    pub fn filters(&self) -> arc_swap::Guard<std::sync::Arc<Filters>> {
        self.filters.load()
    }

    /// Replaces the filters of the client.
    pub fn subscribe(&self, filters: Filters) {
        self.filters.store(std::sync::Arc::new(filters));
    }

    /// Queues a frame, or counts it as missed. Never waits. A client that has disconnected misses nothing.
    pub fn push(&self, frame: Frame) {
        let mut account = self.account();
        if self.queue.is_closed() {
            return;
        }
        if account.missed.is_some() || self.queue.try_send(frame).is_err() {
            self.miss(&mut account, Missed::Known(1));
        }
    }

    /// Counts events that this client has missed; `None` for an unknown number.
    pub fn missed(&self, count: Option<u64>) {
        self.miss(&mut self.account(), count.map_or(Missed::Unknown, Missed::Known));
        // An empty frame wakes a session that waits for its queue. If the queue is full, the session does not wait, and
        // the error is ignored.
        let _ = self.queue.try_send(Frame::new());
    }

    fn miss(&self, account: &mut Backpressure, more: Missed) {
        let now = Instant::now();
        if account.missed.is_none() && self.queue.capacity() == 0 {
            let recent = account.last_strike.is_some_and(|last| now.duration_since(last) < STRIKE_WINDOW);
            account.strikes = if recent { account.strikes + 1 } else { 1 };
            account.last_strike = Some(now);
            account.since = Some(now);
        }
        account.missed = Some(match (account.missed, more) {
            (None, more) => more,
            (Some(Missed::Known(before)), Missed::Known(count)) => Missed::Known(before + count),
            _ => Missed::Unknown,
        });
        metrics::counter!("sentistream_live_missed_total").increment(match more {
            Missed::Known(count) => count,
            Missed::Unknown => 1,
        });
        let stuck = account.since.is_some_and(|since| now.duration_since(since) > self.slow_limit);
        if stuck || account.strikes >= STRIKES {
            self.too_slow.cancel();
        }
    }

    /// Takes the number of missed events, `Some(None)` if it is unknown. `None` if no events were missed, or if queued
    /// frames must be sent first.
    pub fn settle(&self, queue: &mpsc::Receiver<Frame>) -> Option<Option<u64>> {
        let mut account = self.account();
        if !queue.is_empty() {
            return None;
        }
        account.since = None;
        account.missed.take().map(|missed| match missed {
            Missed::Known(count) => Some(count),
            Missed::Unknown => None,
        })
    }

    /// Completes when the client has been too slow for too long and must be disconnected.
    pub async fn too_slow(&self) {
        self.too_slow.cancelled().await;
    }

    fn account(&self) -> MutexGuard<'_, Backpressure> {
        // The state is consistent after every step, so that a poisoned lock is usable.
        self.account.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn drain(queue: &mut mpsc::Receiver<Frame>) -> Vec<String> {
        std::iter::from_fn(|| queue.try_recv().ok()).map(|frame| frame.to_string()).collect()
    }

    #[tokio::test(start_paused = true)]
    async fn missed_events_are_counted_and_reported_in_order() {
        let (client, mut queue) = Client::new(2, Duration::from_secs(10));
        for name in ["a", "b", "c", "d"] {
            client.push(name.into());
        }
        assert_eq!(client.settle(&queue), None, "missed events are not reported before the queued frames are sent");
        assert_eq!(drain(&mut queue), ["a", "b"]);
        client.push("e".into());
        assert_eq!(client.settle(&queue), Some(Some(3)));
        client.push("f".into());
        assert_eq!(drain(&mut queue), ["f"]);
        assert_eq!(client.settle(&queue), None);
    }

    #[tokio::test(start_paused = true)]
    async fn interruption_reports_an_unknown_number_of_events() {
        let (client, mut queue) = Client::new(2, Duration::from_secs(10));
        client.missed(Some(4));
        client.missed(None);
        drain(&mut queue);
        assert_eq!(client.settle(&queue), Some(None));
    }

    #[tokio::test(start_paused = true)]
    async fn client_that_stays_slow_is_disconnected() {
        let (stuck, _queue) = Client::new(1, Duration::from_secs(10));
        stuck.push("a".into());
        stuck.push("b".into());
        tokio::time::advance(Duration::from_secs(9)).await;
        stuck.push("c".into());
        assert!(!stuck.too_slow.is_cancelled());
        tokio::time::advance(Duration::from_secs(2)).await;
        stuck.push("d".into());
        assert!(stuck.too_slow.is_cancelled());

        let (flapping, mut queue) = Client::new(1, Duration::from_secs(10));
        for episode in 1..=STRIKES {
            flapping.push("a".into());
            flapping.push("b".into());
            assert_eq!(flapping.too_slow.is_cancelled(), episode == STRIKES);
            drain(&mut queue);
            flapping.settle(&queue);
        }
    }
}
