//! Sends mail over SMTP.

use std::sync::Arc;
use std::time::Duration;

use futures_util::future::BoxFuture;
use lettre::message::header::{Header, HeaderName, HeaderValue};
use lettre::message::{Mailbox, MultiPart};
use lettre::transport::smtp::authentication::Credentials;
use lettre::transport::smtp::client::{Certificate, Tls, TlsParameters};
use lettre::transport::smtp::response::Response;
use lettre::{AsyncSmtpTransport, AsyncTransport, Message, Tokio1Executor};
use secrecy::{ExposeSecret, SecretString};

use super::{DeliveryError, Outcome, ReceiverError, Sender, excerpt, texts};
use crate::domain::notify::render::html;
use crate::domain::notify::{Delivery, Templates, text};

/// The maximum time to connect, and for each SMTP command.
const COMMAND_TIMEOUT: Duration = Duration::from_secs(15);
/// The maximum time to send a message.
const MESSAGE_TIMEOUT: Duration = Duration::from_secs(60);

/// The mail server.
#[derive(Clone, Debug)]
pub struct SmtpOptions {
    /// The host name or IP address of the server. The TLS certificate must be valid for it.
    pub host: String,
    /// The TCP port of the server.
    pub port: u16,
    /// Whether and how the connection is encrypted.
    pub security: SmtpSecurity,
    /// The login, if the server requires one.
    pub credentials: Option<SmtpCredentials>,
    /// The sender: `ada@example.org`, or `Ada <ada@example.org>`.
    pub from: String,
    /// The PEM certificate of a certificate authority that is trusted in addition to the authorities of the system.
    pub authority: Option<Vec<u8>>,
}

/// The login to the mail server.
#[derive(Clone, Debug)]
pub struct SmtpCredentials {
    /// The user name.
    pub username: String,
    /// The password.
    pub password: SecretString,
}

/// The encryption of the connection.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum SmtpSecurity {
    /// TLS by STARTTLS. If the server does not support it, no message is sent.
    StartTls,
    /// TLS from the beginning of the connection.
    Tls,
    /// No encryption.
    Plain,
}

/// Connections to the mail server, and the sender's address.
pub struct Mailer {
    transport: AsyncSmtpTransport<Tokio1Executor>,
    from: Mailbox,
}

impl Mailer {
    /// Creates a mailer, which connects with the first message.
    ///
    /// # Errors
    /// When the sender's address or the certificate is malformed.
    pub fn new(options: &SmtpOptions) -> anyhow::Result<Self> {
        let parameters = || -> anyhow::Result<TlsParameters> {
            let mut builder = TlsParameters::builder(options.host.clone());
            if let Some(pem) = &options.authority {
                builder = builder.add_root_certificate(Certificate::from_pem(pem)?);
            }
            Ok(builder.build()?)
        };
        let tls = match options.security {
            SmtpSecurity::StartTls => Tls::Required(parameters()?),
            SmtpSecurity::Tls => Tls::Wrapper(parameters()?),
            SmtpSecurity::Plain => Tls::None,
        };
        let mut builder = AsyncSmtpTransport::<Tokio1Executor>::builder_dangerous(&options.host)
            .port(options.port)
            .tls(tls)
            .timeout(Some(COMMAND_TIMEOUT));
        if let Some(login) = &options.credentials {
            let password = login.password.expose_secret().to_owned();
            builder = builder.credentials(Credentials::new(login.username.clone(), password));
        }
        Ok(Self { transport: builder.build(), from: options.from.parse()? })
    }

    fn compose(&self, delivery: &Delivery, email: &Email) -> Result<Message, lettre::error::Error> {
        let message = &delivery.message;
        let texts = texts(&email.templates, delivery);
        let own = delivery.recipient.as_deref().and_then(|address| address.parse().ok()).map(|mailbox| vec![mailbox]);
        // Every attempt has the same message id, so that mail servers can drop duplicates.
        let at = delivery.created_at.as_millis();
        let id = format!("<sentistream.{}.{at}@{}>", delivery.id, self.from.email.domain());
        let mut builder = Message::builder()
            .from(self.from.clone())
            .message_id(Some(id))
            .subject(texts.title.clone())
            .header(AutoSubmitted);
        for mailbox in own.unwrap_or_else(|| email.to.clone()) {
            builder = builder.to(mailbox);
        }
        let html = html::page(message, &texts);
        let plain = format!("{}\n\n{}", texts.title, texts.body.unwrap_or_else(|| text::body(message)));
        builder.multipart(MultiPart::alternative_plain_html(plain, html))
    }
}

/// The header `Auto-Submitted: auto-generated`, which prevents automatic replies (RFC 3834).
#[derive(Clone)]
struct AutoSubmitted;

impl Header for AutoSubmitted {
    fn name() -> HeaderName {
        HeaderName::new_from_ascii_str("Auto-Submitted")
    }

    fn parse(_: &str) -> Result<Self, Box<dyn std::error::Error + Send + Sync>> {
        Ok(Self)
    }

    fn display(&self) -> HeaderValue {
        HeaderValue::new(Self::name(), "auto-generated".to_owned())
    }
}

/// A receiver by mail. Each delivery has one recipient.
pub struct Email {
    mailer: Arc<Mailer>,
    to: Vec<Mailbox>,
    templates: Templates,
}

impl Email {
    /// # Errors
    /// When an address is invalid.
    pub fn new(mailer: Arc<Mailer>, to: &[String], templates: Templates) -> Result<Self, ReceiverError> {
        let mailbox = |address: &String| {
            address.parse().map_err(|source| ReceiverError::Address { address: address.clone(), source })
        };
        Ok(Self { mailer, to: to.iter().map(mailbox).collect::<Result<_, _>>()?, templates })
    }
}

impl Sender for Email {
    fn send<'a>(&'a self, delivery: &'a Delivery) -> BoxFuture<'a, Outcome> {
        Box::pin(async move {
            let message = match self.mailer.compose(delivery, self) {
                Ok(message) => message,
                Err(error) => return Outcome::rejected(format!("the mail cannot be composed: {error}")),
            };
            match tokio::time::timeout(MESSAGE_TIMEOUT, self.mailer.transport.send(message)).await {
                Ok(Ok(response)) => accepted(&response),
                Ok(Err(error)) => rejected(&error),
                Err(_) => Outcome::unanswered(format!(
                    "the mail server did not respond within {} s",
                    MESSAGE_TIMEOUT.as_secs()
                )),
            }
        })
    }
}

fn accepted(response: &Response) -> Outcome {
    let code = u16::from(response.code());
    let lines: Vec<_> = response.message().collect();
    Outcome { status: Some(code.into()), answer: Some(excerpt(lines.join("\n").as_bytes())), result: Ok(()) }
}

fn rejected(error: &lettre::transport::smtp::Error) -> Outcome {
    let mut reason = error.to_string();
    let mut cause = std::error::Error::source(error);
    while let Some(inner) = cause {
        reason = format!("{reason}: {inner}");
        cause = inner.source();
    }
    // A retry cannot succeed after a 5xx answer or with an invalid message.
    let result = if error.is_permanent() || error.is_client() {
        Err(DeliveryError::Permanent(reason))
    } else {
        Err(DeliveryError::Transient { error: reason, after: None })
    };
    Outcome { status: error.status().map(|code| u16::from(code).into()), answer: None, result }
}
