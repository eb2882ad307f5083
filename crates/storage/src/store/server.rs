//! Information about the database server, for administrators.

use diesel::sql_types::Text;

use super::backend::read;
use super::sql::{At, Instant, sql};
use super::{Store, StoreError};
use sentistream_core::domain::Timestamp;

/// The database server.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Server {
    /// The name and the version.
    pub version: String,
    /// The current time of the server's clock.
    pub now: Timestamp,
    /// The locale of the server's messages for the database user of this connection; `None` if they are in English.
    pub foreign_messages: Option<String>,
}

/// `locale`, or `None` if its messages are in English.
fn foreign(locale: String) -> Option<String> {
    let english = locale.is_empty() || locale == "C" || locale.starts_with("C.") || locale == "POSIX";
    (!english && !locale.starts_with("en") && !locale.starts_with("English")).then_some(locale)
}

impl Store {
    /// The version and the time of the database server.
    ///
    /// # Errors
    /// When the database does not answer.
    pub async fn server(&self) -> Result<Server, StoreError> {
        const SQLITE: &str = "SELECT 'SQLite ' || sqlite_version(), CAST(unixepoch('subsec') * 1000000 AS INTEGER), ''";
        const POSTGRES: &str = "SELECT 'PostgreSQL ' || current_setting('server_version'), clock_timestamp(), \
                                current_setting('lc_messages')";
        let (version, At(now), messages): (String, At, String) = read!(
            self,
            primary,
            |c| sql(SQLITE).rows::<(Text, Instant, Text)>().get_result(c),
            sql(POSTGRES).rows::<(Text, Instant, Text)>().get_result(c)
        )?;
        Ok(Server { version, now, foreign_messages: foreign(messages) })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn locale_with_messages_in_another_language_is_reported() {
        for locale in ["", "C", "C.UTF-8", "POSIX", "en_US.UTF-8", "English_United States.1252"] {
            assert_eq!(foreign(locale.to_owned()), None, "{locale}");
        }
        assert_eq!(foreign("de_DE.UTF-8".to_owned()).as_deref(), Some("de_DE.UTF-8"));
    }
}
