//! Users, sessions and invitations.

use sentistream::domain::account::{ActorName, Identity, RoleGrant, SignInMethod, User, UserRole};
use sentistream::store::accounts::{
    ExternalUser, FirstUser, NewSession, NewUser, SessionFilter, UserChanged, UserCreated, UserEdit,
};

use super::fixture::{Fixture, cases, seconds};

cases!(
    first_user_can_use_a_sign_in_code_only_once,
    user_names_that_differ_only_in_case_are_the_same,
    last_administrator_is_not_removed_by_concurrent_changes,
    session_ends_when_its_user_or_lifetime_ends,
    session_is_refused_after_the_verified_password_changed,
    number_of_sessions_of_a_user_is_limited,
    external_user_is_found_by_identity_and_not_by_name,
    invitation_is_redeemed_once,
);

fn new(name: &str, role: UserRole) -> NewUser {
    let name = ActorName::parse(name).expect("a name");
    NewUser { name, role, password_hash: Some("$argon2id$".to_owned()), created_by: "test".to_owned() }
}

async fn user(fixture: &Fixture, name: &str, role: UserRole) -> User {
    match fixture.store.create_user(new(name, role)).await.expect("the store answers") {
        UserCreated::Done(user) => *user,
        other => panic!("{other:?}"),
    }
}

fn session(fixture: &Fixture, user: &User, secret: &str) -> NewSession {
    NewSession {
        sha256: secret.to_owned(),
        user_id: user.id,
        method: SignInMethod::Password,
        expires_at: fixture.clock.now() + seconds(100),
        address: Some("192.0.2.1".to_owned()),
        user_agent: None,
        replaces: None,
        verified_hash: None,
    }
}

async fn first_user_can_use_a_sign_in_code_only_once(fixture: Fixture) {
    let store = &fixture.store;
    let expiry = fixture.clock.now() + seconds(10);
    store.create_sign_in_code("code", expiry).await.expect("a code");
    let is_valid = async |code: &str| store.has_sign_in_code(code).await.expect("an answer");
    assert!(is_valid("code").await && !is_valid("wrong").await);
    let attempt = |name: &str, code: &str| store.create_first_user(new(name, UserRole::Admin), Some(code.to_owned()));
    assert_eq!(attempt("eve", "wrong").await.expect("an answer"), FirstUser::WrongCode);
    let attempts: Vec<_> = ["ada", "eve", "bob"].map(|name| attempt(name, "code")).into();
    let made = futures_util::future::join_all(attempts).await;
    let done = made.into_iter().filter(|made| matches!(made, Ok(FirstUser::Done(_)))).count();
    assert_eq!((done, store.count_users().await.expect("a number")), (1, 1));
    assert_eq!(attempt("eve", "code").await.expect("an answer"), FirstUser::Exists);
    assert!(!is_valid("code").await);
    assert!(!store.redeem_sign_in_code("code").await.expect("an answer"), "the code was already used");
}

async fn user_names_that_differ_only_in_case_are_the_same(fixture: Fixture) {
    let viewer = fixture.store.create_user(new("ada", UserRole::Viewer)).await.expect("an answer");
    assert_eq!(viewer, UserCreated::NeedsAdmin);
    user(&fixture, "Zoë", UserRole::Admin).await;
    let again = fixture.store.create_user(new("ZOË", UserRole::Viewer)).await.expect("an answer");
    assert_eq!(again, UserCreated::NameTaken);
    let found = fixture.store.credentials("zoë").await.expect("an answer").expect("the user");
    assert_eq!((found.user.name.as_str(), found.password_hash.as_deref()), ("Zoë", Some("$argon2id$")));
    assert!(fixture.store.credentials("zoe").await.expect("an answer").is_none());
}

async fn last_administrator_is_not_removed_by_concurrent_changes(fixture: Fixture) {
    let (ada, eve) = (user(&fixture, "ada", UserRole::Admin).await, user(&fixture, "eve", UserRole::Admin).await);
    let demote = |id| {
        let edit = UserEdit { id, version: None, name: None, role: Some(UserRole::Viewer), disabled: None };
        let store = fixture.another_store();
        async move { store.edit_user(edit).await.expect("an answer") }
    };
    let (first, second) = tokio::join!(demote(ada.id), demote(eve.id));
    let refused = [first, second].iter().filter(|changed| **changed == UserChanged::LastAdmin).count();
    assert_eq!(refused, 1);
    let users = fixture.store.users(0, 10).await.expect("users");
    let last = users.iter().find(|user| user.role == UserRole::Admin).expect("an administrator");
    assert_eq!(fixture.store.delete_user(last.id).await.expect("an answer"), UserChanged::LastAdmin);
    let other = users.iter().find(|user| user.id != last.id).expect("the other user");
    assert!(matches!(fixture.store.delete_user(other.id).await.expect("an answer"), UserChanged::Done(_)));
    assert!(matches!(fixture.store.delete_user(last.id).await.expect("an answer"), UserChanged::Done(_)));
    assert_eq!(fixture.store.count_users().await.expect("a number"), 0);
}

async fn session_ends_when_its_user_or_lifetime_ends(fixture: Fixture) {
    let store = &fixture.store;
    let ada = user(&fixture, "ada", UserRole::Admin).await;
    let bob = user(&fixture, "bob", UserRole::Editor).await;
    for (user, secret) in [(&ada, "a"), (&bob, "b"), (&bob, "c")] {
        let made = store.create_session(session(&fixture, user, secret)).await.expect("an answer").expect("a session");
        assert_eq!((made.name.as_str(), made.role), (user.name.as_str(), user.role));
    }
    let replaces = NewSession { replaces: Some("c".to_owned()), ..session(&fixture, &bob, "d") };
    store.create_session(replaces).await.expect("an answer").expect("a session");
    let is_known = async |secret: &str| store.session(secret).await.expect("an answer").is_some();
    assert!(is_known("b").await && is_known("d").await && !is_known("c").await);

    let edit = UserEdit { id: bob.id, version: Some(1), name: None, role: Some(UserRole::Viewer), disabled: None };
    assert!(matches!(store.edit_user(edit).await.expect("an answer"), UserChanged::Done(_)));
    assert!(!is_known("b").await && !is_known("d").await && is_known("a").await);
    store.create_session(session(&fixture, &bob, "e")).await.expect("an answer").expect("a session");
    let edit = UserEdit { id: bob.id, version: Some(2), name: None, role: None, disabled: Some(true) };
    assert!(matches!(store.edit_user(edit).await.expect("an answer"), UserChanged::Done(_)));
    assert!(!is_known("e").await);
    assert_eq!(store.create_session(session(&fixture, &bob, "f")).await.expect("an answer"), None);

    let idle = seconds(50);
    let live = async || store.session_ids(idle).await.expect("ids").len();
    fixture.pass(seconds(40));
    let id = store.session("a").await.expect("an answer").expect("a session").session.id;
    store.touch_session(id, fixture.clock.now()).await.expect("a write");
    fixture.pass(seconds(40));
    assert_eq!(live().await, 1, "a request extends the session");
    fixture.pass(seconds(30));
    assert_eq!(live().await, 0, "the session has reached its maximum lifetime");
    store.prune_sessions(idle).await.expect("a write");
    assert!(!is_known("a").await);
}

async fn session_is_refused_after_the_verified_password_changed(fixture: Fixture) {
    let store = &fixture.store;
    let ada = user(&fixture, "ada", UserRole::Admin).await;
    let verified = |secret: &str| {
        let hash = Some("$argon2id$".to_owned());
        NewSession { verified_hash: hash, ..session(&fixture, &ada, secret) }
    };
    store.create_session(verified("a")).await.expect("an answer").expect("a session");
    assert!(store.set_password(ada.id, "$argon2id$new", None).await.expect("a write"));
    assert_eq!(store.create_session(verified("b")).await.expect("an answer"), None);
    for secret in ["a", "b"] {
        assert!(store.session(secret).await.expect("an answer").is_none(), "{secret}");
    }
}

async fn number_of_sessions_of_a_user_is_limited(fixture: Fixture) {
    let ada = user(&fixture, "ada", UserRole::Admin).await;
    for number in 0..60 {
        let new = session(&fixture, &ada, &format!("secret-{number}"));
        fixture.store.create_session(new).await.expect("an answer").expect("a session");
    }
    let filter = SessionFilter { user_id: Some(ada.id), before: None, idle: seconds(1_000) };
    assert_eq!(fixture.store.sessions(filter, 200).await.expect("sessions").len(), 50);
    assert!(fixture.store.session("secret-59").await.expect("an answer").is_some());
    assert!(fixture.store.session("secret-9").await.expect("an answer").is_none(), "the oldest sessions have ended");
}

async fn external_user_is_found_by_identity_and_not_by_name(fixture: Fixture) {
    let store = &fixture.store;
    let local = user(&fixture, "ada", UserRole::Admin).await;
    let provide = async |subject: &str, role: RoleGrant| {
        let identity = Identity { issuer: "https://login.example".to_owned(), subject: subject.to_owned() };
        let external = ExternalUser { identity, name: ActorName::parse("Ada").expect("a name"), role };
        store.provide_external_user(external).await.expect("an answer")
    };
    let always = RoleGrant::Always(UserRole::Analyst);
    let (first, second) = (provide("1", always).await, provide("2", always).await);
    assert_eq!((first.name.as_str(), second.name.as_str()), ("Ada 2", "Ada 3"));
    assert!(first.id != local.id && provide("1", always).await == first);
    store.create_session(session(&fixture, &first, "s")).await.expect("an answer").expect("a session");
    let initially = RoleGrant::Initially(UserRole::Viewer);
    assert_eq!(provide("1", initially).await.role, UserRole::Analyst);
    assert!(store.session("s").await.expect("an answer").is_some());
    assert_eq!(provide("1", RoleGrant::Always(UserRole::Editor)).await.role, UserRole::Editor);
    assert!(store.session("s").await.expect("an answer").is_none(), "the role has changed");
    assert_eq!(provide("3", initially).await.role, UserRole::Viewer);
}

async fn invitation_is_redeemed_once(fixture: Fixture) {
    let store = &fixture.store;
    user(&fixture, "ada", UserRole::Admin).await;
    let invited = NewUser { password_hash: None, ..new("bob", UserRole::Viewer) };
    let UserCreated::Done(bob) = store.create_user(invited).await.expect("an answer") else { panic!("no user") };
    let expiry = fixture.clock.now() + seconds(10);
    store.invite_user(bob.id, "old", expiry).await.expect("a write");
    store.invite_user(bob.id, "new", expiry).await.expect("a write");
    assert_eq!(store.user(bob.id).await.expect("an answer").expect("bob").invited_until, Some(expiry));
    assert_eq!(store.invited_user("old").await.expect("an answer"), None);
    let attempts: Vec<_> = (0..3).map(|_| store.redeem_invitation("new", "$argon2id$new")).collect();
    let redeemed = futures_util::future::join_all(attempts).await;
    assert_eq!(redeemed.into_iter().filter(|user| matches!(user, Ok(Some(_)))).count(), 1);
    let known = store.credentials("bob").await.expect("an answer").expect("bob");
    assert_eq!((known.password_hash.as_deref(), known.user.invited_until), (Some("$argon2id$new"), None));
    store.invite_user(bob.id, "late", expiry).await.expect("a write");
    fixture.pass(seconds(10));
    assert_eq!(store.redeem_invitation("late", "x").await.expect("an answer"), None);
}
