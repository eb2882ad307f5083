//! Information about the database server, for administrators.

use diesel::sql_types::Text;

use super::backend::read;
use super::sql::{At, Instant, sql};
use super::{Store, StoreError};
use crate::domain::Timestamp;

/// The database server.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Server {
    /// The name and the version.
    pub version: String,
    /// The time of the server.
    pub now: Timestamp,
}

impl Store {
    /// The version and the time of the database server.
    ///
    /// # Errors
    /// When the database does not answer.
    pub async fn server(&self) -> Result<Server, StoreError> {
        const SQLITE: &str = "SELECT 'SQLite ' || sqlite_version(), CAST(unixepoch('subsec') * 1000000 AS INTEGER)";
        const POSTGRES: &str = "SELECT 'PostgreSQL ' || current_setting('server_version'), clock_timestamp()";
        let (version, At(now)): (String, At) = read!(
            self,
            primary,
            |c| sql(SQLITE).rows::<(Text, Instant)>().get_result(c),
            sql(POSTGRES).rows::<(Text, Instant)>().get_result(c)
        )?;
        Ok(Server { version, now })
    }
}
