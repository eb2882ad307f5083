use std::net::SocketAddr;
use std::sync::{Arc, Mutex};

use reqwest::header::HeaderValue;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};

use super::address::is_public;
use super::*;

/// A server on loopback that answers each request with the next of `answers` and records the requests.
struct Fake {
    address: SocketAddr,
    requests: Arc<Mutex<Vec<String>>>,
}

impl Fake {
    async fn start(answers: Vec<String>) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let requests = Arc::new(Mutex::new(Vec::new()));
        let heard = requests.clone();
        tokio::spawn(async move {
            for answer in answers {
                let (mut client, _) = listener.accept().await.unwrap();
                let request = read(&mut client).await;
                heard.lock().unwrap().push(request);
                client.write_all(answer.as_bytes()).await.unwrap();
                if answer.is_empty() {
                    // Holds the connection until the client times out.
                    let _ = client.read(&mut [0; 1]).await;
                }
            }
        });
        Self { address, requests }
    }

    fn url(&self, path: &str) -> Url {
        format!("http://{}{path}", self.address).parse().unwrap()
    }

    fn requests(&self) -> Vec<String> {
        self.requests.lock().unwrap().clone()
    }
}

async fn read(client: &mut TcpStream) -> String {
    let (mut text, mut buffer) = (String::new(), [0; 4096]);
    loop {
        let count = client.read(&mut buffer).await.unwrap();
        text.push_str(&String::from_utf8_lossy(&buffer[..count]));
        let Some((head, body)) = text.split_once("\r\n\r\n") else { continue };
        let length = head.lines().find_map(|line| line.strip_prefix("content-length: ")).unwrap_or("0");
        if count == 0 || body.len() >= length.parse::<usize>().unwrap() {
            return text;
        }
    }
}

fn answer(status: &str, headers: &str, body: &str) -> String {
    format!("HTTP/1.1 {status}\r\nconnection: close\r\ncontent-length: {}\r\n{headers}\r\n{body}", body.len())
}

fn client(allow: &[&str]) -> Outbound {
    client_within(allow, Duration::from_secs(30))
}

fn client_within(allow: &[&str], timeout: Duration) -> Outbound {
    let allow = allow.iter().map(|net| net.parse().unwrap()).collect();
    Outbound::new(OutboundOptions { allow, timeout, max_redirects: 2, max_body: 10 }).unwrap()
}

fn secret() -> HeaderMap {
    HeaderMap::from_iter([
        (HeaderName::from_static("x-key"), HeaderValue::from_static("secret")),
        (header::CONTENT_TYPE, HeaderValue::from_static("text/plain")),
    ])
}

#[test]
fn special_purpose_addresses_are_not_public() {
    let refused = "0.0.0.0 10.1.2.3 100.100.100.200 127.0.0.1 127.9.9.9 168.63.129.16 169.254.169.254 172.31.255.255 \
                   192.168.0.1 198.18.0.1 224.0.0.1 239.1.1.1 255.255.255.255 :: ::1 ::127.0.0.1 ::ffff:10.0.0.1 \
                   ::ffff:169.254.169.254 fe80::1 fec0::1 fc00::1 fd00:ec2::254 ff02::1 2001:db8::1 2002:7f00:1::1 \
                   64:ff9b::127.0.0.1 64:ff9b::a9fe:a9fe 2001::1";
    for ip in refused.split_whitespace() {
        assert!(!is_public(ip.parse().unwrap()), "{ip}");
    }
    for ip in "1.1.1.1 172.32.0.1 ::ffff:1.1.1.1 2606:4700:4700::1111 64:ff9b::1.1.1.1".split_whitespace() {
        assert!(is_public(ip.parse().unwrap()), "{ip}");
    }
}

#[tokio::test]
async fn private_address_is_never_connected_to() {
    let fake = Fake::start(vec![answer("200 OK", "", "inside")]).await;
    let port = fake.address.port();
    // The forms of a host: URLs normalise numbers, and names are checked by the addresses that they resolve to.
    for host in ["127.0.0.1", "2130706433", "0x7f.1", "localhost", "[::1]", "[::ffff:127.0.0.1]", "0.0.0.0"] {
        let url: Url = format!("http://{host}:{port}/").parse().unwrap();
        let refused = client(&["192.168.0.0/16"]).get(&url, HeaderMap::new()).await.unwrap_err();
        assert!(
            matches!(&refused, OutboundError::Refused(reason) if reason.contains("outbound.allow")),
            "{host}: {refused}"
        );
    }
    assert!(fake.requests().is_empty());
    let file = client(&[]).get(&"file:///etc/passwd".parse().unwrap(), HeaderMap::new()).await.unwrap_err();
    assert_eq!(file, OutboundError::Refused("only http and https URLs are allowed, not file:".to_owned()));
    // A name that resolves to an allowed network is accepted.
    let named = format!("http://localhost:{port}/").parse().unwrap();
    assert_eq!(client(&["127.0.0.0/8"]).get(&named, HeaderMap::new()).await.unwrap().body, b"inside");
}

#[tokio::test]
async fn redirect_target_is_checked() {
    let location = "location: http://169.254.169.254/latest/meta-data\r\n";
    let fake =
        Fake::start(vec![answer("302 Found", location, ""), answer("307 Temporary Redirect", location, "")]).await;
    let outbound = client(&["127.0.0.1/32"]);
    for refused in [
        outbound.get(&fake.url("/"), HeaderMap::new()).await.unwrap_err(),
        outbound.post(&fake.url("/"), HeaderMap::new(), b"x".to_vec()).await.unwrap_err(),
    ] {
        assert!(matches!(&refused, OutboundError::Refused(reason) if reason.contains("169.254.169.254")), "{refused}");
    }
}

#[tokio::test]
async fn redirects_are_bounded_and_drop_secret_headers() {
    let other = Fake::start(vec![answer("200 OK", "", "here")]).await;
    let there = format!("location: {}\r\n", other.url("/end"));
    let first = Fake::start(vec![
        answer("307 Temporary Redirect", "location: /next\r\n", ""),
        answer("308 Permanent Redirect", &there, ""),
    ])
    .await;
    let outbound = client(&["127.0.0.1/32"]);
    let last = outbound.post(&first.url("/start"), secret(), b"body".to_vec()).await.unwrap();
    assert_eq!((last.status.as_u16(), last.url), (200, other.url("/end")));
    let (at_first, at_other) = (first.requests(), other.requests());
    assert!(at_first.iter().all(|request| request.contains("x-key: secret") && request.ends_with("body")));
    assert!(at_other[0].starts_with("POST /end") && at_other[0].ends_with("body"), "{}", at_other[0]);
    assert!(at_other[0].contains("content-type: text/plain") && !at_other[0].contains("secret"), "{}", at_other[0]);

    let circle = Fake::start(vec![answer("302 Found", "location: /\r\n", ""); 3]).await;
    let endless = outbound.get(&circle.url("/"), HeaderMap::new()).await.unwrap_err();
    assert_eq!(endless, OutboundError::Refused("more than 2 redirects".to_owned()));
    // A redirect that would change the method is not followed.
    let moved = Fake::start(vec![answer("302 Found", "location: /\r\n", "")]).await;
    assert_eq!(outbound.post(&moved.url("/"), HeaderMap::new(), Vec::new()).await.unwrap().status, 302);
}

#[tokio::test]
async fn answers_are_bounded_in_size_and_time() {
    let outbound = client(&["127.0.0.1/32"]);
    let fake = Fake::start(vec![
        answer("500 Internal Server Error", "", "0123456789abc"),
        answer("200 OK", "", "0123456789"),
        String::new(),
    ])
    .await;
    let long = outbound.get(&fake.url("/"), HeaderMap::new()).await.unwrap();
    assert_eq!((long.status.as_u16(), long.body.as_slice(), long.truncated), (500, &b"0123456789"[..], true));
    assert!(!outbound.get(&fake.url("/"), HeaderMap::new()).await.unwrap().truncated);
    let hasty = client_within(&["127.0.0.1/32"], Duration::from_millis(500));
    let slow = hasty.get(&fake.url("/secret?key=1"), HeaderMap::new()).await.unwrap_err();
    assert_eq!(slow, OutboundError::Failed("no complete answer within 0.5 s".to_owned()));
    assert!(slow.is_transient());
    // The listener is closed.
    let away = outbound.get(&fake.url("/secret?key=1"), HeaderMap::new()).await.unwrap_err();
    assert!(away.is_transient() && !away.to_string().contains("secret"), "{away}");
}

#[test]
fn tls_offers_only_the_protocol_that_the_client_speaks() {
    // A server that selects HTTP/2 would get an HTTP/1.1 request.
    assert_eq!(tls().unwrap().alpn_protocols, [b"http/1.1"]);
}
