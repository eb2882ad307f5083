//! The database, the stream and the clocks.

use std::time::Duration;

use super::{Check, Context};
use crate::app;
use crate::config::{Backends, Config, DatabaseUrl};
use crate::store::Store;
use crate::stream::{Depth, Stream};

/// What a backend may take beyond its own time-outs before it counts as away.
const MARGIN: Duration = Duration::from_secs(2);
/// Database, stream and clock.
pub async fn check(context: &Context) -> Vec<Check> {
    let config = &context.config;
    if let Backends::Embedded { path } = &config.backends
        && !path.exists()
    {
        let made = format!("{} is not there yet; the first start makes it", path.display());
        return vec![
            Check::good("database", made.clone()),
            Check::good("stream", made),
            Check::good("clock", "the database uses the clock of this machine"),
        ];
    }
    let limit = config.database.connect_timeout + MARGIN;
    let store = match app::open_store(config, context.clock.clone()) {
        Ok(store) => store,
        Err(e) => {
            return vec![broken_database(config, &format!("{e:#}")), after("stream"), after("clock")];
        }
    };
    let (database, usable) = match tokio::time::timeout(limit, database(&store)).await {
        Ok(Ok((check, usable))) => (check, usable),
        Ok(Err(e)) => (broken_database(config, &e.to_string()), false),
        Err(_) => (broken_database(config, &format!("no answer within {} s", limit.as_secs())), false),
    };
    let embedded = matches!(config.backends, Backends::Embedded { .. });
    // The embedded queue lies in the database.
    let stream = if usable || !embedded { stream(context).await } else { after("stream") };
    let clock = Check::good("clock", "the database uses the clock of this machine");
    vec![database, stream, clock]
}

fn after(name: &'static str) -> Check {
    Check::skipped(name, "needs the database")
}

fn broken_database(config: &Config, finding: &str) -> Check {
    let remedy = match &config.database.url {
        DatabaseUrl::Sqlite(path) => {
            format!("check that {} is a SentiStream database that you may write to", path.display())
        }
        postgres => {
            format!("start Postgres, or correct database.url ({postgres}): host, name, user, password, sslmode")
        }
    };
    Check::broken("database", finding, remedy)
}

/// The finding, and whether the schema is complete.
async fn database(store: &Store) -> Result<(Check, bool), crate::store::StoreError> {
    store.ping().await?;
    let pending = store.pending_migrations().await?;
    if pending.is_empty() {
        return Ok((Check::good("database", "reachable, schema up to date"), true));
    }
    let finding = format!("reachable, {} migrations are pending", pending.len());
    let remedy = "run `sentistream migrate`, or start `sentistream serve`, which does it";
    Ok((Check::warning("database", finding, remedy), false))
}

async fn stream(context: &Context) -> Check {
    let limit = context.config.stream.command_timeout + MARGIN;
    let depth = async {
        let stream: Stream = app::open(&context.config, context.clock.clone()).await?.stream;
        stream.ping().await?;
        anyhow::Ok(stream.depth().await?)
    };
    let remedy = || format!("start Redis 7.0 or newer, or correct stream.url ({})", context.config.stream.url);
    match tokio::time::timeout(limit, depth).await {
        Ok(Ok(depth)) => waiting(&depth, context.config.stream.max_backlog),
        Ok(Err(e)) => Check::broken("stream", format!("{e:#}"), remedy()),
        Err(_) => Check::broken("stream", format!("no answer within {} s", limit.as_secs()), remedy()),
    }
}

fn waiting(depth: &Depth, limit: u64) -> Check {
    let finding = format!(
        "reachable; {} entries wait or are worked on (at most {limit}), {} in the dead letter",
        depth.pending(),
        depth.dead_letters
    );
    if depth.pending() >= limit / 10 * 9 {
        Check::warning(
            "stream",
            finding,
            "start more workers (`sentistream --roles worker`), or raise stream.max_backlog",
        )
    } else if depth.dead_letters > 0 {
        Check::warning("stream", finding, "see why: `sentistream dead-letter list`")
    } else {
        Check::good("stream", finding)
    }
}
