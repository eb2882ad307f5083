//! The HTTP API of the Hub. Calls block, because a download runs on a separate thread.

use reqwest::header::{AUTHORIZATION, CONTENT_RANGE, HeaderMap, HeaderValue, LOCATION, RANGE};
use reqwest::{Client, RequestBuilder, Response, StatusCode, Url, redirect};
use secrecy::ExposeSecret as _;
use tokio::runtime::Runtime;

use super::super::super::HubOptions;
use sentistream_core::outbound;

/// The maximum size of the description of a revision, in bytes.
const MAX_INFO_BYTES: usize = 16 << 20;
/// The maximum number of redirects within the Hub.
const MAX_REDIRECTS: usize = 5;
const REPO_COMMIT: &str = "x-repo-commit";
const LINKED_ETAG: &str = "x-linked-etag";
const ETAG: &str = "etag";

/// A client of the Hub, with its token.
pub struct Api {
    runtime: Runtime,
    /// A client that follows redirects. It does not send the token to other hosts.
    client: Client,
    /// A client that does not follow redirects.
    direct: Client,
    endpoint: String,
    headers: HeaderMap,
}

/// Why a request failed.
#[derive(Debug, thiserror::Error)]
pub enum ApiError {
    /// The Hub rejected the request.
    #[error("status {}", .0.as_u16())]
    Status(StatusCode),
    /// There was no response, or only a part of it.
    #[error("{0}")]
    Transport(String),
    /// A header is missing or invalid.
    #[error("the response has no valid header {0}")]
    Header(&'static str),
    /// The response does not have the format of the Hub's API.
    #[error("the response cannot be read: {0}")]
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

/// The Hub's metadata of a file.
pub struct Metadata {
    /// The commit that the file belongs to, as the Hub states it. It is not validated.
    pub commit: String,
    /// The hash of the content, which names the file in the cache. It is not validated.
    pub etag: String,
    /// The size of the file in bytes.
    pub size: u64,
}

impl Api {
    /// Creates a client of the endpoint in `options`.
    ///
    /// # Errors
    /// When TLS or the runtime cannot be set up, or the token is not a valid header value.
    pub fn new(options: &HubOptions) -> Result<Self, ApiError> {
        let fail = |e: &dyn std::fmt::Display| ApiError::Transport(e.to_string());
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().map_err(|e| fail(&e))?;
        let mut headers = HeaderMap::new();
        if let Some(token) = &options.token {
            let value = HeaderValue::try_from(format!("Bearer {}", token.expose_secret()));
            let mut value = value.map_err(|_| fail(&"inference.hub.token is not a valid header value"))?;
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
                // The caller times out earlier. This longer timeout only ensures that the thread ends.
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
    /// When the request is rejected or interrupted, or the description is too long.
    pub fn info(&self, repository: &str, revision: &str) -> Result<Vec<u8>, ApiError> {
        let revision = revision.replace('/', "%2F");
        let url = format!("{}/api/models/{repository}/revision/{revision}?blobs=true", self.endpoint);
        let mut body = self.send(self.client.get(url))?;
        let mut bytes = Vec::new();
        while let Some(chunk) = self.next(&mut body)? {
            bytes.extend_from_slice(chunk.as_ref());
            if bytes.len() > MAX_INFO_BYTES {
                return Err(ApiError::Answer(format!("longer than {MAX_INFO_BYTES} bytes")));
            }
        }
        Ok(bytes)
    }

    /// The URL of the file `name` of a repository at a commit.
    pub fn url(&self, repository: &str, commit: &str, name: &str) -> String {
        format!("{}/{repository}/resolve/{commit}/{name}", self.endpoint)
    }

    /// The metadata of the file at `url`. The size of a large file is requested from the host that stores it.
    ///
    /// # Errors
    /// When the request is rejected, or a header is missing.
    pub fn metadata(&self, url: &str) -> Result<Metadata, ApiError> {
        let probe = |client: &Client, url: Url| self.send(client.get(url).header(RANGE, "bytes=0-0"));
        let mut at = Url::parse(url).map_err(|e| ApiError::Answer(format!("{url}: {e}")))?;
        let mut answer = probe(&self.direct, at.clone())?;
        for _ in 0..MAX_REDIRECTS {
            // The Hub redirects requests for a renamed repository within the host.
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
            // The client does not send the token to another host.
            answer = self.checked(self.client.get(elsewhere).header(RANGE, "bytes=0-0"))?;
        }
        let range = text(&answer, CONTENT_RANGE.as_str())?;
        let size = range.rsplit('/').next().and_then(|size| size.parse().ok());
        Ok(Metadata { commit, etag, size: size.ok_or(ApiError::Header("content-range"))? })
    }

    /// Requests the file at `url`, starting with the byte `start`.
    ///
    /// # Errors
    /// When the request is rejected, or there is no response.
    pub fn open(&self, url: &str, start: u64) -> Result<Response, ApiError> {
        self.send(self.client.get(url).header(RANGE, format!("bytes={start}-")))
    }

    /// The next bytes of a body; `None` at its end.
    ///
    /// # Errors
    /// When the transfer is interrupted.
    pub fn next(&self, body: &mut Response) -> Result<Option<impl AsRef<[u8]> + use<>>, ApiError> {
        Ok(self.runtime.block_on(async { body.chunk().await })?)
    }

    fn send(&self, request: RequestBuilder) -> Result<Response, ApiError> {
        self.checked(request.headers(self.headers.clone()))
    }

    fn checked(&self, request: RequestBuilder) -> Result<Response, ApiError> {
        // `send` creates timers, so it must be called within the runtime.
        let answer = self.runtime.block_on(async { request.send().await })?;
        let status = answer.status();
        if status.is_client_error() || status.is_server_error() { Err(ApiError::Status(status)) } else { Ok(answer) }
    }
}

fn text(answer: &Response, header: &'static str) -> Result<String, ApiError> {
    let value = answer.headers().get(header).and_then(|value| value.to_str().ok());
    value.map(str::to_owned).ok_or(ApiError::Header(header))
}
