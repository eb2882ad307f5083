//! Receivers, routes, silences, inhibition rules, mute timings and added sources. Their tables have the same layout. A
//! change can require that its object has a certain version.

mod check;
mod row;

use diesel::ExpressionMethods;
use diesel::sql_types::{BigInt, Bool, Nullable, Text};
use serde_json::Value;

use crate::store::alerts::{AuditEntry, insert_audit};
use crate::store::backend::{read, transact};
use crate::store::sql::{At, Document, Instant, JsonText, sql};
use crate::store::{Store, StoreError};
use sentistream_core::domain::Timestamp;
use sentistream_core::domain::notify::{Kind, Managed, Secrets, Stored};

use super::sealing::Owner;
use check::Present;
use row::{COLUMNS, Columns, Row};

/// The statement that adds a row, and returns it.
macro_rules! insert_row {
    ($table:expr, $draft:expr, $provisioned:expr, $now:expr) => {
        sql(format!(
            "INSERT INTO {} (name, spec, secrets, provisioned, version, created_at, updated_at) \
             VALUES (?, ?, ?, ?, 1, ?, ?) RETURNING {COLUMNS}",
            $table
        ))
        .bind::<Nullable<Text>, _>($draft.name.clone())
        .bind::<Document, _>(JsonText($draft.spec.to_string()))
        .bind::<Nullable<Document>, _>(secrets_column(&$draft.secrets))
        .bind::<Bool, _>($provisioned)
        .bind::<Instant, _>(At($now))
        .bind::<Instant, _>(At($now))
        .rows::<Columns>()
    };
}

/// The table with the objects of a kind.
pub(super) fn table_of(kind: Kind) -> &'static str {
    match kind {
        Kind::Receiver => "alert_receivers",
        Kind::Route => "alert_routes",
        Kind::Silence => "alert_silences",
        Kind::MuteTiming => "alert_mute_timings",
        Kind::InhibitRule => "alert_inhibit_rules",
        Kind::Source => "managed_sources",
    }
}

/// A change of one object.
#[derive(Clone, Debug)]
pub struct ManagedChange {
    /// The kind of the object.
    pub kind: Kind,
    /// What is changed.
    pub action: Action,
    /// The name of the user or token that made the request, as in the audit log.
    pub actor: String,
}

/// The kind of a change.
#[derive(Clone, Debug)]
pub enum Action {
    /// Add an object.
    Create(Draft),
    /// Replace the content of an object.
    Update {
        /// The id of the object.
        id: i64,
        /// The version that the change is based on. `None`: any version.
        version: Option<i64>,
        /// The new content.
        draft: Draft,
    },
    /// Remove an object.
    Delete {
        /// The id of the object.
        id: i64,
        /// The version that the change is based on. `None`: any version.
        version: Option<i64>,
    },
}

/// The new content of an object.
#[derive(Clone, Debug)]
pub struct Draft {
    name: Option<String>,
    spec: Value,
    secrets: Secrets,
}

impl Draft {
    /// Converts an object that passed its validation.
    pub fn of<T: Managed>(spec: &T, secrets: Secrets) -> Self {
        // These types can always be serialised to JSON.
        let json = serde_json::to_value(spec).unwrap_or_default();
        Self { name: spec.name().map(str::to_owned), spec: json, secrets }
    }
}

/// An object with its secrets.
#[derive(Clone, Debug)]
pub struct WithSecrets<T> {
    /// The object without its secrets.
    pub stored: Stored<T>,
    /// The decrypted secrets; empty for kinds of objects without secrets.
    pub secrets: Secrets,
}

/// Why the store refused a change.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Refusal {
    /// The object does not exist.
    #[error("no object has this id")]
    NotFound,
    /// The change is based on an older version of the object.
    #[error("the object was changed by someone else: its version is {version}")]
    Changed {
        /// The current version of the object.
        version: i64,
    },
    /// Objects of the configuration cannot be changed through the API.
    #[error("the object comes from the configuration file: change it there")]
    Provisioned,
    /// The name must be unique among objects of the kind.
    #[error("another object of this kind already has this name")]
    NameTaken,
    /// Names cannot be changed, because other objects refer to them.
    #[error("the name {name:?} cannot be changed")]
    NameFixed {
        /// The current name of the object.
        name: String,
    },
    /// The object cannot be deleted while these routes refer to it.
    #[error("these routes refer to the object: {}; change them first", routes.join(", "))]
    InUse {
        /// The names of the routes.
        routes: Vec<String>,
    },
    /// A field of a route refers to an object that does not exist.
    #[error("{field} refers to {name:?}, which does not exist")]
    Missing {
        /// The field of the route, such as `receiver`.
        field: &'static str,
        /// The name of the missing object.
        name: String,
    },
    /// There can be only one default route. The route with this name is the default route already.
    #[error("{name:?} is the default route already")]
    SecondDefault {
        /// The name of the current default route.
        name: String,
    },
    /// The route would be its own ancestor, or the routes above and below it would have too many levels.
    #[error("the route would be nested in itself, or more than {limit} levels deep: choose another parent")]
    Nesting {
        /// The maximum number of levels.
        limit: usize,
    },
    /// The number of objects of the kind has reached its limit.
    #[error("there are {limit} objects of this kind, which is the limit: remove some")]
    Full {
        /// The maximum number of objects of one kind.
        limit: usize,
    },
}

impl Store {
    /// All objects of a kind, by id. Rows that this version of the program cannot read are left out.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn managed<T: Managed>(&self) -> Result<Vec<Stored<T>>, StoreError> {
        Ok(self.managed_with_secrets::<T>().await?.into_iter().map(|found| found.stored).collect())
    }

    /// All objects of a kind with their secrets, by id. Rows that this version of the program cannot read are left out.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn managed_with_secrets<T: Managed>(&self) -> Result<Vec<WithSecrets<T>>, StoreError> {
        let text = format!("SELECT {COLUMNS} FROM {} ORDER BY id", table_of(T::KIND));
        let rows: Vec<Row> = read!(self, primary, |c| sql(text).rows::<Columns>().load(c))?;
        let mut found: Vec<WithSecrets<T>> =
            rows.into_iter().filter_map(Row::read).map(|found| self.with_opened(found)).collect();
        T::complete(&mut found.iter_mut().map(|found| &mut found.stored.spec).collect::<Vec<_>>());
        Ok(found)
    }

    /// The object of a kind with this name and its secrets. Settings that the object inherits are not filled in. `None`
    /// if there is no such object, or this version of the program cannot read it.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn managed_named<T: Managed>(&self, name: &str) -> Result<Option<WithSecrets<T>>, StoreError> {
        let text = format!("SELECT {COLUMNS} FROM {} WHERE name = ?", table_of(T::KIND));
        let rows: Vec<Row> = read!(self, primary, |c| sql(text).bind::<Text, _>(name).rows::<Columns>().load(c))?;
        Ok(rows.into_iter().find_map(Row::read).map(|found| self.with_opened(found)))
    }

    /// Makes a change and records it in the audit log. Returns the changed object; `None` after a deletion.
    ///
    /// # Errors
    /// When the database fails, or a secret cannot be encrypted. A change that contradicts the stored objects is a
    /// [`Refusal`].
    pub async fn change_managed<T: Managed>(
        &self,
        change: &ManagedChange,
    ) -> Result<Result<Option<WithSecrets<T>>, Refusal>, StoreError> {
        let now = self.clock.now();
        let sealed = change.clone().sealed(self)?;
        let mut done: Result<Option<Row>, Refusal> = transact!(self, sealed, |c, change, run| {
            let table = table_of(change.kind);
            // Serialises the changes of all kinds, because they refer to each other.
            run!(sql("UPDATE alert_notifier SET changes = changes + 1 WHERE id = 1").execute(c))?;
            let names = |table: &str| sql(format!("SELECT name FROM {table} WHERE name IS NOT NULL")).rows::<Text>();
            let select = |table: &str| sql(format!("SELECT {COLUMNS} FROM {table} ORDER BY id")).rows::<Columns>();
            let of_kind: Vec<Row> = run!(select(table).load(c))?;
            let routes: Vec<Row> = run!(select(table_of(Kind::Route)).load(c))?;
            let receivers: Vec<String> = run!(names(table_of(Kind::Receiver)).load(c))?;
            let mute_timings: Vec<String> = run!(names(table_of(Kind::MuteTiming)).load(c))?;
            let routes = routes.into_iter().map(Row::draft).collect();
            let present = Present { of_kind, routes, receivers, mute_timings };
            let before = match present.check(&change) {
                Ok(before) => before.cloned(),
                Err(refusal) => return Ok(Err(refusal)),
            };
            let rows: Vec<Row> = match &change.action {
                Action::Create(draft) => run!(insert_row!(table, draft, false, now).load(c))?,
                Action::Update { id, draft, .. } => run!(
                    sql(format!(
                        "UPDATE {table} SET spec = ?, secrets = ?, version = version + 1, updated_at = ? \
                         WHERE id = ? RETURNING {COLUMNS}"
                    ))
                    .bind::<Document, _>(JsonText(draft.spec.to_string()))
                    .bind::<Nullable<Document>, _>(secrets_column(&draft.secrets))
                    .bind::<Instant, _>(At(now))
                    .bind::<BigInt, _>(*id)
                    .rows::<Columns>()
                    .load(c)
                )?,
                Action::Delete { id, .. } => {
                    run!(sql(format!("DELETE FROM {table} WHERE id = ?")).bind::<BigInt, _>(*id).execute(c))?;
                    Vec::new()
                }
            };
            let after = rows.into_iter().next();
            let versions = Versions { before: before.as_ref(), after: after.as_ref() };
            run!(insert_audit!(audit_entry(&change, now, &versions)).execute(c))?;
            Ok(Ok(after))
        })?;
        if let (Ok(Some(row)), Action::Create(draft) | Action::Update { draft, .. }) = (&mut done, &change.action) {
            self.seal_again(change.kind, row, &draft.secrets).await?;
        }
        let changed = done.map(|row| row.and_then(Row::read).map(|found| self.with_opened(found)));
        match changed {
            Ok(Some(found)) => Ok(Ok(Some(self.completed(found).await?))),
            other => Ok(other),
        }
    }

    /// Adds the settings that the object inherits from other objects of its kind.
    async fn completed<T: Managed>(&self, mut found: WithSecrets<T>) -> Result<WithSecrets<T>, StoreError> {
        let mut others = self.managed::<T>().await?;
        others.retain(|other| other.id != found.stored.id);
        let mut all: Vec<&mut T> = others.iter_mut().map(|other| &mut other.spec).collect();
        all.push(&mut found.stored.spec);
        T::complete(&mut all);
        Ok(found)
    }

    /// Replaces all objects of this kind that come from the configuration with `wanted`. If an object of another origin
    /// already has a name of `wanted`, that object stays unchanged and its name is returned.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn provision_managed<T: Managed>(&self, wanted: &[T]) -> Result<Vec<String>, StoreError> {
        let now = self.clock.now();
        let drafts: Vec<Draft> = wanted.iter().map(|spec| Draft::of(spec, Secrets::default())).collect();
        transact!(self, drafts, |c, drafts, run| {
            let table = table_of(T::KIND);
            run!(sql("UPDATE alert_notifier SET changes = changes + 1 WHERE id = 1").execute(c))?;
            let select = sql(format!("SELECT {COLUMNS} FROM {table} ORDER BY id")).rows::<Columns>();
            let rows: Vec<Row> = run!(select.load(c))?;
            let is_wanted = |row: &&Row| drafts.iter().any(|draft| draft.name == row.name);
            for row in rows.iter().filter(|row| row.provisioned && !is_wanted(row)) {
                run!(sql(format!("DELETE FROM {table} WHERE id = ?")).bind::<BigInt, _>(row.id).execute(c))?;
            }
            let mut taken = Vec::new();
            for draft in &drafts {
                match rows.iter().find(|row| row.name == draft.name) {
                    None => drop::<Vec<Row>>(run!(insert_row!(table, draft, true, now).load(c))?),
                    Some(row) if !row.provisioned => taken.extend(draft.name.clone()),
                    Some(row) if row.spec() == draft.spec => {}
                    Some(row) => {
                        run!(
                            sql(format!(
                                "UPDATE {table} SET spec = ?, version = version + 1, updated_at = ? WHERE id = ?"
                            ))
                            .bind::<Document, _>(JsonText(draft.spec.to_string()))
                            .bind::<Instant, _>(At(now))
                            .bind::<BigInt, _>(row.id)
                            .execute(c)
                        )?;
                    }
                }
            }
            Ok(taken)
        })
    }
}

impl ManagedChange {
    /// Returns the change with its secrets in the encrypted form in which they are stored.
    fn sealed(mut self, store: &Store) -> Result<Self, StoreError> {
        if let Action::Create(draft) | Action::Update { draft, .. } = &mut self.action {
            let owner = owner(self.kind, draft.name.as_deref().unwrap_or_default());
            draft.secrets = store.sealed(&owner, &draft.secrets)?;
        }
        Ok(self)
    }
}

impl Store {
    /// Seals the secrets of a stored row again if the key was replaced after they were sealed.
    async fn seal_again(&self, kind: Kind, row: &mut Row, secrets: &Secrets) -> Result<(), StoreError> {
        if let Some(before) = row.secrets.clone().filter(|before| !self.are_current(&Secrets::read(&before.0))) {
            let name = owner(kind, row.name.as_deref().unwrap_or_default());
            row.secrets = Some(self.replace_sealed(&Owner { kind, id: row.id, name }, secrets, before).await?);
        }
        Ok(())
    }

    fn with_opened<T: Managed>(&self, found: WithSecrets<T>) -> WithSecrets<T> {
        let WithSecrets { stored, secrets } = found;
        let secrets = self.opened(&owner(T::KIND, stored.spec.name().unwrap_or_default()), secrets);
        WithSecrets { stored, secrets }
    }
}

/// The text that identifies an object as the owner of encrypted secrets. Secrets cannot be decrypted for another owner.
pub(super) fn owner(kind: Kind, name: &str) -> String {
    match kind {
        Kind::Source => format!("source:{name}"),
        _ => name.to_owned(),
    }
}

fn secrets_column(secrets: &Secrets) -> Option<JsonText> {
    (!secrets.0.is_empty()).then(|| JsonText(secrets.exposed()))
}

/// A row before and after a change.
struct Versions<'r> {
    before: Option<&'r Row>,
    after: Option<&'r Row>,
}

/// The entry of the audit log for a change, without secrets.
fn audit_entry(change: &ManagedChange, now: Timestamp, versions: &Versions<'_>) -> AuditEntry {
    let row = versions.after.or(versions.before);
    let action = match change.action {
        Action::Create(_) => "create",
        Action::Update { .. } => "update",
        Action::Delete { .. } => "delete",
    };
    AuditEntry {
        id: 0,
        at: now,
        actor: change.actor.clone(),
        action: action.to_owned(),
        object_kind: change.kind.as_str().to_owned(),
        object_id: row.map(|row| row.id.to_string()).unwrap_or_default(),
        name: row.and_then(|row| row.name.clone()).unwrap_or_default(),
        before: versions.before.map(Row::spec),
        after: versions.after.map(Row::spec),
    }
}
