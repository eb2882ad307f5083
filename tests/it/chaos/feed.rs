//! Sends posts and deletions while faults occur. Each request is retried until it is accepted.

use std::collections::{BTreeMap, BTreeSet};
use std::time::{Duration, Instant};

use rand::rngs::StdRng;
use rand::{Rng, SeedableRng};
use serde_json::{Value, json};
use tokio::task::JoinHandle;
use tokio_util::sync::CancellationToken;

use crate::process::{Process, within};

/// The contents of posts in calm periods and in incidents.
const MOODS: [[&str; 2]; 2] = [
    ["I love how fast this is", "The meeting moved to Tuesday"],
    ["This is broken again and nobody answers", "What a mess"],
];
/// The sources of the posts. They have incidents in turn, so that alerts fire and resolve continuously.
const SOURCES: [&str; 6] = ["web", "shop", "forum", "app", "mail", "chat"];
const INCIDENT: Duration = Duration::from_secs(20);
/// The source of the posts of [`Sent::send_burst`].
pub const BURST: &str = "burst";
/// The interval between two requests.
const PAUSE: Duration = Duration::from_millis(150);

/// The posts and deletions that were accepted.
#[derive(Default)]
pub struct Sent {
    /// The content of each post, by its id.
    pub posts: BTreeMap<String, String>,
    /// Posts that were deleted.
    pub deleted: BTreeSet<String>,
    /// Deleted posts whose deletion was not confirmed: the request got no response, but the post was absent afterwards.
    unconfirmed: BTreeSet<String>,
}

/// The result of a deletion.
enum Deletion {
    Confirmed,
    Unconfirmed,
    NotFound,
}

impl Sent {
    /// The posts that must be stored.
    pub fn expected(&self) -> impl Iterator<Item = (&String, &String)> {
        self.posts.iter().filter(|(id, _)| !self.deleted.contains(*id))
    }

    /// Removes a post from `deleted` if its deletion was not confirmed and `stored` contains the post. The post was
    /// absent for a short time: Redis had lost the entry of the post, so the stream counted as empty before a worker
    /// stored the post.
    pub fn expect_unconfirmed(&mut self, stored: &BTreeMap<String, Value>) {
        self.deleted.retain(|id| !(self.unconfirmed.contains(id) && stored.contains_key(id)));
    }

    /// Appends negative posts of the source [`BURST`], which no other post uses.
    pub async fn send_burst(&mut self, process: &Process) {
        let content = |number| format!("I hate this terrible update ({number})");
        let first = self.posts.len();
        let burst: BTreeMap<_, _> =
            (first..first + 10).map(|number| (format!("{BURST}-{number}"), content(number))).collect();
        let posts: Vec<Value> = burst.iter().map(|(id, content)| post(id, content)).collect();
        within("the posts are accepted", async || accepted(&process.url, &posts).await.then_some(())).await;
        self.posts.extend(burst);
    }

    /// Appends posts that were sent before.
    pub async fn send_again(&self, process: &Process, ids: Vec<String>) {
        eprintln!("chaos: the stream lost {} posts, which are sent again", ids.len());
        for chunk in ids.chunks(100) {
            let posts: Vec<Value> = chunk.iter().map(|id| post(id, &self.posts[id])).collect();
            within("the posts are accepted", async || accepted(&process.url, &posts).await.then_some(())).await;
        }
    }
}

/// A running task that sends posts to the API.
pub struct Feed {
    stop: CancellationToken,
    task: JoinHandle<Sent>,
}

impl Feed {
    /// Starts sending to the API at `url`, which may be temporarily unavailable.
    pub fn start(url: &str, seed: u64) -> Self {
        let (stop, url) = (CancellationToken::new(), url.to_owned());
        let task = tokio::spawn(feed(url, StdRng::seed_from_u64(seed ^ 1), stop.clone()));
        Self { stop, task }
    }

    /// Stops the feed as soon as its current request is accepted.
    pub async fn finish(self) -> Sent {
        self.stop.cancel();
        self.task.await.expect("the feed does not panic")
    }
}

async fn feed(url: String, mut rng: StdRng, stop: CancellationToken) -> Sent {
    let mut sent = Sent::default();
    let mut number = 0;
    let started = Instant::now();
    while !stop.is_cancelled() {
        let incident = SOURCES[(started.elapsed().as_secs() / INCIDENT.as_secs()) as usize % SOURCES.len()];
        let mut batch = Vec::new();
        for _ in 0..rng.random_range(1..40) {
            let id = format!("c{number}");
            let moods = MOODS[usize::from(source(&id) == incident)];
            let content = format!("{} ({number})", moods[rng.random_range(0..moods.len())]);
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
            match delete(&url, &id).await {
                Deletion::Confirmed => _ = sent.deleted.insert(id),
                Deletion::Unconfirmed => {
                    sent.unconfirmed.insert(id.clone());
                    sent.deleted.insert(id);
                }
                Deletion::NotFound => {}
            }
        }
        tokio::time::sleep(PAUSE).await;
    }
    sent
}

fn post(id: &str, content: &str) -> Value {
    // Alerts require posts of several authors.
    let author = format!("author-{}", id.len() + digits(id) % 20);
    json!({"post_id": id, "source": source(id), "author": author, "content": content})
}

fn source(id: &str) -> &'static str {
    if id.starts_with(BURST) { BURST } else { SOURCES[digits(id) % SOURCES.len()] }
}

fn digits(id: &str) -> usize {
    id.bytes().map(usize::from).sum()
}

async fn accepted(url: &str, posts: &[Value]) -> bool {
    let request = client().post(format!("{url}/api/posts")).json(posts).send().await;
    request.is_ok_and(|answer| answer.status() == 202)
}

/// Deletes a post. A request without a response is retried.
async fn delete(url: &str, id: &str) -> Deletion {
    let mut was_tried = false;
    loop {
        match client().delete(format!("{url}/api/posts/{id}")).send().await.map(|answer| answer.status().as_u16()) {
            Ok(204) => return Deletion::Confirmed,
            // An earlier request whose response was lost has deleted the post, or the post is not stored yet.
            Ok(404) if was_tried && is_gone(url, id).await => return Deletion::Unconfirmed,
            Ok(404) => return Deletion::NotFound,
            _ => was_tried = true,
        }
        tokio::time::sleep(PAUSE).await;
    }
}

/// Waits until the post is stored or the stream is empty. Returns whether the post is absent.
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
