//! The command `sentistream erase`.

use clap::Args;
use serde::Serialize;

use super::output::Output;
use super::{CommandResult, Context, Misuse, require_database};
use crate::app;
use crate::app::Services;
use crate::domain::{Author, LiveEvent, Op, PostId, Source};
use crate::stream::DeadLetterSelection;

/// The number of dead letters per read, and of posts per call of the stream.
const PAGE: usize = 500;

/// Erase the posts of an author and all data about these posts: analyses, counts, topic matches, dead letters,
/// evidence of alerts, cached answers.
///
/// Posts that wait in the stream are erased when workers process them, and later copies are not stored. The command
/// can be used while the server runs. Counts of posts that retention removed earlier remain, because they contain no
/// author.
#[derive(Args)]
#[command(after_help = "\
Examples:
  sentistream erase --author ada
  sentistream erase --author ada.bsky.social --source bluesky --json")]
pub struct EraseArgs {
    /// The author, exactly as stored.
    #[arg(long, value_name = "NAME")]
    author: String,
    /// Erase only posts of this source. Default: all sources.
    #[arg(long, value_name = "SOURCE")]
    source: Option<String>,
    /// Print the report as JSON.
    #[arg(long)]
    json: bool,
}

#[derive(Default, Serialize)]
struct Report {
    author: String,
    /// The sources that were searched.
    sources: Vec<String>,
    posts: usize,
    dead_letters: u64,
    evidence: i64,
    caches_cleared: bool,
}

/// Erases the author's data and prints the report.
pub async fn run(args: EraseArgs, context: &Context) -> anyhow::Result<CommandResult> {
    let author = Author::parse(&args.author).map_err(|message| Misuse(format!("--author {message}")))?;
    let source = match &args.source {
        Some(source) => Some(Source::parse(source).map_err(|message| Misuse(format!("--source {message}")))?),
        None => None,
    };
    require_database(context)?;
    let services = app::open(&context.config, context.clock.clone()).await?;
    let report = erase(&services, &author, source).await?;
    let mut output = Output::new();
    if args.json {
        output.json(&report)?;
    } else {
        output.line(format!("erased posts of {} on {}", report.author, report.sources.join(", ")))?;
        for (name, count) in [
            ("posts", report.posts as u64),
            ("dead letters", report.dead_letters),
            ("citations in alerts", u64::try_from(report.evidence).unwrap_or_default()),
        ] {
            output.line(format!("  {count} {name}"))?;
        }
        output.line("caches cleared; posts that wait in the stream are erased when workers process them")?;
    }
    output.flush()?;
    Ok(CommandResult::Good)
}

async fn erase(services: &Services, author: &Author, source: Option<Source>) -> anyhow::Result<Report> {
    let (letters, letter_sources) = dead_letters(services, author, source.as_ref()).await?;
    let mut sources = match source {
        Some(source) => vec![source],
        None => {
            let known = services.store.sources().await?;
            let mut sources: Vec<Source> = known.iter().filter_map(|known| Source::parse(&known.source).ok()).collect();
            sources.extend(services.store.sources_of(author).await?);
            sources.extend(letter_sources);
            sources
        }
    };
    sources.sort_unstable();
    sources.dedup();
    let mut report = Report {
        author: author.to_string(),
        sources: sources.iter().map(ToString::to_string).collect(),
        ..Report::default()
    };
    // The requests to erase waiting entries are appended first. A post that is stored while this command runs is then
    // either found below or erased by these requests.
    let requests = sources
        .iter()
        .map(|source| Op::DeleteAuthor { source: source.clone(), author: author.clone() }.to_fields())
        .collect();
    services.stream.append(requests).await?;
    report.dead_letters = services.stream.purge_dead_letters(&DeadLetterSelection::Ids(letters)).await?;
    for source in &sources {
        forget_copies(services, source, author).await?;
        let erased = services.store.erase_author(source, author).await?;
        report.posts += erased.posts.len();
        report.evidence += erased.evidence;
        let posts: Vec<PostId> = erased.posts.into_iter().map(|removed| removed.post_id).collect();
        notify(services, &posts).await?;
    }
    services.store.scrub().await?;
    services.cache.clear().await;
    report.caches_cleared = true;
    Ok(report)
}

/// Removes the copies of the author's stored posts from the stream. This runs before the posts are deleted: a command
/// that was interrupted afterwards finds only the remaining posts when it is repeated.
async fn forget_copies(services: &Services, source: &Source, author: &Author) -> anyhow::Result<()> {
    let mut last = None;
    loop {
        let page = services.store.posts_of(source, author, last.as_ref()).await?;
        let ids: Vec<PostId> = page.iter().filter_map(|post| PostId::parse(&post.post_id).ok()).collect();
        services.stream.forget_posts(&ids, &ids).await?;
        last = page.into_iter().next_back();
        if last.is_none() {
            return Ok(());
        }
    }
}

async fn notify(services: &Services, posts: &[PostId]) -> anyhow::Result<()> {
    for posts in posts.chunks(PAGE) {
        services.stream.forget_posts(posts, posts).await?;
        let events = posts.iter().cloned().map(LiveEvent::PostDeleted).collect();
        if let Err(error) = services.live.publish(events).await {
            tracing::warn!(
                %error,
                "live clients were not notified of the deletions; open pages show the posts until they are reloaded"
            );
        }
    }
    Ok(())
}

/// Finds the author's dead letters, and the sources that they name.
async fn dead_letters(
    services: &Services,
    author: &Author,
    source: Option<&Source>,
) -> anyhow::Result<(Vec<crate::domain::EntryId>, Vec<Source>)> {
    let (mut ids, mut sources, mut before) = (Vec::new(), Vec::new(), None);
    loop {
        let page = services.stream.dead_letters(PAGE, before).await?;
        let Some(last) = page.last() else { return Ok((ids, sources)) };
        before = Some(last.id);
        for letter in &page {
            let named = letter.fields.get("source").and_then(|text| std::str::from_utf8(text).ok());
            let named = named.and_then(|text| Source::parse(text).ok());
            let theirs = letter.fields.get("author").is_some_and(|text| *text == *author.as_str().as_bytes());
            if theirs && (source.is_none() || named.as_ref() == source) {
                ids.push(letter.id);
                sources.extend(named);
            }
        }
    }
}
