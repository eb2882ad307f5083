//! Settings that users change while the server runs.

use diesel::{ExpressionMethods, QueryDsl, Queryable, Selectable, SelectableHelper};
use serde_json::{Value, json};

use super::alerts::{AuditEntry, insert_audit};
use super::backend::{read, transact};
use super::schema::settings;
use super::sql::{At, JsonText};
use super::{Store, StoreError};
use sentistream_core::domain::Timestamp;

/// A setting that was changed at least once.
#[derive(Clone, Debug, PartialEq)]
pub struct StoredSetting {
    /// The name of the setting, in the form `section.key`.
    pub key: String,
    /// The stored value; `None` after it was removed.
    pub value: Option<Value>,
    /// The stored value before the last change; `None` if there was none.
    pub previous: Option<Value>,
    /// Increases with each change, from 1.
    pub version: i64,
    /// Who made the last change.
    pub changed_by: String,
    /// When the last change was made.
    pub changed_at: Timestamp,
}

/// A change of a setting.
#[derive(Clone, Debug, PartialEq)]
pub struct SettingChange {
    /// The name of the setting, in the form `section.key`.
    pub key: String,
    /// The new value; `None` removes the stored value.
    pub value: Option<Value>,
    /// The value in the configuration, which applies when no value is stored. The audit log records it.
    pub configured: Value,
    /// The version that the change is based on, 0 for a setting that was never changed. `None`: any version.
    pub version: Option<i64>,
    /// Who makes the change.
    pub actor: String,
}

impl Store {
    /// All settings that were changed, by key.
    ///
    /// # Errors
    /// When the database does not answer.
    pub async fn settings(&self) -> Result<Vec<StoredSetting>, StoreError> {
        let rows: Vec<SettingRow> =
            read!(self, primary, |c| settings::table.order(settings::key).select(SettingRow::as_select()).load(c))?;
        Ok(rows.into_iter().map(StoredSetting::from).collect())
    }

    /// Changes a setting and records the change in the audit log. Returns `false` if the version of the setting differs
    /// from the version that the change is based on.
    ///
    /// # Errors
    /// When the database does not answer or cannot commit.
    pub async fn change_setting(&self, change: &SettingChange) -> Result<bool, StoreError> {
        let data = (change.clone(), At(self.clock.now()));
        transact!(self, data, |c, (change, now), run| {
            let found: Vec<SettingRow> =
                run!(settings::table.filter(settings::key.eq(&change.key)).select(SettingRow::as_select()).load(c))?;
            let before = found.into_iter().next().map(StoredSetting::from);
            let version = before.as_ref().map_or(0, |before| before.version);
            if change.version.is_some_and(|based_on| based_on != version) {
                return Ok(false);
            }
            let old = before.as_ref().and_then(|before| before.value.clone());
            let written = (
                settings::key.eq(&change.key),
                settings::value.eq(document(change.value.as_ref())),
                settings::previous.eq(document(old.as_ref())),
                settings::version.eq(version + 1),
                settings::changed_by.eq(&change.actor),
                settings::changed_at.eq(now),
            );
            // Of two concurrent changes, the second one changes no row.
            let changed: usize = match before {
                None => run!(diesel::insert_into(settings::table).values(written).on_conflict_do_nothing().execute(c))?,
                Some(_) => run!(
                    diesel::update(settings::table)
                        .filter(settings::key.eq(&change.key))
                        .filter(settings::version.eq(version))
                        .set(written)
                        .execute(c)
                )?,
            };
            if changed > 0 {
                run!(insert_audit!(audit_entry(&change, old, now.0)).execute(c))?;
            }
            Ok(changed > 0)
        })
    }
}

fn document(value: Option<&Value>) -> Option<JsonText> {
    value.map(|value| JsonText(value.to_string()))
}

fn audit_entry(change: &SettingChange, old: Option<Value>, now: Timestamp) -> AuditEntry {
    let or_configured = |value: Option<Value>| json!({"value": value.unwrap_or_else(|| change.configured.clone())});
    AuditEntry {
        id: 0,
        at: now,
        actor: change.actor.clone(),
        action: if change.value.is_some() { "update" } else { "reset" }.to_owned(),
        object_kind: "setting".to_owned(),
        object_id: change.key.clone(),
        name: change.key.clone(),
        before: Some(or_configured(old)),
        after: Some(or_configured(change.value.clone())),
    }
}

#[derive(Queryable, Selectable)]
#[diesel(table_name = settings)]
struct SettingRow {
    key: String,
    value: Option<JsonText>,
    previous: Option<JsonText>,
    version: i64,
    changed_by: String,
    changed_at: At,
}

impl From<SettingRow> for StoredSetting {
    fn from(row: SettingRow) -> Self {
        let value = |text: Option<JsonText>| text.and_then(|text| serde_json::from_str(&text.0).ok());
        Self {
            key: row.key,
            value: value(row.value),
            previous: value(row.previous),
            version: row.version,
            changed_by: row.changed_by,
            changed_at: row.changed_at.0,
        }
    }
}
