//! A cache of analyses by token ids.
//!
//! Posts that differ only in links or mentions have the same tokens, and therefore the same analysis. The cache has two
//! generations. New entries are added to the young generation. When the young generation is full, it becomes the old
//! generation, and the previous old generation is dropped. An entry that is read moves to the young generation. The two
//! generations limit the memory and keep frequent entries.

use std::collections::HashMap;
use std::collections::hash_map::RandomState;
use std::hash::BuildHasher as _;
use std::mem;
use std::sync::{Mutex, MutexGuard, PoisonError};

use sentistream_core::domain::Analysis;

use super::LayerDepth;
use super::panel::Encoded;

/// The number of parts of the cache. Each part has its own lock.
const PARTS: usize = 16;
/// The approximate overhead of the table per entry besides key and value, in bytes.
const OVERHEAD: usize = 32;

/// The cache of one engine.
pub struct Answers {
    parts: Vec<Mutex<Generations>>,
    hasher: RandomState,
    /// The maximum size of a generation of a part, in bytes. 0 disables the cache.
    limit: usize,
    hits: metrics::Counter,
    misses: metrics::Counter,
}

#[derive(Default)]
struct Generations {
    young: HashMap<Encoded, Analysis>,
    young_bytes: usize,
    old: HashMap<Encoded, Analysis>,
}

impl Answers {
    /// Creates a cache of at most about `max_bytes`. 0 disables the cache.
    pub fn new(max_bytes: usize) -> Self {
        Self {
            parts: (0..PARTS).map(|_| Mutex::default()).collect(),
            hasher: RandomState::new(),
            limit: max_bytes / (2 * PARTS),
            hits: metrics::counter!("sentistream_answer_cache_total", "result" => "hit"),
            misses: metrics::counter!("sentistream_answer_cache_total", "result" => "miss"),
        }
    }

    /// The cached analysis of a text with these tokens.
    pub fn get(&self, text: &Encoded) -> Option<Analysis> {
        if !self.keeps(text) {
            return None;
        }
        let mut part = self.part(text);
        let found = match part.young.get(text) {
            Some(analysis) => Some(analysis.clone()),
            None => part.old.remove_entry(text).map(|(text, analysis)| {
                part.insert(text, analysis.clone(), self.limit);
                analysis
            }),
        };
        drop(part);
        if found.is_some() {
            self.hits.increment(1);
        } else {
            self.misses.increment(1);
        }
        found
    }

    /// Caches an analysis.
    pub fn insert(&self, text: &Encoded, analysis: &Analysis) {
        if self.keeps(text) && bytes(text) <= self.limit {
            self.part(text).insert(text.clone(), analysis.clone(), self.limit);
        }
    }

    fn keeps(&self, text: &Encoded) -> bool {
        self.limit > 0 && text.depth == LayerDepth::Adaptive
    }

    fn part(&self, text: &Encoded) -> MutexGuard<'_, Generations> {
        let number = self.hasher.hash_one(text) as usize % PARTS;
        // A panic while the lock is held leaves consistent data, so a poisoned mutex can be used.
        self.parts[number].lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Generations {
    fn insert(&mut self, text: Encoded, analysis: Analysis, limit: usize) {
        let size = bytes(&text);
        if self.young_bytes + size > limit {
            self.old = mem::take(&mut self.young);
            self.young_bytes = 0;
        }
        if self.young.insert(text, analysis).is_none() {
            self.young_bytes += size;
        }
    }
}

fn bytes(text: &Encoded) -> usize {
    let tokens = [Some(&text.main), text.emotion.as_ref()].into_iter().flatten();
    let windows: usize =
        tokens.flat_map(|tokens| &tokens.windows).map(|ids| size_of::<Vec<u32>>() + 4 * ids.len()).sum();
    size_of::<Encoded>() + size_of::<Analysis>() + windows + OVERHEAD
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::tokens::Tokens;
    use sentistream_core::domain::Scores;

    fn text(id: u32, depth: LayerDepth) -> Encoded {
        let main = Tokens { windows: vec![vec![101, id]], read: 2, truncated: false };
        Encoded { main, emotion: None, depth }
    }

    fn analysis(id: u32) -> Analysis {
        let scores = Scores { sentiment: [0.1, 0.2, 0.7], ..Scores::default() };
        Analysis::from_scores("m".into(), scores, id, false)
    }

    #[test]
    fn answer_cache_stays_below_its_limit() {
        let limit = 64 * 1024;
        let answers = Answers::new(limit);
        let frequent = text(0, LayerDepth::Adaptive);
        answers.insert(&frequent, &analysis(0));
        for id in 1..5_000 {
            answers.insert(&text(id, LayerDepth::Adaptive), &analysis(id));
            assert_eq!(answers.get(&frequent), Some(analysis(0)), "a frequently read entry is kept");
        }
        let size: usize = answers
            .parts
            .iter()
            .map(|part| {
                let part = part.lock().unwrap();
                part.young.keys().chain(part.old.keys()).map(bytes).sum::<usize>()
            })
            .sum();
        assert!(size <= limit && size > limit / 4, "{size}");
        assert_eq!(answers.get(&text(1, LayerDepth::Adaptive)), None, "the oldest entries are dropped");
    }

    #[test]
    fn full_depth_or_a_limit_of_zero_disables_the_cache() {
        let full = text(1, LayerDepth::Full);
        let answers = Answers::new(1 << 20);
        answers.insert(&full, &analysis(1));
        assert_eq!(answers.get(&full), None);
        let none = Answers::new(0);
        none.insert(&text(1, LayerDepth::Adaptive), &analysis(1));
        assert_eq!(none.get(&text(1, LayerDepth::Adaptive)), None);
    }
}
