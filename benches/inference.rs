//! How fast the builtin model is: texts per second, the time of a single one, and the share of
//! what this machine can do.
//!
//! `cargo bench --bench inference -- [--posts FILE] [--precision int8,f32] [--threads N]`
//! measures speed; with `--labelled FILE,FILE` it measures quality instead.

use std::io::BufReader;
use std::time::{Duration, Instant};

use sentistream::inference::eval::{Report, read_labelled};
use sentistream::inference::{Classifier, Engine, InferenceOptions};

type Failure = Box<dyn std::error::Error>;

struct Options {
    posts: Option<String>,
    precisions: Vec<String>,
    threads: Option<usize>,
    batch_tokens: Option<usize>,
    request: usize,
    labelled: Vec<String>,
}

fn main() -> Result<(), Failure> {
    let options = options()?;
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(1).enable_all().build()?;
    if !options.labelled.is_empty() {
        return options.precisions.iter().try_for_each(|precision| runtime.block_on(judge(precision, &options)));
    }
    let texts = texts(&options)?;
    println!("{} texts", texts.len());
    println!("precision  load ms  first ms  texts/s  tokens/s  single p50 ms  p99 ms  peak MB");
    for precision in &options.precisions {
        runtime.block_on(measure(precision, &texts, &options))?;
    }
    Ok(())
}

/// Quality on labelled records, one file after another.
async fn judge(precision: &str, options: &Options) -> Result<(), Failure> {
    let settings =
        InferenceOptions { precision: precision.parse()?, threads: options.threads, ..InferenceOptions::default() };
    let engine = Engine::load(&settings)?;
    for path in &options.labelled {
        let records = read_labelled(BufReader::new(std::fs::File::open(path)?))?;
        let start = Instant::now();
        let mut analyses = Vec::with_capacity(records.len());
        for chunk in records.chunks(256) {
            analyses.extend(engine.classify(chunk.iter().map(|record| record.text.clone()).collect()).await?);
        }
        let judged: Vec<_> = records.into_iter().zip(analyses).collect();
        let report = Report::new(engine.info(), &judged, start.elapsed());
        print!("{path} {:<5} {:>5} texts ", report.precision, report.posts);
        if let Some(sentiment) = report.sentiment {
            let (recall, f1, ece) = (sentiment.macro_recall, sentiment.macro_f1, sentiment.ece);
            print!(" macro recall {recall:.4}  macro F1 {f1:.4}  accuracy {:.4}  ECE {ece:.4}", sentiment.accuracy);
        }
        if let Some(emotion) = report.emotion {
            print!(" emotion macro F1 {:.4}  top 1 {:.4}", emotion.macro_f1, emotion.top1);
        }
        println!();
    }
    Ok(())
}

async fn measure(precision: &str, texts: &[String], options: &Options) -> Result<(), Failure> {
    let start = Instant::now();
    let mut settings =
        InferenceOptions { precision: precision.parse()?, threads: options.threads, ..InferenceOptions::default() };
    if let Some(tokens) = options.batch_tokens {
        settings.max_batch_tokens = tokens;
    }
    let engine = Engine::load(&settings)?;
    let loaded = start.elapsed();
    engine.classify(vec![texts[0].clone()]).await?;
    let first = start.elapsed();

    let mut best = Duration::MAX;
    let mut tokens = 0;
    for _ in 0..3 {
        let start = Instant::now();
        let analyses = throughput(&engine, texts, options.request).await?;
        best = best.min(start.elapsed());
        tokens = analyses;
    }
    let mut singles = Vec::new();
    for text in texts.iter().take(500) {
        let start = Instant::now();
        engine.classify(vec![text.clone()]).await?;
        singles.push(start.elapsed());
    }
    singles.sort();
    let seconds = best.as_secs_f64();
    println!(
        "{:<9}  {:>7.1}  {:>8.1}  {:>7.0}  {:>8.0}  {:>13.3}  {:>6.3}  {:>7}",
        engine.info().precision,
        millis(loaded),
        millis(first),
        texts.len() as f64 / seconds,
        tokens as f64 / seconds,
        millis(singles[singles.len() / 2]),
        millis(singles[singles.len() * 99 / 100]),
        peak_mb()
    );
    Ok(())
}

/// Four callers, as worker tasks would be; the tokens judged.
async fn throughput(engine: &Engine, texts: &[String], request: usize) -> Result<u64, Failure> {
    let shares = texts.chunks(texts.len().div_ceil(4)).map(|share| async move {
        let mut tokens = 0;
        for texts in share.chunks(request) {
            tokens += engine.classify(texts.to_vec()).await?.iter().map(|a| u64::from(a.tokens)).sum::<u64>();
        }
        Ok::<u64, Failure>(tokens)
    });
    Ok(futures_util::future::try_join_all(shares).await?.into_iter().sum())
}

fn options() -> Result<Options, Failure> {
    let mut options = Options {
        posts: None,
        precisions: Vec::new(),
        threads: None,
        batch_tokens: None,
        request: 128,
        labelled: Vec::new(),
    };
    let mut words = std::env::args().skip(1);
    while let Some(word) = words.next() {
        let mut value = || words.next().ok_or(format!("{word} needs a value"));
        match word.as_str() {
            "--posts" => options.posts = Some(value()?),
            "--precision" => options.precisions = value()?.split(',').map(str::to_owned).collect(),
            "--threads" => options.threads = Some(value()?.parse()?),
            "--batch-tokens" => options.batch_tokens = Some(value()?.parse()?),
            "--labelled" => options.labelled = value()?.split(',').map(str::to_owned).collect(),
            "--request" => options.request = value()?.parse()?,
            // Given by `cargo bench`.
            "--bench" => {}
            other => return Err(format!("{other} is not an option").into()),
        }
    }
    if options.precisions.is_empty() {
        options.precisions = ["int8", "f32"].map(str::to_owned).to_vec();
    }
    Ok(options)
}

/// The `content` of each line of an NDJSON file, or made-up posts.
fn texts(options: &Options) -> Result<Vec<String>, Failure> {
    let Some(path) = &options.posts else { return Ok(made_up(5_000)) };
    let lines = std::fs::read_to_string(path)?;
    lines
        .lines()
        .map(|line| {
            let post: serde_json::Value = serde_json::from_str(line)?;
            Ok(post["content"].as_str().ok_or("a line has no content")?.to_owned())
        })
        .collect()
}

fn made_up(count: usize) -> Vec<String> {
    const WORDS: [&str; 24] = [
        "the", "train", "was", "late", "again", "and", "nobody", "told", "us", "why", "but", "our", "driver", "was",
        "really", "kind", "so", "we", "love", "this", "city", "anyway", "#monday", "😊",
    ];
    (0..count)
        .map(|text| {
            let words = 6 + text * 7 % 31;
            (0..words)
                .map(|word| WORDS[(text * 31 + word * word * 7 + word) % WORDS.len()])
                .collect::<Vec<_>>()
                .join(" ")
        })
        .collect()
}

fn millis(time: Duration) -> f64 {
    time.as_secs_f64() * 1e3
}

/// The largest resident memory of this process so far, in MB, where the system tells.
fn peak_mb() -> u64 {
    let status = std::fs::read_to_string("/proc/self/status").unwrap_or_default();
    let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:"));
    line.and_then(|line| line.trim().trim_end_matches("kB").trim().parse::<u64>().ok()).unwrap_or(0) / 1_024
}
