//! Decides which rules are due.

use std::collections::HashMap;

use tokio::time::Instant;

use crate::domain::alert::Rule;

/// When each rule is due next, by rule id, with the rule version that this time was computed for.
#[derive(Debug, Default)]
pub struct Dues(HashMap<i64, (i64, Instant)>);

impl Dues {
    /// The rules that are due at `now`: new rules, changed rules, and rules whose interval has passed. They are due
    /// again one interval after `now`, not after their last due time, so that a slow store does not get additional
    /// requests.
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
