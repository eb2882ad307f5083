//! Checks of this machine: disk space and addresses.

use std::io;
use std::path::{Path, PathBuf};
use std::time::Duration;

use tokio::net::TcpListener;

use super::Check;
use crate::cli::probe::{self, Probe};
use crate::config::{Address, Backends, Config, Role};

const MIB: u64 = 1 << 20;
/// The check fails below this much free space, because writes to the database may fail.
const MIN_FREE: u64 = 100 * MIB;
/// The check warns below this much free space, which is enough for about one million posts.
const LOW_FREE: u64 = 1024 * MIB;
/// The timeout of the request that identifies the program at an address in use.
const TIMEOUT: Duration = Duration::from_secs(3);

/// Checks whether the disk of the embedded database has space, and whether its folder is writable.
pub fn disk(config: &Config) -> Check {
    let Backends::Embedded { path } = &config.backends else {
        return Check::skipped("disk", "the database is not embedded, so its disk is not checked");
    };
    let folder = existing_folder(path);
    let shown = folder.display();
    if let Err(e) = can_write(&folder) {
        return Check::broken(
            "disk",
            format!("{shown} cannot be written to: {e}"),
            "change the owner of the folder, or database.url",
        );
    }
    let free = match rustix::fs::statvfs(&folder) {
        Ok(room) => room.f_bavail.saturating_mul(room.f_frsize),
        Err(e) => {
            return Check::warning(
                "disk",
                format!("{shown}: free space is unknown: {e}"),
                "check the free space manually",
            );
        }
    };
    let finding = format!("{} MiB free in {shown}", free / MIB);
    match free {
        0..MIN_FREE => Check::broken("disk", finding, "free some space, or move the database (database.url)"),
        MIN_FREE..LOW_FREE => Check::warning("disk", finding, "free some space, or move the database (database.url)"),
        _ => Check::good("disk", finding),
    }
}

/// The folder of `path`, or its nearest ancestor that exists. The first start creates the missing folders.
fn existing_folder(path: &Path) -> PathBuf {
    let absolute = std::path::absolute(path).unwrap_or_else(|_| path.to_owned());
    let folder = absolute.ancestors().skip(1).find(|folder| folder.is_dir());
    folder.map_or_else(|| PathBuf::from("/"), Path::to_owned)
}

fn can_write(folder: &Path) -> io::Result<()> {
    Ok(rustix::fs::access(folder, rustix::fs::Access::WRITE_OK | rustix::fs::Access::EXEC_OK)?)
}

/// A page by which SentiStream is recognised.
struct Page {
    path: &'static str,
    /// A text that each version of the page contains.
    contains: &'static str,
}

/// The health report of the API.
const HEALTH: Page = Page { path: "/api/health", contains: "recent_posts_1h" };
/// The metrics of a process without the api role, which has no health report.
const METRICS: Page = Page { path: "/metrics", contains: "sentistream_" };

/// Checks whether each address of server.listen, or of server.ops_listen without the api role, is free or already
/// served by SentiStream.
pub async fn ports(config: &Config) -> Vec<Check> {
    let (addresses, page): (Vec<&Address>, _) = match config.has_role(Role::Api) {
        true => (config.server.listen.iter().collect(), &HEALTH),
        false => (config.server.ops_listen.iter().collect(), &METRICS),
    };
    let mut checks = Vec::new();
    for address in addresses {
        checks.push(port(address, page).await);
    }
    if checks.is_empty() {
        checks.push(Check::skipped("ports", "this process listens on no address"));
    }
    checks
}

async fn port(address: &Address, page: &Page) -> Check {
    let Err(error) = TcpListener::bind((address.host.as_str(), address.port)).await else {
        return Check::good("ports", format!("{address} is free"));
    };
    if error.kind() != io::ErrorKind::AddrInUse {
        let remedy = "set server.listen (without the api role: server.ops_listen) to an address of this machine and a \
                      port that you may use";
        return Check::broken("ports", format!("cannot listen on {address}: {error}"), remedy);
    }
    match probe::get(Probe { address, path: page.path, timeout: TIMEOUT }).await {
        Ok(answer) if answer.body.contains(page.contains) => {
            Check::good("ports", format!("{address} is served by SentiStream"))
        }
        _ => Check::broken(
            "ports",
            format!("{address} is in use by another program"),
            "stop it, or set server.listen (without the api role: server.ops_listen) to another port",
        ),
    }
}
