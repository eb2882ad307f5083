//! Shares the CPU cores between the engines of a process.
//!
//! Each engine has its own queue and threads, but the number of threads that compute at the same time is limited to the
//! number of cores. A free core is given to the waiting engine with the least computing time so far. Busy engines
//! therefore get equal shares of time, however long their batches take. Idle time of an engine gives it no advantage
//! later.

use std::collections::BTreeMap;
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

/// The CPU cores that the engines of a process share.
#[derive(Debug)]
pub struct Cores {
    state: Mutex<State>,
    released: Condvar,
}

#[derive(Debug)]
struct State {
    free: usize,
    next_id: u64,
    engines: BTreeMap<u64, Usage>,
}

/// The use of the cores by one engine.
#[derive(Clone, Copy, Debug, Default)]
struct Usage {
    /// The computing time of the engine so far, including the expected time of the computations that still run.
    used: Duration,
    /// The duration of the engine's last computation, which is the expected duration of its next computation.
    last: Duration,
    waiting: usize,
    running: usize,
}

impl Usage {
    fn is_active(&self) -> bool {
        self.waiting + self.running > 0
    }
}

impl Cores {
    /// Creates a set of `count` cores, at least one.
    pub fn new(count: usize) -> Arc<Self> {
        let state = State { free: count.max(1), next_id: 0, engines: BTreeMap::new() };
        Arc::new(Self { state: Mutex::new(state), released: Condvar::new() })
    }

    /// Adds an engine.
    pub fn join(self: &Arc<Self>) -> CoreShare {
        let mut state = self.lock();
        let id = state.next_id;
        state.next_id += 1;
        state.engines.insert(id, Usage::default());
        drop(state);
        CoreShare { cores: Arc::clone(self), id }
    }

    /// Locks the state. A panic while the lock is held leaves consistent data, so a poisoned mutex can be used.
    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl State {
    /// Whether a core is free, and no other waiting engine has less computing time.
    fn is_turn_of(&self, id: u64) -> bool {
        let waiting = self.engines.iter().filter(|(_, usage)| usage.waiting > 0);
        self.free > 0 && waiting.min_by_key(|(id, usage)| (usage.used, **id)).is_some_and(|(first, _)| *first == id)
    }

    fn change(&mut self, id: u64, change: impl FnOnce(&mut Usage)) {
        if let Some(usage) = self.engines.get_mut(&id) {
            change(usage);
        }
    }
}

/// An engine's access to the cores. Dropping the value removes the engine.
#[derive(Debug)]
pub struct CoreShare {
    cores: Arc<Cores>,
    id: u64,
}

impl CoreShare {
    /// Waits until the engine may use a core.
    pub fn turn(&self) -> Turn<'_> {
        let mut state = self.cores.lock();
        let least = state.engines.values().filter(|usage| usage.is_active()).map(|usage| usage.used).min();
        state.change(self.id, |usage| {
            if let (false, Some(least)) = (usage.is_active(), least) {
                usage.used = usage.used.max(least);
            }
            usage.waiting += 1;
        });
        while !state.is_turn_of(self.id) {
            state = self.cores.released.wait(state).unwrap_or_else(PoisonError::into_inner);
        }
        state.free -= 1;
        let mut expected = Duration::ZERO;
        state.change(self.id, |usage| {
            usage.waiting -= 1;
            usage.running += 1;
            expected = usage.last;
            usage.used += expected;
        });
        let another_is_free = state.free > 0;
        drop(state);
        if another_is_free {
            self.cores.released.notify_all();
        }
        Turn { share: self, started: Instant::now(), expected }
    }
}

impl Drop for CoreShare {
    fn drop(&mut self) {
        self.cores.lock().engines.remove(&self.id);
        self.cores.released.notify_all();
    }
}

/// A core in use. Dropping the value releases the core.
#[derive(Debug)]
pub struct Turn<'a> {
    share: &'a CoreShare,
    started: Instant,
    expected: Duration,
}

impl Drop for Turn<'_> {
    fn drop(&mut self) {
        let took = self.started.elapsed();
        let mut state = self.share.cores.lock();
        state.free += 1;
        state.change(self.share.id, |usage| {
            usage.running -= 1;
            usage.used = (usage.used + took).saturating_sub(self.expected);
            usage.last = took;
        });
        drop(state);
        self.share.cores.released.notify_all();
    }
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
    use std::thread;

    use super::*;

    #[test]
    fn busy_engines_share_the_cores_equally() {
        let cores = Cores::new(2);
        let (running, most) = (AtomicUsize::new(0), AtomicUsize::new(0));
        let over = AtomicBool::new(false);
        let computed = [AtomicUsize::new(0), AtomicUsize::new(0)];
        let shares = [cores.join(), cores.join()];
        // The batches of the second engine take ten times as long.
        let lengths = [Duration::from_millis(2), Duration::from_millis(20)];
        thread::scope(|scope| {
            for engine in [0, 0, 1, 1] {
                let (share, length) = (&shares[engine], lengths[engine]);
                let (running, most, over, computed) = (&running, &most, &over, &computed);
                scope.spawn(move || {
                    while !over.load(Ordering::SeqCst) {
                        let turn = share.turn();
                        let start = Instant::now();
                        most.fetch_max(running.fetch_add(1, Ordering::SeqCst) + 1, Ordering::SeqCst);
                        thread::park_timeout(length);
                        running.fetch_sub(1, Ordering::SeqCst);
                        let micros = start.elapsed().as_micros() as usize;
                        let total = computed[engine].fetch_add(micros, Ordering::SeqCst);
                        over.fetch_or(total >= 600_000, Ordering::SeqCst);
                        drop(turn);
                    }
                });
            }
        });
        assert_eq!(most.load(Ordering::SeqCst), 2);
        let [short, long] = computed.map(AtomicUsize::into_inner);
        assert!(short * 3 > long && long * 3 > short, "{short} {long}");
    }

    #[test]
    fn idle_engine_has_no_advantage_and_dropped_engine_is_removed() {
        let cores = Cores::new(1);
        let (busy, idle) = (cores.join(), cores.join());
        for _ in 0..3 {
            let _turn = busy.turn();
            thread::park_timeout(Duration::from_millis(5));
        }
        drop(idle.turn());
        let used = |share: &CoreShare| cores.lock().engines[&share.id].used;
        assert!(used(&idle) < used(&busy));
        drop(idle);
        drop(busy.turn());
        assert_eq!(cores.lock().engines.len(), 1);
    }
}
