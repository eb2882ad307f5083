//! `sentistream import`

use std::fs::File;
use std::io::{self, IsTerminal as _, Read, Write as _};
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use anyhow::Context as _;
use clap::{Args, ValueEnum};
use indicatif::{HumanCount, ProgressBar, ProgressStyle};
use serde_json::json;

use super::output::Output;
use super::{Context, Misuse, Verdict};
use crate::app;
use crate::config::parse_duration;
use crate::domain::{Op, RawFields};
use crate::sources::file::{ChunkReader, FieldMap, Format, LineError, PostReader, ReadOptions};
use crate::stream::{Stream, StreamError};

/// Append posts from a file to the stream, where workers find them.
///
/// The file is NDJSON (one JSON object per line) or CSV with a header, of any size. A post needs
/// post_id, source and content; author, created_at, lang, url and reply_to are optional. A line that is
/// no valid post is told with its number and skipped. It works beside a running server, waits while the
/// stream is full, and may be repeated: a post_id that is known already counts once.
///
/// Exits with 1 if it could not read or append everything, or if no line was valid.
#[derive(Args)]
#[command(after_help = "\
Examples:
  sentistream import posts.ndjson
  sentistream import survey.csv --map content=answer --map post_id=id
  zcat archive.ndjson.gz | sentistream import -")]
pub struct ImportArgs {
    /// The file, or `-` for stdin.
    #[arg(value_name = "FILE|-")]
    file: PathBuf,
    /// Which of the file's fields is one of ours: --map content=body. May be repeated.
    #[arg(long, value_name = "OURS=THEIRS")]
    map: Vec<String>,
    /// The form of the file, when neither its name nor its beginning tells.
    #[arg(long, value_enum)]
    format: Option<FileFormat>,
    /// Most posts that are appended at once.
    #[arg(long, default_value_t = 500, value_parser = clap::value_parser!(u16).range(1..=10_000))]
    batch_size: u16,
    /// Give up when the stream takes nothing for this long.
    #[arg(long, value_name = "DURATION", default_value = "10min", value_parser = parse_duration)]
    backoff: Duration,
    /// Report as JSON: {"accepted", "rejected", "errors": [{"line", "reason"}], "elapsed_s"}.
    #[arg(long)]
    json: bool,
}

/// Forms of a file.
#[derive(Clone, Copy, ValueEnum)]
enum FileFormat {
    Ndjson,
    Csv,
}

/// Most rejected lines that are told one by one.
const TOLD: usize = 100;
/// Between two tries to append.
const PAUSE: Duration = Duration::from_millis(250);

/// What came of it.
#[derive(Default)]
struct Tally {
    accepted: u64,
    rejected: u64,
    /// The first of the rejected lines.
    errors: Vec<LineError>,
}

/// Reads, appends and reports.
pub async fn run(args: ImportArgs, context: &Context) -> anyhow::Result<Verdict> {
    let mut map = FieldMap::default();
    for rename in &args.map {
        map.add(rename).map_err(|e| Misuse(format!("--map: {e}")))?;
    }
    let (input, size) = open(&args.file)?;
    let format = args.format.map(|format| match format {
        FileFormat::Ndjson => Format::Ndjson,
        FileFormat::Csv => Format::Csv,
    });
    let options = ReadOptions { format: format.or_else(|| Format::of_path(&args.file)), map };
    let name = args.file.display().to_string();
    let reader =
        tokio::task::spawn_blocking(move || PostReader::new(input, &options)).await?.with_context(|| name.clone())?;
    let mut chunks = ChunkReader::new(reader, context.clock.clone());
    let stream = app::open(&context.config, context.clock.clone()).await?.stream;

    let start = Instant::now();
    let bar = progress(size);
    let mut tally = Tally::default();
    loop {
        let chunk = chunks.next(usize::from(args.batch_size)).await.with_context(|| name.clone())?;
        for error in chunk.rejected {
            tally.reject(error, &args, &bar);
        }
        let entries: Vec<_> = chunk.posts.into_iter().map(|(post, _)| Op::Post(post).to_fields()).collect();
        let count = entries.len() as u64;
        append(&stream, entries, args.backoff, &bar).await.with_context(|| {
            format!("stopped after {} posts (run it again: posts that are known count once)", tally.accepted)
        })?;
        tally.accepted += count;
        bar.set_position(if size.is_some() { chunk.position.offset } else { tally.accepted });
        bar.set_message(format!("{} posts", HumanCount(tally.accepted)));
        if chunk.finished {
            break;
        }
    }
    bar.finish_and_clear();
    tally.report(&args, start.elapsed())
}

/// Appends, however often it takes: a full stream is waited for, and so is a backend that is away.
async fn append(
    stream: &Stream,
    entries: Vec<RawFields>,
    backoff: Duration,
    bar: &ProgressBar,
) -> Result<(), StreamError> {
    if entries.is_empty() {
        return Ok(());
    }
    let deadline = Instant::now() + backoff;
    let mut told = false;
    loop {
        match stream.append(entries.clone()).await {
            Ok(_) => return Ok(()),
            Err(e) if e.is_transient() && Instant::now() < deadline => {
                bar.set_message(format!("waiting: {e}"));
                if bar.is_hidden() && !told {
                    tracing::warn!(reason = %e, "waiting for the stream");
                }
                told = true;
            }
            Err(e) => return Err(e),
        }
        tokio::time::sleep(PAUSE).await;
    }
}

fn open(path: &Path) -> anyhow::Result<(Box<dyn Read + Send>, Option<u64>)> {
    if path == Path::new("-") {
        return Ok((Box::new(io::stdin()), None));
    }
    let file = File::open(path).with_context(|| format!("cannot open {}", path.display()))?;
    let size = file.metadata().ok().filter(std::fs::Metadata::is_file).map(|metadata| metadata.len());
    Ok((Box::new(file), size))
}

fn progress(size: Option<u64>) -> ProgressBar {
    if !io::stderr().is_terminal() {
        return ProgressBar::hidden();
    }
    let (bar, template) = match size {
        Some(size) => (ProgressBar::new(size), "{bar:30} {percent:>3} %  {msg}  {elapsed} (left: {eta})"),
        None => (ProgressBar::new_spinner(), "{spinner} {msg}  {elapsed}"),
    };
    bar.enable_steady_tick(PAUSE);
    match ProgressStyle::with_template(template) {
        Ok(style) => bar.with_style(style),
        Err(_) => bar,
    }
}

impl Tally {
    fn reject(&mut self, error: LineError, args: &ImportArgs, bar: &ProgressBar) {
        self.rejected += 1;
        if self.errors.len() < TOLD {
            if !args.json {
                // Nobody is left to tell when this fails.
                bar.suspend(|| drop(writeln!(io::stderr(), "{}: {error}", args.file.display())));
            }
            self.errors.push(error);
        }
    }

    fn report(&self, args: &ImportArgs, elapsed: Duration) -> anyhow::Result<Verdict> {
        let seconds = elapsed.as_secs_f64();
        let mut output = Output::new();
        if args.json {
            let errors: Vec<_> =
                self.errors.iter().map(|error| json!({"line": error.line, "reason": error.reason})).collect();
            output.json(&json!({
                "accepted": self.accepted, "rejected": self.rejected, "errors": errors, "elapsed_s": seconds,
            }))?;
        } else {
            if self.rejected > self.errors.len() as u64 {
                output.line(format!("only the first {TOLD} rejected lines were told"))?;
            }
            let rate = self.accepted as f64 / seconds.max(1e-3);
            output.line(format!(
                "accepted {}, rejected {} in {seconds:.1} s ({rate:.0} posts/s)",
                self.accepted, self.rejected
            ))?;
        }
        output.flush()?;
        Ok(if self.accepted == 0 && self.rejected > 0 { Verdict::Bad } else { Verdict::Good })
    }
}
