//! Checks of the database, the stream, the sources and the clocks.

use std::time::Duration;

use super::{Check, Context};
use crate::app;
use crate::config::{Backends, Config, DatabaseUrl};
use crate::domain::Timestamp;
use crate::sources::SourceState;
use crate::store::feeds::FeedRow;
use crate::store::{Server, Store, StoreError, TextIndexSize};
use crate::stream::Depth;

/// The time that a check waits in addition to the timeouts of the backend.
const MARGIN: Duration = Duration::from_secs(2);
/// A clock difference above this is a warning, because times in the live feed look wrong.
const SKEW_WARNING: Duration = Duration::from_secs(2);
/// A clock difference above this is an error, because posts are counted in the wrong minutes.
const SKEW_ERROR: Duration = Duration::from_secs(30);

const MIB: i64 = 1 << 20;
/// The size up to which the text index of Postgres is not compared with its table.
const SMALL_TEXT_INDEX: i64 = 512 * MIB;

/// Sources whose last report is older than this are ignored, except paused sources.
const FEEDS_SINCE: Duration = Duration::from_secs(86_400);
/// When the last report of a source is older than this, no instance reads the source. Only paused sources are then
/// listed.
const FEED_SILENCE: Duration = Duration::from_secs(30);

/// What the check reads from the database.
struct Inspection {
    server: Server,
    pending: usize,
    /// The reports of all instances about their sources; empty while migrations are pending.
    feeds: Vec<FeedRow>,
    /// The size of the text index of Postgres; `None` while migrations are pending.
    text_index: Option<TextIndexSize>,
    /// The smallest possible difference between the clocks of the database and of this machine.
    skew: Duration,
}

/// Why the database could not be inspected.
#[derive(Debug, thiserror::Error)]
enum InspectionError {
    #[error("{0:#}")]
    Open(#[source] anyhow::Error),
    #[error(transparent)]
    Store(#[from] StoreError),
    #[error("no answer within {} s", .0.as_secs())]
    Timeout(Duration),
}

/// Checks the database, the stream, the sources and the clock.
pub async fn check(context: &Context) -> Vec<Check> {
    let config = &context.config;
    let same_clock = || Check::good("clock", "the database uses the clock of this machine");
    let embedded = match &config.backends {
        Backends::Embedded { path } if !path.exists() => {
            let path = std::path::absolute(path).unwrap_or_else(|_| path.clone());
            let made = format!("{} does not exist yet; the first start creates it", path.display());
            let none = Check::good("sources", "no source has been read yet");
            return vec![Check::good("database", made.clone()), Check::good("stream", made), none, same_clock()];
        }
        Backends::Embedded { .. } => true,
        Backends::Shared { .. } => false,
    };
    let seen = inspect_in_time(context).await;
    // The embedded queue is part of the database, and opening it would migrate the schema.
    let stream = match &seen {
        Err(_) if embedded => Check::skipped("stream", "needs the database"),
        Ok(seen) if embedded && seen.pending > 0 => Check::skipped("stream", "needs the migrations"),
        _ => stream(context).await,
    };
    let sources = match &seen {
        Err(_) => Check::skipped("sources", "needs the database"),
        Ok(seen) if seen.pending > 0 => Check::skipped("sources", "needs the migrations"),
        Ok(seen) => sources(&seen.feeds, context.clock.now()),
    };
    let clock = match &seen {
        Err(_) => Check::skipped("clock", "needs the database"),
        Ok(_) if embedded => same_clock(),
        Ok(seen) => clock(seen.skew),
    };
    let text_index = seen.as_ref().ok().and_then(|seen| seen.text_index).map(text_index);
    let mut checks = vec![database(config, seen)];
    checks.extend(text_index);
    checks.extend([stream, sources, clock]);
    checks
}

async fn inspect_in_time(context: &Context) -> Result<Inspection, InspectionError> {
    let limit = context.config.database.connect_timeout + MARGIN;
    let store = app::open_store(&context.config, context.clock.clone()).map_err(InspectionError::Open)?;
    match tokio::time::timeout(limit, inspect(context, &store)).await {
        Ok(seen) => Ok(seen?),
        Err(_) => Err(InspectionError::Timeout(limit)),
    }
}

async fn inspect(context: &Context, store: &Store) -> Result<Inspection, StoreError> {
    store.ping().await?;
    let before = context.clock.now();
    let server = store.server().await?;
    let after = context.clock.now();
    // The database read its clock between `before` and `after`.
    let skew = before.since(server.now).max(server.now.since(after));
    let pending = store.pending_migrations().await?.len();
    let feeds = if pending == 0 { store.feeds(after - FEEDS_SINCE).await? } else { Vec::new() };
    let text_index = if pending == 0 { store.text_index_size().await? } else { None };
    Ok(Inspection { server, pending, feeds, text_index, skew })
}

/// Checks the state of the sources of all running instances.
fn sources(feeds: &[FeedRow], now: Timestamp) -> Check {
    let (mut working, mut wrong, mut paused) = (0, Vec::new(), Vec::new());
    for feed in feeds.iter().filter(|feed| feed.paused || now.since(feed.reported_at) < FEED_SILENCE) {
        let state: SourceState = serde_json::from_str(&feed.report).unwrap_or_default();
        if feed.paused {
            paused.push(feed.name.as_str());
        } else if let Some(seconds) = state.quiet_seconds {
            wrong.push(format!(
                "{} has delivered no post for {} min, which is unusual",
                feed.name,
                (seconds / 60.0).round()
            ));
        } else if state.state.is_healthy() {
            working += 1;
        } else {
            let why = state.last_error.unwrap_or_default();
            wrong.push(format!("{} is {}: {why}", feed.name, state.state.as_str()));
        }
    }
    let mut finding = format!("{working} working");
    if !paused.is_empty() {
        finding = format!("{finding}, paused: {}", paused.join(", "));
    }
    if wrong.is_empty() {
        return Check::good("sources", finding);
    }
    let remedy = "correct the settings of the source, and restart if they are in the configuration file; temporary \
                  errors are retried automatically";
    Check::warning("sources", format!("{finding}; {}", wrong.join("; ")), remedy)
}

fn database(config: &Config, seen: Result<Inspection, InspectionError>) -> Check {
    match seen {
        Ok(Inspection { server, pending: pending @ 1.., .. }) => Check::warning(
            "database",
            format!("{}, pending migrations: {pending}", server.version),
            "run `sentistream migrate`, or start `sentistream serve`, which applies migrations",
        ),
        Ok(Inspection { server: Server { version, foreign_messages: Some(locale), .. }, .. }) => Check::warning(
            "database",
            format!(
                "{version}, messages in {locale}, which SentiStream cannot interpret: a post that Postgres refuses may \
                 be retried instead of becoming a dead letter"
            ),
            "as an administrator: ALTER ROLE … SET lc_messages = 'C' for the role of database.url",
        ),
        Ok(Inspection { server, .. }) => {
            Check::good("database", format!("{}, schema up to date{}", server.version, location(config)))
        }
        Err(error) => Check::broken("database", error.to_string(), remedy(&config.database.url)),
    }
}

/// Checks whether the text index of Postgres is larger than its table. The index is usually smaller, because it stores
/// each word once. It is larger if it contains many words of pruned posts.
fn text_index(TextIndexSize { index_bytes, table_bytes }: TextIndexSize) -> Check {
    let finding = format!("text index of {} MiB over a table of {} MiB", index_bytes / MIB, table_bytes / MIB);
    if index_bytes <= SMALL_TEXT_INDEX || index_bytes <= table_bytes {
        return Check::good("search", finding);
    }
    let remedy = "remove the words of pruned posts while the service runs: \
                  psql \"$DATABASE_URL\" -c \"REINDEX INDEX CONCURRENTLY post_search_by_grams\"";
    Check::warning("search", finding, remedy)
}

/// The path of the embedded database.
fn location(config: &Config) -> String {
    match &config.backends {
        Backends::Embedded { path } => {
            let absolute = std::path::absolute(path).unwrap_or_else(|_| path.clone());
            format!(", {}", absolute.display())
        }
        Backends::Shared { .. } => String::new(),
    }
}

fn remedy(url: &DatabaseUrl) -> String {
    match url {
        DatabaseUrl::Sqlite(path) => {
            format!("check that {} is a SentiStream database that your account can write to", path.display())
        }
        DatabaseUrl::Postgres(_) => {
            format!("start Postgres, or correct database.url ({url}): host, name, user, password, sslmode")
        }
    }
}

async fn stream(context: &Context) -> Check {
    let limit = context.config.stream.command_timeout + MARGIN;
    let depth = async {
        let stream = app::open(&context.config, context.clock.clone()).await?.stream;
        stream.ping().await?;
        anyhow::Ok(stream.depth().await?)
    };
    let finding = match tokio::time::timeout(limit, depth).await {
        Ok(Ok(depth)) => return waiting(&depth, context.config.stream.max_backlog),
        Ok(Err(e)) => format!("{e:#}"),
        Err(_) => format!("no answer within {} s", limit.as_secs()),
    };
    let url = &context.config.stream.url;
    Check::broken(
        "stream",
        finding,
        format!("start Redis 7.0 or newer, or correct stream.url ({url}); an embedded queue needs only the database"),
    )
}

fn waiting(depth: &Depth, limit: u64) -> Check {
    let finding = format!(
        "reachable; {} entries wait or are being processed (at most {limit}), {} dead letters",
        depth.pending(),
        depth.dead_letters
    );
    if depth.pending() >= limit / 10 * 9 {
        let remedy = "start more workers (`sentistream --roles worker`), or raise stream.max_backlog";
        Check::warning("stream", finding, remedy)
    } else if depth.dead_letters > 0 {
        Check::warning("stream", finding, "`sentistream dead-letter list` shows the reasons")
    } else {
        Check::good("stream", finding)
    }
}

fn clock(skew: Duration) -> Check {
    let finding = format!("{:.1} s from the clock of the database", skew.as_secs_f64());
    let remedy = "synchronize the clocks of both machines with a time server (chrony, systemd-timesyncd)";
    if skew > SKEW_ERROR {
        Check::broken("clock", finding, remedy)
    } else if skew > SKEW_WARNING {
        Check::warning("clock", finding, remedy)
    } else {
        Check::good("clock", finding)
    }
}

#[cfg(test)]
mod tests {
    use super::super::State;
    use super::*;

    #[test]
    fn text_index_larger_than_its_table_is_a_warning() {
        let check = |index, table| text_index(TextIndexSize { index_bytes: index * MIB, table_bytes: table * MIB });
        for (index, table) in [(0, 0), (512, 1), (4_000, 4_000)] {
            assert_eq!(check(index, table).state, State::Good, "{index} MiB over {table} MiB");
        }
        let large = check(4_001, 4_000);
        assert_eq!(large.state, State::Warning);
        assert!(large.remedy.is_some_and(|remedy| remedy.contains("REINDEX INDEX CONCURRENTLY post_search_by_grams")));
    }
}
