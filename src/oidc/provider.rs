//! A provider: its discovery document and keys, and the steps of a sign-in.

use std::sync::Arc;
use std::time::Duration;

use openidconnect::core::{CoreAuthenticationFlow, CoreClientAuthMethod, CoreGenderClaim};
use openidconnect::{
    AuthType, AuthorizationCode, ClientId, ClientSecret, CsrfToken, EndSessionUrl, IssuerUrl, LogoutRequest, Nonce,
    OAuth2TokenResponse as _, PkceCodeChallenge, PkceCodeVerifier, PostLogoutRedirectUrl, ProviderMetadataWithLogout,
    RedirectUrl, Scope, TokenResponse as _, TokenUrl, UserInfoUrl,
};
use secrecy::ExposeSecret as _;
use tokio::sync::Mutex;
use url::Url;

use super::claims::{self, Claims, Extra, Identity, Partial};
use super::error::Refusal;
use super::pending::{Pending, safe_return};
use super::seal::Sealer;
use super::tokens::{Client, Expected, SignedIdToken, Tokens};
use super::transport::Transport;
use super::{OidcError, OidcOptions};
use crate::clock::Clock;
use crate::domain::Timestamp;

/// How long a discovery document and its keys are used before they are read again.
const FRESH: Duration = Duration::from_secs(3_600);
/// How long an old document is used while the provider does not answer.
const STALE: Duration = Duration::from_secs(86_400);
/// The minimum time between two requests for the document or the keys.
const RETRY: Duration = Duration::from_secs(10);
/// The purpose for which pending sign-ins are sealed (encrypted). A text that was sealed for another purpose cannot be
/// opened.
const SIGN_IN: &str = "sign-in";
/// The purpose for which the ID tokens of sessions are sealed.
const SESSION: &str = "session";
/// The maximum length of an ID token that is kept for the sign-out, in bytes. The token becomes part of a URL.
const MAX_HINT: usize = 6 * 1_024;

type Metadata = ProviderMetadataWithLogout;

/// A provider. All threads share one value.
pub struct Provider {
    options: OidcOptions,
    issuer: IssuerUrl,
    transport: Transport,
    sealer: Sealer,
    clock: Clock,
    known: Mutex<Known>,
}

/// The last discovery document, and the last attempt to read it.
#[derive(Default)]
struct Known {
    document: Option<(Arc<Metadata>, Timestamp)>,
    attempt: Option<(Timestamp, Result<(), OidcError>)>,
}

/// The start of a sign-in.
pub struct Departure {
    /// The address of the provider that the browser opens.
    pub url: Url,
    /// The sealed state, for a cookie.
    pub cookie: String,
}

/// A completed sign-in at the provider.
pub struct Arrival {
    /// The person.
    pub identity: Identity,
    /// The sealed ID token, for the sign-out at the provider; `None` when it is too long for that.
    pub id_token: Option<String>,
}

/// What the provider supports.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Report {
    /// The number of keys that the provider publishes.
    pub keys: usize,
    /// Whether the provider has an endpoint for sign-out.
    pub ends_sessions: bool,
}

impl Provider {
    /// Creates the provider without a request to it.
    ///
    /// # Errors
    /// When the issuer is not an https URL (or http on loopback), or TLS cannot be set up.
    pub fn new(options: OidcOptions, clock: Clock) -> Result<Self, OidcError> {
        let wrong = |reason: String| OidcError::Misconfigured(format!("server.auth.oidc.issuer: {reason}"));
        let issuer = IssuerUrl::new(options.issuer.clone()).map_err(|error| wrong(error.to_string()))?;
        let transport = Transport::new(issuer.url(), options.outbound.clone());
        let transport = transport.map_err(|error| OidcError::Misconfigured(error.to_string()))?;
        transport.check(issuer.url()).map_err(|error| wrong(error.to_string()))?;
        let sealer = Sealer::new(&options.client_secret);
        let unusable = || OidcError::Misconfigured("server.auth.oidc.client_secret cannot be used as a key".to_owned());
        let sealer = sealer.ok_or_else(unusable)?;
        Ok(Self { options, issuer, transport, sealer, clock, known: Mutex::default() })
    }

    /// The options of the provider.
    pub fn options(&self) -> &OidcOptions {
        &self.options
    }

    /// Begins a sign-in that returns to the path `return_to` of this server.
    ///
    /// # Errors
    /// When the provider is unavailable or misconfigured.
    pub async fn begin(&self, return_to: &str) -> Result<Departure, OidcError> {
        let metadata = self.metadata().await?;
        let client = self.client(&metadata)?;
        let (challenge, verifier) = PkceCodeChallenge::new_random_sha256();
        let (flow, state, nonce) =
            (CoreAuthenticationFlow::AuthorizationCode, CsrfToken::new_random, Nonce::new_random);
        let scopes = self.options.scopes.iter().filter(|scope| *scope != "openid").cloned().map(Scope::new);
        let request = client.authorize_url(flow, state, nonce).add_scopes(scopes).set_pkce_challenge(challenge);
        let (url, state, nonce) = request.url();
        let pending = Pending {
            state: state.secret().clone(),
            nonce: nonce.secret().clone(),
            verifier: verifier.secret().clone(),
            return_to: safe_return(return_to).to_owned(),
            at: self.clock.now(),
        };
        let failed = || OidcError::Misconfigured("the state of the sign-in cannot be encrypted".to_owned());
        let text = serde_json::to_string(&pending).map_err(|_| failed())?;
        let cookie = self.sealer.seal(&text, SIGN_IN).ok_or_else(failed)?;
        Ok(Departure { url, cookie })
    }

    /// The pending sign-in in `cookie`; `None` if the cookie was not created by [`Self::begin`] with the same client
    /// secret.
    pub fn pending(&self, cookie: &str) -> Option<Pending> {
        serde_json::from_str(&self.sealer.open(cookie, SIGN_IN)?).ok()
    }

    /// Exchanges the code of the provider's answer for the identity of the person.
    ///
    /// # Errors
    /// When the provider is unavailable, refuses the code, or sends an answer that cannot be trusted.
    pub async fn finish(&self, code: String, pending: &Pending) -> Result<Arrival, OidcError> {
        let mut metadata = self.metadata().await?;
        let client = self.client(&metadata)?;
        let exchange = client.exchange_code(AuthorizationCode::new(code));
        let exchange = exchange.map_err(|error| OidcError::Misconfigured(error.to_string()))?;
        let verifier = PkceCodeVerifier::new(pending.verifier.clone());
        let tokens = exchange.set_pkce_verifier(verifier).request_async(&self.transport).await?;
        let claims = match self.expected(&metadata, pending).check(&tokens) {
            Ok(claims) => claims,
            Err(Refusal::UnknownKey) => {
                // The provider may have rotated its keys, so they are read again.
                metadata = self.newer(&metadata).await.ok_or(Refusal::UnknownKey)?;
                self.expected(&metadata, pending).check(&tokens)?
            }
            Err(refusal) => return Err(refusal.into()),
        };
        let parts = self.parts(&client, &tokens, claims).await?;
        let id_token = tokens.id_token().map(ToString::to_string).filter(|token| token.len() <= MAX_HINT);
        Ok(Arrival {
            identity: parts.identity(self.options.issuer.clone(), claims.subject().as_str().to_owned()),
            id_token: id_token.and_then(|token| self.sealer.seal(&token, SESSION)),
        })
    }

    /// The address at which the provider ends its own session; `None` if the provider has no such address or does not
    /// answer. `id_token` is the sealed token of [`Arrival`].
    pub async fn sign_out_url(&self, id_token: &str) -> Option<Url> {
        let metadata = self.metadata().await.ok()?;
        let endpoint = end_session(&metadata)?.clone();
        let request = LogoutRequest::from(endpoint)
            .set_client_id(ClientId::new(self.options.client_id.clone()))
            .set_post_logout_redirect_uri(PostLogoutRedirectUrl::from_url(self.options.signed_out.clone()));
        let hint = self.sealer.open(id_token, SESSION).and_then(|token| token.parse::<SignedIdToken>().ok());
        let request = match &hint {
            Some(hint) => request.set_id_token_hint(hint),
            None => request,
        };
        Some(request.http_get_url())
    }

    /// Reads and checks the discovery document and the keys.
    ///
    /// # Errors
    /// When the document or the keys are unavailable or not valid.
    pub async fn report(&self) -> Result<Report, OidcError> {
        let metadata = self.metadata().await?;
        self.client(&metadata)?;
        Ok(Report { keys: metadata.jwks().keys().len(), ends_sessions: end_session(&metadata).is_some() })
    }

    fn expected<'a>(&'a self, metadata: &'a Metadata, pending: &'a Pending) -> Expected<'a> {
        Expected { metadata, client_id: &self.options.client_id, nonce: &pending.nonce, now: self.clock.now() }
    }

    /// The parts of the identity in `claims`. Missing parts are read from the userinfo endpoint, if the provider has
    /// one.
    async fn parts(&self, client: &Client, tokens: &Tokens, claims: &Claims) -> Result<Partial, OidcError> {
        let access = &self.options.access;
        let parts = claims::of_id_token(claims, &access.groups_claim);
        let is_complete = parts.has_name()
            && (parts.groups.is_some() || !access.needs_groups())
            && (parts.has_email() || !access.needs_email());
        let token = tokens.access_token();
        if is_complete || client.user_info_url().is_none() {
            return Ok(parts);
        }
        if !token.secret().bytes().all(|byte| byte.is_ascii_graphic()) {
            return Err(OidcError::Rejected("the access token has characters that a header cannot have".to_owned()));
        }
        let request = client.user_info(token.clone(), Some(claims.subject().clone()));
        let request = request.map_err(|error| OidcError::Misconfigured(error.to_string()))?;
        let answer = request.request_async::<Extra, _, CoreGenderClaim>(&self.transport).await?;
        Ok(parts.or(claims::of_user_info(&answer, &access.groups_claim)))
    }

    fn client(&self, metadata: &Metadata) -> Result<Client, OidcError> {
        let (id, secret) = (self.options.client_id.clone(), self.options.client_secret.expose_secret().to_owned());
        let redirect = RedirectUrl::from_url(self.options.redirect.clone());
        let auth = auth_type(metadata)?;
        let client =
            Client::from_provider_metadata(metadata.clone(), ClientId::new(id), Some(ClientSecret::new(secret)));
        Ok(client.set_redirect_uri(redirect).set_auth_type(auth))
    }

    /// The discovery document with its keys, which is read again after [`FRESH`]. Concurrent callers wait for one read.
    async fn metadata(&self) -> Result<Arc<Metadata>, OidcError> {
        let mut known = self.known.lock().await;
        let now = self.clock.now();
        match known.document.clone() {
            Some((document, read_at)) if now < read_at + FRESH => Ok(document),
            Some((document, read_at)) => match self.read(&mut known).await {
                Ok(document) => Ok(document),
                Err(error) if now < read_at + STALE => {
                    tracing::warn!(%error, issuer = %self.options.issuer, "discovery document not refreshed, using the previous one");
                    Ok(document)
                }
                Err(error) => Err(error),
            },
            None => self.read(&mut known).await,
        }
    }

    /// A document with keys that was read after `old`; `None` if it cannot be read, or if the last attempt was less
    /// than [`RETRY`] ago.
    async fn newer(&self, old: &Arc<Metadata>) -> Option<Arc<Metadata>> {
        let mut known = self.known.lock().await;
        match &known.document {
            Some((document, _)) if !Arc::ptr_eq(document, old) => Some(document.clone()),
            _ => self.read(&mut known).await.ok(),
        }
    }

    /// Reads the document and the keys, at most once per [`RETRY`].
    async fn read(&self, known: &mut Known) -> Result<Arc<Metadata>, OidcError> {
        let now = self.clock.now();
        if let Some((at, result)) = &known.attempt
            && now < *at + RETRY
        {
            let just_read =
                || OidcError::Unavailable(format!("the last request was less than {} s ago", RETRY.as_secs()));
            return Err(result.clone().err().unwrap_or_else(just_read));
        }
        let read = self.discover().await;
        known.attempt = Some((now, read.as_ref().map(|_| ()).map_err(Clone::clone)));
        let document = Arc::new(read?);
        known.document = Some((document.clone(), now));
        Ok(document)
    }

    async fn discover(&self) -> Result<Metadata, OidcError> {
        let metadata = Metadata::discover_async(self.issuer.clone(), &self.transport).await?;
        let mut endpoints = vec![metadata.authorization_endpoint().url()];
        endpoints.extend(metadata.token_endpoint().map(TokenUrl::url));
        endpoints.extend(metadata.userinfo_endpoint().map(UserInfoUrl::url));
        endpoints.extend(end_session(&metadata).map(EndSessionUrl::url));
        for endpoint in endpoints {
            self.transport.check(endpoint)?;
        }
        Ok(metadata)
    }
}

fn end_session(metadata: &Metadata) -> Option<&EndSessionUrl> {
    metadata.additional_metadata().end_session_endpoint.as_ref()
}

/// How this server authenticates at the token endpoint. If the discovery document lists no methods, the default is
/// `client_secret_basic` (OpenID Connect Discovery, section 3).
fn auth_type(metadata: &Metadata) -> Result<AuthType, OidcError> {
    let Some(methods) = metadata.token_endpoint_auth_methods_supported() else { return Ok(AuthType::BasicAuth) };
    if methods.contains(&CoreClientAuthMethod::ClientSecretBasic) {
        Ok(AuthType::BasicAuth)
    } else if methods.contains(&CoreClientAuthMethod::ClientSecretPost) {
        Ok(AuthType::RequestBody)
    } else {
        Err(OidcError::Misconfigured(
            "the provider accepts neither client_secret_basic nor client_secret_post at its token endpoint".to_owned(),
        ))
    }
}
