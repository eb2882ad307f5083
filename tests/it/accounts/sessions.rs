//! The start, the expiry and the end of sessions.

use std::time::Duration;

use sentistream::http::HttpOptions;
use serde_json::{Value, json};

use super::{Browser, PASSWORD, app_with_admin, attempt, colleague, set_up, sign_in};
use crate::api::socket::{Socket, SocketEvent, request};
use crate::api::test_app::{Setup, TestApp, cases};

cases![
    session_ends_after_idle_and_absolute_time,
    user_lists_and_ends_own_sessions_only,
    administrator_lists_and_ends_all_sessions,
    live_feed_closes_with_the_session,
    password_change_ends_other_sessions,
];

const HOUR: Duration = Duration::from_secs(3_600);

fn quick(options: &mut HttpOptions) {
    options.sessions.idle = HOUR;
    options.sessions.absolute = 5 * HOUR;
}

async fn session_ends_after_idle_and_absolute_time(setup: Setup) {
    let app = TestApp::with(setup, Duration::ZERO, quick).await;
    let ada = set_up(&app).await;
    let start = app.clock.now();
    for quarters in 1..=19 {
        app.clock.set(start + quarters * HOUR / 4);
        assert!(ada.is_signed_in(&app).await, "the session ended after {quarters} quarters of an hour");
    }
    app.clock.set(start + 5 * HOUR);
    assert!(!ada.is_signed_in(&app).await, "the absolute time-out ends the session");
    ada.get(&app, "/api/stats").await.problem(401);

    let again = sign_in(&app, "ada", PASSWORD).await;
    app.clock.set(app.clock.now() + HOUR - Duration::from_secs(1));
    assert!(again.is_signed_in(&app).await);
    app.clock.set(app.clock.now() + HOUR);
    assert!(!again.is_signed_in(&app).await, "the idle time-out ends the session");
    let ended = again.get(&app, "/api/session").await;
    assert!(ended.header("set-cookie").contains("Max-Age=0"), "{}", ended.header("set-cookie"));
}

fn ids(list: &Value) -> Vec<i64> {
    list["sessions"].as_array().expect("sessions").iter().filter_map(|one| one["id"].as_i64()).collect()
}

async fn user_lists_and_ends_own_sessions_only(setup: Setup) {
    let (app, ada) = app_with_admin(setup).await;
    let (_, bob) = colleague(&app, &ada, "bob", "viewer").await;
    let phone = sign_in(&app, "bob", PASSWORD).await;
    let list = bob.get(&app, "/api/sessions").await.ok();
    let own = ids(&list);
    assert_eq!(own.len(), 2, "{list}");
    let current: Vec<_> = list["sessions"].as_array().unwrap().iter().map(|one| one["current"] == true).collect();
    assert_eq!(current, [false, true]);
    assert_eq!(
        (&list["sessions"][0]["method"], &list["sessions"][0]["address"]),
        (&json!("password"), &json!("127.0.0.1"))
    );
    let of_ada = ada.get(&app, "/api/session").await.ok()["session_id"].as_i64().expect("an id");
    bob.delete(&app, &format!("/api/sessions/{of_ada}")).await.problem(404);
    bob.get(&app, "/api/sessions?user=all").await.problem(403);
    assert_eq!(bob.delete(&app, &format!("/api/sessions/{}", own[0])).await.status, 204);
    assert!(!phone.is_signed_in(&app).await && bob.is_signed_in(&app).await && ada.is_signed_in(&app).await);
    let phone = sign_in(&app, "bob", PASSWORD).await;
    assert_eq!(bob.delete(&app, "/api/sessions").await.status, 204);
    assert!(!phone.is_signed_in(&app).await && bob.is_signed_in(&app).await && ada.is_signed_in(&app).await);
}

async fn administrator_lists_and_ends_all_sessions(setup: Setup) {
    let (app, ada) = app_with_admin(setup).await;
    let (id, bob) = colleague(&app, &ada, "bob", "viewer").await;
    let all = ada.get(&app, "/api/sessions?user=all&limit=1").await.ok();
    let rest =
        ada.get(&app, &format!("/api/sessions?user=all&cursor={}", all["next_cursor"].as_str().unwrap())).await.ok();
    assert_eq!((ids(&all).len(), ids(&rest).len(), &rest["next_cursor"]), (1, 1, &Value::Null));
    let of_bob = ids(&ada.get(&app, &format!("/api/sessions?user={id}")).await.ok());
    assert_eq!(of_bob, ids(&all));
    assert_eq!(ada.delete(&app, &format!("/api/sessions/{}", of_bob[0])).await.status, 204);
    bob.get(&app, "/api/stats").await.problem(401);
    ada.delete(&app, &format!("/api/sessions/{}", of_bob[0])).await.problem(404);
}

async fn live(app: &TestApp, browser: &Browser, origin: Option<&str>) -> Result<Socket, u16> {
    let mut headers = vec![("cookie", browser.cookie.as_str())];
    headers.extend(origin.map(|origin| ("origin", origin)));
    Socket::try_open(request(app, &headers)).await.map(|(socket, _)| socket)
}

async fn live_feed_closes_with_the_session(setup: Setup) {
    let (app, ada) = app_with_admin(setup).await;
    let (id, bob) = colleague(&app, &ada, "bob", "viewer").await;
    let own = app.url.clone();
    assert_eq!(live(&app, &bob, Some("https://evil.example")).await.err(), Some(403));
    assert_eq!(live(&app, &bob, None).await.err(), Some(403), "a browser always sends the origin of its page");
    assert_eq!(live(&app, &Browser::fresh(), Some(&own)).await.err(), Some(401));
    let closed = async |mut socket: Socket| loop {
        match socket.receive().await {
            SocketEvent::Frame(_) => {}
            end => break end,
        }
    };
    let socket = live(&app, &bob, Some(&own)).await.expect("a handshake");
    assert_eq!(bob.delete(&app, "/api/session").await.status, 204);
    assert_eq!(closed(socket).await, SocketEvent::Closed(1008));

    let bob = sign_in(&app, "bob", PASSWORD).await;
    let socket = live(&app, &bob, Some(&own)).await.expect("a handshake");
    let change = json!({"name": "bob", "role": "editor", "disabled": false});
    ada.put(&app, &format!("/api/users/{id}"), &change).await.ok();
    assert_eq!(closed(socket).await, SocketEvent::Closed(1008));
}

async fn password_change_ends_other_sessions(setup: Setup) {
    const NEW: &str = "another good pass phrase";
    let (app, ada) = app_with_admin(setup).await;
    let (_, bob) = colleague(&app, &ada, "bob", "viewer").await;
    let phone = sign_in(&app, "bob", PASSWORD).await;
    let change = |current: &str, new: &str| json!({"current_password": current, "new_password": new});
    let path = "/api/session/password";
    assert_eq!(bob.put(&app, path, &change("wrong password 123", NEW)).await.problem(422), ["current_password"]);
    assert_eq!(bob.put(&app, path, &change(PASSWORD, "short")).await.problem(422), ["new_password"]);
    let changed = bob.put(&app, path, &change(PASSWORD, NEW)).await;
    assert_eq!(changed.status, 204, "{}", changed.text());
    let fresh = Browser::of(&changed);
    assert!(fresh.is_signed_in(&app).await && !bob.is_signed_in(&app).await && !phone.is_signed_in(&app).await);
    attempt(&app, "bob", PASSWORD).await.problem(401);
    sign_in(&app, "bob", NEW).await;
    assert!(ada.is_signed_in(&app).await);
}
