//! Reads the fields of a rule, and collects all errors.

use std::time::Duration;

use serde::de::DeserializeOwned;
use serde_json::{Map, Value};

use crate::domain::alert::labels::RESERVED;
use crate::domain::alert::rule::{Condition, LONGEST_SPIKE, RuleSpec, fill};
use crate::domain::alert::{Class, Direction, Distinct, GroupBy, Labels, NoData, RuleKind, Scope, Severity};
use crate::domain::human_duration::HumanDuration;
use crate::domain::{FieldError, Sentiment};

const MAX_NAME_CHARS: usize = 100;
const MAX_LABELS: usize = 20;
const MAX_LABEL_CHARS: usize = 200;
const MAX_ANNOTATIONS: usize = 10;
const MAX_ANNOTATION_CHARS: usize = 1_000;
const MINUTE: u64 = 60;
const HOUR: u64 = 60 * MINUTE;
const DAY: u64 = 24 * HOUR;
/// The longest window of a rule, in seconds.
const LONGEST_WINDOW: u64 = DAY;
/// The default significance of a shift. By default, a series is evaluated 1,440 times a day: at 0.01, random variation
/// would open alerts every day.
const USUAL_SIGNIFICANCE: f64 = 0.0001;
/// The default length of the period that a shift is compared with, in windows.
const BASELINE_WINDOWS: u64 = 12;
/// The longest delay that a rule may set, in seconds.
const LONGEST_DELAY: u64 = 3 * HOUR;
/// The longest window, in seconds, of a rule that must read posts because rollups do not contain its counts.
const LONGEST_READ: u64 = 6 * HOUR;
/// The error for the name of a label or an annotation that [`is_name`] rejects.
const NAME: &str = "must have a name of at most 100 letters, digits and _ that does not start with a digit";

/// The shortest and the longest duration of a field, in seconds.
#[derive(Clone, Copy)]
struct Bounds {
    least: u64,
    most: u64,
}

/// The fields that are not parsed yet, and the errors of the fields that are parsed.
pub struct Reader {
    fields: Map<String, Value>,
    errors: Vec<FieldError>,
}

impl Reader {
    /// Creates a reader of `fields`.
    pub fn new(fields: Map<String, Value>) -> Self {
        Self { fields, errors: Vec::new() }
    }

    /// Parses all fields.
    ///
    /// # Errors
    /// Every invalid field, with its error.
    pub fn read(mut self) -> Result<RuleSpec, Vec<FieldError>> {
        let spec = self.spec();
        self.reject_unknown_fields();
        match spec {
            Some(spec) if self.errors.is_empty() => Ok(spec),
            _ => Err(self.errors),
        }
    }

    fn spec(&mut self) -> Option<RuleSpec> {
        let name = self.required::<String>("name").map(|name| name.trim().to_owned());
        if let Some(name) = &name {
            let length = name.chars().count();
            self.check("name", (1..=MAX_NAME_CHARS).contains(&length) && !name.contains(char::is_control), || {
                format!("must be 1 to {MAX_NAME_CHARS} characters without control characters")
            });
        }
        let kind = self.required::<RuleKind>("kind");
        let window = self.duration("window", Bounds { least: MINUTE, most: LONGEST_WINDOW }, 5 * MINUTE);
        let condition = kind.and_then(|kind| self.condition(kind, window));
        let scope = self.take::<Scope>("scope").unwrap_or(Scope::All);
        let group_by = self.take("group_by").unwrap_or(GroupBy::None);
        self.check("group_by", !matches!(scope, Scope::Source(_)) || group_by == GroupBy::None, || {
            "must be none if the scope is a single source".to_owned()
        });
        self.check_window(window, kind, &scope);
        let spec = RuleSpec {
            name: name.unwrap_or_default(),
            enabled: self.take("enabled").unwrap_or(true),
            recovery_threshold: self.recovery_threshold(condition.as_ref()),
            condition: condition.unwrap_or(Condition::Absence),
            scope,
            group_by,
            window,
            interval: self.duration("interval", Bounds { least: 0, most: DAY }, MINUTE),
            min_posts: self.take("min_posts").unwrap_or(10),
            min_authors: self.take("min_authors").unwrap_or(1),
            distinct: self.take("distinct").unwrap_or(Distinct::Posts),
            no_data: self.take("no_data").unwrap_or(NoData::Resolve),
            delay: self.delay(),
            pending_for: self.duration("for", Bounds { least: 0, most: DAY }, 0),
            keep_firing_for: self.duration("keep_firing_for", Bounds { least: 0, most: DAY }, 0),
            severity: self.take("severity").unwrap_or(Severity::Warning),
            labels: self.labels(),
            annotations: self.annotations(),
        };
        self.check("min_posts", (1..=i64::from(i32::MAX)).contains(&spec.min_posts), || {
            "must be a whole number from 1 to 2147483647".to_owned()
        });
        self.check("min_authors", (1..=i64::from(i32::MAX)).contains(&spec.min_authors), || {
            "must be a whole number from 1 to 2147483647".to_owned()
        });
        // The limit also applies to conditions that ignore these fields (see `RuleSpec::reads_posts`), because the
        // documentation states the limit only by these fields.
        let reads_posts = spec.distinct != Distinct::Posts || spec.min_authors > 1;
        self.check("distinct", !reads_posts || window.as_secs() <= LONGEST_READ, || {
            "windows of rules with min_authors or distinct must be at most 6h".to_owned()
        });
        (kind.is_some() && condition.is_some()).then_some(spec)
    }

    fn condition(&mut self, kind: RuleKind, window: Duration) -> Option<Condition> {
        let negative = Class::Sentiment(Sentiment::Negative);
        let threshold = |reader: &mut Self, low: f64, high: f64, what: &str| {
            let number = reader.required::<f64>("threshold")?;
            reader.check("threshold", number.is_finite() && number >= low && number <= high, || what.to_owned());
            Some(number)
        };
        match kind {
            RuleKind::Share => Some(Condition::Share {
                of: self.class(negative),
                direction: self.direction(),
                threshold: threshold(self, 0.0, 1.0, "must be a share between 0 and 1")?,
                significance: self.significance(),
            }),
            RuleKind::Ratio => Some(Condition::Ratio {
                threshold: threshold(self, f64::MIN_POSITIVE, f64::MAX, "must be above 0")?,
                significance: self.significance(),
            }),
            RuleKind::Volume => Some(Condition::Volume {
                of: self.take("of").unwrap_or(Class::Posts),
                direction: self.direction(),
                threshold: threshold(self, 0.0, 1e9, "must be a number of posts")?,
            }),
            RuleKind::Spike => Some(Condition::Spike {
                of: self.take("of").unwrap_or(Class::Posts),
                threshold: threshold(self, 1.0, 1e6, "must be a number of robust standard deviations, at least 1")?,
            }),
            RuleKind::Shift => Some(Condition::Shift {
                of: self.class(negative),
                direction: self.direction(),
                threshold: threshold(self, 0.0, 1.0, "must be a difference of shares between 0 and 1")?,
                significance: self.significance().unwrap_or(USUAL_SIGNIFICANCE),
                baseline_window: self.baseline_window(window),
            }),
            RuleKind::Absence => Some(Condition::Absence),
        }
    }

    fn significance(&mut self) -> Option<f64> {
        let significance = self.take::<f64>("significance")?;
        self.check("significance", significance > 0.0 && significance <= 0.5, || {
            "must be above 0 and at most 0.5".to_owned()
        });
        Some(significance)
    }

    fn delay(&mut self) -> Option<Duration> {
        self.fields.get("delay").filter(|value| !value.is_null())?;
        Some(self.duration("delay", Bounds { least: 0, most: LONGEST_DELAY }, 0))
    }

    fn baseline_window(&mut self, window: Duration) -> Duration {
        // `check_window` reports a window that is out of bounds.
        let window = window.as_secs().clamp(MINUTE, DAY);
        let length =
            self.duration("baseline_window", Bounds { least: window, most: DAY }, (BASELINE_WINDOWS * window).min(DAY));
        self.check("baseline_window", is_whole_minutes(length), || "must be whole minutes".to_owned());
        length
    }

    /// Parses the field `of`. A share of all posts is rejected, because it is always 1.
    fn class(&mut self, default: Class) -> Class {
        let class = self.take("of").unwrap_or(default);
        self.check("of", class != Class::Posts, || "must be sentiment:LABEL or emotion:LABEL".to_owned());
        class
    }

    fn direction(&mut self) -> Direction {
        self.take("direction").unwrap_or(Direction::Above)
    }

    fn recovery_threshold(&mut self, condition: Option<&Condition>) -> Option<f64> {
        let recovery = self.take::<f64>("recovery_threshold")?;
        let condition = condition?;
        let threshold = condition.threshold();
        // The threshold of a shift is the size of the change, which is positive for both directions.
        let (beyond, side) = match condition.direction() {
            Direction::Below if condition.kind() != RuleKind::Shift => (recovery >= threshold, "at least"),
            _ => (recovery <= threshold, "at most"),
        };
        self.check("recovery_threshold", condition.kind() != RuleKind::Absence, || {
            "does not apply to rules of the kind absence: remove it".to_owned()
        });
        self.check("recovery_threshold", recovery.is_finite() && beyond, || {
            format!("must be {side} the threshold ({threshold})")
        });
        Some(recovery)
    }

    fn check_window(&mut self, window: Duration, kind: Option<RuleKind>, scope: &Scope) {
        let seconds = window.as_secs();
        self.check("window", is_whole_minutes(window), || "must be whole minutes".to_owned());
        self.check("window", kind != Some(RuleKind::Spike) || window <= LONGEST_SPIKE, || {
            "must be at most 3h for a spike".to_owned()
        });
        self.check("window", scope.is_rolled_up() || seconds <= LONGEST_READ, || {
            "must be at most 6h if the scope is an author or a text".to_owned()
        });
    }

    fn duration(&mut self, field: &'static str, bounds: Bounds, default: u64) -> Duration {
        let Some(HumanDuration(duration)) = self.take(field) else { return Duration::from_secs(default) };
        let (least, most) = (Duration::from_secs(bounds.least), Duration::from_secs(bounds.most));
        self.check(field, (least..=most).contains(&duration), || {
            format!("must be between {} and {}", HumanDuration(least), HumanDuration(most))
        });
        duration
    }

    fn labels(&mut self) -> Labels {
        let labels: Labels = self.take("labels").unwrap_or_default();
        self.check("labels", labels.len() <= MAX_LABELS, || format!("must have at most {MAX_LABELS} labels"));
        for (name, value) in &labels {
            let field = format!("labels.{name}");
            self.check(&field, is_name(name), || NAME.to_owned());
            self.check(&field, !RESERVED.contains(&name.as_str()), || "is a reserved name: use another one".to_owned());
            self.check(&field, (1..=MAX_LABEL_CHARS).contains(&value.chars().count()), || {
                format!("must have a value of 1 to {MAX_LABEL_CHARS} characters")
            });
        }
        labels
    }

    fn annotations(&mut self) -> Labels {
        let annotations: Labels = self.take("annotations").unwrap_or_default();
        self.check("annotations", annotations.len() <= MAX_ANNOTATIONS, || {
            format!("must have at most {MAX_ANNOTATIONS} annotations")
        });
        for (name, text) in &annotations {
            let field = format!("annotations.{name}");
            self.check(&field, is_name(name), || NAME.to_owned());
            self.check(&field, text.chars().count() <= MAX_ANNOTATION_CHARS, || {
                format!("must be at most {MAX_ANNOTATION_CHARS} characters")
            });
            if let Err(wrong) = fill(text, &|_| String::new()) {
                self.errors.push(FieldError::new(field, wrong.to_string()));
            }
        }
        annotations
    }

    fn required<T: DeserializeOwned>(&mut self, field: &'static str) -> Option<T> {
        if self.fields.get(field).is_none_or(Value::is_null) {
            self.errors.push(FieldError::new(field, "is required"));
        }
        self.take(field)
    }

    /// Removes and parses a field. `None` if it is missing, null or invalid.
    fn take<T: DeserializeOwned>(&mut self, field: &'static str) -> Option<T> {
        let value = self.fields.remove(field).filter(|value| !value.is_null())?;
        match serde_json::from_value(value) {
            Ok(value) => Some(value),
            Err(e) => {
                self.errors.push(FieldError::new(field, e.to_string()));
                None
            }
        }
    }

    fn check(&mut self, field: &str, holds: bool, message: impl FnOnce() -> String) {
        if !holds {
            self.errors.push(FieldError::new(field, message()));
        }
    }

    fn reject_unknown_fields(&mut self) {
        for name in self.fields.keys().filter(|name| !self.fields[*name].is_null()) {
            self.errors.push(FieldError::new(name, "is unknown, or does not apply to rules of this kind: remove it"));
        }
    }
}

fn is_whole_minutes(duration: Duration) -> bool {
    duration.as_secs().is_multiple_of(MINUTE) && duration.subsec_nanos() == 0
}

fn is_name(text: &str) -> bool {
    let mut chars = text.chars();
    chars.next().is_some_and(|first| first.is_ascii_alphabetic() || first == '_')
        && chars.all(|c| c.is_ascii_alphanumeric() || c == '_')
        && text.len() <= MAX_NAME_CHARS
}
