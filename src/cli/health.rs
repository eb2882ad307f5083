//! The command `sentistream health`.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};
use std::time::Duration;

use clap::Args;

use super::output::{Output, one_line};
use super::probe::{self, Probe};
use super::{CommandResult, Context, Misuse};
use crate::config::{Address, Config, Role};

/// Check whether the server on this machine is ready.
///
/// For containers and service managers. The command sends a request to the first address of server.listen, or to
/// server.ops_listen in a process without the api role, so run it with the settings of the server. Exits with 1 if the
/// server does not respond in time or is not ready.
#[derive(Args)]
#[command(after_help = "\
Examples:
  sentistream health
  sentistream --roles worker --set server.ops_listen=0.0.0.0:8001 health --live")]
pub struct HealthArgs {
    /// Check only that the process runs, not that its database, stream and model are ready.
    #[arg(long)]
    live: bool,
    /// The timeout of the request, in seconds.
    #[arg(long, value_name = "SECONDS", default_value_t = 3, value_parser = clap::value_parser!(u64).range(1..=60))]
    timeout: u64,
}

/// Sends the request and prints the response.
pub async fn run(args: &HealthArgs, context: &Context) -> anyhow::Result<CommandResult> {
    let address = reachable(address(&context.config)?);
    let path = if args.live { "/healthz" } else { "/readyz" };
    let probe = Probe { address: &address, path, timeout: Duration::from_secs(args.timeout) };
    let answer = probe::get(probe).await.map_err(|e| anyhow::anyhow!("http://{address}{path}: {e}"))?;
    let mut output = Output::new();
    output.line(format!("{} {}", answer.status, one_line(&answer.body, 500)))?;
    output.flush()?;
    Ok(if answer.status == 200 { CommandResult::Good } else { CommandResult::Bad })
}

fn address(config: &Config) -> Result<&Address, Misuse> {
    let found =
        if config.has_role(Role::Api) { config.server.listen.first() } else { config.server.ops_listen.as_ref() };
    match found {
        Some(address) if address.port != 0 => Ok(address),
        Some(_) => {
            Err(Misuse("the server listens on port 0, so its port is chosen at startup: set a fixed port".to_owned()))
        }
        None => Err(Misuse("this process listens on no address: set server.ops_listen".to_owned())),
    }
}

/// The loopback address of a server that listens on every address; other addresses unchanged.
fn reachable(address: &Address) -> Address {
    let host = match address.host.parse() {
        Ok(IpAddr::V4(ip)) if ip.is_unspecified() => Ipv4Addr::LOCALHOST.to_string(),
        Ok(IpAddr::V6(ip)) if ip.is_unspecified() => Ipv6Addr::LOCALHOST.to_string(),
        _ => address.host.clone(),
    };
    Address { host, port: address.port }
}
