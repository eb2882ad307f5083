//! Checks a change against the stored objects.

use serde_json::Value;

use super::row::Row;
use super::{Action, Draft, ManagedChange, Refusal};
use sentistream_core::domain::notify::Kind;
use sentistream_core::domain::notify::router::MAX_DEPTH;

/// The maximum number of objects of one kind.
const MAX_OF_A_KIND: usize = 1_000;

/// The stored objects that a change is checked against.
pub struct Present {
    /// The objects of the kind that is changed.
    pub of_kind: Vec<Row>,
    /// All routes.
    pub routes: Vec<Draft>,
    /// The names of all receivers.
    pub receivers: Vec<String>,
    /// The names of all mute timings.
    pub mute_timings: Vec<String>,
}

impl Present {
    /// Checks `change`. Returns the row that it replaces or deletes; `None` for a new object.
    pub fn check(&self, change: &ManagedChange) -> Result<Option<&Row>, Refusal> {
        let target = self.target(&change.action)?;
        match &change.action {
            Action::Delete { .. } => {
                let name = target.and_then(|row| row.name.as_deref()).unwrap_or_default();
                self.check_unused(change.kind, name)?;
            }
            Action::Create(draft) | Action::Update { draft, .. } => {
                let renamed = target.filter(|row| row.name != draft.name).and_then(|row| row.name.clone());
                if let Some(name) = renamed {
                    return Err(Refusal::NameFixed { name });
                }
                let mut others = self.of_kind.iter().filter(|row| target.is_none_or(|target| row.id != target.id));
                if draft.name.is_some() && others.any(|row| row.name == draft.name) {
                    return Err(Refusal::NameTaken);
                }
                if change.kind == Kind::Route {
                    self.check_route(draft)?;
                }
            }
        }
        Ok(target)
    }

    fn target(&self, action: &Action) -> Result<Option<&Row>, Refusal> {
        let (id, version) = match action {
            Action::Create(_) if self.of_kind.len() >= MAX_OF_A_KIND => {
                return Err(Refusal::Full { limit: MAX_OF_A_KIND });
            }
            Action::Create(_) => return Ok(None),
            Action::Update { id, version, .. } | Action::Delete { id, version } => (*id, *version),
        };
        let row = self.of_kind.iter().find(|row| row.id == id).ok_or(Refusal::NotFound)?;
        match version {
            _ if row.provisioned => Err(Refusal::Provisioned),
            Some(version) if version != row.version => Err(Refusal::Changed { version: row.version }),
            _ => Ok(Some(row)),
        }
    }

    fn check_unused(&self, kind: Kind, name: &str) -> Result<(), Refusal> {
        let fields: &[&str] = match kind {
            Kind::Receiver => &["receiver"],
            Kind::MuteTiming => &["mute_timings", "active_timings"],
            Kind::Route => &["parent"],
            Kind::Silence | Kind::InhibitRule | Kind::Source => &[],
        };
        let refers = |route: &&Draft| fields.iter().any(|field| names(route, field).contains(&name));
        let routes: Vec<String> = self.routes.iter().filter(refers).filter_map(|route| route.name.clone()).collect();
        if routes.is_empty() { Ok(()) } else { Err(Refusal::InUse { routes }) }
    }

    fn check_route(&self, draft: &Draft) -> Result<(), Refusal> {
        check_known(draft, "receiver", &self.receivers)?;
        check_known(draft, "mute_timings", &self.mute_timings)?;
        check_known(draft, "active_timings", &self.mute_timings)?;
        let routes: Vec<String> = self.routes.iter().filter_map(|route| route.name.clone()).collect();
        check_known(draft, "parent", &routes)?;
        self.check_nesting(draft)?;
        let is_default = |route: &Draft| {
            route.spec["matchers"].as_array().is_none_or(Vec::is_empty) && names(route, "parent").is_empty()
        };
        let other = self.routes.iter().find(|route| is_default(route) && route.name != draft.name);
        match other.and_then(|route| route.name.clone()) {
            Some(name) if is_default(draft) => Err(Refusal::SecondDefault { name }),
            _ => Ok(()),
        }
    }

    /// Refuses a route that would be its own ancestor, or would be nested in more than [`MAX_DEPTH`] levels.
    fn check_nesting(&self, draft: &Draft) -> Result<(), Refusal> {
        let refused = Err(Refusal::Nesting { limit: MAX_DEPTH });
        let mut depth = self.height(draft.name.as_deref(), MAX_DEPTH);
        let mut parent = names(draft, "parent").first().copied();
        while let Some(name) = parent {
            depth += 1;
            if depth >= MAX_DEPTH || Some(name) == draft.name.as_deref() {
                return refused;
            }
            let route = self.routes.iter().find(|route| route.name.as_deref() == Some(name));
            parent = route.and_then(|route| names(route, "parent").first().copied());
        }
        Ok(())
    }

    /// The number of levels below the route with this name, at most `limit`.
    fn height(&self, name: Option<&str>, limit: usize) -> usize {
        let Some(name) = name.filter(|_| limit > 0) else { return 0 };
        let children = self.routes.iter().filter(|route| names(route, "parent").contains(&name));
        children.map(|child| 1 + self.height(child.name.as_deref(), limit - 1)).max().unwrap_or(0)
    }
}

fn check_known(draft: &Draft, field: &'static str, known: &[String]) -> Result<(), Refusal> {
    let name = names(draft, field).into_iter().find(|name| !known.iter().any(|known| known == name));
    name.map_or(Ok(()), |name| Err(Refusal::Missing { field, name: name.to_owned() }))
}

/// The names in `field`, which is a string or a list of strings.
fn names<'d>(draft: &'d Draft, field: &str) -> Vec<&'d str> {
    match &draft.spec[field] {
        // A route that inherits its receiver has an empty name.
        Value::String(name) if name.is_empty() => Vec::new(),
        Value::String(name) => vec![name],
        Value::Array(names) => names.iter().filter_map(Value::as_str).collect(),
        _ => Vec::new(),
    }
}
