//! Weekly profiles, and the cache of the most recently computed ones.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use crate::domain::Timestamp;
use crate::domain::alert::Class;

/// The number of levels. Level `n` contains the expected counts from 2ⁿ to 2ⁿ⁺¹. The spread is estimated for each
/// level.
pub const LEVELS: usize = 24;
/// Quarters of an hour in a day.
pub const DAY_CELLS: usize = 96;
/// The maximum number of profiles in the cache. A full cache is emptied before the next profile is added.
const MAX_PROFILES: usize = 512;

/// The expected rate at each time of the week.
#[derive(Debug)]
pub struct Profile {
    /// Posts per second, by quarter of an hour in the week.
    pub rates: Vec<f64>,
    /// How often each quarter of an hour of the day was observed, on workdays and on weekends.
    pub seen: [[f64; DAY_CELLS]; 2],
    /// The spread of the last day's windows by level; at least the spread of a Poisson process.
    pub chance: [f64; LEVELS],
    /// The relative error of the profile for whole hours.
    pub error: f64,
}

/// The input that a profile is computed from.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct ProfileKey {
    /// The class of posts that the profile counts.
    pub class: Class,
    /// The source of the posts. `None`: any source.
    pub source: Option<String>,
    /// The window length for which the profile contains the spread of the counts.
    pub length: Duration,
    /// The end of the counts that the profile is computed from, exclusive.
    pub until: Timestamp,
}

/// The most recently computed profiles, by class, source, window length and end.
#[derive(Debug, Default)]
pub struct ProfileCache(Mutex<HashMap<ProfileKey, Option<Arc<Profile>>>>);

impl ProfileCache {
    pub fn get(&self, key: ProfileKey, build: impl FnOnce() -> Option<Profile>) -> Option<Arc<Profile>> {
        let mut profiles = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(profile) = profiles.get(&key) {
            return profile.clone();
        }
        let profile = build().map(Arc::new);
        if profiles.len() >= MAX_PROFILES {
            profiles.clear();
        }
        profiles.insert(key, profile.clone());
        profile
    }
}
