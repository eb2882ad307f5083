//! The routing tree.

use std::collections::BTreeMap;

use super::Route;
use crate::domain::alert::Labels;

/// The maximum number of levels of nested routes.
pub const MAX_DEPTH: usize = 10;

/// Routes as a tree whose root is the default route. As in Alertmanager, an alert descends into each matching child, up
/// to the first one without `continue`. The last route of each path, which has no matching child, handles the alert.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Router {
    /// The routes, in the order in which siblings are tried.
    routes: Vec<Route>,
    /// The indices of children, by the index of the parent; `None` for the top level.
    children: BTreeMap<Option<usize>, Vec<usize>>,
    default: Option<usize>,
}

impl Router {
    /// The tree of these routes, with their inherited settings. A route whose parent does not exist is at the top
    /// level.
    pub fn new(mut routes: Vec<Route>) -> Self {
        Route::inherit(&mut routes.iter_mut().collect::<Vec<_>>());
        routes.sort_by(|a, b| (a.position, &a.name).cmp(&(b.position, &b.name)));
        let index: BTreeMap<&str, usize> =
            routes.iter().enumerate().map(|(index, route)| (route.name.as_str(), index)).collect();
        let default = routes.iter().position(Route::is_default);
        let mut children: BTreeMap<Option<usize>, Vec<usize>> = BTreeMap::new();
        for (at, route) in routes.iter().enumerate().filter(|(at, _)| Some(*at) != default) {
            let parent = route.parent.as_deref().and_then(|name| index.get(name).copied());
            children.entry(parent.filter(|parent| Some(*parent) != default)).or_default().push(at);
        }
        Self { children, default, routes }
    }

    /// The routes that handle an alert with these labels, in the order of the tree.
    pub fn routes_of(&self, labels: &Labels) -> Vec<&Route> {
        let mut taking = Vec::new();
        self.descend(None, labels, &mut taking);
        if taking.is_empty() {
            taking.extend(self.default);
        }
        taking.into_iter().map(|index| &self.routes[index]).collect()
    }

    /// Adds the routes below `parent` that handle the alert.
    fn descend(&self, parent: Option<usize>, labels: &Labels, taking: &mut Vec<usize>) {
        for &index in self.children_of(parent) {
            let route = &self.routes[index];
            if !route.matches(labels) {
                continue;
            }
            let before = taking.len();
            self.descend(Some(index), labels, taking);
            if taking.len() == before {
                taking.push(index);
            }
            if !route.continues {
                break;
            }
        }
    }

    fn children_of(&self, parent: Option<usize>) -> &[usize] {
        self.children.get(&parent).map_or(&[], Vec::as_slice)
    }

    /// All routes, in the order in which siblings are tried.
    pub fn all(&self) -> impl Iterator<Item = &Route> {
        self.routes.iter()
    }

    /// The default route.
    pub fn default_route(&self) -> Option<&Route> {
        self.default.map(|index| &self.routes[index])
    }

    /// The children of the route with this name, or the routes at the top level, in order.
    pub fn children(&self, parent: Option<&str>) -> impl Iterator<Item = &Route> {
        let index = parent.and_then(|name| self.routes.iter().position(|route| route.name == name));
        let children = if parent.is_some() && index.is_none() { &[] } else { self.children_of(index) };
        children.iter().map(|index| &self.routes[*index])
    }

    /// The route with this name.
    pub fn get(&self, name: &str) -> Option<&Route> {
        self.routes.iter().find(|route| route.name == name)
    }
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::*;
    use crate::domain::human_duration::HumanDuration;

    fn router(routes: Value) -> Router {
        Router::new(serde_json::from_value(routes).unwrap())
    }

    fn names<'r>(router: &'r Router, labels: &[(&str, &str)]) -> Vec<&'r str> {
        let labels = labels.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect();
        router.routes_of(&labels).into_iter().map(|route| route.name.as_str()).collect()
    }

    #[test]
    fn child_route_handles_alerts_before_its_parent() {
        let team = json!([{"label": "team", "op": "=", "value": "care"}]);
        let critical = json!([{"label": "severity", "op": "=", "value": "critical"}]);
        let router = router(json!([
            {"name": "default", "receiver": "r"},
            {"name": "care", "receiver": "r", "matchers": team},
            {"name": "page", "receiver": "r", "parent": "care", "matchers": critical, "continue": true},
            {"name": "log", "receiver": "r", "parent": "care", "position": 1, "matchers": critical},
            {"name": "rest", "receiver": "r", "parent": "default", "position": 5, "matchers": critical},
        ]));
        assert_eq!(names(&router, &[("team", "care")]), ["care"]);
        assert_eq!(names(&router, &[("team", "care"), ("severity", "critical")]), ["page", "log"]);
        assert_eq!(names(&router, &[("severity", "critical")]), ["rest"]);
        assert_eq!(names(&router, &[("severity", "info")]), ["default"]);
    }

    #[test]
    fn route_with_continue_does_not_reach_the_default_route() {
        let web = json!([{"label": "source", "op": "=", "value": "web"}]);
        let router = router(json!([
            {"name": "default", "receiver": "r"},
            {"name": "web", "receiver": "r", "matchers": web, "continue": true},
        ]));
        assert_eq!(names(&router, &[("source", "web")]), ["web"]);
    }

    #[test]
    fn child_route_inherits_settings_that_it_does_not_define() {
        let router = router(json!([
            {"name": "default", "receiver": "mail", "group_wait": "1min", "repeat_interval": "8h"},
            {"name": "care", "parent": "default", "receiver": "chat", "group_by": ["topic"],
             "mute_timings": ["night"]},
            {"name": "page", "parent": "care", "group_wait": "0s", "inherited": ["repeat_interval"],
             "repeat_interval": "2h"},
            {"name": "top", "receiver": "log", "matchers": [{"label": "a", "op": "=", "value": "b"}]},
        ]));
        let page = router.get("page").unwrap();
        assert_eq!((page.receiver.as_str(), &page.group_by), ("chat", &vec!["topic".to_owned()]));
        let minutes = |span: &HumanDuration| span.0.as_secs() / 60;
        assert_eq!([&page.group_wait, &page.group_interval, &page.repeat_interval].map(minutes), [0, 5, 480]);
        assert!(page.mute_timings.is_empty(), "mute timings are not inherited");
        let top = router.get("top").unwrap();
        assert_eq!([minutes(&top.group_wait), minutes(&top.repeat_interval)], [1, 480]);
        assert_eq!(router.default_route().unwrap().inherited.len(), 0);
    }

    #[test]
    fn routes_in_a_cycle_are_never_reached() {
        let router = router(json!([
            {"name": "a", "receiver": "r", "parent": "b"},
            {"name": "b", "receiver": "r", "parent": "a"},
        ]));
        assert_eq!(names(&router, &[]), [""; 0]);
    }
}
