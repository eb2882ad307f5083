//! Measures the builtin model: posts per second, the time of a single post, memory, and the share of the peak
//! performance of this machine.
//!
//! `cargo bench --bench inference [-- --posts FILE] [--only int8,f32] [--threads N] [--batch-tokens N]` prints a table.
//! `scripts/bench-inference` compares this engine with other runtimes, each in a separate process. It runs this engine
//! with `--contender NAME`, which prints one line of JSON.

mod ours;
mod posts;
mod stock;

use std::fs::File;
use std::io::{BufWriter, Write};
use std::time::{Duration, Instant};

use sentistream_kernels::{Format, peak};
use serde_json::json;

type Failure = Box<dyn std::error::Error>;

/// The labels of a post: the index of the largest output of each head.
type Labels = [usize; 2];

/// The results of a contender for some posts.
#[derive(Default)]
struct Predictions {
    /// The labels, in the order of the posts.
    labels: Vec<Labels>,
    tokens: u64,
    /// The number of computed layers, summed over all tokens; 0 if the contender does not report it.
    work: f64,
}

impl Predictions {
    fn add(&mut self, more: Self) {
        self.labels.extend(more.labels);
        self.tokens += more.tokens;
        self.work += more.work;
    }
}

/// A program or library that classifies posts.
trait Contender {
    /// Classifies posts and returns the labels and the work.
    fn classify(&self, posts: &[String]) -> Result<Predictions, Failure>;
}

struct Options {
    posts: Option<String>,
    only: Vec<String>,
    contender: Option<String>,
    threads: Option<usize>,
    /// `inference.max_batch_tokens` of this engine.
    batch_tokens: Option<usize>,
    /// The measurement starts no further window of posts after this many seconds.
    seconds: f64,
    /// Unix time at which this process was started.
    spawned_at: Option<f64>,
    /// The file to which the labels are written, one line per post.
    labels: Option<String>,
}

/// Posts per call of a contender.
const WINDOW: usize = 2_000;
/// The maximum number of posts that are timed one by one, and the time limit for all of them. The last posts are used:
/// no window contains them, so their answers are not cached.
const SINGLES: (usize, Duration) = (500, Duration::from_secs(15));

fn main() -> Result<(), Failure> {
    let options = options()?;
    match options.contender.as_deref() {
        Some("posts") => posts::print(),
        Some("peak") => {
            println!("{}", peaks(options.threads));
            Ok(())
        }
        Some(name) => {
            println!("{}", measure(name, &options)?);
            Ok(())
        }
        None => table(&options),
    }
}

fn table(options: &Options) -> Result<(), Failure> {
    let peaks = peaks(options.threads);
    println!("peak performance with operands in registers: {peaks}");
    println!("contender  first ms  posts/s  tokens/s  layers per token  single p50 ms  p99 ms  peak MB");
    for name in &options.only {
        let seen = measure(name, options)?;
        println!(
            "{name:<9}  {:>8.1}  {:>7.0}  {:>8.0}  {:>16.2}  {:>13.3}  {:>6.3}  {:>7.0}",
            seen["first_ms"].as_f64().unwrap_or(f64::NAN),
            seen["posts_per_second"].as_f64().unwrap_or(f64::NAN),
            seen["tokens_per_second"].as_f64().unwrap_or(f64::NAN),
            seen["layers_per_token"].as_f64().unwrap_or(f64::NAN),
            seen["p50_ms"].as_f64().unwrap_or(f64::NAN),
            seen["p99_ms"].as_f64().unwrap_or(f64::NAN),
            seen["peak_mb"].as_f64().unwrap_or(f64::NAN),
        );
    }
    Ok(())
}

/// The peak performance: operations per second on values in registers, summed over all threads. A fused multiply-add
/// counts as two operations.
fn peaks(threads: Option<usize>) -> serde_json::Value {
    let threads = threads.unwrap_or_else(|| std::thread::available_parallelism().map_or(1, usize::from));
    let peak = |format| peak(format, threads);
    let (f32, bf16, int8) = (peak(Format::F32), peak(Format::Bf16), peak(Format::Int8));
    json!({ "threads": threads, "f32": f32, "bf16": bf16, "int8": int8 })
}

fn measure(name: &str, options: &Options) -> Result<serde_json::Value, Failure> {
    let start = Instant::now();
    let posts = posts::read(options.posts.as_deref())?;
    let read = start.elapsed();
    let (posts, alone) = posts.split_at(posts.len() - SINGLES.0.min(posts.len() / 2));
    if alone.is_empty() {
        return Err("the input has fewer than two posts: one window and one single post are needed".into());
    }
    let contender: Box<dyn Contender> = match name {
        "candle" => Box::new(stock::Stock::load(options.threads)?),
        precision => Box::new(ours::Ours::load(precision, options)?),
    };
    contender.classify(&posts[..1])?;
    // The time of a cold start excludes the time to read the posts.
    let first = match options.spawned_at {
        Some(at) => posts::unix_now() - at - read.as_secs_f64(),
        None => (start.elapsed() - read).as_secs_f64(),
    };

    let start = Instant::now();
    let mut all = Predictions::default();
    for window in posts.chunks(WINDOW) {
        if start.elapsed().as_secs_f64() > options.seconds {
            break;
        }
        all.add(contender.classify(window)?);
    }
    let Predictions { labels, tokens, work } = all;
    let seconds = start.elapsed().as_secs_f64();

    let mut singles = Vec::new();
    let start = Instant::now();
    for post in alone {
        let start_one = Instant::now();
        contender.classify(std::slice::from_ref(post))?;
        singles.push(start_one.elapsed());
        if start.elapsed() > SINGLES.1 {
            break;
        }
    }
    singles.sort();
    if let Some(path) = &options.labels {
        let mut file = BufWriter::new(File::create(path)?);
        labels.iter().try_for_each(|[sentiment, emotion]| writeln!(file, "{sentiment} {emotion}"))?;
        file.flush()?;
    }
    Ok(json!({
        "posts": labels.len(),
        "tokens": tokens,
        "tokens_per_post": tokens as f64 / labels.len() as f64,
        "layers_per_token": if work > 0.0 { Some(work / tokens as f64) } else { None },
        "seconds": seconds,
        "posts_per_second": labels.len() as f64 / seconds,
        "tokens_per_second": tokens as f64 / seconds,
        "first_ms": first * 1e3,
        "p50_ms": singles[singles.len() / 2].as_secs_f64() * 1e3,
        "p99_ms": singles[singles.len() * 99 / 100].as_secs_f64() * 1e3,
        "peak_mb": peak_mb(),
    }))
}

fn options() -> Result<Options, Failure> {
    let mut options = Options {
        posts: None,
        only: ["int8", "int8-exits", "int8-full", "bf16-full", "f32-full"].map(str::to_owned).to_vec(),
        contender: None,
        threads: None,
        batch_tokens: None,
        seconds: f64::INFINITY,
        spawned_at: None,
        labels: None,
    };
    let mut words = std::env::args().skip(1);
    while let Some(word) = words.next() {
        let mut value = || words.next().ok_or(format!("{word} needs a value"));
        match word.as_str() {
            "--posts" => options.posts = Some(value()?),
            "--only" => options.only = value()?.split(',').map(str::to_owned).collect(),
            "--contender" => options.contender = Some(value()?),
            "--threads" => options.threads = Some(value()?.parse()?),
            "--batch-tokens" => options.batch_tokens = Some(value()?.parse()?),
            "--seconds" => options.seconds = value()?.parse()?,
            "--spawned-at" => options.spawned_at = Some(value()?.parse()?),
            "--labels" => options.labels = Some(value()?),
            // `cargo bench` passes this argument.
            "--bench" => {}
            other => return Err(format!("{other} is not an option").into()),
        }
    }
    Ok(options)
}

/// The peak of the resident memory of this process, in MiB; NaN if the system does not report it.
fn peak_mb() -> f64 {
    let status = std::fs::read_to_string("/proc/self/status").unwrap_or_default();
    let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:"));
    line.and_then(|line| line.trim().trim_end_matches("kB").trim().parse().ok())
        .map_or(f64::NAN, |kb: f64| kb / 1_024.0)
}
