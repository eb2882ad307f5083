//! Clients that continuously read from the API.

use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use tokio::task::JoinHandle;
use tokio_util::sync::CancellationToken;

const CLIENTS: usize = 50;
/// The pause of a client between two requests.
const PAUSE: Duration = Duration::from_millis(200);
const PATHS: [&str; 4] = ["/api/posts?limit=50", "/api/stats", "/api/distribution", "/api/aggregate?period=hour"];

/// The measurements of the clients.
#[derive(Default)]
struct Measured {
    latencies_ms: Vec<f64>,
    requests: usize,
    failed: usize,
}

/// The running clients.
pub struct Clients {
    stop: CancellationToken,
    tasks: Vec<JoinHandle<()>>,
    measured: Arc<Mutex<Measured>>,
}

impl Clients {
    pub fn start(url: &str) -> Self {
        let (stop, measured) = (CancellationToken::new(), Arc::<Mutex<Measured>>::default());
        let one = |number| {
            let first = PAUSE * number / u32::try_from(CLIENTS).expect("few clients");
            tokio::spawn(client(url.to_owned(), first, measured.clone(), stop.clone()))
        };
        let tasks = (0..u32::try_from(CLIENTS).expect("few clients")).map(one).collect();
        Self { stop, tasks, measured }
    }

    /// The latencies since the last call, in milliseconds.
    pub fn take(&self) -> Vec<f64> {
        std::mem::take(&mut self.measured.lock().unwrap().latencies_ms)
    }

    /// Stops the clients. Returns the numbers of requests and of failed requests.
    pub async fn stop(self) -> (usize, usize) {
        self.stop.cancel();
        for task in self.tasks {
            task.await.unwrap();
        }
        let measured = self.measured.lock().unwrap();
        (measured.requests, measured.failed)
    }
}

async fn client(url: String, first: Duration, measured: Arc<Mutex<Measured>>, stop: CancellationToken) {
    let client = crate::web::builder().timeout(Duration::from_secs(30)).build().unwrap();
    tokio::time::sleep(first).await;
    for path in PATHS.iter().cycle() {
        if stop.is_cancelled() {
            return;
        }
        let started = Instant::now();
        let answer = async { client.get(format!("{url}{path}")).send().await?.error_for_status()?.bytes().await }.await;
        let elapsed = started.elapsed();
        {
            let mut measured = measured.lock().unwrap();
            measured.requests += 1;
            match answer {
                Ok(_) => measured.latencies_ms.push(elapsed.as_secs_f64() * 1e3),
                Err(_) => measured.failed += 1,
            }
        }
        tokio::time::sleep(PAUSE).await;
    }
}
