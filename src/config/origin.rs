//! The layer that a value of the configuration comes from.

use std::fmt;
use std::path::PathBuf;

/// Where a value came from. Later variants take precedence.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Origin {
    /// `config/default.toml`.
    Default,
    /// The database, where the API stores changes of settings. A stored value replaces only a default.
    Database,
    /// A line of the configuration file.
    File {
        /// The path of the file.
        path: PathBuf,
        /// The line, counted from 1; 1 if the file cannot be read.
        line: usize,
    },
    /// An environment variable of older versions, such as `REDIS_URL`.
    Legacy(String),
    /// A `SENTISTREAM__…` environment variable.
    Variable(String),
    /// A flag of the command line.
    Flag(String),
}

impl Origin {
    /// The precedence of the layer: a layer with a higher rank overrides layers with a lower rank.
    pub fn rank(&self) -> u8 {
        match self {
            Self::Default => 0,
            Self::Database => 1,
            Self::File { .. } => 2,
            Self::Legacy(_) => 3,
            Self::Variable(_) => 4,
            Self::Flag(_) => 5,
        }
    }
}

impl fmt::Display for Origin {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Default => f.write_str("default"),
            Self::Database => f.write_str("database"),
            Self::File { path, line } => write!(f, "{}:{line}", path.display()),
            Self::Legacy(name) | Self::Variable(name) => write!(f, "environment {name}"),
            Self::Flag(flag) => write!(f, "flag {flag}"),
        }
    }
}
