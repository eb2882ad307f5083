//! Faults of several processes that reach Postgres and Redis through proxies.

use std::time::Duration;

use fred::clients::Client;
use fred::interfaces::ClientLike;
use fred::types::config::Config;
use fred::types::{ClusterHash, CustomCommand, Value};
use rand::Rng;
use rand::rngs::StdRng;

use super::alerts::{Change, ON_POSTGRES};
use super::clock::FakeClock;
use super::disk::Disk;
use super::proxy::{NetworkState, Proxy};
use super::{ALERTS, LONGEST_STOP, Setup, noticed};
use crate::ports::free_port;
use crate::process::{Process, within};
use crate::services::{self, Server};

/// An API process, two workers, and the servers that they use.
pub struct Scaled {
    folder: tempfile::TempDir,
    settings: Vec<String>,
    front: Option<Process>,
    workers: Vec<Option<Process>>,
    redis: Server,
    postgres: Server,
    redis_proxy: Proxy,
    postgres_proxy: Proxy,
    is_lossy: bool,
    /// The clocks of the two workers and of the API, in this order.
    clocks: Vec<FakeClock>,
    clock_jumps: usize,
    /// The number of kinds of faults that can occur. `fault` draws a kind below this number.
    kinds: u32,
    longest_stop: Duration,
    /// The disk with the append-only file of Redis, if a fault can fill it.
    disk: Option<Disk>,
}

impl Scaled {
    /// Starts a set-up for short runs, with faults that end quickly.
    pub async fn start() -> Self {
        let folder = tempfile::tempdir().expect("a temporary folder");
        Self::on(Server::redis_in(folder, &[]).await, 17, None).await
    }

    /// Starts a set-up for long runs, with all faults.
    pub async fn with_every_fault() -> Self {
        let folder = tempfile::tempdir().expect("a temporary folder");
        let disk = Disk::on(folder.path(), "64m").await;
        Self::on(Server::redis_in(folder, &[]).await, 22, Some(disk)).await
    }

    async fn on(redis: Server, kinds: u32, disk: Option<Disk>) -> Self {
        let postgres = Server::postgres().await;
        let (redis_proxy, postgres_proxy) = (Proxy::to(redis.port()).await, Proxy::to(postgres.port()).await);
        let folder = tempfile::tempdir().expect("a temporary folder");
        let clock = |name| FakeClock::new(&folder.path().join(name));
        let own: [&str; 9] = [
            &format!("database.url=postgres://postgres@127.0.0.1:{}/postgres", postgres_proxy.port),
            &format!("stream.url=redis://127.0.0.1:{}", redis_proxy.port),
            &format!("server.listen=[\"127.0.0.1:{}\"]", free_port()),
            "ingester.sources=[]",
            "worker.claim_idle=2s",
            "worker.batch_size=32",
            "server.rate_limit=0",
            "database.statement_timeout=3s",
            "stream.command_timeout=2s",
        ];
        let mut scaled = Self {
            settings: own.into_iter().chain(ALERTS).map(str::to_owned).collect(),
            clocks: ["clock-0", "clock-1", "clock-api"].map(clock).into(),
            clock_jumps: 0,
            folder,
            front: None,
            workers: vec![None, None],
            redis,
            postgres,
            redis_proxy,
            postgres_proxy,
            is_lossy: false,
            kinds,
            longest_stop: if disk.is_some() { LONGEST_STOP } else { Duration::from_secs(4) },
            disk,
        };
        scaled.start_front().await;
        for index in 0..scaled.workers.len() {
            scaled.start_worker(index).await;
        }
        scaled
    }

    async fn start_front(&mut self) {
        let clock = &self.clocks[self.workers.len()];
        self.front = Some(self.process("roles=[\"api\", \"alerts\"]", clock).await);
    }

    async fn start_worker(&mut self, index: usize) {
        self.workers[index] = Some(self.process("roles=[\"worker\"]", &self.clocks[index]).await);
    }

    async fn process(&self, roles: &str, clock: &FakeClock) -> Process {
        let settings: Vec<String> = self.settings.iter().cloned().chain([roles.to_owned()]).collect();
        Process::start_in(self.folder.path(), &settings, &clock.environment()).await
    }

    fn worker(&self, index: usize) -> &Process {
        self.workers[index].as_ref().expect("the process runs")
    }

    async fn redis_command(&self, name: &'static str, args: &[&str]) -> Value {
        // A Redis server listens before it has loaded its data, so the connection is retried.
        let connect = async || {
            let client = Client::new(Config::from_url(&self.redis.url()).expect("a URL"), None, None, None);
            client.init().await.ok().map(|_| client)
        };
        let client = within("Redis accepts commands", connect).await;
        let args: Vec<Value> = args.iter().map(|arg| Value::from(*arg)).collect();
        let command = CustomCommand::new_static(name, ClusterHash::FirstKey, false);
        let answer = client.custom(command, args).await.expect("Redis runs the command");
        let _ = client.quit().await;
        answer
    }

    fn postgres_url(&self) -> String {
        format!("postgres://postgres@127.0.0.1:{}/postgres", self.postgres.port())
    }

    /// Limits Redis to its current memory. The limit remains for `time` after health has reported it.
    async fn fill_redis(&self, time: Duration) {
        let info = self.redis_command("INFO", &["memory"]).await.into_string().unwrap_or_default();
        let used = info.lines().find_map(|line| line.strip_prefix("used_memory:")).expect("the memory in use");
        self.redis_command("CONFIG", &["SET", "maxmemory", used.trim()]).await;
        noticed(self.front(), "a full Redis", time).await;
        self.redis_command("CONFIG", &["SET", "maxmemory", "0"]).await;
    }

    /// Locks the table of posts in another session, so that statements time out.
    async fn lock_posts(&self, time: Duration) {
        let seconds = time.as_secs_f64();
        let statement = format!(
            "BEGIN; LOCK TABLE social_media_posts IN ACCESS EXCLUSIVE MODE; SELECT pg_sleep({seconds}); COMMIT"
        );
        services::execute(&self.postgres_url(), &statement).await;
    }

    /// Fills the disk of Redis' append-only file. The disk remains full for `time` after health has reported it. Then
    /// Redis is restarted.
    async fn fill_disk_of_redis(&mut self, time: Duration) {
        let Some(disk) = &self.disk else { return };
        disk.fill().await;
        noticed(self.front(), "a Redis that cannot write", time).await;
        disk.clear();
        self.redis.kill().await;
        self.redis.start().await;
    }

    /// Locks tables in the opposite order to the workers, so that Postgres cancels one of the transactions.
    async fn deadlock(&self) {
        services::execute(
            &self.postgres_url(),
            "SET deadlock_timeout = '20s'; BEGIN; LOCK TABLE post_rollups IN SHARE ROW EXCLUSIVE MODE; \
             SELECT pg_sleep(0.3); LOCK TABLE post_keys IN SHARE ROW EXCLUSIVE MODE; COMMIT",
        )
        .await;
    }

    async fn set_for(&self, proxy: &Proxy, network: NetworkState, time: Duration) {
        proxy.set(network);
        tokio::time::sleep(time).await;
        proxy.set(NetworkState::Clear);
    }
}

impl Setup for Scaled {
    async fn fault(&mut self, rng: &mut StdRng) -> &'static str {
        let time = Duration::from_millis(rng.random_range(200..4_000));
        let index = rng.random_range(0..self.workers.len());
        match rng.random_range(0..self.kinds) {
            0 | 1 => {
                self.workers[index].take().expect("the process runs").kill().await;
                self.start_worker(index).await;
                "kill -9 of a worker"
            }
            2 => {
                assert_eq!(self.workers[index].take().expect("the process runs").terminate().await.code(), Some(0));
                self.start_worker(index).await;
                "restart of a worker"
            }
            3 => {
                self.front.take().expect("the process runs").kill().await;
                self.start_front().await;
                "kill -9 of the API"
            }
            4 => {
                self.worker(index).signal("-STOP").await;
                tokio::time::sleep(self.longest_stop.mul_f64(rng.random())).await;
                self.worker(index).signal("-CONT").await;
                "SIGSTOP of a worker"
            }
            5 => {
                self.front().signal("-STOP").await;
                tokio::time::sleep(self.longest_stop.mul_f64(rng.random())).await;
                self.front().signal("-CONT").await;
                "SIGSTOP of the API"
            }
            6 => {
                self.redis.kill().await;
                self.redis.start().await;
                "kill -9 of Redis"
            }
            7 => {
                self.redis.kill().await;
                noticed(self.front(), "an absent Redis", time).await;
                self.redis.start().await;
                "Redis absent"
            }
            8 => {
                self.redis_command("FLUSHALL", &[]).await;
                self.is_lossy = true;
                "FLUSHALL"
            }
            9 => {
                self.fill_redis(time).await;
                "Redis out of memory"
            }
            10 => {
                self.postgres.kill().await;
                self.postgres.start().await;
                "kill -9 of Postgres"
            }
            11 => {
                self.postgres.kill().await;
                noticed(self.front(), "an absent Postgres", time).await;
                self.postgres.start().await;
                "Postgres absent"
            }
            12 => {
                let others = "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE pid <> pg_backend_pid() \
                              AND backend_type = 'client backend'";
                services::execute(&self.postgres_url(), others).await;
                "sessions of Postgres terminated"
            }
            13 => {
                self.lock_posts(time).await;
                "posts locked, statements time out"
            }
            14 => {
                self.set_for(&self.redis_proxy, NetworkState::Silent, time).await;
                "half-open connections to Redis"
            }
            17 => {
                self.set_for(&self.postgres_proxy, NetworkState::Silent, time).await;
                "half-open connections to Postgres"
            }
            18 => {
                self.deadlock().await;
                "deadlock in Postgres"
            }
            19 if self.disk.as_ref().is_some_and(|disk| disk.is_small) => {
                self.fill_disk_of_redis(time).await;
                "disk of Redis full"
            }
            20 | 21 if self.clocks[0].can_jump() => {
                self.clock_jumps += 1;
                let clock = &self.clocks[rng.random_range(0..self.clocks.len())];
                let name = clock.jump(rng);
                tokio::time::sleep(time).await;
                clock.correct();
                name
            }
            15 => {
                let proxy = if rng.random_bool(0.5) { &self.redis_proxy } else { &self.postgres_proxy };
                self.set_for(proxy, NetworkState::Broken, time).await;
                "broken connections"
            }
            _ => {
                let proxy = if rng.random_bool(0.5) { &self.redis_proxy } else { &self.postgres_proxy };
                self.set_for(proxy, NetworkState::Slow(Duration::from_millis(rng.random_range(5..200))), time).await;
                "slow network"
            }
        }
    }

    fn front(&self) -> &Process {
        self.front.as_ref().expect("the process runs")
    }

    async fn transitions(&self) -> Vec<Change> {
        Change::all(&services::text(&self.postgres_url(), ON_POSTGRES).await)
    }

    fn clock_jumps(&self) -> usize {
        self.clock_jumps
    }

    fn is_lossy(&self) -> bool {
        self.is_lossy
    }
}
