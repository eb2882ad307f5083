//! Measures the speed of storing posts, and the time of each default query of the API over many posts.
//!
//! `cargo bench --bench store [-- POSTS]`: SQLite in a temporary folder, and Postgres as well when
//! `SENTISTREAM_TEST_POSTGRES_URL` names a server on which databases may be created.

mod databases;
mod load;
mod queries;
mod rates;

use load::Load;

/// The default number of stored posts when queries are timed.
const POSTS: u64 = 1_000_000;
/// The number of posts in the measurement of live posts, all written in the last minute.
fn live(posts: u64) -> u64 {
    (posts / 10).clamp(5_120, 100_000)
}

#[tokio::main(flavor = "multi_thread", worker_threads = 2)]
async fn main() {
    let posts = std::env::args().skip(1).find_map(|argument| argument.parse().ok()).unwrap_or(POSTS);
    databases::each(async |store, queue| {
        let load = Load::new(store.clone(), queue);
        for (tasks, batch) in [(1, 128), (1, 256), (2, 256), (4, 256), (2, 512)] {
            let rate = load.settle_live(live(posts), tasks, batch).await;
            println!("  settle, {tasks} tasks, batches of {batch}: {rate}");
        }
        if let Some(rate) = load.pipeline(live(posts), 2, 256).await {
            println!("  append, claim and settle, 2 tasks, batches of 256: {rate}");
        }
        let rate = load.fill(posts, 2, 512).await;
        println!("  filled to {posts} posts over {} days: {rate}", load::DAYS);
        queries::measure(&store).await;
    })
    .await;
}
