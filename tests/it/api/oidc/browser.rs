//! A browser that signs in. It keeps cookies, and follows redirects between the server and the provider.

use std::collections::BTreeMap;

use reqwest::Method;
use serde_json::Value;
use url::Url;

use crate::api::test_app::{Answer, DEADLINE, TestApp};

/// A browser. A clone has a copy of its cookies.
#[derive(Clone)]
pub struct Browser<'a> {
    app: &'a TestApp,
    client: reqwest::Client,
    cookies: BTreeMap<String, String>,
}

impl<'a> Browser<'a> {
    pub fn of(app: &'a TestApp) -> Self {
        Self { app, client: client(), cookies: BTreeMap::new() }
    }

    /// Continues with another server at the same address, as behind a load balancer.
    pub fn go_to(&mut self, app: &'a TestApp) {
        self.app = app;
    }

    pub fn cookie(&self, name: &str) -> Option<&str> {
        self.cookies.get(name).map(String::as_str)
    }

    pub async fn get(&self, path: &str) -> Answer {
        self.app.send(self.request(Method::GET, path)).await
    }

    pub async fn post(&self, path: &str, body: &Value) -> Answer {
        self.app.send(self.request(Method::POST, path).json(body)).await
    }

    /// Sends a PUT with the current `ETag` of the resource at `path`.
    pub async fn put(&self, path: &str, body: &Value) -> Answer {
        let current = self.get(path).await;
        self.app.send(self.request(Method::PUT, path).header("if-match", current.header("etag")).json(body)).await
    }

    pub async fn send(&mut self, method: Method, path: &str) -> Answer {
        let answer = self.app.send(self.request(method, path)).await;
        self.keep_cookies(&answer);
        answer
    }

    /// Signs in. Returns the path of the server that the browser shows at the end.
    pub async fn sign_in(&mut self, return_to: &str) -> String {
        let start = self.begin(return_to).await;
        if start.starts_with('/') {
            return start;
        }
        let answer = at_provider(&start).await;
        self.open(&answer).await
    }

    /// Signs in at the provider. Returns the path and query of the server to which the provider redirects.
    pub async fn answer_of_provider(&mut self, return_to: &str) -> String {
        let start = self.begin(return_to).await;
        at_provider(&start).await
    }

    /// Opens a path that redirects. Returns the target address.
    pub async fn open(&mut self, path: &str) -> String {
        let answer = self.send(Method::GET, path).await;
        assert_eq!(answer.status, 303, "{}", answer.text());
        answer.header("location").to_owned()
    }

    async fn begin(&mut self, return_to: &str) -> String {
        let query = url::form_urlencoded::Serializer::new(String::new()).append_pair("return", return_to).finish();
        self.open(&format!("/api/session/oidc/start?{query}")).await
    }

    fn request(&self, method: Method, path: &str) -> reqwest::RequestBuilder {
        let cookies: Vec<_> = self.cookies.iter().map(|(name, value)| format!("{name}={value}")).collect();
        self.client
            .request(method, format!("{}{path}", self.app.url))
            .header("host", "localhost:8000")
            .header("origin", "http://localhost:8000")
            .header("cookie", cookies.join("; "))
    }

    fn keep_cookies(&mut self, answer: &Answer) {
        for set in answer.headers.get_all("set-cookie") {
            let set = set.to_str().expect("a header is text");
            assert!(set.contains("HttpOnly") && set.contains("SameSite=Lax"), "{set}");
            let (pair, attributes) = set.split_once(';').expect("attributes");
            let (name, value) = pair.split_once('=').expect("a value");
            if attributes.contains("Max-Age=0") {
                self.cookies.remove(name);
            } else {
                self.cookies.insert(name.to_owned(), value.to_owned());
            }
        }
    }
}

/// A client that does not follow redirects.
pub fn client() -> reqwest::Client {
    crate::web::builder().redirect(reqwest::redirect::Policy::none()).timeout(DEADLINE).build().expect("a client")
}

/// Opens an address of the provider. Returns the path and query of the server to which the provider redirects.
async fn at_provider(address: &str) -> String {
    let answer = client().get(address).send().await.expect("the provider answers");
    assert_eq!(answer.status(), 302, "the provider accepts {address}");
    let location = answer.headers().get("location").and_then(|location| location.to_str().ok()).expect("an address");
    let url: Url = location.parse().expect("a URL");
    assert_eq!(url.origin().ascii_serialization(), super::EXTERNAL);
    format!("{}?{}", url.path(), url.query().unwrap_or_default())
}
