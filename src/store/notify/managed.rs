//! Receivers, routes, silences and mute timings: rows of the same shape, changed with a check of their version.

use diesel::sql_types::{BigInt, Bool, Nullable, Text};
use diesel::{ExpressionMethods, Queryable};
use serde_json::Value;

use crate::domain::Timestamp;
use crate::domain::notify::{Kind, Managed, Secrets, Stored};
use crate::store::alerts::{AuditEntry, insert_audit};
use crate::store::backend::{read, transact};
use crate::store::sql::{At, Document, Instant, JsonText, sql};
use crate::store::{Store, StoreError};

/// Most of one kind.
const MAX_OF_A_KIND: usize = 1_000;

const COLUMNS: &str = "id, name, spec, secrets, provisioned, version, created_at, updated_at";
type Columns = (BigInt, Nullable<Text>, Document, Nullable<Document>, Bool, BigInt, Instant, Instant);

/// A row of any of the kinds.
#[derive(Clone, Queryable)]
struct Row {
    id: i64,
    name: Option<String>,
    spec: JsonText,
    secrets: Option<JsonText>,
    provisioned: bool,
    version: i64,
    created_at: At,
    updated_at: At,
}

/// The statement that adds a row, and gives it back.
macro_rules! insert_row {
    ($table:expr, $draft:expr, $provisioned:expr, $now:expr) => {
        sql(format!(
            "INSERT INTO {} (name, spec, secrets, provisioned, version, created_at, updated_at) \
             VALUES (?, ?, ?, ?, 1, ?, ?) RETURNING {COLUMNS}",
            $table
        ))
        .bind::<Nullable<Text>, _>($draft.name.clone())
        .bind::<Document, _>(JsonText($draft.spec.to_string()))
        .bind::<Nullable<Document>, _>(kept(&$draft.secrets))
        .bind::<Bool, _>($provisioned)
        .bind::<Instant, _>(At($now))
        .bind::<Instant, _>(At($now))
        .rows::<Columns>()
    };
}
impl Kind {
    fn table(self) -> &'static str {
        match self {
            Self::Receiver => "alert_receivers",
            Self::Route => "alert_routes",
            Self::Silence => "alert_silences",
            Self::MuteTiming => "alert_mute_timings",
        }
    }
}

/// A change, and who makes it.
#[derive(Clone, Debug)]
pub struct ManagedChange {
    pub kind: Kind,
    pub action: Action,
    /// The name of a token.
    pub actor: String,
}

/// What to do.
#[derive(Clone, Debug)]
pub enum Action {
    Create(Draft),
    /// `version`: the one that the change was made from; `None`: whichever.
    Update {
        id: i64,
        version: Option<i64>,
        draft: Draft,
    },
    Delete {
        id: i64,
        version: Option<i64>,
    },
}

/// The new state of the object.
#[derive(Clone, Debug)]
pub struct Draft {
    name: Option<String>,
    spec: Value,
    secrets: Secrets,
}

impl Draft {
    /// From something that was checked.
    pub fn of<T: Managed>(spec: &T, secrets: Secrets) -> Self {
        // Our own types hold nothing that JSON cannot.
        let json = serde_json::to_value(spec).unwrap_or_default();
        Self { name: spec.name().map(str::to_owned), spec: json, secrets }
    }

    /// The names at `field`: one text, or several.
    fn names(&self, field: &str) -> Vec<&str> {
        match &self.spec[field] {
            Value::String(name) => vec![name],
            Value::Array(names) => names.iter().filter_map(Value::as_str).collect(),
            _ => Vec::new(),
        }
    }
}

/// Why nothing was changed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Refusal {
    /// There is none with this id.
    Unknown,
    /// It was changed since `version`.
    Changed { version: i64 },
    /// It belongs to the configuration.
    Provisioned,
    /// Another one of its kind has this name.
    NameTaken,
    /// The name of an object never changes.
    NameFixed { name: String },
    /// Routes refer to it.
    InUse { routes: Vec<String> },
    /// What `field` refers to does not exist.
    Missing { field: &'static str, name: String },
    /// There is a route without matchers already.
    SecondDefault { name: String },
    /// There are as many as there may be.
    Full { limit: usize },
}

/// What the tables hold that a change must agree with.
struct Present {
    of_kind: Vec<Row>,
    routes: Vec<Draft>,
    receivers: Vec<String>,
    mute_timings: Vec<String>,
}

impl ManagedChange {
    /// The row that is changed; `None` for a new one.
    fn target<'p>(&self, present: &'p Present) -> Result<Option<&'p Row>, Refusal> {
        let (id, version) = match &self.action {
            Action::Create(_) if present.of_kind.len() >= MAX_OF_A_KIND => {
                return Err(Refusal::Full { limit: MAX_OF_A_KIND });
            }
            Action::Create(_) => return Ok(None),
            Action::Update { id, version, .. } | Action::Delete { id, version } => (*id, *version),
        };
        let row = present.of_kind.iter().find(|row| row.id == id).ok_or(Refusal::Unknown)?;
        match version {
            _ if row.provisioned => Err(Refusal::Provisioned),
            Some(version) if version != row.version => Err(Refusal::Changed { version: row.version }),
            _ => Ok(Some(row)),
        }
    }

    /// Whether it agrees with what there is; the row that it changes.
    fn check<'p>(&self, present: &'p Present) -> Result<Option<&'p Row>, Refusal> {
        let target = self.target(present)?;
        match &self.action {
            Action::Delete { .. } => {
                let name = target.and_then(|row| row.name.as_deref()).unwrap_or_default();
                self.check_unused(name, present)?;
            }
            Action::Create(draft) | Action::Update { draft, .. } => {
                let renamed = target.filter(|row| row.name != draft.name).and_then(|row| row.name.clone());
                if let Some(name) = renamed {
                    return Err(Refusal::NameFixed { name });
                }
                let others = || present.of_kind.iter().filter(|row| target.is_none_or(|target| row.id != target.id));
                if draft.name.is_some() && others().any(|row| row.name == draft.name) {
                    return Err(Refusal::NameTaken);
                }
                if self.kind == Kind::Route {
                    check_route(draft, present)?;
                }
            }
        }
        Ok(target)
    }

    fn check_unused(&self, name: &str, present: &Present) -> Result<(), Refusal> {
        let field = match self.kind {
            Kind::Receiver => "receiver",
            Kind::MuteTiming => "mute_timings",
            Kind::Route | Kind::Silence => return Ok(()),
        };
        let users = present.routes.iter().filter(|route| route.names(field).contains(&name));
        let routes: Vec<String> = users.filter_map(|route| route.name.clone()).collect();
        if routes.is_empty() { Ok(()) } else { Err(Refusal::InUse { routes }) }
    }
}

fn check_route(draft: &Draft, present: &Present) -> Result<(), Refusal> {
    let missing = |field, known: &[String]| {
        let name = draft.names(field).into_iter().find(|name| !known.iter().any(|known| known == name));
        name.map_or(Ok(()), |name| Err(Refusal::Missing { field, name: name.to_owned() }))
    };
    missing("receiver", &present.receivers)?;
    missing("mute_timings", &present.mute_timings)?;
    let is_default = |route: &Draft| route.spec["matchers"].as_array().is_none_or(Vec::is_empty);
    let other = present.routes.iter().find(|route| is_default(route) && route.name != draft.name);
    match other.and_then(|route| route.name.clone()) {
        Some(name) if is_default(draft) => Err(Refusal::SecondDefault { name }),
        _ => Ok(()),
    }
}

impl Store {
    /// All of a kind, by id. What this version of the program cannot read is left out.
    pub async fn managed<T: Managed>(&self) -> Result<Vec<Stored<T>>, StoreError> {
        Ok(self
            .managed_rows(T::KIND)
            .await?
            .into_iter()
            .filter_map(|row| stored(row).map(|(stored, _)| stored))
            .collect())
    }

    /// All of a kind, by id, with their secrets.
    pub async fn managed_with_secrets<T: Managed>(&self) -> Result<Vec<(Stored<T>, Secrets)>, StoreError> {
        let found = self.managed_rows(T::KIND).await?.into_iter().filter_map(stored);
        Ok(found.map(|(stored, secrets)| self.with_opened(stored, secrets)).collect())
    }

    async fn managed_rows(&self, kind: Kind) -> Result<Vec<Row>, StoreError> {
        let text = format!("SELECT {COLUMNS} FROM {} ORDER BY id", kind.table());
        read!(self, primary, |c| sql(text).rows::<Columns>().load(c))
    }

    /// Makes a change and records it in the audit trail; the object afterwards, unless it was deleted.
    pub async fn change_managed<T: Managed>(
        &self,
        change: &ManagedChange,
    ) -> Result<Result<Option<(Stored<T>, Secrets)>, Refusal>, StoreError> {
        let now = self.clock.now();
        let change = change.clone().sealed(self)?;
        let done: Result<Option<Row>, Refusal> = transact!(self, change, |c, change, run| {
            let table = change.kind.table();
            // Serialises the changes of all kinds, since they refer to each other.
            run!(sql("UPDATE alert_notifier SET changes = changes + 1 WHERE id = 1").execute(c))?;
            let names = |table: &str| sql(format!("SELECT name FROM {table} WHERE name IS NOT NULL")).rows::<Text>();
            let select = |table: &str| sql(format!("SELECT {COLUMNS} FROM {table} ORDER BY id")).rows::<Columns>();
            let of_kind: Vec<Row> = run!(select(table).load(c))?;
            let routes: Vec<Row> = run!(select(Kind::Route.table()).load(c))?;
            let receivers: Vec<String> = run!(names(Kind::Receiver.table()).load(c))?;
            let mute_timings: Vec<String> = run!(names(Kind::MuteTiming.table()).load(c))?;
            let routes = routes.into_iter().map(draft_of).collect();
            let present = Present { of_kind, routes, receivers, mute_timings };
            let before = match change.check(&present) {
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
                    .bind::<Nullable<Document>, _>(kept(&draft.secrets))
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
            run!(insert_audit!(entry(&change, now, before.as_ref(), after.as_ref())).execute(c))?;
            Ok(Ok(after))
        })?;
        let opened = |(stored, secrets)| self.with_opened(stored, secrets);
        Ok(done.map(|row| row.and_then(stored).map(opened)))
    }

    /// Creates, changes and removes objects of the configuration until they are `wanted`. Gives the names that objects of
    /// another origin already have; those stay unchanged.
    pub async fn provision_managed<T: Managed>(&self, wanted: &[T]) -> Result<Vec<String>, StoreError> {
        let now = self.clock.now();
        let drafts: Vec<Draft> = wanted.iter().map(|spec| Draft::of(spec, Secrets::default())).collect();
        transact!(self, drafts, |c, drafts, run| {
            let table = T::KIND.table();
            run!(sql("UPDATE alert_notifier SET changes = changes + 1 WHERE id = 1").execute(c))?;
            let select = sql(format!("SELECT {COLUMNS} FROM {table} ORDER BY id")).rows::<Columns>();
            let rows: Vec<Row> = run!(select.load(c))?;
            for row in rows.iter().filter(|row| row.provisioned && !drafts.iter().any(|draft| draft.name == row.name)) {
                run!(sql(format!("DELETE FROM {table} WHERE id = ?")).bind::<BigInt, _>(row.id).execute(c))?;
            }
            let mut taken = Vec::new();
            for draft in &drafts {
                match rows.iter().find(|row| row.name == draft.name) {
                    None => drop::<Vec<Row>>(run!(insert_row!(table, draft, true, now).load(c))?),
                    Some(row) if !row.provisioned => taken.extend(draft.name.clone()),
                    Some(row) if json(&row.spec) == draft.spec => {}
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
    /// The change with secrets as they are stored.
    fn sealed(mut self, store: &Store) -> Result<Self, StoreError> {
        if let Action::Create(draft) | Action::Update { draft, .. } = &mut self.action {
            draft.secrets = store.sealed(draft.name.as_deref().unwrap_or_default(), &draft.secrets)?;
        }
        Ok(self)
    }
}

impl Store {
    fn with_opened<T: Managed>(&self, stored: Stored<T>, secrets: Secrets) -> (Stored<T>, Secrets) {
        let secrets = self.opened(stored.spec.name().unwrap_or_default(), secrets);
        (stored, secrets)
    }
}

fn kept(secrets: &Secrets) -> Option<JsonText> {
    (!secrets.0.is_empty()).then(|| JsonText(secrets.exposed()))
}

fn json(text: &JsonText) -> Value {
    serde_json::from_str(&text.0).unwrap_or_default()
}

fn draft_of(row: Row) -> Draft {
    Draft { name: row.name, spec: json(&row.spec), secrets: Secrets::default() }
}

fn stored<T: Managed>(row: Row) -> Option<(Stored<T>, Secrets)> {
    let spec = serde_json::from_str(&row.spec.0)
        .inspect_err(
            |error| tracing::warn!(kind = T::KIND.as_str(), id = row.id, name = row.name, %error, "row is unreadable"),
        )
        .ok()?;
    let secrets = row.secrets.map(|text| Secrets::read(&text.0)).unwrap_or_default();
    let stored = Stored {
        id: row.id,
        version: row.version,
        provisioned: row.provisioned,
        created_at: row.created_at.0,
        updated_at: row.updated_at.0,
        spec,
    };
    Some((stored, secrets))
}

/// Secrets are left out.
fn entry(change: &ManagedChange, now: Timestamp, before: Option<&Row>, after: Option<&Row>) -> AuditEntry {
    let row = after.or(before);
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
        before: before.map(|row| json(&row.spec)),
        after: after.map(|row| json(&row.spec)),
    }
}
