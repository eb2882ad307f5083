//! Reads rules, and changes them after a check of their version.

use diesel::{ExpressionMethods, QueryDsl, Queryable, Selectable, SelectableHelper};
use serde_json::Value;

use super::AuditEntry;
use super::audit::insert_audit;
use super::row::to_json;
use crate::store::backend::{read, transact};
use crate::store::schema::{alert_rules as rule, sentiment_alerts as alert};
use crate::store::sql::{At, JsonText};
use crate::store::{Store, StoreError};
use sentistream_core::domain::alert::{Rule, RuleSpec};
use sentistream_core::domain::{AlertState, Timestamp};

/// All rules.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct RuleList {
    /// The rules that this version of the program can read, sorted by id.
    pub rules: Vec<Rule>,
    /// The names of rules that this version of the program cannot read.
    pub unreadable: Vec<String>,
}

/// The author of a change to a rule, and the version of the rule that the change is based on.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RuleChange {
    /// The name of the user or token that makes the change, as in the audit log.
    pub actor: String,
    /// The version that the change is based on. `None`: any version.
    pub version: Option<i64>,
}

/// Why a change of a rule was refused.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum RuleRefusal {
    /// No rule has this id.
    Unknown,
    /// The change is based on an older version of the rule.
    Changed {
        /// The current version of the rule.
        version: i64,
    },
    /// The rule comes from the configuration and cannot be changed through the API.
    Provisioned,
    /// Another rule has this name.
    NameTaken,
}

impl Store {
    /// All rules.
    ///
    /// # Errors
    /// [`StoreError::Unavailable`] when the database does not answer.
    pub async fn alert_rules(&self) -> Result<RuleList, StoreError> {
        let rows: Vec<RuleRow> =
            read!(self, primary, |c| rule::table.order(rule::id).select(RuleRow::as_select()).load(c))?;
        let mut list = RuleList::default();
        for row in rows {
            let name = row.name.clone();
            match row.read() {
                Some(rule) => list.rules.push(rule),
                None => list.unreadable.push(name),
            }
        }
        Ok(list)
    }

    /// The rule with this id; `None` if there is none, or this version of the program cannot read it.
    ///
    /// # Errors
    /// [`StoreError::Unavailable`] when the database does not answer.
    pub async fn alert_rule(&self, id: i64) -> Result<Option<Rule>, StoreError> {
        let rows: Vec<RuleRow> =
            read!(self, primary, |c| rule::table.filter(rule::id.eq(id)).select(RuleRow::as_select()).load(c))?;
        Ok(rows.into_iter().next().and_then(RuleRow::read))
    }

    /// Adds a rule.
    ///
    /// # Errors
    /// [`StoreError::Unavailable`] when the database does not answer or cannot commit. A name that is taken is a
    /// [`RuleRefusal`].
    pub async fn create_alert_rule(
        &self,
        spec: &RuleSpec,
        actor: &str,
    ) -> Result<Result<Rule, RuleRefusal>, StoreError> {
        let now = self.clock.now();
        let data = (spec.name.clone(), to_json(&spec.to_json()), spec.to_json(), actor.to_owned());
        let row: Option<RuleRow> = transact!(self, data, |c, (name, document, after, actor), run| {
            let rows: Vec<RuleRow> = run!(
                diesel::insert_into(rule::table)
                    .values((
                        rule::name.eq(&name),
                        rule::spec.eq(document),
                        rule::provisioned.eq(false),
                        rule::version.eq(1),
                        rule::created_at.eq(At(now)),
                        rule::updated_at.eq(At(now)),
                    ))
                    .on_conflict_do_nothing()
                    .returning(RuleRow::as_returning())
                    .get_results(c)
            )?;
            let row = rows.into_iter().next();
            if let Some(row) = &row {
                let change = Change { action: "create", id: row.id, name: &name, before: None, after: Some(after) };
                let entry = entry(now, &actor, change);
                run!(insert_audit!(entry).execute(c))?;
            }
            Ok(row)
        })?;
        Ok(row.and_then(RuleRow::read).ok_or(RuleRefusal::NameTaken))
    }

    /// Replaces the content of a rule.
    ///
    /// # Errors
    /// [`StoreError::Unavailable`] when the database does not answer or cannot commit; [`StoreError::Failed`] when a
    /// concurrent change takes the name. A change that contradicts the stored rules is a [`RuleRefusal`].
    pub async fn update_alert_rule(
        &self,
        id: i64,
        spec: &RuleSpec,
        change: &RuleChange,
    ) -> Result<Result<Rule, RuleRefusal>, StoreError> {
        let now = self.clock.now();
        let data = (spec.name.clone(), to_json(&spec.to_json()), spec.to_json(), change.clone());
        let row: Result<RuleRow, RuleRefusal> = transact!(self, data, |c, (name, document, after, change), run| {
            let found: Vec<RuleRow> = run!(rule::table.filter(rule::id.eq(id)).select(RuleRow::as_select()).load(c))?;
            let before = match refusal(found, &change) {
                Ok(row) => row,
                Err(refusal) => return Ok(Err(refusal)),
            };
            let taken: i64 =
                run!(rule::table.filter(rule::name.eq(&name)).filter(rule::id.ne(id)).count().get_result(c))?;
            if taken > 0 {
                return Ok(Err(RuleRefusal::NameTaken));
            }
            let changed: Vec<RuleRow> = run!(
                diesel::update(rule::table)
                    .filter(rule::id.eq(id))
                    .filter(rule::version.eq(before.version))
                    .set((
                        rule::name.eq(&name),
                        rule::spec.eq(document),
                        rule::version.eq(before.version + 1),
                        rule::updated_at.eq(At(now)),
                    ))
                    .returning(RuleRow::as_returning())
                    .get_results(c)
            )?;
            let Some(row) = changed.into_iter().next() else {
                return Ok(Err(RuleRefusal::Changed { version: before.version + 1 }));
            };
            if before.name != name {
                // The open alerts of the rule continue under the new name.
                run!(
                    diesel::update(alert::table)
                        .filter(alert::rule_id.eq(id))
                        .filter(alert::state.eq(AlertState::Firing.as_str()))
                        .set(alert::alert_type.eq(&name))
                        .execute(c)
                )?;
            }
            let update = Change { action: "update", id, name: &name, before: before.document(), after: Some(after) };
            let entry = entry(now, &change.actor, update);
            run!(insert_audit!(entry).execute(c))?;
            Ok(Ok(row))
        })?;
        Ok(row.and_then(|row| row.read().ok_or(RuleRefusal::Unknown)))
    }

    /// Removes a rule. The leader of the alerts role then resolves the open alerts of the rule.
    ///
    /// # Errors
    /// [`StoreError::Unavailable`] when the database does not answer or cannot commit. A rule that is missing,
    /// provisioned or changed is a [`RuleRefusal`].
    pub async fn delete_alert_rule(&self, id: i64, change: &RuleChange) -> Result<Result<(), RuleRefusal>, StoreError> {
        let now = self.clock.now();
        transact!(self, change.clone(), |c, change, run| {
            let found: Vec<RuleRow> = run!(rule::table.filter(rule::id.eq(id)).select(RuleRow::as_select()).load(c))?;
            let before = match refusal(found, &change) {
                Ok(row) => row,
                Err(refusal) => return Ok(Err(refusal)),
            };
            let gone: usize = run!(
                diesel::delete(rule::table).filter(rule::id.eq(id)).filter(rule::version.eq(before.version)).execute(c)
            )?;
            if gone == 0 {
                return Ok(Err(RuleRefusal::Changed { version: before.version + 1 }));
            }
            let delete = Change { action: "delete", id, name: &before.name, before: before.document(), after: None };
            let entry = entry(now, &change.actor, delete);
            run!(insert_audit!(entry).execute(c))?;
            Ok(Ok(()))
        })
    }

    /// Creates, changes and removes rules of the configuration, so that they match `specs`. If a rule of another origin
    /// already has a name from `specs`, that rule stays unchanged and its name is returned.
    ///
    /// # Errors
    /// [`StoreError::Unavailable`] when the database does not answer or cannot commit.
    pub async fn provision_alert_rules(&self, specs: &[RuleSpec]) -> Result<Vec<String>, StoreError> {
        let now = self.clock.now();
        let data: Vec<(String, Value)> = specs.iter().map(|spec| (spec.name.clone(), spec.to_json())).collect();
        transact!(self, data, |c, wanted, run| {
            let rows: Vec<RuleRow> = run!(rule::table.order(rule::id).select(RuleRow::as_select()).load(c))?;
            let mut taken = Vec::new();
            for row in rows.iter().filter(|row| row.provisioned) {
                if !wanted.iter().any(|(name, _)| *name == row.name) {
                    run!(diesel::delete(rule::table).filter(rule::id.eq(row.id)).execute(c))?;
                    let delete =
                        Change { action: "delete", id: row.id, name: &row.name, before: row.document(), after: None };
                    let entry = entry(now, CONFIGURATION, delete);
                    run!(insert_audit!(entry).execute(c))?;
                }
            }
            for (name, document) in wanted {
                match rows.iter().find(|row| row.name == name) {
                    Some(row) if !row.provisioned => taken.push(name),
                    Some(row) if row.document().as_ref() == Some(&document) => {}
                    Some(row) => {
                        run!(
                            diesel::update(rule::table)
                                .filter(rule::id.eq(row.id))
                                .set((
                                    rule::spec.eq(to_json(&document)),
                                    rule::version.eq(row.version + 1),
                                    rule::updated_at.eq(At(now)),
                                ))
                                .execute(c)
                        )?;
                        let (before, after) = (row.document(), Some(document));
                        let update = Change { action: "update", id: row.id, name: &name, before, after };
                        let entry = entry(now, CONFIGURATION, update);
                        run!(insert_audit!(entry).execute(c))?;
                    }
                    None => {
                        let ids: Vec<i64> = run!(
                            diesel::insert_into(rule::table)
                                .values((
                                    rule::name.eq(&name),
                                    rule::spec.eq(to_json(&document)),
                                    rule::provisioned.eq(true),
                                    rule::version.eq(1),
                                    rule::created_at.eq(At(now)),
                                    rule::updated_at.eq(At(now)),
                                ))
                                // Another instance may be provisioning the same rules.
                                .on_conflict_do_nothing()
                                .returning(rule::id)
                                .get_results(c)
                        )?;
                        for id in ids {
                            let after = Some(document.clone());
                            let create = Change { action: "create", id, name: &name, before: None, after };
                            let entry = entry(now, CONFIGURATION, create);
                            run!(insert_audit!(entry).execute(c))?;
                        }
                    }
                }
            }
            Ok(taken)
        })
    }
}

/// The actor of changes that come from the configuration.
const CONFIGURATION: &str = "configuration";

/// The row of the rule, or the reason why the change is refused.
fn refusal(found: Vec<RuleRow>, change: &RuleChange) -> Result<RuleRow, RuleRefusal> {
    let row = found.into_iter().next().ok_or(RuleRefusal::Unknown)?;
    if row.provisioned {
        return Err(RuleRefusal::Provisioned);
    }
    match change.version {
        Some(version) if version != row.version => Err(RuleRefusal::Changed { version: row.version }),
        _ => Ok(row),
    }
}

/// A change of a rule.
struct Change<'a> {
    action: &'static str,
    id: i64,
    name: &'a str,
    before: Option<Value>,
    after: Option<Value>,
}

fn entry(at: Timestamp, actor: &str, change: Change<'_>) -> AuditEntry {
    let Change { action, id, name, before, after } = change;
    AuditEntry {
        id: 0,
        at,
        actor: actor.to_owned(),
        action: action.to_owned(),
        object_kind: "rule".to_owned(),
        object_id: id.to_string(),
        name: name.to_owned(),
        before,
        after,
    }
}

#[derive(Queryable, Selectable)]
#[diesel(table_name = rule)]
struct RuleRow {
    id: i64,
    name: String,
    spec: JsonText,
    provisioned: bool,
    version: i64,
    created_at: At,
    updated_at: At,
}

impl RuleRow {
    fn document(&self) -> Option<Value> {
        serde_json::from_str(&self.spec.0).ok()
    }

    /// The rule; `None` if this version of the program cannot read it.
    fn read(self) -> Option<Rule> {
        let spec = RuleSpec::parse(self.document()?).ok()?;
        Some(Rule {
            id: self.id,
            version: self.version,
            provisioned: self.provisioned,
            created_at: self.created_at.0,
            updated_at: self.updated_at.0,
            spec,
        })
    }
}
