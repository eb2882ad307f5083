//! The command `sentistream dead-letter`.

use std::collections::BTreeSet;

use clap::{Args, Subcommand};

use super::output::{Output, one_line};
use super::{CommandResult, Context, require_database};
use crate::app;
use crate::domain::EntryId;
use crate::http::dead_letters::DeadLetterView;
use crate::stream::{DeadLetterSelection, Stream};

/// List entries that could not be processed, append them again, or remove them.
///
/// An entry becomes a dead letter when it is invalid, when its analysis or its storage failed worker.max_deliveries
/// times, or when the process crashed worker.max_crashes times while it processed the entry. These commands can be used
/// while the server runs.
#[derive(Subcommand)]
#[command(after_help = "\
Examples:
  sentistream dead-letter list
  sentistream dead-letter show 1767225600000-0
  sentistream dead-letter replay --all
  sentistream dead-letter purge 1767225600000-0 1767225600000-1")]
pub enum DeadLetterCommand {
    /// List dead letters, newest first.
    List(ListArgs),
    /// Show a dead letter with all its fields.
    Show(ShowArgs),
    /// Append dead letters to the stream again, and remove them from the dead letters.
    Replay(SelectionArgs),
    /// Remove dead letters permanently.
    Purge(SelectionArgs),
}

/// Arguments of `list`.
#[derive(Args)]
pub struct ListArgs {
    /// The maximum number of dead letters to list.
    #[arg(long, default_value_t = 50, value_parser = clap::value_parser!(u16).range(1..=10_000))]
    limit: u16,
    /// List only dead letters that are older than this one.
    #[arg(long, value_name = "ID")]
    before: Option<EntryId>,
    /// Print one JSON object per dead letter, with all its fields.
    #[arg(long)]
    json: bool,
}

/// Arguments of `show`.
#[derive(Args)]
pub struct ShowArgs {
    /// The id of the dead letter, as `list` prints it.
    id: EntryId,
    /// Print JSON.
    #[arg(long)]
    json: bool,
}

/// The entries to replay or purge.
#[derive(Args)]
#[group(required = true, multiple = false)]
pub struct SelectionArgs {
    /// Ids of dead letters, as `list` prints them. An id that is given twice counts once.
    #[arg(value_name = "ID")]
    ids: Vec<EntryId>,
    /// Select all dead letters.
    #[arg(long)]
    all: bool,
}

impl SelectionArgs {
    /// The given ids, each once.
    fn distinct_ids(&self) -> BTreeSet<EntryId> {
        self.ids.iter().copied().collect()
    }

    fn selection(&self) -> DeadLetterSelection {
        match self.all {
            true => DeadLetterSelection::All,
            false => DeadLetterSelection::Ids(self.distinct_ids().into_iter().collect()),
        }
    }
}

/// Runs the command.
pub async fn run(command: DeadLetterCommand, context: &Context) -> anyhow::Result<CommandResult> {
    require_database(context)?;
    let stream = app::open(&context.config, context.clock.clone()).await?.stream;
    let mut output = Output::new();
    let verdict = match command {
        DeadLetterCommand::List(args) => list(&stream, &args, &mut output).await?,
        DeadLetterCommand::Show(args) => show(&stream, &args, &mut output).await?,
        DeadLetterCommand::Replay(args) => {
            let count = stream.replay_dead_letters(&args.selection()).await?;
            report("replayed", count, &args, &mut output)?
        }
        DeadLetterCommand::Purge(args) => {
            let count = stream.purge_dead_letters(&args.selection()).await?;
            report("purged", count, &args, &mut output)?
        }
    };
    output.flush()?;
    Ok(verdict)
}

async fn list(stream: &Stream, args: &ListArgs, output: &mut Output) -> anyhow::Result<CommandResult> {
    let letters = stream.dead_letters(usize::from(args.limit), args.before).await?;
    if args.json {
        for letter in &letters {
            output.json_line(&DeadLetterView::from(letter))?;
        }
        return Ok(CommandResult::Good);
    }
    if letters.is_empty() {
        output.line("there are no dead letters to list")?;
        return Ok(CommandResult::Good);
    }
    let mut rows = vec![["ID", "FAILED AT", "REASON", "DELIVERIES", "POST", "ERROR"].map(str::to_owned)];
    for letter in &letters {
        let post = letter.fields.get("post_id").map(|id| String::from_utf8_lossy(id).into_owned()).unwrap_or_default();
        rows.push([
            letter.id.to_string(),
            letter.failed_at.to_string(),
            letter.reason.to_string(),
            letter.deliveries.to_string(),
            one_line(&post, 40),
            one_line(&letter.error, 120),
        ]);
    }
    output.table(&rows)?;
    if let Some(last) = letters.last().filter(|_| letters.len() == usize::from(args.limit)) {
        output.line(format!("\nThere may be more: sentistream dead-letter list --before {}", last.id))?;
    }
    Ok(CommandResult::Good)
}

async fn show(stream: &Stream, args: &ShowArgs, output: &mut Output) -> anyhow::Result<CommandResult> {
    let Some(letter) = stream.get_dead_letter(args.id).await? else {
        anyhow::bail!("there is no dead letter {}; `sentistream dead-letter list` lists the newest ones", args.id);
    };
    if args.json {
        output.json(&DeadLetterView::from(&letter))?;
        return Ok(CommandResult::Good);
    }
    for (name, value) in [
        ("id", letter.id.to_string()),
        ("origin_id", letter.origin_id.to_string()),
        ("failed_at", letter.failed_at.to_string()),
        ("reason", letter.reason.to_string()),
        ("error", one_line(&letter.error, 100_000)),
        ("deliveries", letter.deliveries.to_string()),
    ] {
        output.line(format!("{name:<11} {value}"))?;
    }
    output.line("\nfields:")?;
    for (name, value) in &letter.fields.0 {
        // Other programs wrote these values, so control characters are replaced before they reach the terminal.
        let value = String::from_utf8_lossy(value);
        output.line(format!("  {} = {}", one_line(&String::from_utf8_lossy(name), 100), one_line(&value, 100_000)))?;
    }
    Ok(CommandResult::Good)
}

fn report(done: &str, count: u64, args: &SelectionArgs, output: &mut Output) -> anyhow::Result<CommandResult> {
    let missing = (args.distinct_ids().len() as u64).saturating_sub(count);
    output.line(format!("{done} {count}"))?;
    if missing == 0 {
        return Ok(CommandResult::Good);
    }
    output.line(format!("{missing} of the given ids are not ids of dead letters"))?;
    Ok(CommandResult::Bad)
}
