//! Sentinel fails over Redis while one process with all roles uses it.

use std::time::Duration;

use fred::clients::Client;
use fred::interfaces::ClientLike;
use fred::types::config::Config;
use fred::types::{ClusterHash, CustomCommand, Value};
use rand::Rng;
use rand::rngs::StdRng;

use super::alerts::{Change, ON_POSTGRES};
use super::{ALERTS, Setup};
use crate::ports::free_port;
use crate::process::{Process, within};
use crate::services::{self, Server};

/// One process, its Postgres, and two Redis servers behind a Sentinel.
pub struct Failover {
    _folder: tempfile::TempDir,
    process: Process,
    postgres: Server,
    redis: [Server; 2],
    sentinel: Server,
}

async fn command(server: &Server, name: &'static str, args: &[&str]) -> Option<Value> {
    let client = Client::new(Config::from_url(&server.url()).expect("a URL"), None, None, None);
    client.init().await.ok()?;
    let args: Vec<Value> = args.iter().map(|arg| Value::from(*arg)).collect();
    let answer = client.custom(CustomCommand::new_static(name, ClusterHash::FirstKey, false), args).await.ok();
    let _ = client.quit().await;
    answer
}

impl Failover {
    pub async fn start() -> Self {
        let first = Server::redis().await;
        let port = first.port().to_string();
        let folder = tempfile::tempdir().expect("a temporary folder");
        let second = Server::redis_in(folder, &["--replicaof", "127.0.0.1", &port]).await;
        let (sentinel, postgres) = (Server::sentinel(first.port()).await, Server::postgres().await);
        let settings = [
            format!("database.url=postgres://postgres@127.0.0.1:{}/postgres", postgres.port()),
            format!("stream.url=redis-sentinel://127.0.0.1:{}?sentinelServiceName=main", sentinel.port()),
            format!("server.listen=[\"127.0.0.1:{}\"]", free_port()),
            "ingester.sources=[]".to_owned(),
            "worker.claim_idle=2s".to_owned(),
            "server.rate_limit=0".to_owned(),
            "stream.command_timeout=2s".to_owned(),
        ];
        let settings: Vec<String> = settings.into_iter().chain(ALERTS.map(str::to_owned)).collect();
        let folder = tempfile::tempdir().expect("a temporary folder");
        let process = Process::start(folder.path(), &settings).await;
        let failover = Self { _folder: folder, process, postgres, redis: [first, second], sentinel };
        failover.is_ready().await;
        failover
    }

    /// Waits until the Sentinel has a replica with all data.
    async fn is_ready(&self) {
        let ready = async || {
            let replicas = command(&self.sentinel, "SENTINEL", &["REPLICAS", "main"]).await?.into_array();
            let fields = replicas.into_iter().next()?.into_array();
            let text: Vec<String> = fields.iter().filter_map(Value::as_string).collect();
            let field = |name: &str| text.chunks(2).find(|pair| pair[0] == name).map(|pair| pair[1].as_str());
            (field("flags") == Some("slave") && field("master-link-status") == Some("ok")).then_some(())
        };
        within("the Sentinel has a replica", ready).await;
    }

    /// The port of the master.
    async fn master(&self) -> Option<u16> {
        let address = command(&self.sentinel, "SENTINEL", &["GET-MASTER-ADDR-BY-NAME", "main"]).await?;
        address.into_array().last()?.as_string()?.parse().ok()
    }

    /// Waits until the server on the port `before` is no longer the master.
    async fn changed(&self, before: u16) {
        let other = async || self.master().await.filter(|port| *port != before).map(drop);
        within("the replica becomes the master", other).await;
    }
}

impl Setup for Failover {
    async fn fault(&mut self, rng: &mut StdRng) -> &'static str {
        self.is_ready().await;
        let before = self.master().await.expect("a master");
        if rng.random_bool(0.5) {
            command(&self.sentinel, "SENTINEL", &["FAILOVER", "main"]).await;
            self.changed(before).await;
            return "failover by command";
        }
        let index = usize::from(self.redis[1].port() == before);
        self.redis[index].kill().await;
        self.changed(before).await;
        self.redis[index].start().await;
        // The Sentinel needs time to make the old master a replica of the new one.
        tokio::time::sleep(Duration::from_secs(1)).await;
        "failover from a killed master"
    }

    fn front(&self) -> &Process {
        &self.process
    }

    async fn transitions(&self) -> Vec<Change> {
        let url = format!("postgres://postgres@127.0.0.1:{}/postgres", self.postgres.port());
        Change::all(&services::text(&url, ON_POSTGRES).await)
    }

    fn clock_jumps(&self) -> usize {
        0
    }

    /// A replica may lack the last entries, which a failover then loses.
    fn is_lossy(&self) -> bool {
        true
    }
}
