//! Tests a source before it is saved, and finds the kind of source that can read an address.

use std::time::Duration;

use actix_web::web::Payload;
use actix_web::{HttpRequest, HttpResponse, web};
use serde::{Deserialize, Serialize};

use crate::domain::managed_source::SourceDefinition;
use crate::domain::{Emotion, Post, Sentiment, Timestamp};
use crate::http::auth::{Authorized, Edit};
use crate::http::error::{ApiError, Problem};
use crate::http::params::no_params;
use crate::http::state::State;
use crate::http::{answer, body};
use crate::inference::SharedClassifier;
use crate::sources::guard::guarded;
use crate::sources::mapping::Reading;
use crate::sources::recognize::recognize;
use crate::sources::webhook::Hook;
use crate::sources::{Batch, Opening, SourceError, SourceSpec};

use super::{SourceRequest, named, read};

/// The maximum number of posts that a test returns.
const POSTS: usize = 10;
/// The maximum time that a test waits for posts.
const TIMEOUT: Duration = Duration::from_secs(12);
/// The maximum number of items in a sample.
const SAMPLE_ITEMS: usize = 1_000;

/// The result of a test.
#[derive(Serialize, utoipa::ToSchema)]
#[schema(example = json!({
    "ok": true, "message": "2 posts were read.", "posts": [
        {"content": "I love it", "author": "ada", "url": null, "created_at": "2026-03-01T12:00:00.000Z",
         "sentiment": "positive", "emotion": "joy", "confidence": 0.98}
    ], "rejected": [], "filtered": 0
}))]
pub struct Trial {
    /// Whether the source can be read.
    ok: bool,
    /// The result in words, with advice if the source cannot be read.
    message: String,
    /// Up to ten posts. Nothing was stored.
    posts: Vec<TrialPost>,
    /// The errors of up to ten items that are not valid posts.
    rejected: Vec<String>,
    /// The number of items without text, and of items that the filters of the source excluded.
    filtered: u64,
}

/// A post from the source, classified by the model.
#[derive(Serialize, utoipa::ToSchema)]
pub struct TrialPost {
    content: String,
    author: Option<String>,
    url: Option<String>,
    #[schema(value_type = String, format = DateTime)]
    created_at: Timestamp,
    /// The sentiment of the post; `null` while the model is not loaded, or if the model fails.
    sentiment: Option<Sentiment>,
    emotion: Option<Emotion>,
    confidence: Option<f64>,
}

/// An address to recognise.
#[derive(Deserialize, utoipa::ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(example = json!({"address": "@ada@mastodon.social"}))]
pub struct AddressRequest {
    /// The address of a web page, a feed or an app's page, `@name@instance`, `!community@instance`, a Bluesky handle,
    /// `r/name`, a hashtag, or an e-mail address.
    address: String,
}

/// Test a source
///
/// Reads up to ten posts and returns them with their sentiment. The posts of a webhook are read from `sample`. Nothing
/// is stored. If an added source has the same name and kind, the test uses the stored secrets of this source in place
/// of secrets that the request does not contain.
#[utoipa::path(
    post, path = "/api/sources/test", tag = "operations", request_body = SourceRequest,
    responses((status = 200, body = Trial), (status = 422, body = Problem))
)]
pub async fn test(
    _: Authorized<Edit>,
    state: web::Data<State>,
    request: HttpRequest,
    payload: Payload,
) -> Result<HttpResponse, ApiError> {
    no_params(&request)?;
    let given: SourceRequest = body::json(&request, payload, &state.options).await?;
    let found = named(&state, &given.name).await.ok();
    let before = found.filter(|found| found.stored.spec.kind == given.kind);
    let sample = given.sample.clone();
    let (definition, secrets) = read(&state, given, before.as_ref())?;
    let factory = super::factory(&state)?;
    let spec = factory.spec(&definition, &secrets).map_err(ApiError::invalid)?;
    let mapped = match factory.hook(&definition, &secrets) {
        Some(hook) => Some(mapped(&hook, sample.as_deref(), (&definition.name, state.api.clock.now()))?),
        None if sample.is_some() => return Err(ApiError::invalid_field("sample", "is only for webhooks")),
        None => None,
    };
    let timeout = TIMEOUT.min(state.options.request_timeout / 2);
    let classifier = state.api.classifier();
    let trial = state.read(async move {
        let mut delivered = match mapped {
            Some(delivered) => delivered,
            None => deliver(&spec, timeout).await,
        };
        classify(&mut delivered, classifier).await;
        Ok::<_, ApiError>(delivered.into_trial())
    });
    answer::json(&trial.await?)
}

/// Recognise an address
///
/// Returns the source that can read the address. Returns 422 if no kind of source can read it.
#[utoipa::path(
    post, path = "/api/sources/recognize", tag = "operations", request_body = AddressRequest,
    responses((status = 200, body = SourceDefinition), (status = 422, body = Problem))
)]
pub async fn recognise(
    _: Authorized<Edit>,
    state: web::Data<State>,
    request: HttpRequest,
    payload: Payload,
) -> Result<HttpResponse, ApiError> {
    no_params(&request)?;
    let AddressRequest { address } = body::json(&request, payload, &state.options).await?;
    let found = recognize(&address);
    let unknown = "enter the address of a web page or feed, @name@instance, !community@instance, a Bluesky handle, \
                   r/name, a #tag or an e-mail address";
    answer::json(&found.ok_or_else(|| ApiError::invalid_field("address", unknown))?)
}

/// The data that a source delivered within the timeout.
#[derive(Default)]
struct Delivered {
    posts: Vec<Post>,
    analyses: Vec<crate::domain::Analysis>,
    rejected: Vec<String>,
    filtered: u64,
    /// Errors of single feeds or instances; the source continues with the others.
    troubles: Vec<String>,
    error: Option<SourceError>,
    /// Whether at least one read succeeded.
    answered: bool,
}

/// The posts that a webhook finds in a sample of a request.
fn mapped(hook: &Hook, sample: Option<&str>, (name, now): (&str, Timestamp)) -> Result<Delivered, ApiError> {
    let Some(sample) = sample.filter(|sample| !sample.trim().is_empty()) else {
        return Err(ApiError::invalid_field("sample", "paste the body of a request to see its posts"));
    };
    let document = serde_json::from_str(sample)
        .map_err(|error| ApiError::invalid_field("sample", format!("is not valid JSON: {}", body::message(&error))))?;
    let reading = Reading { name, now, max: SAMPLE_ITEMS };
    let batch = hook
        .read(&document, reading)
        .ok_or_else(|| ApiError::invalid_field("sample", format!("has more than {SAMPLE_ITEMS} items: paste fewer")))?;
    let mut delivered = Delivered::default();
    delivered.take(batch);
    delivered.cut();
    Ok(delivered)
}

async fn deliver(spec: &SourceSpec, timeout: Duration) -> Delivered {
    let mut delivered = Delivered::default();
    let mut source = spec.open(Opening::default());
    let end = tokio::time::Instant::now() + timeout;
    while delivered.posts.len() < POSTS {
        let batch = match tokio::time::timeout_at(end, guarded(source.next(POSTS))).await {
            Err(_) => break,
            Ok(Err(error)) => {
                delivered.error = Some(error);
                break;
            }
            Ok(Ok(batch)) => batch,
        };
        let (wait, finished) = (batch.wait, batch.finished);
        delivered.take(batch);
        // If a polling source waits beyond the timeout, the test gets no more posts and ends.
        if finished || (!wait.is_zero() && tokio::time::Instant::now() + wait > end) {
            break;
        }
        tokio::time::sleep(wait).await;
    }
    delivered.cut();
    delivered
}

async fn classify(delivered: &mut Delivered, classifier: Option<SharedClassifier>) {
    if let Some(classifier) = classifier {
        let texts = delivered.posts.iter().map(|post| post.content.as_str().to_owned()).collect();
        // If the model fails, the posts are returned without their sentiment.
        delivered.analyses = classifier.classify(texts).await.unwrap_or_default();
    }
}

/// A duration in whole seconds below two minutes, otherwise rounded up to minutes, or to hours from two hours.
fn in_words(time: Duration) -> String {
    match time.as_secs() {
        seconds @ ..120 => format!("{seconds} s"),
        seconds @ 120..7_200 => format!("{} min", seconds.div_ceil(60)),
        seconds => format!("{} h", seconds.div_ceil(3_600)),
    }
}

/// Whether the error message of a source already says what to do: one of its clauses begins with an imperative.
fn gives_advice(message: &str) -> bool {
    const VERBS: [&str; 7] = ["add", "check", "create", "enable", "remove", "set", "use"];
    message.split([':', ';', ',']).any(|clause| VERBS.contains(&clause.split_whitespace().next().unwrap_or_default()))
}

impl Delivered {
    fn take(&mut self, batch: Batch) {
        self.answered = true;
        self.posts.extend(batch.ops.into_iter().filter_map(|op| op.post().cloned()));
        self.rejected.extend(batch.rejected);
        self.troubles.extend(batch.troubles);
        self.filtered += batch.filtered;
    }

    /// Limits the posts and errors to the number that the answer contains.
    fn cut(&mut self) {
        self.posts.truncate(POSTS);
        self.rejected.truncate(POSTS);
    }

    fn into_trial(self) -> Trial {
        let (ok, message) = self.verdict();
        let mut analyses = self.analyses.into_iter();
        let post = |post: Post| {
            let analysis = analyses.next();
            TrialPost {
                content: post.content.as_str().to_owned(),
                author: post.author.map(|author| author.as_str().to_owned()),
                url: post.url,
                created_at: post.created_at,
                sentiment: analysis.as_ref().map(|analysis| analysis.sentiment),
                emotion: analysis.as_ref().map(|analysis| analysis.emotion),
                confidence: analysis.map(|analysis| analysis.confidence),
            }
        };
        let posts = self.posts.into_iter().map(post).collect();
        Trial { ok, message, posts, rejected: self.rejected, filtered: self.filtered }
    }

    fn verdict(&self) -> (bool, String) {
        if !self.posts.is_empty() {
            let count = self.posts.len();
            return (true, format!("{count} {} read.", if count == 1 { "post was" } else { "posts were" }));
        }
        let advice = "check the settings and try again";
        let advised =
            |reason: &str| if gives_advice(reason) { reason.to_owned() } else { format!("{reason}: {advice}") };
        match (&self.error, self.troubles.first()) {
            (Some(SourceError::Refused(reason)), _) if gives_advice(reason) => {
                (false, format!("{reason}; if the settings are correct, try again later"))
            }
            (Some(SourceError::Refused(reason)), _) => (
                false,
                format!(
                    "{reason}: the server refused the request; check the address and the credentials, or try again later"
                ),
            ),
            (Some(SourceError::Busy { reason, after }), _) => {
                let after = in_words(*after);
                let check = match gives_advice(reason) {
                    true => "; if the settings are correct",
                    false => ": check the settings; if they are correct",
                };
                (false, format!("{reason}{check}, try again in {after}"))
            }
            (Some(SourceError::Permanent(reason) | SourceError::Transient(reason)), _) => (false, advised(reason)),
            (None, Some(trouble)) => (false, advised(trouble)),
            (None, None) if !self.rejected.is_empty() => (false, format!("No item is a valid post: {advice}")),
            (None, None) if self.filtered > 0 => {
                let count = self.filtered;
                (true, format!("The source responds, but its items have no text or were filtered ({count} in all)."))
            }
            (None, None) if self.answered => {
                (true, "The source responds, but has no new posts at the moment.".to_owned())
            }
            (None, None) => (true, "Connected, but no posts arrived during the test.".to_owned()),
        }
    }
}

#[cfg(test)]
mod tests {
    use futures_util::future::BoxFuture;

    use super::*;
    use crate::sources::Source;

    struct Panicking;

    impl Source for Panicking {
        fn next(&mut self, _: usize) -> BoxFuture<'_, Result<Batch, SourceError>> {
            Box::pin(async { odd() })
        }
    }

    fn odd() -> Result<Batch, SourceError> {
        panic!("an odd item")
    }

    #[tokio::test]
    async fn panic_of_a_source_fails_only_its_test() {
        let spec = SourceSpec::new("odd", "odd", |_| Box::new(Panicking));
        let (ok, message) = deliver(&spec, TIMEOUT).await.verdict();
        assert!(!ok && message.contains("panicked") && message.contains("an odd item"), "{message}");
    }

    #[test]
    fn source_with_wrong_settings_gets_advice_before_a_wait() {
        let reason = "https://blog.example/…: not a feed".to_owned();
        let error = Some(SourceError::Busy { reason, after: Duration::from_secs(299) });
        let (ok, message) = Delivered { error, ..Delivered::default() }.verdict();
        let expected = "not a feed: check the settings; if they are correct, try again in 5 min";
        assert!(!ok && message.ends_with(expected), "{message}");
    }

    #[test]
    fn advice_to_check_the_settings_is_not_repeated() {
        let verdict = |error| Delivered { error: Some(error), ..Delivered::default() }.verdict().1;
        let mailbox =
            "imap.example cannot open the mailbox \"x\" (no such mailbox): check mailbox; existing mailboxes: a";
        assert_eq!(verdict(SourceError::Permanent(mailbox.to_owned())), mailbox);
        let refused = "api.example answered 403: check the key";
        let later = format!("{refused}; if the settings are correct, try again later");
        assert_eq!(verdict(SourceError::Refused(refused.to_owned())), later);
        let advised = verdict(SourceError::Transient("api.example: connection reset".to_owned()));
        assert_eq!(advised, "api.example: connection reset: check the settings and try again");
    }
}
