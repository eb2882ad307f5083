//! Which routes take an alert.

use super::Route;
use crate::domain::alert::Labels;

/// Routes in the order in which they are tried.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Router(Vec<Route>);

impl Router {
    /// Of these routes.
    pub fn new(mut routes: Vec<Route>) -> Self {
        routes.sort_by(|a, b| a.rank().cmp(&b.rank()));
        Self(routes)
    }

    /// The routes that take an alert with these labels: the first that matches, and while those say `continue`, more.
    pub fn routes_of(&self, labels: &Labels) -> Vec<&Route> {
        let mut taken = Vec::new();
        for route in self.0.iter().filter(|route| route.takes(labels)) {
            taken.push(route);
            if !route.goes_on {
                break;
            }
        }
        taken
    }

    /// All routes, in their order.
    pub fn all(&self) -> impl Iterator<Item = &Route> {
        self.0.iter()
    }

    /// The route with this name.
    pub fn get(&self, name: &str) -> Option<&Route> {
        self.0.iter().find(|route| route.name == name)
    }
}
