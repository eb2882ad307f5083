//! User accounts: sign-in, sessions, roles, invitations and tokens of users. Tests that depend on the database run on
//! both set-ups (SQLite; Postgres with Redis).

mod people;
mod roles;
mod sessions;
mod sign_in;
mod tokens;

use reqwest::{Method, RequestBuilder};
use serde_json::{Value, json};

use crate::api::test_app::{Answer, Setup, TestApp};

pub const PASSWORD: &str = "correct horse battery staple";

/// An app with one account, the administrator `ada`.
pub async fn app_with_admin(setup: Setup) -> (TestApp, Browser) {
    let app = TestApp::start(setup).await;
    let ada = set_up(&app).await;
    (app, ada)
}

/// Creates the first account, the administrator `ada`.
pub async fn set_up(app: &TestApp) -> Browser {
    let made = app.post("/api/setup", &json!({"name": "ada", "password": PASSWORD})).await;
    made.ok();
    Browser::of(&made)
}

/// A browser that is signed in.
#[derive(Clone, Debug)]
pub struct Browser {
    pub cookie: String,
}

impl Browser {
    /// A browser that received this response and stores the session cookie of the response.
    pub fn of(answer: &Answer) -> Self {
        let set = answer.header("set-cookie");
        let (cookie, attributes) = set.split_once(';').expect("a cookie with attributes");
        for attribute in ["HttpOnly", "SameSite=Lax", "Path=/"] {
            assert!(attributes.contains(attribute), "{attribute} in {attributes}");
        }
        Self { cookie: cookie.to_owned() }
    }

    /// A browser without a session.
    pub fn fresh() -> Self {
        Self { cookie: "theme=dark".to_owned() }
    }

    /// A request as a page of the dashboard sends it.
    pub fn request(&self, app: &TestApp, method: Method, path: &str) -> RequestBuilder {
        app.request(method, path).header("cookie", &self.cookie).header("origin", &app.url)
    }

    pub async fn get(&self, app: &TestApp, path: &str) -> Answer {
        app.send(self.request(app, Method::GET, path)).await
    }

    pub async fn send(&self, app: &TestApp, method: Method, path: &str, body: &Value) -> Answer {
        app.send(self.request(app, method, path).json(body)).await
    }

    pub async fn post(&self, app: &TestApp, path: &str, body: &Value) -> Answer {
        self.send(app, Method::POST, path, body).await
    }

    pub async fn delete(&self, app: &TestApp, path: &str) -> Answer {
        app.send(self.request(app, Method::DELETE, path)).await
    }

    pub async fn put(&self, app: &TestApp, path: &str, body: &Value) -> Answer {
        app.send(self.request(app, Method::PUT, path).header("if-match", "*").json(body)).await
    }

    /// Whether the server still accepts the session of this browser.
    pub async fn is_signed_in(&self, app: &TestApp) -> bool {
        self.get(app, "/api/session").await.ok()["kind"] == "session"
    }
}

pub async fn attempt(app: &TestApp, name: &str, password: &str) -> Answer {
    Browser::fresh().post(app, "/api/session", &json!({"username": name, "password": password})).await
}

pub async fn sign_in(app: &TestApp, name: &str, password: &str) -> Browser {
    let answer = attempt(app, name, password).await;
    answer.ok();
    Browser::of(&answer)
}

/// Adds a user with a password and signs in.
pub async fn colleague(app: &TestApp, admin: &Browser, name: &str, role: &str) -> (i64, Browser) {
    let made = admin.post(app, "/api/users", &json!({"name": name, "role": role, "password": PASSWORD})).await;
    assert_eq!(made.status, 201, "{}", made.text());
    (made.json()["id"].as_i64().expect("an id"), sign_in(app, name, PASSWORD).await)
}
