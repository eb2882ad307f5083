//! The audit log of changes to alerting.

use diesel::{ExpressionMethods, QueryDsl, Queryable, Selectable, SelectableHelper};
use serde::Serialize;
use serde_json::Value;

use crate::store::backend::read;
use crate::store::schema::alert_audit as audit;
use crate::store::sql::{At, JsonText};
use crate::store::{Store, StoreError};
use sentistream_core::domain::{Page, Timestamp};

/// The statement that writes an [`AuditEntry`]. It runs in the transaction of the change.
macro_rules! insert_audit {
    ($entry:expr) => {{
        use $crate::store::schema::alert_audit;
        use $crate::store::sql::{At, JsonText};
        let entry: $crate::store::alerts::AuditEntry = $entry;
        let document = |value: Option<serde_json::Value>| value.map(|value| JsonText(value.to_string()));
        diesel::insert_into(alert_audit::table).values((
            alert_audit::at.eq(At(entry.at)),
            alert_audit::actor.eq(entry.actor),
            alert_audit::action.eq(entry.action),
            alert_audit::object_kind.eq(entry.object_kind),
            alert_audit::object_id.eq(entry.object_id),
            alert_audit::name.eq(entry.name),
            alert_audit::before.eq(document(entry.before)),
            alert_audit::after.eq(document(entry.after)),
        ))
    }};
}
pub(in crate::store) use insert_audit;

/// One change to alerting, with its author.
#[derive(Clone, Debug, Default, PartialEq, Serialize, utoipa::ToSchema)]
pub struct AuditEntry {
    /// The id of the entry, assigned by the store. Later entries have higher ids.
    pub id: i64,
    /// When the change was made.
    #[schema(value_type = String, format = DateTime)]
    pub at: Timestamp,
    /// Who made the change: the name of a user or a token, `configuration` for rules of the configuration file, or a
    /// reserved name such as `local` for clients without an account or a token.
    pub actor: String,
    /// What was done to the object: `create`, `update`, `delete`, `acknowledge`, …
    pub action: String,
    /// The kind of the object: `rule`, `alert`, `receiver`, `route`, `silence`, …
    pub object_kind: String,
    /// The id of the object, as text.
    pub object_id: String,
    /// The name of the object; empty if it has none.
    pub name: String,
    /// The object before the change, without secrets; null if the object was created, and for `acknowledge`.
    #[schema(value_type = Option<Object>)]
    pub before: Option<Value>,
    /// The object after the change, without secrets; null if the object was deleted. For `acknowledge`: the note.
    #[schema(value_type = Option<Object>)]
    pub after: Option<Value>,
}

impl Store {
    /// One page of changes, newest first, starting after the change with id `after`.
    ///
    /// # Errors
    /// [`StoreError::Unavailable`] when the database does not answer.
    pub async fn alert_audit(&self, after: Option<i64>, limit: i64) -> Result<Page<AuditEntry>, StoreError> {
        let rows: Vec<AuditRow> = read!(self, replica, |c| audit::table
            .filter(audit::id.lt(after.unwrap_or(i64::MAX)))
            .order(audit::id.desc())
            .limit(limit + 1)
            .select(AuditRow::as_select())
            .load(c))?;
        Ok(Page::of(rows, limit, |row| row.id).map(AuditEntry::from))
    }
}

#[derive(Queryable, Selectable)]
#[diesel(table_name = audit)]
struct AuditRow {
    id: i64,
    at: At,
    actor: String,
    action: String,
    object_kind: String,
    object_id: String,
    name: String,
    before: Option<JsonText>,
    after: Option<JsonText>,
}

impl From<AuditRow> for AuditEntry {
    fn from(row: AuditRow) -> Self {
        let document = |text: Option<JsonText>| text.and_then(|text| serde_json::from_str(&text.0).ok());
        Self {
            id: row.id,
            at: row.at.0,
            actor: row.actor,
            action: row.action,
            object_kind: row.object_kind,
            object_id: row.object_id,
            name: row.name,
            before: document(row.before),
            after: document(row.after),
        }
    }
}
