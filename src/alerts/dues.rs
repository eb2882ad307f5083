//! Which rules are due.

use std::collections::HashMap;

use tokio::time::Instant;

use crate::domain::alert::Rule;

/// When each rule is due next, by its id, and the version that this holds for.
#[derive(Debug, Default)]
pub struct Dues(HashMap<i64, (i64, Instant)>);

impl Dues {
    /// The rules that are due at `now`: those that are new or changed, and those whose interval has passed. They are due
    /// again an interval after now rather than after they were due, so a slow store gets no more requests.
    pub fn take<'a>(&mut self, rules: &'a [Rule], now: Instant) -> Vec<&'a Rule> {
        self.0.retain(|id, _| rules.iter().any(|rule| rule.id == *id));
        let is_due = |rule: &&Rule| match self.0.get(&rule.id) {
            Some((version, due)) => *version != rule.version || *due <= now,
            None => true,
        };
        let due: Vec<&Rule> = rules.iter().filter(is_due).collect();
        self.0.extend(due.iter().map(|rule| (rule.id, (rule.version, now + rule.spec.interval))));
        due
    }
}
