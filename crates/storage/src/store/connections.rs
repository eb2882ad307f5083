//! The current usage of the store's connections.

use deadpool::Status;

/// Which database a pool connects to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Target {
    /// The database that receives writes.
    Primary,
    /// The database that serves the API's read queries.
    Replica,
}

impl Target {
    /// The name used in metrics.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Primary => "primary",
            Self::Replica => "replica",
        }
    }
}

/// The connections of one pool.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Connections {
    /// The database that the pool connects to.
    pub target: Target,
    /// Connections in use.
    pub used: usize,
    /// Open connections that are not in use.
    pub idle: usize,
    /// Callers that wait for a connection.
    pub waiting: usize,
}

impl Connections {
    /// Converts the status of a pool.
    pub(super) fn of(target: Target, status: &Status) -> Self {
        let idle = status.available.min(status.size);
        Self { target, used: status.size - idle, idle, waiting: status.waiting }
    }
}
