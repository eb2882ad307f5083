//! Incidents: periods of a few minutes in which posts about one topic turn negative.

/// The maximum duration of an incident, in seconds.
const LONGEST: f64 = 240.0;
/// The duration of an incident as a share of the time between two incidents. [`LONGEST`] limits the duration.
const SHARE: f64 = 0.4;

/// When incidents happen.
#[derive(Clone, Copy, Debug)]
pub enum Calendar {
    /// No incidents.
    Quiet,
    /// One incident per interval of this many seconds, which starts in the middle of the interval.
    Every(f64),
    /// Two incidents at the given times.
    Two([Span; 2]),
}

/// A half-open time range, in seconds after the start.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Span {
    /// The start of the range, inclusive.
    pub start: f64,
    /// The end of the range, exclusive.
    pub end: f64,
}

impl Calendar {
    /// Creates a calendar with one incident per `every` seconds. `None`: no incidents.
    pub fn new(every: Option<f64>) -> Self {
        every.filter(|seconds| *seconds > 0.0).map_or(Self::Quiet, Self::Every)
    }

    /// The number of the incident that is active at `seconds` after the start.
    pub fn incident_at(&self, seconds: f64) -> Option<u64> {
        match self {
            Self::Quiet => None,
            Self::Every(every) => {
                let number = (seconds / every).floor();
                let into = seconds - number * every - every / 2.0;
                (0.0..LONGEST.min(every * SHARE)).contains(&into).then_some(number as u64)
            }
            Self::Two(spans) => {
                let goes_on = |span: &Span| (span.start..span.end).contains(&seconds);
                spans.iter().position(goes_on).map(|number| number as u64)
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn interval_has_one_incident_of_at_most_four_minutes() {
        let calendar = Calendar::new(Some(600.0));
        let at = |seconds| calendar.incident_at(seconds);
        assert_eq!([at(0.0), at(299.0), at(300.0), at(539.0), at(541.0)], [None, None, Some(0), Some(0), None]);
        assert_eq!([at(899.0), at(900.0)], [None, Some(1)]);
        assert_eq!(Calendar::new(None).incident_at(300.0), None);
    }
}
