//! Posts and deletions that are sent while faults happen, and retried until they are accepted.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use rand::rngs::StdRng;
use rand::{Rng, SeedableRng};
use serde_json::{Value, json};
use tokio::task::JoinHandle;
use tokio_util::sync::CancellationToken;

use crate::process::{Process, within};

const MOODS: [&str; 4] = [
    "I love how fast this is",
    "This is broken again and nobody answers",
    "The meeting moved to Tuesday",
    "What a mess",
];
/// The interval between two requests.
const PAUSE: Duration = Duration::from_millis(150);

/// What was accepted.
#[derive(Default)]
pub struct Sent {
    /// The content of each post.
    pub posts: BTreeMap<String, String>,
    /// Posts that were deleted.
    pub deleted: BTreeSet<String>,
}

impl Sent {
    /// The posts that must be stored.
    pub fn expected(&self) -> impl Iterator<Item = (&String, &String)> {
        self.posts.iter().filter(|(id, _)| !self.deleted.contains(*id))
    }

    /// Appends posts again.
    pub async fn send_again(&self, process: &Process, ids: Vec<String>) {
        eprintln!("chaos: {} posts were lost with the stream and are sent again", ids.len());
        for chunk in ids.chunks(100) {
            let posts: Vec<Value> = chunk.iter().map(|id| post(id, &self.posts[id])).collect();
            within("the posts are accepted", async || accepted(&process.url, &posts).await.then_some(())).await;
        }
    }
}

/// A running feed.
pub struct Feed {
    stop: CancellationToken,
    task: JoinHandle<Sent>,
}

impl Feed {
    /// Starts to send to the API at `url`, which may be down at times.
    pub fn start(url: &str, seed: u64) -> Self {
        let (stop, url) = (CancellationToken::new(), url.to_owned());
        let task = tokio::spawn(feed(url, StdRng::seed_from_u64(seed ^ 1), stop.clone()));
        Self { stop, task }
    }

    /// Stops the feed after its current request is accepted.
    pub async fn finish(self) -> Sent {
        self.stop.cancel();
        self.task.await.expect("the feed does not panic")
    }
}

async fn feed(url: String, mut rng: StdRng, stop: CancellationToken) -> Sent {
    let mut sent = Sent::default();
    let mut number = 0;
    while !stop.is_cancelled() {
        let mut batch = Vec::new();
        for _ in 0..rng.random_range(1..40) {
            let id = format!("c{number}");
            let content = format!("{} ({number})", MOODS[rng.random_range(0..MOODS.len())]);
            number += 1;
            batch.push(post(&id, &content));
            if rng.random_bool(0.05) {
                batch.push(post(&id, &content));
            }
            sent.posts.insert(id, content);
        }
        while !accepted(&url, &batch).await {
            tokio::time::sleep(PAUSE).await;
        }
        if rng.random_bool(0.3) {
            let id = format!("c{}", rng.random_range(0..number));
            if deleted(&url, &id).await {
                sent.deleted.insert(id);
            }
        }
        tokio::time::sleep(PAUSE).await;
    }
    sent
}

fn post(id: &str, content: &str) -> Value {
    json!({"post_id": id, "source": "web", "author": "ada", "content": content})
}

async fn accepted(url: &str, posts: &[Value]) -> bool {
    let request = client().post(format!("{url}/api/posts")).json(posts).send().await;
    request.is_ok_and(|answer| answer.status() == 202)
}

/// Deletes a post. Returns whether it was deleted, or did not exist. A request without an answer is retried.
async fn deleted(url: &str, id: &str) -> bool {
    let mut was_tried = false;
    loop {
        match client().delete(format!("{url}/api/posts/{id}")).send().await.map(|answer| answer.status().as_u16()) {
            Ok(204) => return true,
            // Not stored yet, or deleted by an earlier attempt whose answer was lost.
            Ok(404) => return was_tried && is_gone(url, id).await,
            _ => was_tried = true,
        }
        tokio::time::sleep(PAUSE).await;
    }
}

/// Whether a post that was sent is deleted. A post that still waits in the stream is not.
async fn is_gone(url: &str, id: &str) -> bool {
    for _ in 0..400 {
        match client().get(format!("{url}/api/posts/{id}")).send().await.map(|answer| answer.status().as_u16()) {
            // The post was waiting in the stream, so the deletion did not find it.
            Ok(200) => return false,
            _ => tokio::time::sleep(PAUSE).await,
        }
        let health = client().get(format!("{url}/api/health")).send().await;
        let Ok(health) = health else { continue };
        let health: Value = health.json().await.unwrap_or_default();
        if health["stats"]["pending"] == 0 && health["status"] == "healthy" {
            let last = client().get(format!("{url}/api/posts/{id}")).send().await;
            return last.is_ok_and(|answer| answer.status() == 404);
        }
    }
    panic!("post {id} is neither stored nor deleted");
}

fn client() -> reqwest::Client {
    crate::web::builder().timeout(Duration::from_secs(10)).build().expect("a client")
}
