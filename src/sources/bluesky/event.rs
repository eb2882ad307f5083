//! From a frame of Jetstream to what it asks for.

use std::borrow::Cow;

use serde::Deserialize;

use super::filter::Filter;
use crate::domain::post::{DraftTime, MAX_AHEAD, MAX_LANG_BYTES, MAX_LINK_BYTES};
use crate::domain::{Author, Op, Post, PostDraft, PostId, Timestamp, op::preview};

/// The collection of posts.
pub const COLLECTION: &str = "app.bsky.feed.post";
/// What posts from here have as their source.
const SOURCE: &str = "bluesky";
/// Characters of a malformed frame that are told.
const SHOWN: usize = 120;

/// A frame that was understood.
#[derive(Debug, PartialEq)]
pub struct Frame {
    /// The server's time of it, in microseconds since the Unix epoch.
    pub time_us: i64,
    /// What it asks for; `None`: nothing of interest.
    pub op: Option<Op>,
}

#[derive(Deserialize)]
struct Event<'a> {
    #[serde(borrow)]
    did: Cow<'a, str>,
    time_us: i64,
    #[serde(borrow)]
    kind: Cow<'a, str>,
    #[serde(borrow)]
    commit: Option<Commit<'a>>,
    #[serde(borrow)]
    account: Option<Account<'a>>,
}

#[derive(Deserialize)]
struct Commit<'a> {
    #[serde(borrow)]
    operation: Cow<'a, str>,
    #[serde(borrow)]
    collection: Cow<'a, str>,
    #[serde(borrow)]
    rkey: Cow<'a, str>,
    #[serde(borrow)]
    record: Option<Record<'a>>,
}

#[derive(Deserialize)]
struct Record<'a> {
    #[serde(borrow, default)]
    text: Cow<'a, str>,
    #[serde(borrow, default, rename = "createdAt")]
    created_at: Cow<'a, str>,
    #[serde(borrow, default)]
    langs: Option<Vec<Cow<'a, str>>>,
    #[serde(borrow)]
    reply: Option<Reply<'a>>,
    #[serde(borrow)]
    embed: Option<Embed<'a>>,
    #[serde(borrow, default)]
    facets: Option<Vec<Facet<'a>>>,
}

#[derive(Deserialize)]
struct Reply<'a> {
    #[serde(borrow)]
    parent: Option<Reference<'a>>,
}

#[derive(Deserialize)]
struct Reference<'a> {
    #[serde(borrow, default)]
    uri: Cow<'a, str>,
}

/// `app.bsky.embed.record` holds the reference; `app.bsky.embed.recordWithMedia` holds it one level deeper.
#[derive(Deserialize)]
struct Embed<'a> {
    #[serde(borrow)]
    record: Option<Quoted<'a>>,
}

#[derive(Deserialize)]
struct Quoted<'a> {
    #[serde(borrow, default)]
    uri: Cow<'a, str>,
    #[serde(borrow)]
    record: Option<Reference<'a>>,
}

#[derive(Deserialize)]
struct Facet<'a> {
    index: Slice,
    #[serde(borrow, default)]
    features: Vec<Feature<'a>>,
}

/// Bytes of the text in UTF-8.
#[derive(Deserialize)]
struct Slice {
    #[serde(rename = "byteStart")]
    start: usize,
    #[serde(rename = "byteEnd")]
    end: usize,
}

#[derive(Deserialize)]
struct Feature<'a> {
    #[serde(borrow, default)]
    uri: Cow<'a, str>,
}

#[derive(Deserialize)]
struct Account<'a> {
    active: bool,
    #[serde(borrow, default)]
    status: Option<Cow<'a, str>>,
}

/// Reads a frame and picks what `filter` lets through.
///
/// # Errors
/// What is wrong with a frame that is not what the protocol promises.
pub fn read(text: &str, filter: &Filter, now: Timestamp) -> Result<Frame, String> {
    let event: Event<'_> = serde_json::from_str(text)
        .map_err(|error| format!("not a Jetstream event: {error}: {}", preview(text, SHOWN)))?;
    let op = match &*event.kind {
        "commit" => {
            let commit = event.commit.as_ref().ok_or_else(|| "a commit event without its commit".to_owned())?;
            if commit.collection == COLLECTION { of_commit(&event, commit, filter, now)? } else { None }
        }
        "account" => {
            let account = event.account.as_ref().ok_or_else(|| "an account event without its account".to_owned())?;
            of_account(&event.did, account, filter)?
        }
        // Handles change; posts are kept under the account's id.
        _ => None,
    };
    Ok(Frame { time_us: event.time_us, op })
}

fn of_commit(event: &Event<'_>, commit: &Commit<'_>, filter: &Filter, now: Timestamp) -> Result<Option<Op>, String> {
    let id = format!("at://{}/{COLLECTION}/{}", event.did, commit.rkey);
    // Deletions pass the same draw, so that those of posts never taken leave no tombstones.
    if !filter.takes_author(&event.did) || !filter.draws(&id) {
        return Ok(None);
    }
    let delete = |id: &str| PostId::parse(id).map(|post_id| Some(Op::Delete { post_id }));
    match (&*commit.operation, &commit.record) {
        ("delete", _) => delete(&id),
        ("create", Some(record)) if takes(record, filter) => Ok(Some(Op::Post(post(event, commit, id, now)?))),
        ("create", Some(_)) => Ok(None),
        ("update", Some(record)) if takes(record, filter) => {
            let edited_at = Timestamp::from_micros(event.time_us).unwrap_or(now);
            Ok(Some(Op::Replace { post: post(event, commit, id, now)?, edited_at }))
        }
        // Its author does not say any more what was taken.
        ("update", Some(_)) => delete(&id),
        (operation, _) => Err(format!("a commit {:?} without a record", preview(operation, SHOWN))),
    }
}

/// An account that is gone takes its posts with it. One that is suspended or deactivated may come back, but its
/// posts must not be shown meanwhile (<https://atproto.com/specs/account>).
fn of_account(did: &str, account: &Account<'_>, filter: &Filter) -> Result<Option<Op>, String> {
    let gone = matches!(account.status.as_deref(), Some("deleted" | "takendown" | "suspended" | "deactivated"));
    if account.active || !gone || !filter.takes_author(did) {
        return Ok(None);
    }
    let source = crate::domain::Source::parse(SOURCE)?;
    Ok(Some(Op::DeleteAuthor { source, author: Author::parse(did)? }))
}

/// Whether there is something to judge that `filter` lets through. Pictures alone have no text.
fn takes(record: &Record<'_>, filter: &Filter) -> bool {
    let langs = record.langs.as_deref().unwrap_or_default();
    !record.text.trim().is_empty() && filter.takes_languages(langs) && filter.takes_text(&record.text)
}

fn post(event: &Event<'_>, commit: &Commit<'_>, id: String, now: Timestamp) -> Result<Post, String> {
    let Some(record) = &commit.record else { return Err("a post without its record".to_owned()) };
    let lang = record.langs.as_ref().and_then(|langs| langs.first());
    let draft = PostDraft {
        post_id: Some(id),
        source: Some(SOURCE.to_owned()),
        content: Some(with_links(&record.text, record.facets.as_deref().unwrap_or_default())),
        author: Some(event.did.as_ref().to_owned()),
        created_at: Some(DraftTime::Text(String::new())),
        lang: lang.filter(|lang| lang.len() <= MAX_LANG_BYTES).map(|lang| lang.as_ref().to_owned()),
        url: Some(format!("https://bsky.app/profile/{}/post/{}", event.did, commit.rkey)),
        reply_to: reply_to(record).filter(|uri| uri.len() <= MAX_LINK_BYTES),
    };
    let mut post = draft.validate(now).map_err(|errors| {
        let messages: Vec<_> = errors.iter().map(ToString::to_string).collect();
        messages.join("; ")
    })?;
    post.created_at = created_at(record, event.time_us, now);
    Ok(post)
}

/// What the author's program says, unless it is no time or lies in the future of the server's.
fn created_at(record: &Record<'_>, time_us: i64, now: Timestamp) -> Timestamp {
    let seen = Timestamp::from_micros(time_us).unwrap_or(now);
    let claimed: Option<Timestamp> = record.created_at.parse().ok();
    claimed.filter(|claimed| *claimed <= seen + MAX_AHEAD).unwrap_or(seen)
}

/// The post that is answered, else the one that is quoted.
fn reply_to(record: &Record<'_>) -> Option<String> {
    let parent = record.reply.as_ref().and_then(|reply| reply.parent.as_ref()).map(|parent| &parent.uri);
    let quoted = record.embed.as_ref().and_then(|embed| embed.record.as_ref());
    let quoted = quoted.map(|quoted| quoted.record.as_ref().map_or(&quoted.uri, |deeper| &deeper.uri));
    [parent, quoted].into_iter().flatten().find(|uri| uri.contains(COLLECTION)).map(|uri| uri.as_ref().to_owned())
}

/// The text with its links in full: programs cut them for display.
fn with_links(text: &str, facets: &[Facet<'_>]) -> String {
    let mut links: Vec<_> = facets
        .iter()
        .filter_map(|facet| {
            let uri = facet.features.iter().map(|feature| feature.uri.as_ref()).find(|uri| !uri.is_empty())?;
            Some((facet.index.start, facet.index.end, uri))
        })
        .collect();
    links.sort_unstable();
    let mut out = String::with_capacity(text.len());
    let mut done = 0;
    for (start, end, uri) in links {
        // Facets are written by anyone's program: those that overlap or cut a character are left as they are.
        let Some(shown) = text.get(start..end).filter(|_| start >= done) else { continue };
        if let Some(before) = text.get(done..start) {
            out.push_str(before);
            // A name for a link stays beside it; a cut address does not.
            let is_address = shown.contains('.') && !shown.contains(char::is_whitespace);
            if !is_address {
                out.push_str(shown);
                out.push(' ');
            }
            out.push_str(uri);
            done = end;
        }
    }
    out.push_str(text.get(done..).unwrap_or_default());
    out
}
