//! Backups of the embedded database: list, start, download, delete.

use std::fs::File;
use std::io::Read as _;

use actix_web::http::{StatusCode, header};
use actix_web::web::Bytes;
use actix_web::{HttpRequest, HttpResponse, web};
use futures_util::{Stream, stream};
use serde::Serialize;

use crate::backups::{Backup, BackupFailure, BackupProgress, Backups, BackupsError, Overview};

use super::answer;
use super::auth::{Actor, Admin, Authorized};
use super::error::{ApiError, Problem};
use super::params::{last_segment, no_params};
use super::state::State;

/// The number of bytes of a download that are in memory at a time.
const CHUNK: usize = 256 << 10;
/// How to restore a backup, and what a backup does not contain.
const EMBEDDED_HINT: &str = "To restore a backup, stop the server, replace the database file (PATH in \
                             database.url=sqlite:///PATH) with the backup, and delete PATH-wal and PATH-shm if they \
                             exist. A backup does not contain the keys that encrypt secrets (database.key_file, by \
                             default PATH.key): keep a copy of that file elsewhere.";
/// How to back up Postgres.
const POSTGRES_HINT: &str = "Backups of Postgres are made with pg_dump, on a machine that reaches the database. Save \
                             the stream in Redis before the database, so that each post is in at least one of the two \
                             backups.";
/// The commands for Postgres and Redis.
const POSTGRES_COMMAND: &str = "redis-cli -u \"$REDIS_URL\" bgsave\npg_dump --format=custom \
                                --file=sentistream.dump \"$DATABASE_URL\"";

/// The backups and their state.
#[derive(Serialize, utoipa::ToSchema)]
pub struct BackupList {
    /// Whether this server makes backups: true with the embedded database.
    supported: bool,
    /// How to restore a backup; with Postgres, how to make backups.
    hint: &'static str,
    /// The command that makes a backup of Postgres; null with the embedded database.
    command: Option<&'static str>,
    /// The folder of the backups; null with Postgres.
    folder: Option<String>,
    /// The number of backups that are kept; null with Postgres.
    keep: Option<usize>,
    /// The backups, newest first.
    backups: Vec<Backup>,
    /// The backup in progress, if there is one.
    running: Option<BackupProgress>,
    /// The failure of the last backup, or of the deletion of old backups after it; null if both succeeded, or if no
    /// backup was made since the server started.
    failed: Option<BackupFailure>,
    /// The free space in the folder, in bytes, if it is known.
    free_bytes: Option<u64>,
}

/// Backups
///
/// Returns the copies of the embedded database in `database.backup_folder`, and the copy in progress. With Postgres, it
/// returns the command that makes a backup.
#[utoipa::path(
    get, path = "/api/backups", tag = "operations",
    responses((status = 200, body = BackupList), (status = 403, body = Problem))
)]
pub async fn list(
    _: Authorized<Admin>,
    state: web::Data<State>,
    request: HttpRequest,
) -> Result<HttpResponse, ApiError> {
    no_params(&request)?;
    let Some(backups) = state.api.administration.backups.clone() else {
        return answer::json(&BackupList {
            supported: false,
            hint: POSTGRES_HINT,
            command: Some(POSTGRES_COMMAND),
            folder: None,
            keep: None,
            backups: Vec::new(),
            running: None,
            failed: None,
            free_bytes: None,
        });
    };
    let options = backups.options().clone();
    let Overview { backups, running, failed, free_bytes } = blocking(move || backups.overview()).await?;
    answer::json(&BackupList {
        supported: true,
        hint: EMBEDDED_HINT,
        command: None,
        folder: Some(options.folder.display().to_string()),
        keep: Some(options.keep),
        backups,
        running,
        failed,
        free_bytes,
    })
}

/// Start a backup
///
/// Copies the embedded database in the background while the server runs. The copy is compacted and checked, and
/// contains everything that was committed before the request. If there are then more than `database.backup_keep`
/// backups, the oldest are deleted.
#[utoipa::path(
    post, path = "/api/backups", tag = "operations",
    responses(
        (status = 202, body = BackupProgress),
        (status = 409, description = "A backup is in progress, or the database is Postgres", body = Problem),
        (status = 507, description = "The disk has too little space", body = Problem),
    )
)]
pub async fn start(
    _: Authorized<Admin>,
    state: web::Data<State>,
    request: HttpRequest,
) -> Result<HttpResponse, ApiError> {
    no_params(&request)?;
    let backups = embedded(&state).ok_or_else(|| ApiError::conflict(POSTGRES_HINT))?;
    let progress = blocking(move || backups.start()).await?;
    answer::json_with(StatusCode::ACCEPTED, &progress)
}

/// Download a backup
#[utoipa::path(
    get, path = "/api/backups/{name}", tag = "operations", params(("name" = String, Path)),
    responses(
        (status = 200, description = "The SQLite database", body = Vec<u8>, content_type = "application/vnd.sqlite3"),
        (status = 404, body = Problem),
    )
)]
pub async fn download(
    _: Authorized<Admin>,
    state: web::Data<State>,
    request: HttpRequest,
) -> Result<HttpResponse, ApiError> {
    no_params(&request)?;
    let (name, backups) = named(&state, &request)?;
    let opening = name.clone();
    let (file, size) = blocking(move || backups.open(&opening)).await?;
    let Actor(actor) = Actor::of(&request);
    tracing::info!(target: "sentistream::security", actor, name, "backup downloaded");
    Ok(HttpResponse::Ok()
        .content_type("application/vnd.sqlite3")
        .insert_header((header::CONTENT_DISPOSITION, format!("attachment; filename=\"{name}\"")))
        .insert_header((header::CACHE_CONTROL, "no-store"))
        // Compression would hide the length of the file, so that browsers could not show the progress of the download.
        .insert_header((header::CONTENT_ENCODING, "identity"))
        .no_chunking(size)
        .streaming(chunks(file)))
}

/// Delete a backup
#[utoipa::path(
    delete, path = "/api/backups/{name}", tag = "operations", params(("name" = String, Path)),
    responses((status = 204, description = "Deleted"), (status = 404, body = Problem))
)]
pub async fn delete(
    _: Authorized<Admin>,
    state: web::Data<State>,
    request: HttpRequest,
) -> Result<HttpResponse, ApiError> {
    no_params(&request)?;
    let (name, backups) = named(&state, &request)?;
    blocking(move || backups.delete(&name)).await?;
    Ok(HttpResponse::NoContent().finish())
}

fn embedded(state: &State) -> Option<Backups> {
    state.api.administration.backups.clone()
}

fn named(state: &State, request: &HttpRequest) -> Result<(String, Backups), ApiError> {
    let backups = embedded(state).ok_or_else(|| ApiError::from(BackupsError::Unknown))?;
    Ok((last_segment(request)?, backups))
}

/// The content of `file`. An error ends the transfer.
fn chunks(file: File) -> impl Stream<Item = Result<Bytes, ApiError>> {
    stream::try_unfold(file, |mut file| async move {
        let read = blocking(move || {
            let mut chunk = vec![0; CHUNK];
            let length = file.read(&mut chunk).map_err(ApiError::internal)?;
            chunk.truncate(length);
            Ok::<_, ApiError>((Bytes::from(chunk), file))
        });
        let (chunk, file) = read.await?;
        Ok(if chunk.is_empty() { None } else { Some((chunk, file)) })
    })
}

/// Runs `work` on a thread for blocking I/O.
async fn blocking<T, E>(work: impl FnOnce() -> Result<T, E> + Send + 'static) -> Result<T, ApiError>
where
    T: Send + 'static,
    E: Into<ApiError> + Send + 'static,
{
    web::block(work).await.map_err(ApiError::internal)?.map_err(Into::into)
}

impl From<BackupsError> for ApiError {
    fn from(error: BackupsError) -> Self {
        match &error {
            BackupsError::Busy => Self::conflict(error.to_string()),
            BackupsError::Unknown => Self::not_found(error.to_string()),
            BackupsError::NoSpace { .. } => Self::new(StatusCode::INSUFFICIENT_STORAGE, error.to_string()),
            BackupsError::Folder { .. } => Self::internal(error),
        }
    }
}
