//! The command `sentistream import`.

mod input;
mod preview;
mod progress;

use std::collections::BTreeMap;
use std::io::{self, Write as _};
use std::path::PathBuf;
use std::pin::Pin;
use std::time::{Duration, Instant};

use anyhow::Context as _;
use clap::{Args, ValueEnum};
use serde_json::json;

use self::progress::Progress;
use super::output::Output;
use super::{CommandResult, Context, Misuse, require_database};
use crate::app;
use crate::config::parse_duration;
use crate::domain::{Op, RawFields};
use crate::lifecycle;
use crate::sources::file::{ChunkReader, Constants, DayOrder, FieldMap, Format, LineError, PostReader, ReadOptions};
use crate::stream::{Stream, StreamError};

/// Append posts from a file to the stream, where workers process them.
///
/// The format is detected from the content: NDJSON (one JSON object per line), a JSON array, CSV with a header
/// (separated by comma, semicolon, tab or vertical bar), or a spreadsheet (xlsx, xls, xlsb, ods; at most 512 MiB).
/// Files that are not spreadsheets may have any size, may be compressed with gzip or zstd, and may be in UTF-16. A post
/// needs post_id, source and content; author, created_at, lang, url and reply_to are optional.
///
/// A record that is not a valid post is skipped and counted; the first 100 of these records are reported with their
/// lines. An invalid optional field is dropped and counted. The command can be used while the server runs, and waits
/// while the stream is full. Repeating an import is safe: a known post_id is not counted again.
///
/// Exits with 1 if not all records could be read or appended, if there were records but none was valid, or with
/// --strict if any record was invalid.
#[derive(Args)]
#[command(after_help = "\
Examples:
  sentistream import posts.ndjson
  sentistream import --dry-run survey.xlsx
  sentistream import survey.csv --map content=answer --map post_id=id --source survey
  sentistream import archive.ndjson.zst --skip 120000
  psql -c \"copy (…) to stdout csv header\" | sentistream import -")]
pub struct ImportArgs {
    /// The file, or `-` for stdin.
    #[arg(value_name = "FILE|-")]
    file: PathBuf,
    /// Read a field of the posts from another field of the file: --map content=body. May be repeated.
    #[arg(long, value_name = "FIELD=NAME")]
    map: Vec<String>,
    /// The source of all posts, which replaces the source in the file. Short for --constant source=NAME.
    #[arg(long, value_name = "NAME")]
    source: Option<String>,
    /// A value for a field of all posts: --constant lang=en. May be repeated.
    #[arg(long, value_name = "FIELD=VALUE")]
    constant: Vec<String>,
    /// The order of day and month in dates such as 01/02/2026. Without this flag, such dates are not parsed.
    #[arg(long, value_enum)]
    dates: Option<Dates>,
    /// The format, if it is not detected correctly.
    #[arg(long, value_enum)]
    format: Option<FileFormat>,
    /// The encoding, if it is neither UTF-8 nor UTF-16: windows-1252, shift_jis, …
    #[arg(long, value_name = "NAME")]
    encoding: Option<String>,
    /// Skip this many records at the beginning of the file, to continue an interrupted import. Not with --dry-run.
    #[arg(long, value_name = "N", default_value_t = 0, conflicts_with = "dry_run")]
    skip: u64,
    /// Show the first ten posts as they would be stored, with their sentiment. Nothing is appended. At most 1,000
    /// records are read.
    #[arg(long)]
    dry_run: bool,
    /// Exit with 1 if any record is not a valid post.
    #[arg(long)]
    strict: bool,
    /// The maximum number of posts per append.
    #[arg(long, default_value_t = 500, value_parser = clap::value_parser!(u16).range(1..=10_000))]
    batch_size: u16,
    /// Stop with an error when the stream accepts no posts for this long.
    #[arg(long, value_name = "DURATION", default_value = "10min", value_parser = parse_duration)]
    patience: Duration,
    /// Print the report as JSON: {"accepted", "rejected", "skipped", "dropped_fields", "errors": [{"line", "reason"}],
    /// "interrupted", "elapsed_s"}. The errors are the first 100.
    #[arg(long)]
    json: bool,
}

/// Formats of a file.
#[derive(Clone, Copy, ValueEnum)]
enum FileFormat {
    Ndjson,
    Json,
    Csv,
    Excel,
}

/// Orders of day and month.
#[derive(Clone, Copy, ValueEnum)]
enum Dates {
    /// Day, month, year: 31/12/2026.
    Dmy,
    /// Month, day, year: 12/31/2026.
    Mdy,
}

/// The maximum number of rejected records that are reported individually.
const MAX_ERRORS: usize = 100;
/// The time between two attempts to append.
const RETRY: Duration = Duration::from_millis(250);

/// The counts of an import: appended, rejected and skipped records.
#[derive(Default)]
struct Tally {
    skipped: u64,
    accepted: u64,
    rejected: u64,
    /// How often each optional field was dropped, by its name.
    dropped: BTreeMap<&'static str, u64>,
    /// The first [`MAX_ERRORS`] rejected records.
    errors: Vec<LineError>,
    is_interrupted: bool,
}

/// Reads the file, appends its posts and prints the report.
pub async fn run(args: ImportArgs, context: &Context) -> anyhow::Result<CommandResult> {
    let options = read_options(&args)?;
    if !args.dry_run {
        require_database(context)?;
    }
    let input = input::open(&args.file)?;
    let (bytes, position) = (input.bytes, input.position);
    let name = args.file.display().to_string();
    let reader = tokio::task::spawn_blocking(move || PostReader::new(bytes, &options)).await?;
    let mut chunks = ChunkReader::new(reader.with_context(|| name.clone())?, context.clock.clone());
    if args.dry_run {
        return preview::run(&args, &mut chunks, context).await;
    }
    let stream = app::open(&context.config, context.clock.clone()).await?.stream;
    let mut import = Import {
        progress: Progress::new(input.size, position),
        start: Instant::now(),
        tally: Tally::default(),
        stream,
        context,
        args: &args,
    };
    let copied = import.copy(&mut chunks).await;
    import.progress.clear();
    import.report(copied.with_context(|| name))
}

fn read_options(args: &ImportArgs) -> anyhow::Result<ReadOptions> {
    let (mut map, mut constants) = (FieldMap::default(), Constants::default());
    for rename in &args.map {
        map.add(rename).map_err(|error| Misuse(format!("--map: {error}")))?;
    }
    for constant in &args.constant {
        constants.add(constant).map_err(|error| Misuse(format!("--constant: {error}")))?;
    }
    if let Some(source) = &args.source {
        crate::domain::Source::parse(source).map_err(|message| Misuse(format!("--source {message}")))?;
        constants.add(&format!("source={source}")).map_err(|error| Misuse(format!("--source: {error}")))?;
    }
    let encoding = match &args.encoding {
        None => None,
        Some(label) => Some(
            encoding_rs::Encoding::for_label(label.as_bytes())
                .ok_or_else(|| Misuse(format!("--encoding: {label:?} is not a known encoding")))?,
        ),
    };
    Ok(ReadOptions {
        format: args.format.map(|format| match format {
            FileFormat::Ndjson => Format::Ndjson,
            FileFormat::Json => Format::Json,
            FileFormat::Csv => Format::Csv,
            FileFormat::Excel => Format::Excel,
        }),
        map,
        constants,
        day_order: args.dates.map(|dates| match dates {
            Dates::Dmy => DayOrder::DayFirst,
            Dates::Mdy => DayOrder::MonthFirst,
        }),
        encoding,
    })
}

/// An import in progress.
struct Import<'a> {
    args: &'a ImportArgs,
    context: &'a Context,
    stream: Stream,
    progress: Progress,
    tally: Tally,
    start: Instant,
}

impl Import<'_> {
    /// Appends all records after the skipped ones, or stops at Ctrl-C or SIGTERM.
    async fn copy(&mut self, chunks: &mut ChunkReader) -> anyhow::Result<()> {
        let interrupt = lifecycle::termination();
        tokio::pin!(interrupt);
        while self.tally.skipped < self.args.skip {
            let left = usize::try_from(self.args.skip - self.tally.skipped).unwrap_or(usize::MAX);
            let chunk = tokio::select! {
                biased;
                () = &mut interrupt => {
                    self.tally.is_interrupted = true;
                    return Ok(());
                }
                chunk = chunks.next(left.min(10_000)) => chunk?,
            };
            self.tally.skipped += (chunk.posts.len() + chunk.rejected.len()) as u64;
            if chunk.finished {
                return Ok(());
            }
        }
        loop {
            let chunk = tokio::select! {
                biased;
                () = &mut interrupt => {
                    self.tally.is_interrupted = true;
                    return Ok(());
                }
                chunk = chunks.next(usize::from(self.args.batch_size)) => chunk?,
            };
            let entries: Vec<_> = chunk.posts.into_iter().map(|(post, _)| Op::Post(post).to_fields()).collect();
            let count = entries.len() as u64;
            if self.append(entries, interrupt.as_mut()).await? == Appended::Interrupted {
                self.tally.is_interrupted = true;
                return Ok(());
            }
            self.tally.accepted += count;
            for (field, count) in chunk.dropped {
                *self.tally.dropped.entry(field).or_default() += count;
            }
            for error in chunk.rejected {
                self.reject(error);
            }
            self.progress.update(self.tally.accepted);
            if chunk.finished {
                return Ok(());
            }
        }
    }

    /// Appends `entries`. While the stream is full or unavailable, waits until it accepts them or `interrupt`
    /// completes.
    async fn append<I: Future>(
        &self,
        entries: Vec<RawFields>,
        mut interrupt: Pin<&mut I>,
    ) -> Result<Appended, StreamError> {
        if entries.is_empty() {
            return Ok(Appended::All);
        }
        let deadline = Instant::now() + self.args.patience;
        let mut is_reported = false;
        loop {
            match self.stream.append(entries.clone()).await {
                Ok(_) => return Ok(Appended::All),
                Err(error) if error.is_transient() && Instant::now() < deadline => {
                    if !is_reported {
                        let is_full = matches!(error, StreamError::Full { .. } | StreamError::MemoryFull { .. });
                        let help = match app::is_served(&self.context.config) {
                            _ if !is_full => "",
                            Some(true) => "; the running server is processing the backlog",
                            Some(false) => "; no server is running: start `sentistream serve`",
                            None => "; workers must process the backlog: `sentistream --roles worker`",
                        };
                        self.progress.line(&format!("waiting: {error}{help}"));
                    }
                    is_reported = true;
                }
                Err(error) => return Err(error),
            }
            tokio::select! {
                () = tokio::time::sleep(RETRY) => {}
                _ = &mut interrupt => return Ok(Appended::Interrupted),
            }
        }
    }

    fn reject(&mut self, error: LineError) {
        self.tally.rejected += 1;
        if self.tally.errors.len() < MAX_ERRORS {
            if !self.args.json {
                self.progress.line(&format!("{}: {error}", self.args.file.display()));
            }
            self.tally.errors.push(error);
        }
    }

    /// Prints the counts, and how to continue an interrupted import.
    fn report(self, copied: anyhow::Result<()>) -> anyhow::Result<CommandResult> {
        let Self { args, tally, start, .. } = self;
        let done = tally.skipped + tally.accepted + tally.rejected;
        let seconds = start.elapsed().as_secs_f64();
        let mut output = Output::new();
        if args.json {
            let errors: Vec<_> =
                tally.errors.iter().map(|e| json!({"line": e.line, "reason": e.reason.to_string()})).collect();
            output.json(&json!({
                "accepted": tally.accepted, "rejected": tally.rejected, "skipped": tally.skipped,
                "dropped_fields": tally.dropped, "errors": errors, "interrupted": tally.is_interrupted,
                "elapsed_s": seconds,
            }))?;
        } else {
            if tally.rejected > tally.errors.len() as u64 {
                let (shown, all) = (tally.errors.len(), tally.rejected);
                output.line(format!("showing the first {shown} of {all} rejected records"))?;
            }
            let rate = tally.accepted as f64 / seconds.max(1e-3);
            output.line(format!(
                "accepted {}, rejected {} in {seconds:.1} s ({rate:.0} posts/s)",
                tally.accepted, tally.rejected
            ))?;
            let is_complete = copied.is_ok() && !tally.is_interrupted;
            if is_complete && done == 0 {
                output.line("the file contains no records")?;
            } else if is_complete && tally.skipped == done {
                output.line(format!("all records of the file were skipped: {}", tally.skipped))?;
            }
            for (field, count) in &tally.dropped {
                output.line(format!("{field} was invalid in {count} records, and left out of their posts"))?;
            }
        }
        output.flush()?;
        let how = format!("continue with --skip {done} (repeated posts count once)");
        copied.with_context(|| format!("stopped after {} posts were appended; {how}", tally.accepted))?;
        if tally.is_interrupted {
            let _ = writeln!(io::stderr(), "interrupted; {how}");
        }
        let nothing = tally.accepted == 0 && tally.rejected > 0;
        let is_bad = nothing || tally.is_interrupted || (args.strict && tally.rejected > 0);
        Ok(if is_bad { CommandResult::Bad } else { CommandResult::Good })
    }
}

#[derive(PartialEq)]
enum Appended {
    All,
    Interrupted,
}
