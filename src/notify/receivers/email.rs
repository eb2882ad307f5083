//! Mail by SMTP.

use std::sync::Arc;
use std::time::Duration;

use futures_util::future::BoxFuture;
use lettre::message::{Mailbox, MultiPart};
use lettre::transport::smtp::authentication::Credentials;
use lettre::transport::smtp::client::{Certificate, Tls, TlsParameters};
use lettre::transport::smtp::response::Response;
use lettre::{AsyncSmtpTransport, AsyncTransport, Message, Tokio1Executor};
use secrecy::{ExposeSecret, SecretString};

use super::{Outcome, Sender, Trouble, excerpt};
use crate::domain::notify::Delivery;
use crate::notify::render;

/// The longest one command of SMTP, or connecting, may take; and the longest a whole message may.
const TIMEOUT: Duration = Duration::from_secs(15);
const WHOLE: Duration = Duration::from_secs(60);

/// The server that takes mail.
#[derive(Clone, Debug)]
pub struct SmtpOptions {
    pub host: String,
    pub port: u16,
    pub security: SmtpSecurity,
    /// The name and password, if the server wants them.
    pub credentials: Option<(String, SecretString)>,
    /// `ada@example.org`, or `Ada <ada@example.org>`.
    pub from: String,
    /// A certificate authority in PEM besides those of the system.
    pub authority: Option<Vec<u8>>,
}

/// How the connection is protected.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum SmtpSecurity {
    /// TLS is asked for by STARTTLS, and nothing is sent without it.
    StartTls,
    /// TLS from the start.
    Tls,
    /// None.
    Plain,
}

/// Connections to the mail server, and who sends.
pub struct Mailer {
    transport: AsyncSmtpTransport<Tokio1Executor>,
    from: Mailbox,
}

impl Mailer {
    /// Connects later.
    ///
    /// # Errors
    /// When the sender or the certificate is malformed.
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
            .timeout(Some(TIMEOUT));
        if let Some((name, password)) = &options.credentials {
            builder = builder.credentials(Credentials::new(name.clone(), password.expose_secret().to_owned()));
        }
        Ok(Self { transport: builder.build(), from: options.from.parse()? })
    }

    fn compose(&self, delivery: &Delivery, to: &[Mailbox]) -> Result<Message, lettre::error::Error> {
        let message = &delivery.message;
        // The same in each attempt: a mail server that has it already can tell.
        let at = delivery.created_at.as_millis();
        let id = format!("<sentistream.{}.{at}@{}>", delivery.id, self.from.email.domain());
        let mut builder =
            Message::builder().from(self.from.clone()).message_id(Some(id)).subject(render::title(message));
        for mailbox in to {
            builder = builder.to(mailbox.clone());
        }
        builder.multipart(MultiPart::alternative_plain_html(render::text(message), render::html(message)))
    }
}

/// Recipients of mail.
pub struct Email {
    mailer: Arc<Mailer>,
    to: Vec<Mailbox>,
}

impl Email {
    /// # Errors
    /// When an address cannot be used.
    pub fn new(mailer: Arc<Mailer>, to: &[String]) -> Result<Self, String> {
        let mailbox = |address: &String| address.parse().map_err(|_| format!("{address:?} is not a mail address"));
        Ok(Self { mailer, to: to.iter().map(mailbox).collect::<Result<_, _>>()? })
    }
}

impl Sender for Email {
    fn send<'a>(&'a self, delivery: &'a Delivery) -> BoxFuture<'a, Outcome> {
        Box::pin(async move {
            let message = match self.mailer.compose(delivery, &self.to) {
                Ok(message) => message,
                Err(error) => return Outcome::refused(format!("the mail cannot be written: {error}")),
            };
            match tokio::time::timeout(WHOLE, self.mailer.transport.send(message)).await {
                Ok(Ok(response)) => taken(&response),
                Ok(Err(error)) => refused(&error),
                Err(_) => Outcome::lost(format!("the mail server did not take it within {} s", WHOLE.as_secs())),
            }
        })
    }
}

fn taken(response: &Response) -> Outcome {
    let code = u16::from(response.code());
    let lines: Vec<_> = response.message().collect();
    Outcome { status: Some(code.into()), answer: Some(excerpt(lines.join("\n").as_bytes())), result: Ok(()) }
}

fn refused(error: &lettre::transport::smtp::Error) -> Outcome {
    let mut reason = error.to_string();
    let mut cause = std::error::Error::source(error);
    while let Some(inner) = cause {
        reason = format!("{reason}: {inner}");
        cause = inner.source();
    }
    // A server that says 5xx will say so again, and a message or setting of ours that is wrong stays wrong.
    let result = if error.is_permanent() || error.is_client() {
        Err(Trouble::Never(reason))
    } else {
        Err(Trouble::Again { error: reason, after: None })
    };
    Outcome { status: error.status().map(|code| u16::from(code).into()), answer: None, result }
}
