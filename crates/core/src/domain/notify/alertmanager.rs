//! Exports the notification settings as a configuration of Alertmanager
//! (<https://prometheus.io/docs/alerting/latest/configuration/>), in JSON, which is also valid YAML. Receivers have
//! only names, which is sufficient for tools such as `amtool config routes`.

use serde_json::{Map, Value, json};

use super::inhibit::InhibitMode;
use super::{InhibitRule, Matcher, MuteInterval, MuteTiming, Route, Router, Weekday};
use crate::domain::human_duration::HumanDuration;

/// The name of the receiver for alerts that match no route. It sends nothing.
const NO_RECEIVER: &str = "no-receiver";

/// The notification settings that the configuration is made from.
#[derive(Clone, Debug, Default)]
pub struct Setup {
    /// The names of all receivers.
    pub receivers: Vec<String>,
    /// The tree of all routes.
    pub router: Router,
    /// All inhibition rules. Those of the mode `first` are left out of the configuration.
    pub inhibit_rules: Vec<InhibitRule>,
    /// All mute timings. Routes may also use them as active intervals.
    pub mute_timings: Vec<MuteTiming>,
}

/// The configuration of Alertmanager for these settings.
pub fn config(setup: &Setup) -> Value {
    let mut receivers = setup.receivers.clone();
    let mut root = match setup.router.default_route() {
        Some(route) => of_route(route),
        None => {
            receivers.push(NO_RECEIVER.to_owned());
            Map::from_iter([("receiver".to_owned(), json!(NO_RECEIVER))])
        }
    };
    // The root route matches every alert at any time, and Alertmanager rejects these fields on it.
    for field in ["matchers", "continue", "mute_time_intervals", "active_time_intervals"] {
        root.remove(field);
    }
    root.insert("routes".to_owned(), routes(&setup.router, None));
    receivers.extend(setup.router.all().map(|route| route.receiver.clone()));
    receivers.sort();
    receivers.dedup();
    let receivers: Vec<_> = receivers.iter().map(|name| json!({"name": name})).collect();
    let inhibit_rule = |rule: &InhibitRule| {
        let (sources, targets) = (matchers(&rule.source_matchers), matchers(&rule.target_matchers));
        json!({"source_matchers": sources, "target_matchers": targets, "equal": rule.equal})
    };
    // Rules of the mode `first` are left out, because Alertmanager has no equivalent of this mode.
    let of_alertmanager = setup.inhibit_rules.iter().filter(|rule| rule.mode == InhibitMode::Source);
    let inhibit_rules: Vec<_> = of_alertmanager.map(inhibit_rule).collect();
    let timings: Vec<_> = setup.mute_timings.iter().map(of_timing).collect();
    json!({"route": root, "receivers": receivers, "inhibit_rules": inhibit_rules, "time_intervals": timings})
}

fn routes(router: &Router, parent: Option<&str>) -> Value {
    let of_child = |route: &Route| {
        let mut fields = of_route(route);
        fields.insert("routes".to_owned(), routes(router, Some(&route.name)));
        Value::Object(fields)
    };
    router.children(parent).map(of_child).collect()
}

fn matchers(matchers: &[Matcher]) -> Vec<String> {
    matchers.iter().map(ToString::to_string).collect()
}

fn of_route(route: &Route) -> Map<String, Value> {
    // Durations are exported in seconds, because the duration formats of Alertmanager and this crate differ for other
    // units.
    let seconds = |span: &HumanDuration| format!("{}s", span.0.as_secs());
    let inherited = |name: &str| route.inherited.iter().any(|setting| json!(setting) == name);
    let fields = [
        ("receiver", json!(route.receiver)),
        ("matchers", json!(matchers(&route.matchers))),
        ("continue", json!(route.continues)),
        ("group_by", json!(route.group_by)),
        ("group_wait", json!(seconds(&route.group_wait))),
        ("group_interval", json!(seconds(&route.group_interval))),
        ("repeat_interval", json!(seconds(&route.repeat_interval))),
        ("mute_time_intervals", json!(route.mute_timings)),
        ("active_time_intervals", json!(route.active_timings)),
    ];
    let own = fields.into_iter().filter(|(name, _)| !inherited(name));
    own.map(|(name, value)| (name.to_owned(), value)).collect()
}

fn of_timing(timing: &MuteTiming) -> Value {
    let intervals: Vec<_> = timing.intervals.iter().flat_map(|interval| of_interval(interval, &timing.zone)).collect();
    json!({"name": timing.name, "time_intervals": intervals})
}

/// Converts an interval. Alertmanager has no intervals across midnight, so an interval across midnight becomes two. In
/// the second one, the weekdays are shifted by one day. Days of the month, months and years are not shifted, because
/// the day after a day such as `-1` (the last of a month) cannot be written as a day of the same month.
fn of_interval(interval: &MuteInterval, zone: &str) -> Vec<Value> {
    let part = |from: &str, to: &str, weekdays: Vec<&str>| {
        let mut fields = Map::new();
        fields.insert("location".to_owned(), json!(zone));
        fields.insert("times".to_owned(), json!([{"start_time": from, "end_time": to}]));
        let lists = [
            ("weekdays", json!(weekdays)),
            ("days_of_month", json!(interval.days_of_month)),
            ("months", json!(interval.months)),
            ("years", json!(interval.years)),
        ];
        let given = lists.into_iter().filter(|(_, list)| list.as_array().is_some_and(|list| !list.is_empty()));
        fields.extend(given.map(|(name, list)| (name.to_owned(), list)));
        Value::Object(fields)
    };
    let days: Vec<&str> = interval.weekdays.iter().map(|day| day.as_str()).collect();
    let next: Vec<&str> = interval.weekdays.iter().map(|day| following(*day).as_str()).collect();
    let (from, to) = (interval.from.to_string(), interval.to.to_string());
    match () {
        () if interval.to.is_midnight() => vec![part(&from, "24:00", days)],
        () if interval.passes_midnight() => vec![part(&from, "24:00", days), part("00:00", &to, next)],
        () => vec![part(&from, &to, days)],
    }
}

fn following(day: Weekday) -> Weekday {
    match day {
        Weekday::Monday => Weekday::Tuesday,
        Weekday::Tuesday => Weekday::Wednesday,
        Weekday::Wednesday => Weekday::Thursday,
        Weekday::Thursday => Weekday::Friday,
        Weekday::Friday => Weekday::Saturday,
        Weekday::Saturday => Weekday::Sunday,
        Weekday::Sunday => Weekday::Monday,
    }
}
