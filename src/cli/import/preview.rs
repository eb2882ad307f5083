//! `--dry-run`: the first posts as they would be stored.

use std::collections::BTreeMap;
use std::path::Path;

use anyhow::Context as _;
use serde_json::json;

use super::ImportArgs;
use crate::app;
use crate::cli::output::{Output, one_line};
use crate::cli::{CommandResult, Context};
use crate::sources::file::ChunkReader;

/// The maximum number of posts that are shown.
const SHOWN: usize = 10;
/// The maximum number of records that are read to find [`SHOWN`] valid posts.
const MAX_RECORDS: usize = 1_000;
/// The maximum length of a text in the table, in characters.
const SHOWN_CHARS: usize = 60;

/// Prints the first posts with their sentiment, and the first records that are not valid.
pub async fn run(args: &ImportArgs, chunks: &mut ChunkReader, context: &Context) -> anyhow::Result<CommandResult> {
    let (mut posts, mut rejected, mut read) = (Vec::new(), Vec::new(), 0);
    let mut dropped: BTreeMap<&str, u64> = BTreeMap::new();
    while posts.len() < SHOWN && read < MAX_RECORDS {
        let chunk = chunks.next(SHOWN - posts.len()).await.with_context(|| args.file.display().to_string())?;
        read += chunk.posts.len() + chunk.rejected.len();
        posts.extend(chunk.posts.into_iter().map(|(post, _)| post));
        rejected.extend(chunk.rejected);
        chunk.dropped.into_iter().for_each(|(field, count)| *dropped.entry(field).or_default() += count);
        if chunk.finished {
            break;
        }
    }
    let classifier = app::load_command_classifier(&context.config).await?;
    let texts = posts.iter().map(|post| post.content.clone()).collect();
    let analyses = classifier.classify(texts).await?;
    let mut output = Output::new();
    if args.json {
        let shown: Vec<_> = posts
            .iter()
            .zip(&analyses)
            .map(|(post, analysis)| {
                json!({
                    "post_id": post.post_id, "source": post.source, "content": post.content, "author": post.author,
                    "created_at": post.created_at, "lang": post.lang, "url": post.url, "reply_to": post.reply_to,
                    "sentiment": {
                        "label": analysis.sentiment, "confidence": analysis.confidence, "emotion": analysis.emotion,
                    },
                })
            })
            .collect();
        let errors: Vec<_> = rejected.iter().map(|e| json!({"line": e.line, "reason": e.reason.to_string()})).collect();
        output.json(&json!({"posts": shown, "dropped_fields": dropped, "errors": errors}))?;
    } else {
        let head = ["POST_ID", "SOURCE", "CREATED_AT", "AUTHOR", "SENTIMENT", "EMOTION", "CONTENT"];
        let mut rows = vec![head.map(str::to_owned)];
        for (post, analysis) in posts.iter().zip(&analyses) {
            rows.push([
                one_line(post.post_id.as_str(), 30),
                post.source.to_string(),
                post.created_at.to_string(),
                one_line(post.author.as_ref().map_or("", |author| author.as_str()), 20),
                format!("{} {:.0} %", analysis.sentiment, analysis.confidence * 100.0),
                analysis.emotion.to_string(),
                one_line(&post.content, SHOWN_CHARS),
            ]);
        }
        output.table(&rows)?;
        for error in &rejected {
            output.line(format!("{}: {error}", Path::display(&args.file)))?;
        }
        for (field, count) in &dropped {
            output.line(format!("{field} was invalid in {count} of these records and dropped"))?;
        }
        if read == 0 {
            output.line("the file contains no records")?;
        }
        output.line("dry run: nothing was appended")?;
    }
    output.flush()?;
    let is_bad = !rejected.is_empty() && (args.strict || posts.is_empty());
    Ok(if is_bad { CommandResult::Bad } else { CommandResult::Good })
}
