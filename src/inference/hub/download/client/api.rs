//! The Hub's HTTP interface. Calls block: a download has a thread of its own.

use reqwest::header::{AUTHORIZATION, CONTENT_RANGE, HeaderMap, HeaderValue, LOCATION, RANGE};
use reqwest::{Client, RequestBuilder, Response, StatusCode, Url, redirect};
use secrecy::ExposeSecret as _;
use tokio::runtime::Runtime;

use super::super::super::HubOptions;
use crate::outbound;

/// The most bytes of the description of a revision.
const MAX_INFO_BYTES: usize = 16 << 20;
/// Relative redirects that are followed to a file.
const MAX_REDIRECTS: usize = 5;
const REPO_COMMIT: &str = "x-repo-commit";
const LINKED_ETAG: &str = "x-linked-etag";
const ETAG: &str = "etag";

/// A client of the Hub, with its token.
pub struct Api {
    runtime: Runtime,
    /// Follows redirects, to other hosts without the token.
    client: Client,
    /// Follows none.
    direct: Client,
    endpoint: String,
    headers: HeaderMap,
}

/// Why a request failed.
#[derive(Debug, thiserror::Error)]
pub enum ApiError {
    /// The Hub refuses it.
    #[error("status {}", .0.as_u16())]
    Status(StatusCode),
    /// There was no answer, or only a part of it.
    #[error("{0}")]
    Transport(String),
    /// The answer lacks something.
    #[error("the answer has no valid header {0}")]
    Header(&'static str),
    /// The answer is not what the Hub's interface promises.
    #[error("the answer cannot be read: {0}")]
    Answer(String),
}

impl From<reqwest::Error> for ApiError {
    fn from(error: reqwest::Error) -> Self {
        let mut reason = error.to_string();
        let mut cause = std::error::Error::source(&error);
        while let Some(inner) = cause {
            reason = format!("{reason}: {inner}");
            cause = inner.source();
        }
        Self::Transport(reason)
    }
}

/// What the Hub says of a file.
pub struct Metadata {
    pub commit: String,
    pub etag: String,
    pub size: u64,
}

impl Api {
    /// A client of the endpoint in `options`.
    ///
    /// # Errors
    /// When TLS or the runtime cannot be set up, or the token is no header value.
    pub fn new(options: &HubOptions) -> Result<Self, ApiError> {
        let fail = |e: &dyn std::fmt::Display| ApiError::Transport(e.to_string());
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().map_err(|e| fail(&e))?;
        let mut headers = HeaderMap::new();
        if let Some(token) = &options.token {
            let value = HeaderValue::try_from(format!("Bearer {}", token.expose_secret()));
            let mut value = value.map_err(|_| fail(&"inference.hub.token has characters that no header may have"))?;
            value.set_sensitive(true);
            headers.insert(AUTHORIZATION, value);
        }
        let tls = outbound::tls().map_err(|e| fail(&e))?;
        let client = |policy| {
            Client::builder()
                .tls_backend_preconfigured(tls.clone())
                .https_only(options.endpoint.starts_with("https://"))
                .redirect(policy)
                .referer(false)
                // Whoever waits for the download gives up earlier; this ends the thread.
                .read_timeout(2 * options.silence_limit)
                .user_agent(concat!("sentistream/", env!("CARGO_PKG_VERSION")))
                .build()
        };
        let (client, direct) = (client(redirect::Policy::default())?, client(redirect::Policy::none())?);
        Ok(Self { runtime, client, direct, endpoint: options.endpoint.clone(), headers })
    }

    /// The JSON description of a revision.
    ///
    /// # Errors
    /// When it is refused, breaks off, or is too long.
    pub fn info(&self, repository: &str, revision: &str) -> Result<Vec<u8>, ApiError> {
        let revision = revision.replace('/', "%2F");
        let url = format!("{}/api/models/{repository}/revision/{revision}?blobs=true", self.endpoint);
        let mut body = self.send(self.client.get(url))?;
        let mut bytes = Vec::new();
        while let Some(chunk) = self.next(&mut body)? {
            bytes.extend_from_slice(chunk.as_ref());
            if bytes.len() > MAX_INFO_BYTES {
                return Err(ApiError::Answer(format!("it is longer than {MAX_INFO_BYTES} bytes")));
            }
        }
        Ok(bytes)
    }

    /// The address of the file `name` of a repository at a commit.
    pub fn url(&self, repository: &str, commit: &str, name: &str) -> String {
        format!("{}/{repository}/resolve/{commit}/{name}", self.endpoint)
    }

    /// What the Hub says of the file at `url`. Large files are elsewhere: their size is asked there.
    ///
    /// # Errors
    /// When it is refused, or something is missing.
    pub fn metadata(&self, url: &str) -> Result<Metadata, ApiError> {
        let probe = |client: &Client, url: Url| self.send(client.get(url).header(RANGE, "bytes=0-0"));
        let mut at = Url::parse(url).map_err(|e| ApiError::Answer(format!("{url}: {e}")))?;
        let mut answer = probe(&self.direct, at.clone())?;
        for _ in 0..MAX_REDIRECTS {
            // A renamed repository is redirected within the host.
            match text(&answer, LOCATION.as_str()) {
                Ok(to) if answer.status().is_redirection() && Url::parse(&to).is_err() => {
                    at = at.join(&to).map_err(|_| ApiError::Header("location"))?;
                    answer = probe(&self.direct, at.clone())?;
                }
                _ => break,
            }
        }
        let etag = text(&answer, LINKED_ETAG).or_else(|_| text(&answer, ETAG))?.replace('"', "");
        let commit = text(&answer, REPO_COMMIT)?;
        if answer.status().is_redirection() {
            let elsewhere = Url::parse(&text(&answer, LOCATION.as_str())?).map_err(|_| ApiError::Header("location"))?;
            // Another host does not get the token.
            answer = self.checked(self.client.get(elsewhere).header(RANGE, "bytes=0-0"))?;
        }
        let range = text(&answer, CONTENT_RANGE.as_str())?;
        let size = range.rsplit('/').next().and_then(|size| size.parse().ok());
        Ok(Metadata { commit, etag, size: size.ok_or(ApiError::Header("content-range"))? })
    }

    /// The file at `url`, from byte `start` on.
    ///
    /// # Errors
    /// When it is refused, or there is no answer.
    pub fn open(&self, url: &str, start: u64) -> Result<Response, ApiError> {
        self.send(self.client.get(url).header(RANGE, format!("bytes={start}-")))
    }

    /// The next bytes of a body; `None` at its end.
    ///
    /// # Errors
    /// When it breaks off.
    pub fn next(&self, body: &mut Response) -> Result<Option<impl AsRef<[u8]> + use<>>, ApiError> {
        Ok(self.runtime.block_on(async { body.chunk().await })?)
    }

    fn send(&self, request: RequestBuilder) -> Result<Response, ApiError> {
        self.checked(request.headers(self.headers.clone()))
    }

    fn checked(&self, request: RequestBuilder) -> Result<Response, ApiError> {
        // Timers are created when the request is sent, so that must happen inside of the runtime.
        let answer = self.runtime.block_on(async { request.send().await })?;
        let status = answer.status();
        if status.is_client_error() || status.is_server_error() { Err(ApiError::Status(status)) } else { Ok(answer) }
    }
}

fn text(answer: &Response, header: &'static str) -> Result<String, ApiError> {
    let value = answer.headers().get(header).and_then(|value| value.to_str().ok());
    value.map(str::to_owned).ok_or(ApiError::Header(header))
}
