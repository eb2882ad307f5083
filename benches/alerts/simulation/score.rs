//! Scores of rules: the incidents that they found, and their false alerts.

use std::fmt;
use std::time::Duration;

/// The incidents and alerts of rules.
#[derive(Clone, Copy, Debug, Default)]
pub struct Score {
    pub incidents: usize,
    pub found: usize,
    pub alerts: usize,
    /// The number of alerts that an incident caused.
    pub right: usize,
    /// The sum of the times from the start of each detected incident to its first alert.
    pub delays: Duration,
    /// The number of notifications about firing alerts, for all rules together.
    pub pages: usize,
    /// The number of simulated days.
    pub days: f64,
}

impl Score {
    /// The share of the alerts that an incident caused; 1 when there are no alerts.
    pub fn precision(&self) -> f64 {
        if self.alerts == 0 { 1.0 } else { self.right as f64 / self.alerts as f64 }
    }

    /// The share of the incidents that were detected.
    pub fn recall(&self) -> f64 {
        self.found as f64 / self.incidents.max(1) as f64
    }

    /// The average time from the start of an incident to its first alert.
    pub fn delay(&self) -> Duration {
        self.delays / u32::try_from(self.found.max(1)).unwrap_or(1)
    }

    /// The average number of notifications per detected incident.
    pub fn pages_per_incident(&self) -> f64 {
        self.pages as f64 / self.found.max(1) as f64
    }

    /// The number of alerts per week that no incident caused.
    pub fn false_per_week(&self) -> f64 {
        (self.alerts - self.right) as f64 / self.days * 7.0
    }
}

impl std::iter::Sum for Score {
    fn sum<I: Iterator<Item = Self>>(scores: I) -> Self {
        scores.fold(Self::default(), |sum, score| Self {
            incidents: sum.incidents + score.incidents,
            found: sum.found + score.found,
            alerts: sum.alerts + score.alerts,
            right: sum.right + score.right,
            delays: sum.delays + score.delays,
            pages: sum.pages + score.pages,
            days: sum.days + score.days,
        })
    }
}

impl fmt::Display for Score {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { incidents, found, alerts, right, .. } = self;
        let (precision, recall, false_per_week) = (self.precision(), self.recall(), self.false_per_week());
        let delay = self.delay().as_secs();
        write!(
            f,
            "{incidents} | {found} | {alerts} | {right} | {precision:.3} | {recall:.3} | {false_per_week:.1} | {delay} s | {:.2}",
            self.pages_per_incident()
        )
    }
}
