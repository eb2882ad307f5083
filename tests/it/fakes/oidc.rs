//! An OpenID Connect provider: discovery, the authorization code flow with PKCE, rotated keys, userinfo and sign-out
//! (OpenID Connect Core 1.0, Discovery 1.0, RP-Initiated Logout 1.0; RFC 6749, 7636 and 9207).

mod forge;

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex};

use base64::Engine as _;
use base64::engine::general_purpose::{STANDARD, URL_SAFE_NO_PAD};
use sentistream::clock::Clock;
use sentistream::domain::Timestamp;
use serde_json::{Value, json};
use sha2::{Digest as _, Sha256};
use url::Url;

pub use forge::{Key, Signature};

use super::web::{Reply, Request, Web, lock};

pub const CLIENT_ID: &str = "sentistream";
pub const CLIENT_SECRET: &str = "the secret of the client: 100% & more";

/// The behaviour of the provider.
#[derive(Clone)]
pub struct Behaviour {
    /// The claims of the person who signs in.
    pub person: Value,
    /// Whether the ID token contains all claims of the person. Otherwise only the userinfo endpoint returns them.
    pub has_claims_in_token: bool,
    /// Claims that replace the correct ones in the ID token; `null` removes a claim.
    pub claims: Value,
    /// How the ID token is signed.
    pub signature: Signature,
    /// The keys that the provider publishes.
    pub published: Vec<Key>,
    /// The error that the authorization endpoint returns.
    pub refusal: Option<&'static str>,
    /// The HTTP status with which all endpoints fail, except the authorization endpoint.
    pub failure: Option<u16>,
    /// Fields that replace the correct ones in the discovery document; `null` removes a field.
    pub metadata: Value,
}

impl Default for Behaviour {
    fn default() -> Self {
        let person = json!({
            "sub": "248289761001", "preferred_username": "ada", "name": "Ada Lovelace",
            "email": "ada@example.org", "email_verified": true, "groups": ["staff"],
        });
        Self {
            person,
            has_claims_in_token: true,
            claims: json!({}),
            signature: Signature::By(Key::Ed25519),
            published: vec![Key::Ed25519],
            refusal: None,
            failure: None,
            metadata: json!({}),
        }
    }
}

/// An authorization code that was issued.
struct Grant {
    redirect_uri: String,
    challenge: String,
    nonce: String,
}

struct State {
    clock: Clock,
    behaviour: Mutex<Behaviour>,
    codes: Mutex<BTreeMap<String, Grant>>,
    /// The persons, by their access tokens.
    tokens: Mutex<BTreeMap<String, Value>>,
}

/// A provider on loopback.
pub struct Provider {
    pub web: Web,
    state: Arc<State>,
}

impl Provider {
    pub async fn start(clock: &Clock) -> Self {
        let state = Arc::new(State {
            clock: clock.clone(),
            behaviour: Mutex::default(),
            codes: Mutex::default(),
            tokens: Mutex::default(),
        });
        let shared = state.clone();
        let web = Web::start(move |request| answer(request, &shared)).await;
        Self { web, state }
    }

    /// The issuer, without a slash at its end.
    pub fn issuer(&self) -> String {
        self.web.url.as_str().trim_end_matches('/').to_owned()
    }

    /// Changes the behaviour of the provider from now on.
    pub fn behave(&self, change: impl FnOnce(&mut Behaviour)) {
        change(&mut lock(&self.state.behaviour));
    }

    /// Sets the clock of the provider.
    pub fn set_time(&self, now: Timestamp) {
        self.state.clock.set(now);
    }

    /// The number of requests to the endpoint at `path`.
    pub fn requests(&self, path: &str) -> usize {
        self.web.requests().iter().filter(|request| request.path == path).count()
    }
}

fn answer(request: &Request, state: &State) -> Reply {
    let behaviour = lock(&state.behaviour).clone();
    let issuer = format!("http://{}", request.header("host"));
    if let Some(status) = behaviour.failure.filter(|_| request.path != "/authorize") {
        return Reply::status(status);
    }
    match (request.method.as_str(), request.path.as_str()) {
        ("GET", "/.well-known/openid-configuration") => json_reply(&replaced(metadata(&issuer), &behaviour.metadata)),
        ("GET", "/jwks") => json_reply(&json!({"keys": behaviour.published.iter().map(Key::jwk).collect::<Vec<_>>()})),
        ("GET", "/authorize") => authorize(request, state, &issuer),
        ("POST", "/token") => token(request, state, &issuer),
        ("GET", "/userinfo") => user_info(request, state),
        ("GET", "/end_session") => match request.query.get("post_logout_redirect_uri") {
            Some(back) => Reply::status(302).with("location", back.as_str()),
            None => Reply::ok("signed out"),
        },
        _ => Reply::status(404),
    }
}

fn metadata(issuer: &str) -> Value {
    json!({
        "issuer": issuer,
        "authorization_endpoint": format!("{issuer}/authorize"),
        "token_endpoint": format!("{issuer}/token"),
        "userinfo_endpoint": format!("{issuer}/userinfo"),
        "jwks_uri": format!("{issuer}/jwks"),
        "end_session_endpoint": format!("{issuer}/end_session"),
        "response_types_supported": ["code"],
        "subject_types_supported": ["public"],
        // A provider may list algorithms that a client must not accept.
        "id_token_signing_alg_values_supported": ["RS256", "EdDSA", "HS256", "none"],
        "code_challenge_methods_supported": ["S256"],
        "authorization_response_iss_parameter_supported": true,
    })
}

/// The authorization endpoint: section 3.1.2 of OpenID Connect Core. The person agrees immediately.
fn authorize(request: &Request, state: &State, issuer: &str) -> Reply {
    let given = |name: &str| request.query.get(name).map_or("", String::as_str);
    let is_valid = given("response_type") == "code"
        && given("client_id") == CLIENT_ID
        && given("scope").split(' ').any(|scope| scope == "openid")
        && given("code_challenge_method") == "S256"
        && given("code_challenge").len() == 43
        && given("nonce").len() >= 16
        && given("state").len() >= 16
        && given("redirect_uri").ends_with("/api/session/oidc/callback");
    let back = given("redirect_uri").parse::<Url>();
    let (true, Ok(mut back)) = (is_valid, back) else {
        return Reply::Answer(400, Vec::new(), b"invalid_request".to_vec());
    };
    let mut answer = back.query_pairs_mut();
    match lock(&state.behaviour).refusal {
        Some(error) => answer.append_pair("error", error).append_pair("error_description", "the provider says no"),
        None => {
            let mut codes = lock(&state.codes);
            let code = format!("code-{}", uuid::Uuid::new_v4().simple());
            let (redirect_uri, challenge) = (given("redirect_uri").to_owned(), given("code_challenge").to_owned());
            codes.insert(code.clone(), Grant { redirect_uri, challenge, nonce: given("nonce").to_owned() });
            answer.append_pair("code", &code)
        }
    };
    answer.append_pair("state", given("state")).append_pair("iss", issuer);
    drop(answer);
    Reply::status(302).with("location", back.as_str())
}

/// The token endpoint: section 3.1.3 of OpenID Connect Core. A code can be used once.
fn token(request: &Request, state: &State, issuer: &str) -> Reply {
    let form: BTreeMap<String, String> = url::form_urlencoded::parse(request.body.as_bytes()).into_owned().collect();
    let given = |name: &str| form.get(name).map_or("", String::as_str);
    if !is_client(request, &form) {
        return error(401, "invalid_client");
    }
    if given("grant_type") != "authorization_code" {
        return error(400, "unsupported_grant_type");
    }
    let grant = lock(&state.codes).remove(given("code"));
    let verified = URL_SAFE_NO_PAD.encode(Sha256::digest(given("code_verifier").as_bytes()));
    let Some(grant) = grant.filter(|grant| grant.challenge == verified && grant.redirect_uri == given("redirect_uri"))
    else {
        return error(400, "invalid_grant");
    };
    let behaviour = lock(&state.behaviour).clone();
    let access_token = format!("access-{}", uuid::Uuid::new_v4().simple());
    lock(&state.tokens).insert(access_token.clone(), behaviour.person.clone());
    let now = state.clock.now().as_seconds();
    let mut claims = json!({
        "iss": issuer, "aud": CLIENT_ID, "sub": behaviour.person["sub"], "nonce": grant.nonce,
        "iat": now, "exp": now + 300, "at_hash": forge::half_hash(&access_token, behaviour.signature),
    });
    if behaviour.has_claims_in_token {
        claims = replaced(claims, &behaviour.person);
    }
    let id_token = forge::id_token(&replaced(claims, &behaviour.claims), behaviour.signature);
    json_reply(&json!({
        "access_token": access_token, "token_type": "Bearer", "expires_in": 300, "id_token": id_token,
    }))
    .with("cache-control", "no-store")
}

/// Section 2.3.1 of RFC 6749: the id and the secret are form-encoded in the header, or are fields of the body.
fn is_client(request: &Request, form: &BTreeMap<String, String>) -> bool {
    let basic = || {
        let encoded = request.header("authorization").strip_prefix("Basic ")?;
        let text = String::from_utf8(STANDARD.decode(encoded).ok()?).ok()?;
        let (id, secret) = text.split_once(':')?;
        let decode = |text: &str| {
            url::form_urlencoded::parse(format!("x={text}").as_bytes()).next().map(|(_, v)| v.into_owned())
        };
        Some((decode(id)?, decode(secret)?))
    };
    let posted = || Some((form.get("client_id")?.clone(), form.get("client_secret")?.clone()));
    basic().or_else(posted) == Some((CLIENT_ID.to_owned(), CLIENT_SECRET.to_owned()))
}

/// The UserInfo endpoint: section 5.3 of OpenID Connect Core.
fn user_info(request: &Request, state: &State) -> Reply {
    let token = request.header("authorization").strip_prefix("Bearer ").unwrap_or_default();
    match lock(&state.tokens).get(token) {
        Some(person) => json_reply(person),
        None => Reply::status(401).with("www-authenticate", "error=\"invalid_token\""),
    }
}

fn error(status: u16, code: &str) -> Reply {
    Reply::Answer(
        status,
        vec![("content-type", "application/json".to_owned())],
        json!({"error": code}).to_string().into(),
    )
}

fn json_reply(value: &Value) -> Reply {
    Reply::ok(value.to_string()).with("content-type", "application/json")
}

/// `value`, with the fields of `other` added or replaced; `null` removes a field.
fn replaced(mut value: Value, other: &Value) -> Value {
    let fields = value.as_object_mut().expect("an object");
    for (name, replacement) in other.as_object().expect("an object") {
        match replacement {
            Value::Null => fields.remove(name),
            replacement => fields.insert(name.clone(), replacement.clone()),
        };
    }
    value
}
