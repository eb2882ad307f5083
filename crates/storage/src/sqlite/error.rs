//! The errors of the embedded database.

use std::path::PathBuf;
use std::sync::Arc;

/// Why the embedded database failed.
#[derive(Debug, thiserror::Error)]
pub enum SqliteError {
    /// The database cannot be opened.
    #[error("cannot open the database {path}: {source}")]
    Open {
        /// The database file.
        path: PathBuf,
        /// The underlying error.
        source: OpenError,
    },
    /// A statement failed; its write was rolled back.
    #[error("the database rejected a statement: {0}")]
    Query(#[from] diesel::result::Error),
    /// The commit of the group of writes failed; the write was rolled back.
    #[error("the database could not commit: {0}")]
    Commit(#[from] CommitError),
    /// No read connection became free in time or could be opened, a query took too long, or the writer has ended.
    #[error("the database is busy or closing: {0}")]
    Unavailable(String),
}

/// Why the database cannot be opened.
#[derive(Debug, thiserror::Error)]
pub enum OpenError {
    /// The path is not valid UTF-8.
    #[error("the path is not UTF-8")]
    Path,
    /// The file system returned an error.
    #[error(transparent)]
    Io(#[from] std::io::Error),
    /// SQLite cannot open the file.
    #[error(transparent)]
    Connection(#[from] diesel::ConnectionError),
    /// SQLite refused a setting of the connection.
    #[error(transparent)]
    Setting(#[from] diesel::result::Error),
    /// The pool of readers cannot be built.
    #[error(transparent)]
    Pool(#[from] deadpool::managed::BuildError),
}

/// Why the commit of a group of writes failed.
#[derive(Clone, Debug, thiserror::Error)]
pub enum CommitError {
    /// The transaction ended without running the write.
    #[error("the transaction ended before the write ran")]
    NotRun,
    /// A write of the group panicked.
    #[error("a write panicked")]
    Panicked,
    /// SQLite refused the commit.
    #[error(transparent)]
    Refused(Arc<diesel::result::Error>),
}
