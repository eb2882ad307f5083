//! What runs the database, for people who look after it.

use diesel::sql_types::Text;

use super::backend::read;
use super::sql::{At, Instant, sql};
use super::{Store, StoreError};
use crate::domain::Timestamp;

/// The program behind the database.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Server {
    /// Its name and version.
    pub version: String,
    /// What time it is there.
    pub now: Timestamp,
}

impl Store {
    /// What runs the database and what time it is there.
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
