//! Which failures pass by themselves.

use diesel::result::{DatabaseErrorKind, Error as DieselError};

use super::StoreError;
use crate::sqlite::SqliteError;

impl From<DieselError> for StoreError {
    /// A failure is taken to pass (locks, disk, network, restart, a schema that is being brought
    /// up to date) unless the statement itself can never succeed: what a database refuses for a
    /// moment must never count against the data.
    fn from(error: DieselError) -> Self {
        use DatabaseErrorKind::{CheckViolation, ForeignKeyViolation, NotNullViolation, UniqueViolation};
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
            _ => Self::Unavailable(text),
        }
    }
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
