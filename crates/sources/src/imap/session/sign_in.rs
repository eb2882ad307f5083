//! Connects to a mail server and signs in.

use async_imap::imap_proto::{Response, Status};
use async_imap::{Authenticator, Client};
use rustls::pki_types::ServerName;
use secrecy::ExposeSecret as _;
use tokio::time::timeout;
use tokio_rustls::TlsConnector;
use url::Url;

use super::super::super::SourceError;
use super::super::super::fetch::Fetcher;
use super::super::failure::{self, Failure};
use super::super::limits::{Limited, Wire};
use super::super::{ImapOptions, Protection};

/// Connects to the server. With [`Protection::Tls`] the connection starts with a TLS handshake.
pub(super) async fn connect(options: &ImapOptions, fetcher: &Fetcher) -> Result<Box<dyn Wire>, SourceError> {
    let scheme = if options.protection == Protection::Tls { "imaps" } else { "imap" };
    let url = Url::parse(&format!("{scheme}://{}/", options.server()));
    let url = url.map_err(|error| SourceError::Permanent(format!("host: {error}")))?;
    let connection = fetcher.connect(&url).await?;
    let is_local = connection.peer_addr().is_ok_and(|peer| peer.ip().to_canonical().is_loopback());
    match options.protection {
        Protection::Tls => protected(Box::new(connection), options).await,
        Protection::StartTls => Ok(Box::new(connection)),
        Protection::None if is_local => Ok(Box::new(connection)),
        Protection::None => Err(SourceError::Permanent(
            "tls = \"none\" is only allowed for a server on this machine: set \"tls\" or \"starttls\"".to_owned(),
        )),
    }
}

async fn protected(wire: Box<dyn Wire>, options: &ImapOptions) -> Result<Box<dyn Wire>, SourceError> {
    let server = options.server();
    let name = ServerName::try_from(options.host.trim_matches(['[', ']']).to_owned());
    let name = name.map_err(|error| SourceError::Permanent(format!("host: {error}")))?;
    let connector = TlsConnector::from(options.tls.clone());
    match timeout(options.timeout, connector.connect(name, wire)).await {
        Ok(Ok(stream)) => Ok(Box::new(stream)),
        Ok(Err(error)) => Err(failure::tls(&error, &server)),
        Err(_) => Err(SourceError::Transient(format!(
            "{server} did not answer with TLS within {} s: check port, or set tls to \"starttls\"",
            options.timeout.as_secs_f32()
        ))),
    }
}

/// Reads the greeting, starts TLS if STARTTLS is configured, and signs in.
pub(super) async fn sign_in(
    options: &ImapOptions,
    wire: Box<dyn Wire>,
) -> Result<async_imap::Session<Limited>, SourceError> {
    let server = options.server();
    let mut client = Client::new(Limited::new(wire));
    let greeting =
        within(options, async { client.read_response().await.map_err(|error| Failure::of_io(&error, &server)) });
    let greeting = greeting.await?.ok_or_else(|| failure::lost(&server).into_error(&server))?;
    match greeting.parsed() {
        Response::Data { status: Status::Ok, .. } => {}
        Response::Data { status: Status::Bye, outcome } => {
            return Err(failure::closed(&failure::said(outcome), &server).into_error(&server));
        }
        // A server that greets with `PREAUTH` skips the sign-in. An attacker may have inserted this greeting before TLS
        // starts (RFC 9051, section 11.1).
        _ => {
            return Err(SourceError::Refused(format!(
                "{server} does not greet with a request to sign in: check host and port"
            )));
        }
    }
    if options.protection == Protection::StartTls {
        let started = client.run_command_and_check_ok("STARTTLS", None);
        let started = within(options, async { started.await.map_err(|error| Failure::of(error, &server)) });
        started.await.map_err(|error| match error {
            SourceError::Transient(reason) => SourceError::Refused(format!(
                "{reason}: the server may not offer STARTTLS; set tls to \"tls\" if it has a port for TLS"
            )),
            other => other,
        })?;
        // All unencrypted data that the server sent is discarded with the client.
        let wire = protected(client.into_inner().into_wire(), options).await?;
        client = Client::new(Limited::new(wire));
    }
    let (user, password) = (options.user.as_str(), options.password.expose_secret());
    let signed_in = async {
        // Quoted strings must be ASCII (RFC 3501, section 4.3).
        let session = if user.is_ascii() && password.is_ascii() {
            client.login(user, password).await
        } else {
            client.authenticate("PLAIN", Plain { user, password }).await
        };
        session.map_err(|(error, _)| Failure::of(error, &server))
    };
    match timeout(options.timeout, signed_in).await {
        Ok(session) => session.map_err(|error| failure::sign_in(error, &server)),
        Err(_) => Err(slow(options)),
    }
}

/// The result of `step`, or an error if it exceeds the maximum wait for a response.
async fn within<T>(options: &ImapOptions, step: impl Future<Output = Result<T, Failure>>) -> Result<T, SourceError> {
    match timeout(options.timeout, step).await {
        Ok(done) => done.map_err(|error| error.into_error(&options.server())),
        Err(_) => Err(slow(options)),
    }
}

fn slow(options: &ImapOptions) -> SourceError {
    let seconds = options.timeout.as_secs_f32();
    let advice = "check port and tls";
    SourceError::Transient(format!("{} did not answer within {seconds} s: {advice}", options.server()))
}

/// The SASL mechanism PLAIN (RFC 4616), in which user and password are UTF-8.
struct Plain<'a> {
    user: &'a str,
    password: &'a str,
}

impl Authenticator for Plain<'_> {
    type Response = String;

    fn process(&mut self, _challenge: &[u8]) -> String {
        format!("\0{}\0{}", self.user, self.password)
    }
}
