//! A running API with its own database and stream, a worker, and a classifier that uses word lists.

mod backends;
mod by_words;

use std::sync::{Arc, Mutex};
use std::time::Duration;

use reqwest::{Method, RequestBuilder};
use sentistream::cache::{Cache, LocalCache};
use sentistream::clock::Clock;
use sentistream::domain::Timestamp;
use sentistream::http::{Administration, Api, HttpOptions, ModelState, Server, serve};
use sentistream::inference::routes::Routes;
use sentistream::language::LanguagePolicy;
use sentistream::lifecycle::Shutdown;
use sentistream::live::{LiveBus, LocalBus};
use sentistream::topics::Topics;
use sentistream::worker::{self, StoragePolicy, Worker, WorkerOptions};
use serde_json::{Value, json};
use tokio::sync::watch;

use backends::{backends, postgres_store, redis_stream};
pub use by_words::{by_words, by_words_named, english_by_words};

/// Makes two tests of each case: one on SQLite, and one on Postgres and Redis.
macro_rules! cases {
    ($($case:ident),+ $(,)?) => {
        mod embedded {
            $(#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
            async fn $case() {
                super::$case(crate::api::test_app::Setup::Embedded).await;
            })+
        }
        mod shared {
            $(#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
            async fn $case() {
                super::$case(crate::api::test_app::Setup::Shared).await;
            })+
        }
    };
}
pub(crate) use cases;

/// The longest time that a test waits for a condition.
pub const DEADLINE: Duration = Duration::from_secs(60);
/// The time at the start of a case.
pub const START: &str = "2026-03-01T12:30:00Z";

/// The backends of an app.
#[derive(Clone, Copy, PartialEq, Eq)]
pub enum Setup {
    /// SQLite and the local queue.
    Embedded,
    /// Postgres and Redis.
    Shared,
}

/// A running API.
pub struct TestApp {
    pub url: String,
    pub clock: Clock,
    pub services: Api,
    pub shutdown: Shutdown,
    workers: Shutdown,
    pub server: Option<Server>,
    client: reqwest::Client,
    work: Mutex<Option<tokio::task::JoinHandle<anyhow::Result<()>>>>,
    _folder: tempfile::TempDir,
}

/// A complete response.
#[derive(Debug)]
pub struct Answer {
    pub status: u16,
    pub headers: reqwest::header::HeaderMap,
    pub body: Vec<u8>,
}

impl Answer {
    pub fn json(&self) -> Value {
        serde_json::from_slice(&self.body).unwrap_or_else(|e| panic!("{e}: {}", self.text()))
    }

    pub fn text(&self) -> String {
        String::from_utf8_lossy(&self.body).into_owned()
    }

    pub fn header(&self, name: &str) -> &str {
        self.headers.get(name).map_or("", |value| value.to_str().expect("a header is text"))
    }

    /// The JSON of a successful response.
    pub fn ok(&self) -> Value {
        assert_eq!(self.status, 200, "{}", self.text());
        self.json()
    }

    /// Checks that the response is a problem with `status`. Returns the names of the invalid fields.
    pub fn problem(&self, status: u16) -> Vec<String> {
        assert_eq!(self.status, status, "{}", self.text());
        assert_eq!(self.header("content-type"), "application/problem+json", "{}", self.text());
        let problem = self.json();
        assert_eq!((&problem["type"], &problem["status"]), (&json!("about:blank"), &json!(status)));
        assert_eq!(problem["request_id"], self.header("x-request-id"));
        for text in ["title", "detail"] {
            assert!(problem[text].as_str().is_some_and(|text| !text.is_empty()), "{problem}");
        }
        let errors = problem["errors"].as_array().cloned().unwrap_or_default();
        errors.iter().map(|error| error["field"].as_str().expect("a field").to_owned()).collect()
    }
}

impl TestApp {
    /// Starts the API with the default options, but on a free port and with a cache that expires immediately.
    pub async fn start(setup: Setup) -> Self {
        Self::with(setup, Duration::from_millis(1), |_| {}).await
    }

    /// Starts the API with changed options.
    pub async fn with(setup: Setup, cache_ttl: Duration, change: impl FnOnce(&mut HttpOptions)) -> Self {
        let clock = Clock::fixed(START.parse().expect("a time"));
        let folder = tempfile::tempdir().expect("a folder");
        let (store, stream) = backends(setup, &folder, &clock).await;
        let (_, model) = watch::channel(ModelState::Ready(by_words()));
        let services = Api {
            topics: Topics::new(store.clone()),
            store,
            stream,
            live: LiveBus::Local(LocalBus::default()),
            cache: Some(Cache::Local(LocalCache::new(cache_ttl, clock.clone()))),
            model,
            routes: Routes::default(),
            clock,
            metrics: None,
            components: Arc::new(Vec::new),
            sources: None,
            names: None,
            administration: Administration::default(),
            reads_bluesky: false,
        };
        Self::over(services, folder, change)
    }

    /// Starts the API with existing services.
    pub fn over(services: Api, folder: tempfile::TempDir, change: impl FnOnce(&mut HttpOptions)) -> Self {
        let mut options = HttpOptions { listen: vec![([127, 0, 0, 1], 0).into()], ..HttpOptions::default() };
        // The check of an available service must succeed even on a busy machine.
        options.check_timeout = DEADLINE;
        // The drain time is longer than [`TestApp::stop`] waits, so the test fails if the shutdown waits for a
        // connection.
        options.drain = 2 * DEADLINE;
        change(&mut options);
        let shutdown = Shutdown::default();
        let server = serve(services.clone(), options, shutdown.clone()).expect("the API is served");
        let url = format!("http://127.0.0.1:{}", server.addresses()[0].port());
        let workers = Shutdown::default();
        let work = tokio::spawn(worker::run(worker(&services), workers.clone()));
        let client = crate::web::builder().timeout(DEADLINE).build().expect("a client");
        let clock = services.clock.clone();
        Self {
            url,
            clock,
            services,
            shutdown,
            workers,
            server: Some(server),
            client,
            work: Mutex::new(Some(work)),
            _folder: folder,
        }
    }

    pub fn request(&self, method: Method, path: &str) -> RequestBuilder {
        self.client.request(method, format!("{}{path}", self.url))
    }

    pub async fn send(&self, request: RequestBuilder) -> Answer {
        let answer = request.send().await.expect("the API answers");
        let (status, headers) = (answer.status().as_u16(), answer.headers().clone());
        Answer { status, headers, body: answer.bytes().await.expect("the answer is whole").to_vec() }
    }

    pub async fn get(&self, path: &str) -> Answer {
        self.send(self.request(Method::GET, path)).await
    }

    pub async fn delete(&self, path: &str) -> Answer {
        self.send(self.request(Method::DELETE, path)).await
    }

    pub async fn post(&self, path: &str, body: &Value) -> Answer {
        self.send(self.request(Method::POST, path).json(body)).await
    }

    /// Appends posts and waits until they are stored.
    pub async fn store(&self, posts: &[Value]) {
        for chunk in posts.chunks(500) {
            let answer = self.post("/api/posts", &json!(chunk)).await;
            assert_eq!((answer.status, answer.json()["rejected"].clone()), (202, json!([])), "{}", answer.text());
        }
        self.drained().await;
    }

    /// Waits until no entry is pending. Returns the next health report.
    pub async fn drained(&self) -> Value {
        self.eventually("the stream is empty", async || {
            let health = self.get("/api/health").await.ok();
            (health["stats"]["pending"] == 0 && balances(&health)).then_some(())
        })
        .await;
        // The report is requested again, because its totals may have been read before the last commit.
        self.get("/api/health").await.ok()
    }

    /// Repeats `ask` until it returns a value.
    pub async fn eventually<T>(&self, what: &str, mut ask: impl AsyncFnMut() -> Option<T>) -> T {
        let asking = async {
            let mut poll = tokio::time::interval(Duration::from_millis(10));
            loop {
                poll.tick().await;
                if let Some(answer) = ask().await {
                    return answer;
                }
            }
        };
        tokio::time::timeout(DEADLINE, asking).await.unwrap_or_else(|_| panic!("timed out waiting until {what}"))
    }

    /// Stops the workers.
    pub async fn shutdown_workers(&self) {
        self.workers.stop();
        let work = self.work.lock().expect("no test panicked").take().expect("workers run");
        tokio::time::timeout(DEADLINE, work)
            .await
            .expect("the workers end in time")
            .expect("no panic")
            .expect("no error");
    }

    /// Shuts the app down like a process that receives SIGTERM, and waits until the app has ended.
    pub async fn stop(&mut self) {
        self.shutdown.stop();
        let server = self.server.take().expect("the server runs");
        tokio::time::timeout(DEADLINE, server.finished())
            .await
            .expect("the app ends in time")
            .expect("the app ends without an error");
    }
}

impl Drop for TestApp {
    fn drop(&mut self) {
        self.shutdown.abandon();
        self.workers.abandon();
    }
}

/// Whether the outcomes add up to the number of appended entries.
pub fn balances(health: &Value) -> bool {
    let books = &health["stats"]["books"];
    let outcomes =
        ["analysed", "unscored", "duplicate", "skipped", "deletion", "replacement", "dead_lettered", "pending"];
    // The numbers are missing if a component did not respond in time.
    let sum = outcomes.into_iter().map(|name| books[name].as_u64()).sum::<Option<u64>>();
    sum.is_some() && sum == books["appended"].as_u64()
}

/// A post that was written `seconds` before [`START`].
pub fn post(id: &str, source: &str, content: &str, seconds: u64) -> Value {
    let at = START.parse::<Timestamp>().expect("a time") - Duration::from_secs(seconds);
    json!({"post_id": id, "source": source, "content": content, "author": "ada", "created_at": at})
}

/// The services of a process whose Redis and Postgres are unavailable.
pub async fn unavailable_services() -> (Api, tempfile::TempDir) {
    let clock = Clock::fixed(START.parse().expect("a time"));
    let nowhere = "127.0.0.1:1";
    let postgres = format!("postgres://nobody@{nowhere}/none");
    let store = postgres_store(&postgres, &clock);
    let stream = redis_stream(&format!("redis://{nowhere}"), Duration::from_secs(5));
    let (_, model) = watch::channel(ModelState::Loading);
    let live = LiveBus::Local(LocalBus::default());
    let topics = Topics::new(store.clone());
    let components = Arc::new(Vec::new);
    let (sources, names) = (None, None);
    let services = Api {
        store,
        stream,
        topics,
        live,
        cache: None,
        model,
        routes: Routes::default(),
        clock,
        metrics: None,
        components,
        sources,
        names,
        administration: Administration::default(),
        reads_bluesky: false,
    };
    (services, tempfile::tempdir().expect("a folder"))
}

/// A worker that reads the stream of `services`.
pub fn worker(services: &Api) -> Worker {
    Worker {
        stream: services.stream.clone(),
        store: services.store.clone(),
        live: services.live.clone(),
        cache: services.cache.clone().unwrap_or(Cache::Local(LocalCache::new(Duration::ZERO, services.clock.clone()))),
        classifier: by_words().into(),
        routes: services.routes.clone(),
        topics: services.topics.clone(),
        second_opinion: None,
        topic_doubts: None,
        clock: services.clock.clone(),
        options: WorkerOptions {
            instance: "test".to_owned(),
            tasks: 2,
            batch_size: 100,
            claim_idle: DEADLINE,
            max_deliveries: 1,
            max_crashes: 5,
            storage: StoragePolicy::default(),
            languages: LanguagePolicy { detect: true, ..LanguagePolicy::default() },
        },
    }
}
