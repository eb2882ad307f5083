//! Decides which errors of the database are transient.

use diesel::result::{DatabaseErrorKind, Error as DieselError};

use super::StoreError;
use crate::sqlite::SqliteError;

impl From<DieselError> for StoreError {
    /// An error is transient (locks, disk, network, restart, a schema that is being migrated), except when the
    /// statement violates a constraint, the database cannot store the data, or this program cannot read the result.
    /// Such a statement never succeeds.
    fn from(error: DieselError) -> Self {
        use DatabaseErrorKind::{CheckViolation, ForeignKeyViolation, NotNullViolation, UniqueViolation, Unknown};
        let text = describe(&error);
        match error {
            DieselError::DatabaseError(
                CheckViolation | ForeignKeyViolation | NotNullViolation | UniqueViolation,
                _,
            )
            | DieselError::InvalidCString(_)
            | DieselError::NotFound
            | DieselError::QueryBuilderError(_)
            | DieselError::DeserializationError(_)
            | DieselError::SerializationError(_) => Self::Failed(text),
            DieselError::DatabaseError(Unknown, _) if is_data_error(&text) => Self::Failed(text),
            _ => Self::Unavailable(text),
        }
    }
}

/// Parts of the messages of Postgres about data that it cannot store: SQLSTATE class 22, and index rows or `tsvector`
/// texts that are too large (54000). Diesel provides the message of an error, but not its SQLSTATE.
const DATA_ERRORS: [&str; 10] = [
    "has no equivalent in encoding",
    "invalid byte sequence for encoding",
    "value too long for type",
    "out of range",
    "invalid input syntax",
    "unsupported Unicode escape sequence",
    "cannot be converted to text",
    "division by zero",
    "exceeds btree version",
    "string is too long for tsvector",
];

fn is_data_error(message: &str) -> bool {
    DATA_ERRORS.iter().any(|part| message.contains(part))
}

fn describe(error: &DieselError) -> String {
    match error {
        DieselError::DatabaseError(_, information) => {
            let mut text = information.message().to_owned();
            for (name, part) in [("detail", information.details()), ("hint", information.hint())] {
                if let Some(part) = part {
                    text.push_str(&format!("; {name}: {part}"));
                }
            }
            text
        }
        other => other.to_string(),
    }
}

impl From<SqliteError> for StoreError {
    fn from(error: SqliteError) -> Self {
        match error {
            SqliteError::Query(error) => error.into(),
            SqliteError::Open { .. } => Self::Failed(error.to_string()),
            SqliteError::Commit(_) | SqliteError::Unavailable(_) => Self::Unavailable(error.to_string()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn data_error_is_permanent_and_server_failure_is_transient() {
        let classify = |message: &str| {
            StoreError::from(DieselError::DatabaseError(DatabaseErrorKind::Unknown, Box::new(message.to_owned())))
        };
        for data in [
            "character with byte sequence 0xf0 0x9f 0x98 0x80 in encoding \"UTF8\" has no equivalent in encoding \"LATIN1\"",
            "invalid byte sequence for encoding \"UTF8\": 0x00",
            "index row size 3016 exceeds btree version 4 maximum 2704 for index \"posts_by_author\"",
            "integer out of range",
        ] {
            assert!(!classify(data).is_transient(), "{data}");
        }
        for trouble in [
            "canceling statement due to statement timeout",
            "could not extend file \"base/1/2\": No space left on device",
            "terminating connection due to administrator command",
            "cannot execute INSERT in a read-only transaction",
            "database is locked",
        ] {
            assert!(classify(trouble).is_transient(), "{trouble}");
        }
    }
}
