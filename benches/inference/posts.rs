//! Provides the posts that are classified.

use std::io::{BufWriter, Write};

use sentistream::clock::Clock;
use sentistream::domain::Op;
use sentistream::sources::synthetic::Synthetic;
use sentistream::sources::{Source, SyntheticOptions};

use super::Failure;

/// The number of synthetic posts when no file is given.
const COUNT: u64 = 20_000;

/// The `content` of each line of an NDJSON file, or synthetic posts.
pub fn read(path: Option<&str>) -> Result<Vec<String>, Failure> {
    let Some(path) = path else { return synthetic() };
    let lines = std::fs::read_to_string(path)?;
    lines
        .lines()
        .map(|line| {
            let post: serde_json::Value = serde_json::from_str(line)?;
            Ok(post["content"].as_str().ok_or("a line has no content")?.to_owned())
        })
        .collect()
}

/// Prints synthetic posts, one JSON object per line.
pub fn print() -> Result<(), Failure> {
    let mut out = BufWriter::new(std::io::stdout().lock());
    for content in synthetic()? {
        writeln!(out, "{}", serde_json::json!({ "content": content }))?;
    }
    Ok(out.flush()?)
}

/// The current time, in seconds since the Unix epoch.
pub fn unix_now() -> f64 {
    Clock::system().now().as_micros() as f64 / 1e6
}

/// Synthetic posts, the same in every run.
fn synthetic() -> Result<Vec<String>, Failure> {
    let options = SyntheticOptions { rate: 1e7, seed: Some(1), limit: Some(COUNT), incident_every: None };
    let mut source = Synthetic::new(&options, Clock::system());
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    let mut posts = Vec::new();
    while posts.len() < COUNT as usize {
        let batch = runtime.block_on(source.next(1_000))?;
        posts.extend(batch.ops.into_iter().filter_map(|op| match op {
            Op::Post(post) => Some(post.content),
            _ => None,
        }));
    }
    Ok(posts)
}
