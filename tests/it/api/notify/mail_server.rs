//! A mail server on loopback, with or without TLS and login, and with configurable rejections.

use std::collections::{BTreeMap, VecDeque};
use std::sync::{Arc, Mutex};

use tokio::io::{AsyncBufReadExt, AsyncRead, AsyncWrite, AsyncWriteExt, BufReader};
use tokio::net::{TcpListener, TcpStream};
use tokio_rustls::TlsAcceptor;

/// The encryption of connections.
#[derive(Clone)]
pub enum Protection {
    None,
    /// The server offers STARTTLS.
    StartTls(TlsAcceptor),
    /// TLS from the first byte.
    Tls(TlsAcceptor),
}

/// The behaviour of the server.
pub struct MailOptions {
    pub protection: Protection,
    /// The credentials that clients must send after `AUTH PLAIN`; `None`: no login.
    pub login: Option<&'static str>,
    /// The replies to the first recipients. Later recipients are accepted.
    pub refusals: VecDeque<&'static str>,
}

/// Accepts mails and records commands.
pub struct MailServer {
    pub port: u16,
    noted: Arc<Mutex<Noted>>,
}

struct Noted {
    options: MailOptions,
    /// The replies to `RCPT` for rejected addresses.
    rejected: BTreeMap<&'static str, &'static str>,
    mails: Vec<String>,
    /// The commands that were sent without TLS.
    in_clear: Vec<String>,
}

impl MailServer {
    pub async fn start(options: MailOptions) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let port = listener.local_addr().unwrap().port();
        let noted =
            Arc::new(Mutex::new(Noted { options, rejected: BTreeMap::new(), mails: Vec::new(), in_clear: Vec::new() }));
        let server = noted.clone();
        tokio::spawn(async move {
            while let Ok((client, _)) = listener.accept().await {
                let server = server.clone();
                tokio::spawn(async move { serve(client, &server).await });
            }
        });
        Self { port, noted }
    }

    /// Starts a server without TLS and login that rejects the first recipients.
    pub async fn plain(refusals: impl IntoIterator<Item = &'static str>) -> Self {
        let refusals = refusals.into_iter().collect();
        Self::start(MailOptions { protection: Protection::None, login: None, refusals }).await
    }

    /// Rejects the recipient `address` with `answer` from now on.
    pub fn reject(&self, address: &'static str, answer: &'static str) {
        self.noted.lock().unwrap().rejected.insert(address, answer);
    }

    pub fn mails(&self) -> Vec<String> {
        self.noted.lock().unwrap().mails.clone()
    }

    /// The commands that were sent without TLS.
    pub fn in_clear(&self) -> Vec<String> {
        self.noted.lock().unwrap().in_clear.clone()
    }
}

async fn serve(client: TcpStream, noted: &Mutex<Noted>) -> Option<()> {
    let protection = noted.lock().unwrap().options.protection.clone();
    match protection {
        Protection::None => converse(client, Line { greet: true, offer: false, clear: true }, noted).await.map(|_| ()),
        Protection::Tls(acceptor) => {
            let client = acceptor.accept(client).await.ok()?;
            converse(client, Line { greet: true, offer: false, clear: false }, noted).await.map(|_| ())
        }
        Protection::StartTls(acceptor) => {
            let client = converse(client, Line { greet: true, offer: true, clear: true }, noted).await?;
            let client = acceptor.accept(client).await.ok()?;
            converse(client, Line { greet: false, offer: false, clear: false }, noted).await.map(|_| ())
        }
    }
}

/// The state of a connection.
#[derive(Clone, Copy)]
struct Line {
    greet: bool,
    /// Whether the server offers STARTTLS.
    offer: bool,
    clear: bool,
}

/// Serves a client until it quits. Returns the connection if the client starts TLS.
async fn converse<S: AsyncRead + AsyncWrite + Unpin>(client: S, line: Line, noted: &Mutex<Noted>) -> Option<S> {
    let login = noted.lock().unwrap().options.login;
    let mut known = login.is_none();
    let mut client = BufReader::new(client);
    if line.greet {
        client.write_all(b"220 fake ESMTP\r\n").await.ok()?;
    }
    loop {
        let mut command = String::new();
        client.read_line(&mut command).await.ok().filter(|count| *count > 0)?;
        let command = command.trim_end();
        if line.clear {
            noted.lock().unwrap().in_clear.push(command.to_owned());
        }
        let verb = command.split(' ').next()?.to_ascii_uppercase();
        let reply = match verb.as_str() {
            "EHLO" if line.offer => "250-fake\r\n250 STARTTLS",
            "EHLO" if login.is_some() => "250-fake\r\n250 AUTH PLAIN",
            "EHLO" => "250-fake\r\n250 8BITMIME",
            "STARTTLS" if line.offer => {
                client.write_all(b"220 go on\r\n").await.ok()?;
                return Some(client.into_inner());
            }
            "AUTH" => {
                known = login.is_some_and(|login| command == format!("AUTH PLAIN {login}"));
                if known { "235 welcome" } else { "535 5.7.8 wrong name or password" }
            }
            "MAIL" if !known => "530 5.7.0 log in first",
            "RCPT" => {
                let mut noted = noted.lock().unwrap();
                let rejected =
                    noted.rejected.iter().find(|(address, _)| command.contains(**address)).map(|(_, text)| *text);
                rejected.or_else(|| noted.options.refusals.pop_front()).unwrap_or("250 ok")
            }
            "DATA" => {
                client.write_all(b"354 go on\r\n").await.ok()?;
                let mut mail = String::new();
                while !mail.ends_with("\r\n.\r\n") {
                    client.read_line(&mut mail).await.ok().filter(|count| *count > 0)?;
                }
                noted.lock().unwrap().mails.push(mail);
                "250 taken as 42"
            }
            "QUIT" => "221 bye",
            _ => "250 ok",
        };
        client.write_all(format!("{reply}\r\n").as_bytes()).await.ok()?;
        client.flush().await.ok()?;
    }
}
