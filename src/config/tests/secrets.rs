//! Tests of secrets: where their values come from, and that no output contains them.

use secrecy::ExposeSecret;

use super::*;

#[test]
fn secrets_are_read_from_files_and_always_masked() {
    let secret = "hunter2-hunter2-hunter2-hunter2-hunter2";
    let [url, key, jwt] = [file("postgres://u:hunter2@db/x\n"), file("hunter2\n"), file(secret)];
    let path = |file: &tempfile::NamedTempFile| file.path().display().to_string();
    let inputs = Inputs {
        environment: environment(&[
            ("SENTISTREAM__DATABASE__URL_FILE", &path(&url)),
            ("SENTISTREAM__LLM__API_KEY_FILE", &path(&key)),
            ("SENTISTREAM__STREAM__URL", "redis://u:hunter2@cache:6379"),
        ]),
        sets: vec![
            "server.auth.jwt.algorithm=HS256".into(),
            format!("server.auth.jwt.secret_file={}", path(&jwt)),
            "server.auth.jwt.issuer=me".into(),
            "server.auth.jwt.audience=you".into(),
            "sources.rss.feeds=https://u:hunter2@blog.example/feed".into(),
            "sources.mastodon.token=hunter2".into(),
            "sources.reddit.client_secret=hunter2".into(),
        ],
        ..Inputs::default()
    };
    let (config, settings) = load(&inputs);
    assert_eq!(config.llm.api_key.as_ref().map(ExposeSecret::expose_secret), Some("hunter2"));
    assert!(
        matches!(&config.server.auth.jwt, Some(JwtConfig { key: JwtKey::Hs256(key), .. }) if key.expose_secret() == secret)
    );
    for text in [format!("{config:?}"), format!("{settings:?}"), format!("{:#?}", settings.shown().collect::<Vec<_>>())]
    {
        assert!(!text.contains("hunter2") && text.contains("cache:6379"), "{text}");
    }
    assert_eq!(settings.origin("database.url").to_string(), "environment SENTISTREAM__DATABASE__URL_FILE");

    // Errors must not contain a secret either.
    for set in [
        "database.url=hunter2://u:hunter2@x",
        "stream.url=redis:hunter2",
        "llm.api_key=[\"hunter2\"",
        "sources.rss.feeds=htps://u:hunter2@blog.example/feed",
        "server.auth.jwt.secret=hunter2",
    ] {
        if let Err(error) = Config::load(&with_sets(&[set])) {
            assert!(!error.to_string().contains("hunter2"), "{error}");
        }
    }
}

#[test]
fn later_layer_overrides_a_secret_and_its_file() {
    let key = file("from the file");
    let path = key.path().display().to_string();
    let variables =
        |extra: &[(&str, &str)]| environment(&[&[("SENTISTREAM__LLM__API_KEY_FILE", path.as_str())], extra].concat());
    let api_key = |inputs: &Inputs| load(inputs).0.llm.api_key.map(|key| key.expose_secret().to_owned());

    let older = Inputs { environment: variables(&[("EXTERNAL_LLM_API_KEY", "old")]), ..Inputs::default() };
    assert_eq!(api_key(&older).as_deref(), Some("from the file"));
    let flag = Inputs { environment: variables(&[]), sets: vec!["llm.api_key=flag".into()], ..Inputs::default() };
    assert_eq!(api_key(&flag).as_deref(), Some("flag"));
    let both = Inputs { environment: variables(&[("SENTISTREAM__LLM__API_KEY", "x")]), ..Inputs::default() };
    assert!(problem(&both).message.contains("set only one of them"));
    let gone = problem(&with_sets(&["llm.api_key_file=/does/not/exist"]));
    assert!(gone.key == "llm.api_key_file" && gone.message.contains("/does/not/exist"), "{gone}");
}

#[test]
fn receivers_are_checked_and_their_secrets_masked() {
    let key = file("hunter2-of-a-file\n");
    let receivers = |url: &str| {
        file(&format!(
            "[[alerts.receivers]]\nname = \"hook\"\nmax_alerts = 7\nchannel = {{kind = \"webhook\", url = \"{url}\"}}\n\
             secrets = {{\"header.Authorization\" = \"Bearer hunter2\"}}\nsecret_files = {{signing_key = {:?}}}\n\
             [[alerts.routes]]\nname = \"all\"\nreceiver = \"hook\"\ngroup_wait = \"1min\"\n\
             [[alerts.mute_timings]]\nname = \"nights\"\nintervals = [{{from = \"22:00\", to = \"06:00\"}}]\n\
             [alerts.smtp]\nhost = \"mail.example.org\"\npassword = \"hunter2\"\nfrom = \"a@example.org\"\n",
            key.path()
        ))
    };
    let with = |file: &tempfile::NamedTempFile| Inputs { file: Some(file.path().to_owned()), ..Inputs::default() };
    let good = receivers("https://hooks.example.org/x");
    let (config, settings) = load(&with(&good));
    let (receiver, secrets) = &config.alerts.receivers[0];
    assert_eq!((receiver.name.as_str(), receiver.max_alerts, receiver.send_resolved), ("hook", 7, true));
    assert_eq!(secrets.get("signing_key"), Some("hunter2-of-a-file"));
    assert_eq!(secrets.get("header.Authorization"), Some("Bearer hunter2"));
    assert_eq!(config.alerts.routes[0].group_wait.0, Duration::from_secs(60));
    assert_eq!(config.alerts.mute_timings[0].zone, "UTC");
    for shown in [format!("{config:?}"), format!("{settings:?}")] {
        assert!(!shown.contains("hunter2"), "{shown}");
    }

    let bad = problem(&with(&receivers("file:///etc/passwd")));
    assert_eq!(bad.key, "alerts.receivers");
    assert!(bad.message.contains("channel.url") && !bad.message.contains("hunter2"), "{}", bad.message);
    let plain = Inputs { sets: vec!["alerts.smtp.security=none".to_owned()], ..with(&good) };
    assert_eq!(problem(&plain).key, "alerts.smtp.security");
    let sender = with_sets(&["alerts.smtp.host=localhost", "alerts.smtp.from=nobody"]);
    assert_eq!(problem(&sender).key, "alerts.smtp.from");
    let networks = with_sets(&["outbound.allow=[\"10.0.0.0/8\", \"::1\"]"]);
    assert_eq!(load(&networks).0.outbound.allow.len(), 2);
    assert_eq!(problem(&with_sets(&["outbound.allow=[\"everywhere\"]"])).key, "outbound.allow");
}
