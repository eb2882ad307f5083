//! A mail server with IMAP as in RFC 9051 and RFC 3501: greeting (7.1), STARTTLS (6.2.1), AUTHENTICATE PLAIN (6.2.2 and
//! RFC 4616), LOGIN (6.2.3), EXAMINE (6.3.3), LIST (6.3.9), FETCH with partial bodies (6.4.5), UID FETCH and UID SEARCH
//! by days (6.4.4, 6.4.9), LOGOUT (6.1.3). It refuses all commands that change mails.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex};

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use tokio::io::{AsyncBufReadExt, AsyncRead, AsyncWrite, AsyncWriteExt, BufReader};
use tokio::net::{TcpListener, TcpStream};
use tokio_rustls::TlsAcceptor;

use super::web::lock;

/// The user and the password that the server accepts.
pub const ACCOUNT: (&str, &str) = ("support@example.org", "s3cret \"app\\ password");

const MONTHS: [&str; 12] = ["Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"];

/// The encryption of connections.
#[derive(Clone)]
pub enum Protection {
    None,
    StartTls(TlsAcceptor),
    Tls(TlsAcceptor),
}

/// A fault of the server.
#[derive(Clone, Copy, Debug)]
pub enum Fault {
    /// The server greets with this line.
    Greeting(&'static str),
    /// The server sends nothing after the greeting.
    Silence,
    /// The server replies to a sign-in with this text.
    SignIn(&'static str),
    /// The server replies to `EXAMINE` with this text, when the client opens a mailbox.
    Examine(&'static str),
    /// The server announces a mail of 4 GiB.
    HugeLiteral,
    /// The server sends this text and `{N}`, as before a literal of `N` bytes. A mail of 400 MB is announced in these
    /// bytes.
    HiddenLiteral(&'static str),
    /// The response to a search also lists the UIDs of 40,000 mails that do not exist.
    ManyHits,
    /// The server sends a line without an end when the mailbox is opened.
    EndlessLine,
    /// The server sends nested lists.
    NestedLists,
    /// The server refuses to list mails.
    RefusedFetch,
    /// The response for the mail with this UID is malformed.
    Unreadable(u32),
}

struct Stored {
    uid: u32,
    arrived: i64,
    raw: Vec<u8>,
}

struct Mailbox {
    validity: u32,
    next: u32,
    mails: Vec<Stored>,
}

struct State {
    protection: Protection,
    fault: Option<Fault>,
    mailboxes: BTreeMap<String, Mailbox>,
    commands: Vec<String>,
}

/// A server with the mailboxes `INBOX` and `Entwürfe`.
pub struct MailHost {
    pub port: u16,
    state: Arc<Mutex<State>>,
}

impl MailHost {
    pub async fn start() -> Self {
        Self::protected(Protection::None).await
    }

    pub async fn protected(protection: Protection) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let port = listener.local_addr().unwrap().port();
        let empty = || Mailbox { validity: 7, next: 1, mails: Vec::new() };
        let mailboxes = ["INBOX", "Entw&APw-rfe"].map(|name| (name.to_owned(), empty())).into();
        let state = Arc::new(Mutex::new(State { protection, fault: None, mailboxes, commands: Vec::new() }));
        let shared = state.clone();
        tokio::spawn(async move {
            while let Ok((client, _)) = listener.accept().await {
                let state = shared.clone();
                // A client may close its connection at any time.
                tokio::spawn(async move { _ = serve(client, &state).await });
            }
        });
        Self { port, state }
    }

    /// Adds a mail with this content that arrived at `arrived`, in Unix seconds. Returns its UID.
    pub fn deliver(&self, mailbox: &str, arrived: i64, text: &str) -> u32 {
        self.deliver_bytes(mailbox, arrived, text.replace('\n', "\r\n").into_bytes())
    }

    pub fn deliver_bytes(&self, mailbox: &str, arrived: i64, raw: Vec<u8>) -> u32 {
        let mut state = lock(&self.state);
        let mailbox = state.mailboxes.get_mut(mailbox).expect("a mailbox");
        let uid = mailbox.next;
        mailbox.next += 3;
        mailbox.mails.push(Stored { uid, arrived, raw });
        uid
    }

    /// Gives all mails of a mailbox new UIDs (RFC 9051, section 2.3.1.1).
    pub fn renumber(&self, mailbox: &str) {
        let mut state = lock(&self.state);
        let mailbox = state.mailboxes.get_mut(mailbox).expect("a mailbox");
        mailbox.validity += 1;
        mailbox.mails.iter_mut().enumerate().for_each(|(at, mail)| mail.uid = at as u32 + 1);
        mailbox.next = mailbox.mails.len() as u32 + 1;
    }

    /// Deletes a mailbox with all its mails, and creates it again.
    pub fn create_again(&self, mailbox: &str) {
        let mut state = lock(&self.state);
        let mailbox = state.mailboxes.get_mut(mailbox).expect("a mailbox");
        *mailbox = Mailbox { validity: mailbox.validity + 1, next: 1, mails: Vec::new() };
    }

    pub fn set_fault(&self, fault: impl Into<Option<Fault>>) {
        lock(&self.state).fault = fault.into();
    }

    /// The commands without their tags, in the order of their arrival.
    pub fn commands(&self) -> Vec<String> {
        lock(&self.state).commands.clone()
    }
}

trait Stream: AsyncRead + AsyncWrite + Unpin + Send {}

impl<T: AsyncRead + AsyncWrite + Unpin + Send> Stream for T {}

type Connection = BufReader<Box<dyn Stream>>;

async fn serve(client: TcpStream, state: &Mutex<State>) -> std::io::Result<()> {
    let (protection, fault) = {
        let state = lock(state);
        (state.protection.clone(), state.fault)
    };
    let stream: Box<dyn Stream> = match &protection {
        Protection::Tls(acceptor) => Box::new(acceptor.accept(client).await?),
        _ => Box::new(client),
    };
    let mut stream = BufReader::new(stream);
    let greeting = match fault {
        Some(Fault::Greeting(line)) => line,
        _ => "* OK [CAPABILITY IMAP4rev1 STARTTLS AUTH=PLAIN] ready",
    };
    say(&mut stream, greeting).await?;
    let (mut opened, mut signed_in) = (None, false);
    loop {
        let Some((tag, command)) = next_command(&mut stream, state).await? else { return Ok(()) };
        let fault = lock(state).fault;
        if matches!(fault, Some(Fault::Silence)) {
            std::future::pending::<()>().await;
        }
        let upper = command.to_uppercase();
        if upper == "STARTTLS" {
            let Protection::StartTls(acceptor) = &protection else {
                say(&mut stream, &format!("{tag} BAD unknown command")).await?;
                continue;
            };
            // Unencrypted data after the response must have no effect.
            say(&mut stream, &format!("{tag} OK begin\r\n* BYE injected")).await?;
            stream = BufReader::new(Box::new(acceptor.accept(stream.into_inner()).await?));
        } else if upper.starts_with("LOGIN") || upper == "AUTHENTICATE PLAIN" {
            let given = if upper.starts_with("LOGIN") {
                arguments(&command["LOGIN".len()..])
            } else {
                say(&mut stream, "+ ").await?;
                plain(&mut stream).await?
            };
            let known = given == [ACCOUNT.0, ACCOUNT.1];
            signed_in = known && !matches!(fault, Some(Fault::SignIn(_)));
            let answer = match fault {
                Some(Fault::SignIn(answer)) => answer,
                _ if known => "OK [CAPABILITY IMAP4rev1] signed in",
                _ => "NO [AUTHENTICATIONFAILED] Invalid credentials",
            };
            say(&mut stream, &format!("{tag} {answer}")).await?;
        } else if upper == "LOGOUT" {
            return say(&mut stream, &format!("* BYE bye\r\n{tag} OK done")).await;
        } else if signed_in {
            let answer = answer(&command, &mut opened, state);
            stream.write_all(&answer.bytes).await?;
            if answer.is_endless {
                loop {
                    stream.write_all(&[b'a'; 4_096]).await?;
                }
            }
            say(&mut stream, &format!("{tag} {}", answer.status)).await?;
        } else {
            say(&mut stream, &format!("{tag} BAD sign in first")).await?;
        }
    }
}

async fn say(stream: &mut Connection, line: &str) -> std::io::Result<()> {
    stream.write_all(format!("{line}\r\n").as_bytes()).await?;
    stream.flush().await
}

async fn next_command(stream: &mut Connection, state: &Mutex<State>) -> std::io::Result<Option<(String, String)>> {
    let mut line = String::new();
    if stream.read_line(&mut line).await? == 0 {
        return Ok(None);
    }
    let (tag, command) = line.trim_end().split_once(' ').unwrap_or_default();
    lock(state).commands.push(command.to_owned());
    Ok(Some((tag.to_owned(), command.to_owned())))
}

/// Reads the user and the password of SASL PLAIN.
async fn plain(stream: &mut Connection) -> std::io::Result<Vec<String>> {
    let mut line = String::new();
    stream.read_line(&mut line).await?;
    let text = String::from_utf8(STANDARD.decode(line.trim_end()).unwrap_or_default()).unwrap_or_default();
    Ok(text.split('\0').skip(1).map(str::to_owned).collect())
}

/// Splits the text into quoted strings and atoms.
fn arguments(text: &str) -> Vec<String> {
    let (mut found, mut letters) = (Vec::new(), text.trim().chars());
    while let Some(letter) = letters.next() {
        let mut word = String::new();
        if letter == '"' {
            while let Some(letter) = letters.next().filter(|letter| *letter != '"') {
                word.push(if letter == '\\' { letters.next().unwrap_or_default() } else { letter });
            }
            letters.next();
        } else {
            word.push(letter);
            word.extend(letters.by_ref().take_while(|letter| *letter != ' '));
        }
        found.push(word);
    }
    found
}

struct Answer {
    bytes: Vec<u8>,
    status: String,
    is_endless: bool,
}

fn answer(command: &str, opened: &mut Option<String>, state: &Mutex<State>) -> Answer {
    let state = lock(state);
    let mut bytes = Vec::new();
    let mut is_endless = false;
    let words = arguments(command);
    let upper = command.to_uppercase();
    let status = if upper.starts_with("EXAMINE") {
        let name = words.get(1).cloned().unwrap_or_default();
        match (state.mailboxes.get(&name), state.fault) {
            (_, Some(Fault::EndlessLine)) => {
                bytes.extend_from_slice(b"* OK ");
                is_endless = true;
                String::new()
            }
            (_, Some(Fault::Examine(answer))) => answer.to_owned(),
            (None, _) => format!("NO [NONEXISTENT] Unknown Mailbox: {name}"),
            (Some(mailbox), _) => {
                let (exists, validity, next) = (mailbox.mails.len(), mailbox.validity, mailbox.next);
                bytes.extend(format!("* FLAGS (\\Seen \\Deleted)\r\n* {exists} EXISTS\r\n* 0 RECENT\r\n").bytes());
                bytes.extend(format!("* OK [UIDVALIDITY {validity}] ok\r\n* OK [UIDNEXT {next}] ok\r\n").bytes());
                *opened = Some(name);
                "OK [READ-ONLY] examined".to_owned()
            }
        }
    } else if upper.starts_with("LIST") {
        for name in state.mailboxes.keys() {
            bytes.extend(format!("* LIST (\\HasNoChildren) \"/\" \"{name}\"\r\n").bytes());
        }
        "OK listed".to_owned()
    } else if let Some(mailbox) = opened.as_ref().and_then(|name| state.mailboxes.get(name)) {
        of_mailbox(&upper, mailbox, (state.fault, &mut bytes))
    } else {
        "BAD unknown command".to_owned()
    };
    Answer { bytes, status, is_endless }
}

/// Executes a command in an opened mailbox, adds its responses to `bytes`, and returns its status.
fn of_mailbox(command: &str, mailbox: &Mailbox, (fault, bytes): (Option<Fault>, &mut Vec<u8>)) -> String {
    if let Some(keys) = command.strip_prefix("UID SEARCH ") {
        bytes.extend_from_slice(b"* SEARCH");
        for mail in mailbox.mails.iter().filter(|mail| matches(keys, mail.arrived)) {
            bytes.extend(format!(" {}", mail.uid).bytes());
        }
        if matches!(fault, Some(Fault::ManyHits)) {
            (0..40_000_u32).for_each(|number| bytes.extend(format!(" {}", 4_000_000_000 + number).bytes()));
        }
        bytes.extend_from_slice(b"\r\n");
        return "OK searched".to_owned();
    }
    let (by_uid, rest) = match (command.strip_prefix("UID FETCH "), command.strip_prefix("FETCH ")) {
        (Some(rest), _) => (true, rest),
        (_, Some(rest)) => (false, rest),
        _ => return "BAD unknown command".to_owned(),
    };
    if matches!(fault, Some(Fault::RefusedFetch)) {
        return "NO [SERVERBUG] Internal error".to_owned();
    }
    let Some((set, items)) = rest.split_once(' ') else { return "BAD arguments".to_owned() };
    let limit = items.split_once("BODY.PEEK[]<0.").and_then(|(_, rest)| rest.split_once('>')?.0.parse::<usize>().ok());
    if limit.is_none() && items.contains("BODY") {
        return "BAD this would mark mails as read".to_owned();
    }
    let last = mailbox.mails.last().map_or(0, |mail| mail.uid);
    for (at, mail) in mailbox.mails.iter().enumerate() {
        let number = at as u32 + 1;
        let (key, largest) = if by_uid { (mail.uid, last) } else { (number, mailbox.mails.len() as u32) };
        if !contains(set, key, largest) {
            continue;
        }
        // Servers may report changes of flags at any time, because other clients can change them.
        bytes.extend(format!("* {number} FETCH (FLAGS (\\Seen))\r\n").bytes());
        let uid = mail.uid;
        match (limit, fault) {
            (None, Some(Fault::NestedLists)) => {
                bytes.extend(format!("* {number} FETCH (BODYSTRUCTURE {}", "(".repeat(100_000)).bytes());
            }
            (None, _) => {
                let (size, arrived) = (mail.raw.len(), internal_date(mail.arrived));
                let line = format!("* {number} FETCH (UID {uid} RFC822.SIZE {size} INTERNALDATE \"{arrived}\")\r\n");
                bytes.extend(line.bytes());
            }
            (Some(_), Some(Fault::HugeLiteral)) => {
                bytes.extend(format!("* {number} FETCH (UID {uid} BODY[]<0> {{4294967296}}\r\n").bytes());
            }
            (Some(_), Some(Fault::HiddenLiteral(text))) => {
                let hidden = format!("* {number} FETCH (UID {uid} BODY[]<0> {{400000000}}\r\n");
                bytes.extend(format!("{text} {{{}}}\r\n{hidden}", hidden.len()).bytes());
            }
            (Some(_), Some(Fault::Unreadable(broken))) if broken == uid => {
                bytes.extend(format!("* {number} FETCH (UID {uid} BODY[]<0> @private@)\r\n").bytes());
            }
            (Some(limit), _) => {
                let part = &mail.raw[..mail.raw.len().min(limit)];
                bytes.extend(format!("* {number} FETCH (UID {uid} BODY[]<0> {{{}}}\r\n", part.len()).bytes());
                bytes.extend_from_slice(part);
                bytes.extend_from_slice(b")\r\n");
            }
        }
    }
    "OK fetched".to_owned()
}

/// Whether a sequence set contains `key`. `*` means the largest number (RFC 9051, section 9).
fn contains(set: &str, key: u32, largest: u32) -> bool {
    let number = |text: &str| if text == "*" { largest } else { text.parse().unwrap_or(0) };
    set.split(',').any(|range| match range.split_once(':') {
        Some((from, to)) => {
            let (from, to) = (number(from), number(to));
            (from.min(to)..=from.max(to)).contains(&key)
        }
        None => number(range) == key,
    })
}

/// Whether a mail that arrived at `arrived` is within the days of `SINCE` and `BEFORE`.
fn matches(keys: &str, arrived: i64) -> bool {
    let words: Vec<&str> = keys.split(' ').collect();
    let day = arrived.div_euclid(86_400);
    words.chunks(2).all(|pair| match pair {
        ["SINCE", date] => day >= days(date),
        ["BEFORE", date] => day < days(date),
        _ => false,
    })
}

/// The number of days from 1970 to a date such as `1-MAR-2026`.
fn days(date: &str) -> i64 {
    let parts: Vec<&str> = date.split('-').collect();
    let month = MONTHS.iter().position(|month| month.eq_ignore_ascii_case(parts[1])).expect("a month");
    let date = jiff::civil::date(parts[2].parse().expect("a year"), month as i8 + 1, parts[0].parse().expect("a day"));
    date.to_zoned(jiff::tz::TimeZone::UTC).expect("a time").timestamp().as_second() / 86_400
}

fn internal_date(at: i64) -> String {
    let at = jiff::Timestamp::from_second(at).expect("a time").to_zoned(jiff::tz::TimeZone::UTC);
    at.strftime("%d-%b-%Y %H:%M:%S +0000").to_string()
}
