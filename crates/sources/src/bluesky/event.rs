//! Converts a frame of Jetstream to an operation on the stream.

use std::borrow::Cow;

use serde::{Deserialize, Deserializer};
use serde_json::value::RawValue;

use super::filter::Filter;
use sentistream_core::domain::post::{DraftTime, FieldError, MAX_AHEAD, MAX_LANG_BYTES, MAX_LINK_BYTES};
use sentistream_core::domain::{Author, Op, Post, PostDraft, PostId, Timestamp, op::preview};

/// The name of the collection that contains posts.
pub const COLLECTION: &str = "app.bsky.feed.post";
/// The maximum length of an event, in bytes. A post needs only a few KiB.
pub const MAX_EVENT_BYTES: usize = 1 << 20;
/// The value of `source` in posts from Bluesky.
const SOURCE: &str = "bluesky";
/// The number of characters of a malformed frame that the error contains.
const SHOWN: usize = 120;

/// The content of a frame: one event.
#[derive(Debug, PartialEq)]
pub struct Frame {
    /// The server's time of the event, in microseconds since the Unix epoch.
    pub time_us: i64,
    /// The operation to append; `None`: the event is ignored.
    pub op: Option<Op>,
}

/// Why an event is rejected.
#[derive(Debug, thiserror::Error)]
pub enum EventError {
    /// The message is not a Jetstream event.
    #[error("not a Jetstream event: {source}: {shown}")]
    Malformed {
        /// The error of the JSON parser.
        source: serde_json::Error,
        /// The first characters of the message.
        shown: String,
    },
    /// The event has this many bytes, which exceeds the limit.
    #[error("the event has {0} bytes, more than the limit of {MAX_EVENT_BYTES}")]
    TooLarge(usize),
    /// The event lacks a field that its kind requires.
    #[error("{kind} event without {field}")]
    Incomplete {
        /// The kind of the event, or the operation of the commit; shortened if it is long.
        kind: String,
        /// The name of the missing field.
        field: &'static str,
    },
    /// The event is not a valid post or deletion.
    #[error("{id}: {}", messages(.errors))]
    Invalid {
        /// The `at://` URI of the post, or the DID of the account.
        id: String,
        /// Why its fields are not valid.
        errors: Vec<FieldError>,
    },
}

fn messages(errors: &[FieldError]) -> String {
    errors.iter().map(ToString::to_string).collect::<Vec<_>>().join("; ")
}

impl EventError {
    fn invalid(id: &str, field: &str, message: impl Into<String>) -> Self {
        Self::Invalid { id: id.to_owned(), errors: vec![FieldError::new(field, message)] }
    }
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

/// Any program can write records, so an optional field of an unexpected type is treated as missing.
#[derive(Deserialize)]
struct Record<'a> {
    #[serde(borrow, default)]
    text: Cow<'a, str>,
    #[serde(borrow, default, rename = "createdAt", deserialize_with = "lenient")]
    created_at: Option<Text<'a>>,
    #[serde(borrow, default, deserialize_with = "lenient")]
    langs: Option<Vec<Cow<'a, str>>>,
    #[serde(borrow, default, deserialize_with = "lenient")]
    reply: Option<Reply<'a>>,
    #[serde(borrow, default, deserialize_with = "lenient")]
    embed: Option<Embed<'a>>,
    #[serde(borrow, default, deserialize_with = "lenient")]
    facets: Option<Vec<Facet<'a>>>,
}

#[derive(Deserialize)]
#[serde(transparent)]
struct Text<'a>(#[serde(borrow)] Cow<'a, str>);

/// The value, or `None` when it has an unexpected type.
fn lenient<'de, D: Deserializer<'de>, T: Deserialize<'de>>(de: D) -> Result<Option<T>, D::Error> {
    let raw: Option<&'de RawValue> = Option::deserialize(de)?;
    Ok(raw.and_then(|raw| serde_json::from_str(raw.get()).ok()))
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

/// The fields of both kinds of embeds with a quoted post. `app.bsky.embed.record` holds the reference to the post, and
/// `app.bsky.embed.recordWithMedia` holds the reference one level deeper.
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

/// A range of bytes in the UTF-8 text.
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

/// Parses a frame. Events that `filter` excludes have no operation.
///
/// # Errors
/// When the frame is not an event of the protocol, or its post is not valid.
pub fn read(text: &str, filter: &Filter, now: Timestamp) -> Result<Frame, EventError> {
    if text.len() > MAX_EVENT_BYTES {
        return Err(EventError::TooLarge(text.len()));
    }
    let event: Event<'_> = serde_json::from_str(text)
        .map_err(|source| EventError::Malformed { source, shown: preview(text, SHOWN).into() })?;
    let missing = |field| EventError::Incomplete { kind: preview(&event.kind, SHOWN).into(), field };
    let op = match &*event.kind {
        "commit" => {
            let commit = event.commit.as_ref().ok_or_else(|| missing("commit"))?;
            if commit.collection == COLLECTION { of_commit(&event, commit, filter, now)? } else { None }
        }
        "account" => {
            let account = event.account.as_ref().ok_or_else(|| missing("account"))?;
            of_account(&event.did, account, filter)?
        }
        // Posts are stored under the DID of the account, so events about changed handles are ignored.
        _ => None,
    };
    Ok(Frame { time_us: event.time_us, op })
}

fn of_commit(
    event: &Event<'_>,
    commit: &Commit<'_>,
    filter: &Filter,
    now: Timestamp,
) -> Result<Option<Op>, EventError> {
    let id = format!("at://{}/{COLLECTION}/{}", event.did, commit.rkey);
    // The sample also applies to deletions, so that posts outside the sample leave no tombstones.
    if !filter.takes_author(&event.did) || !filter.samples(&id) {
        return Ok(None);
    }
    let delete = |id: &str| match PostId::parse(id) {
        Ok(post_id) => Ok(Some(Op::Delete { post_id })),
        Err(message) => Err(EventError::invalid(id, "post_id", message)),
    };
    match (&*commit.operation, &commit.record) {
        ("delete", _) => delete(&id),
        ("create", Some(record)) if takes(record, filter) => Ok(Some(Op::Post(post(event, record, id, now)?))),
        ("create", Some(_)) => Ok(None),
        ("update", Some(record)) if takes(record, filter) => {
            let edited_at = Timestamp::from_micros(event.time_us).unwrap_or(now);
            Ok(Some(Op::Replace { post: post(event, record, id, now)?, edited_at }))
        }
        // The new version of the post does not pass the filter, so the stored version is deleted.
        ("update", Some(_)) => delete(&id),
        (operation, _) => Err(EventError::Incomplete { kind: preview(operation, SHOWN).into(), field: "record" }),
    }
}

/// The operation for a change of an account. The posts of a deleted, suspended or deactivated account are deleted. A
/// suspended or deactivated account may return, but its posts must not be shown until then
/// (<https://atproto.com/specs/account>).
fn of_account(did: &str, account: &Account<'_>, filter: &Filter) -> Result<Option<Op>, EventError> {
    let gone = matches!(account.status.as_deref(), Some("deleted" | "takendown" | "suspended" | "deactivated"));
    if account.active || !gone || !filter.takes_author(did) {
        return Ok(None);
    }
    let invalid = |field| move |message| EventError::invalid(did, field, message);
    let source = sentistream_core::domain::Source::parse(SOURCE).map_err(invalid("source"))?;
    Ok(Some(Op::DeleteAuthor { source, author: Author::parse(did).map_err(invalid("author"))? }))
}

/// Whether the record has text and passes `filter`. Posts that contain only pictures have no text.
fn takes(record: &Record<'_>, filter: &Filter) -> bool {
    let langs = record.langs.as_deref().unwrap_or_default();
    !record.text.trim().is_empty() && filter.takes_languages(langs) && filter.takes_text(&record.text)
}

fn post(event: &Event<'_>, record: &Record<'_>, id: String, now: Timestamp) -> Result<Post, EventError> {
    let lang = record.langs.as_ref().and_then(|langs| langs.first());
    let rkey = event.commit.as_ref().map(|commit| commit.rkey.as_ref()).unwrap_or_default();
    let draft = PostDraft {
        post_id: Some(id.clone()),
        source: Some(SOURCE.to_owned()),
        content: Some(with_links(&record.text, record.facets.as_deref().unwrap_or_default())),
        author: Some(event.did.as_ref().to_owned()),
        created_at: Some(DraftTime::Text(String::new())),
        lang: lang.filter(|lang| fits(lang, MAX_LANG_BYTES)).map(|lang| lang.as_ref().to_owned()),
        url: Some(format!("https://bsky.app/profile/{}/post/{rkey}", event.did)),
        reply_to: reply_to(record).filter(|uri| fits(uri, MAX_LINK_BYTES)),
    };
    let mut post = draft.validate(now).map_err(|errors| EventError::Invalid { id, errors })?;
    post.created_at = created_at(record, event.time_us, now);
    Ok(post)
}

/// Whether `text` is valid as an optional field of a post.
fn fits(text: &str, bytes: usize) -> bool {
    text.len() <= bytes && !text.contains('\0')
}

/// The time that the author's app states. The server's time replaces a time that is malformed or in the future.
fn created_at(record: &Record<'_>, time_us: i64, now: Timestamp) -> Timestamp {
    let seen = Timestamp::from_micros(time_us).unwrap_or(now);
    let claimed: Option<Timestamp> = record.created_at.as_ref().and_then(|text| text.0.parse().ok());
    claimed.filter(|claimed| *claimed <= seen + MAX_AHEAD).unwrap_or(seen)
}

/// The id of the post that the record replies to, or else of the post that it quotes.
fn reply_to(record: &Record<'_>) -> Option<String> {
    let parent = record.reply.as_ref().and_then(|reply| reply.parent.as_ref()).map(|parent| &parent.uri);
    let quoted = record.embed.as_ref().and_then(|embed| embed.record.as_ref());
    let quoted = quoted.map(|quoted| quoted.record.as_ref().map_or(&quoted.uri, |deeper| &deeper.uri));
    [parent, quoted].into_iter().flatten().find(|uri| uri.contains(COLLECTION)).map(|uri| uri.as_ref().to_owned())
}

/// A link in the text.
struct Link<'a> {
    start: usize,
    end: usize,
    uri: &'a str,
}

/// The text with complete URLs, because apps shorten URLs for display.
fn with_links(text: &str, facets: &[Facet<'_>]) -> String {
    let mut links: Vec<Link<'_>> = facets
        .iter()
        .filter_map(|facet| {
            let uri = facet.features.iter().map(|feature| feature.uri.as_ref()).find(|uri| !uri.is_empty())?;
            Some(Link { start: facet.index.start, end: facet.index.end, uri })
        })
        .collect();
    links.sort_unstable_by_key(|link| (link.start, link.end));
    let mut out = String::with_capacity(text.len());
    let mut done = 0;
    for Link { start, end, uri } in links {
        // Facets that overlap or split a character are ignored.
        let Some(shown) = text.get(start..end).filter(|_| start >= done) else { continue };
        if let Some(before) = text.get(done..start) {
            out.push_str(before);
            // A link text is kept and followed by its URL; a shortened URL is replaced by the full one.
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
