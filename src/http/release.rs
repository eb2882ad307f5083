//! The release: its notes, and the migrations of the database.

use actix_web::{HttpRequest, HttpResponse, web};
use serde::Serialize;

use crate::domain::Timestamp;
use crate::store::schema_state::AppliedMigration;

use super::answer;
use super::auth::{Admin, Authorized, Read};
use super::error::{ApiError, Problem};
use super::params::no_params;
use super::state::State;

/// The notes of all releases.
const CHANGELOG: &str = include_str!("../../CHANGELOG.md");

/// The migrations of the database.
#[derive(Serialize, utoipa::ToSchema)]
pub struct MigrationList {
    /// The database with its version.
    #[schema(example = "PostgreSQL 17.2")]
    database: String,
    /// The migrations that ran, oldest first.
    applied: Vec<MigrationView>,
    /// The migrations that have not run. The next start of the server runs them.
    pending: Vec<String>,
}

/// A migration that ran.
#[derive(Serialize, utoipa::ToSchema)]
pub struct MigrationView {
    /// The name of the migration. For a migration of a newer release, its version number.
    name: String,
    #[schema(value_type = String, format = DateTime)]
    ran_at: Timestamp,
    /// Whether this release contains the migration.
    known: bool,
}

impl From<AppliedMigration> for MigrationView {
    fn from(migration: AppliedMigration) -> Self {
        let known = migration.name.is_some();
        Self { name: migration.name.unwrap_or(migration.version), ran_at: migration.ran_at, known }
    }
}

/// Migrations
///
/// Returns the migrations of the database that ran, and those that have not run.
#[utoipa::path(
    get, path = "/api/system/migrations", tag = "operations",
    responses((status = 200, body = MigrationList), (status = 403, body = Problem))
)]
pub async fn migrations(
    _: Authorized<Admin>,
    state: web::Data<State>,
    request: HttpRequest,
) -> Result<HttpResponse, ApiError> {
    no_params(&request)?;
    let store = state.api.store.clone();
    let reading = async move {
        let pending = store.pending_migrations().await?;
        Ok::<_, ApiError>((store.server().await?, store.applied_migrations().await?, pending))
    };
    let (server, applied, pending) = state.run(reading).await?;
    let applied = applied.into_iter().map(MigrationView::from).collect();
    answer::json(&MigrationList { database: server.version, applied, pending })
}

/// What is new in this release.
#[derive(Serialize, utoipa::ToSchema)]
pub struct ReleaseNotes {
    /// The version of this server.
    version: &'static str,
    /// The heading of the notes: a version with its date, or `Unreleased`.
    title: String,
    /// The changes by kind.
    groups: Vec<ReleaseGroup>,
}

/// Changes of one kind.
#[derive(Debug, PartialEq, Serialize, utoipa::ToSchema)]
pub struct ReleaseGroup {
    /// `Added`, `Changed`, `Fixed` and others.
    kind: String,
    /// The changes, as inline Markdown.
    changes: Vec<String>,
}

/// Release notes
///
/// Returns the newest section of the changelog, as it was when this release was built.
#[utoipa::path(get, path = "/api/system/release", tag = "operations", responses((status = 200, body = ReleaseNotes)))]
pub async fn notes(_: Authorized<Read>, request: HttpRequest) -> Result<HttpResponse, ApiError> {
    no_params(&request)?;
    answer::json(&newest(CHANGELOG))
}

fn newest(changelog: &str) -> ReleaseNotes {
    let mut notes = ReleaseNotes { version: env!("CARGO_PKG_VERSION"), title: String::new(), groups: Vec::new() };
    for line in changelog.lines() {
        if let Some(title) = line.strip_prefix("## ") {
            if !notes.title.is_empty() {
                break;
            }
            notes.title = title.replace(['[', ']'], "");
        } else if let Some(kind) = line.strip_prefix("### ") {
            notes.groups.push(ReleaseGroup { kind: kind.to_owned(), changes: Vec::new() });
        } else if let (Some(change), Some(group)) = (line.strip_prefix("- "), notes.groups.last_mut()) {
            group.changes.push(change.to_owned());
        }
    }
    notes
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn notes_are_the_newest_section_of_the_changelog() {
        let notes = newest(
            "# Changelog\n\n## [1.1.0]\n\n### Added\n- a\n- b\n\n### Fixed\n- c\n\n## [1.0.0]\n### Added\n- d\n",
        );
        assert_eq!(notes.title, "1.1.0");
        let group = |kind: &str, changes: &[&str]| ReleaseGroup {
            kind: kind.to_owned(),
            changes: changes.iter().map(|change| (*change).to_owned()).collect(),
        };
        assert_eq!(notes.groups, [group("Added", &["a", "b"]), group("Fixed", &["c"])]);
        assert!(!newest(CHANGELOG).groups.is_empty());
    }
}
