mod oidc;
mod reference;
mod secrets;

use std::io::Write as _;
use std::time::Duration;

use secrecy::ExposeSecret;

use super::*;

const SHARED: [&str; 2] = ["database.url=postgres://u:hunter2@db/x", "stream.url=redis://:hunter2@cache:6379"];

fn environment(variables: &[(&str, &str)]) -> Environment {
    variables.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect()
}

fn file(text: &str) -> tempfile::NamedTempFile {
    let mut file = tempfile::NamedTempFile::new().unwrap();
    file.write_all(text.as_bytes()).unwrap();
    file
}

fn with_sets(sets: &[&str]) -> Inputs {
    Inputs { sets: sets.iter().map(|set| (*set).to_owned()).collect(), ..Inputs::default() }
}

fn with_variables(variables: &[(&str, &str)]) -> Inputs {
    Inputs { environment: environment(variables), ..Inputs::default() }
}

fn load(inputs: &Inputs) -> (Config, Settings) {
    Config::load(inputs).unwrap_or_else(|e| panic!("{e}"))
}

/// The only problem of `inputs`. Panics if there are none or several.
fn problem(inputs: &Inputs) -> Problem {
    let mut problems = Config::load(inputs).map(|_| ()).unwrap_err().0;
    assert_eq!(problems.len(), 1, "{problems:?}");
    problems.remove(0)
}

#[test]
fn defaults_are_a_valid_configuration() {
    let (config, settings) = load(&Inputs::default());
    assert_eq!(config.roles, [Role::Ingester, Role::Worker, Role::Alerts, Role::Api]);
    assert!(matches!(&config.backends, Backends::Embedded { path } if path.to_str() == Some("data/sentistream.db")));
    assert_eq!(config.server.listen, ["127.0.0.1:8000".parse().unwrap()]);
    assert_eq!((config.server.body_limit, config.alerts.window), (4 << 20, Duration::from_secs(300)));
    assert!(config.server.auth.jwt.is_none() && config.llm.provider.is_none());
    assert!(matches!(&config.sources["synthetic"], SourceConfig::Synthetic(synthetic) if synthetic.limit.is_none()));
    assert!(settings.shown().all(|shown| shown.origin == Origin::Default));
}

#[test]
fn paths_of_a_file_are_relative_to_its_folder() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("sentistream.toml");
    let text = "[inference]\nmodel = \"models/tiny\"\n[sources.bluesky]\nzstd_dictionary = \"jetstream.zdict\"\n\
                [sources.rss]\nopml = \"/etc/feeds.opml\"\n[sources.mastodon]\ntoken_file = \"token\"\n";
    std::fs::write(&path, text).unwrap();
    std::fs::write(folder.path().join("token"), "secret-token\n").unwrap();
    let (config, settings) =
        load(&Inputs { file: Some(path), sets: vec!["sources.folder.path=inbox".into()], ..Inputs::default() });
    let shown =
        |key: &str| settings.all().find(|setting| setting.key == key).unwrap().value.as_str().unwrap().to_owned();
    let beside = |name: &str| folder.path().join(name).display().to_string();
    assert_eq!(shown("inference.model"), beside("models/tiny"));
    assert_eq!(shown("sources.bluesky.zstd_dictionary"), beside("jetstream.zdict"));
    assert_eq!(shown("sources.rss.opml"), "/etc/feeds.opml");
    assert_eq!(shown("sources.folder.path"), "inbox", "a flag is relative to the working folder");
    assert!(matches!(&config.sources["mastodon"], SourceConfig::Mastodon(mastodon) if mastodon.token.is_some()));
}

#[test]
fn named_source_takes_the_defaults_of_its_kind() {
    let file = file("[sources.old]\nkind = \"replay\"\npath = \"a.csv\"\n[sources.new]\npath = \"b.csv\"\n");
    let inputs = Inputs {
        file: Some(file.path().to_owned()),
        environment: environment(&[
            ("SENTISTREAM__SOURCES__NEW__RATE", "7"),
            ("SENTISTREAM__SOURCES__NEW__KIND", "replay"),
        ]),
        sets: vec!["ingester.sources=old, new, replay".into(), "sources.replay.path=c.csv".into()],
        ..Inputs::default()
    };
    let (config, settings) = load(&inputs);
    let replay = |name: &str| match &config.sources[name] {
        SourceConfig::Replay(replay) => {
            (replay.path.clone().unwrap().display().to_string(), replay.rate, replay.retime)
        }
        other => panic!("{other:?}"),
    };
    let beside = |name: &str| file.path().with_file_name(name).display().to_string();
    assert_eq!(replay("old"), (beside("a.csv"), None, true));
    assert_eq!(replay("new"), (beside("b.csv"), Some(7.0), true));
    assert_eq!(replay("replay"), ("c.csv".to_owned(), None, true));
    assert_eq!(settings.origin("sources.new.rate").to_string(), "environment SENTISTREAM__SOURCES__NEW__RATE");
    assert_eq!(settings.origin("sources.new.retime"), Origin::Default);
    assert!(settings.shown().any(|shown| shown.key == "sources.old.loop"));

    for (sets, key, message) in [
        (&["sources.x.path=a"][..], "sources.x.path", "set sources.x.kind to one of"),
        (&["sources.x.kind=tiktok"], "sources.x.kind", "must be one of synthetic, replay"),
        (&["sources.x.kind=replay", "sources.x.pth=a"], "sources.x.pth", "a source of kind replay has path"),
        (&["sources.x.kind=replay", "sources.x.retime=7"], "sources.x.retime", "true or false"),
        (&["sources.x.kind=replay", "sources.x.rate=nan"], "sources.x.rate", "between 0.1 and 50000"),
        (&["sources.x.kind=replay", "ingester.sources=x"], "ingester.sources", "set sources.x.path"),
        (&["ingester.sources=synthetic, synthetic"], "ingester.sources", "twice"),
        (
            &["sources.mastodon.instances=a.example, b.example", "sources.mastodon.token=x"],
            "sources.mastodon",
            "use a separate source",
        ),
        (
            &["sources.x.kind=reddit", "sources.x.client_id=a", "ingester.sources=x"],
            "ingester.sources",
            "set sources.x.client_secret",
        ),
    ] {
        let problem = problem(&with_sets(sets));
        assert!(problem.key == key && problem.message.contains(message), "{sets:?}: {problem}");
    }
}

#[test]
fn later_layer_wins_and_each_value_has_its_origin() {
    let file = file(
        "[worker]\ntasks = 3\nbatch_size = 3\n[stream]\nname = \"a\"\ngroup = \"a\"\n[inference]\nlabels.LABEL_0 = \"joy\"\n",
    );
    let path = file.path().to_owned();
    let inputs = Inputs {
        file: Some(path.clone()),
        environment: environment(&[
            ("REDIS_STREAM_NAME", "b"),
            ("REDIS_CONSUMER_GROUP", "b"),
            ("SENTISTREAM__STREAM__NAME", "c"),
            ("SENTISTREAM__WORKER__BATCH_SIZE", "4"),
            ("SENTISTREAM__ROLES", "api"),
        ]),
        sets: vec!["worker.batch_size=5".into(), "log.level=debug".into(), "log.level=trace".into()],
        roles: Some("worker, api".into()),
    };
    let (config, settings) = load(&inputs);
    assert_eq!((config.worker.tasks, config.worker.batch_size), (3, 5));
    assert_eq!((config.stream.name.as_str(), config.stream.group.as_str()), ("c", "b"));
    assert_eq!(config.roles, [Role::Worker, Role::Api]);
    assert_eq!(config.log.level.directives(), "warn,actix_http=off,sentistream=trace");
    assert_eq!(config.inference.labels["LABEL_0"], "joy");

    for (key, origin) in [
        ("worker.tasks", format!("{}:2", path.display())),
        ("worker.batch_size", "flag --set worker.batch_size".to_owned()),
        ("stream.name", "environment SENTISTREAM__STREAM__NAME".to_owned()),
        ("stream.group", "environment REDIS_CONSUMER_GROUP".to_owned()),
        ("inference.labels", format!("{}:8", path.display())),
        ("roles", "flag --roles".to_owned()),
        ("worker.claim_idle", "default".to_owned()),
    ] {
        assert_eq!(settings.origin(key).to_string(), origin, "{key}");
    }
}

#[test]
fn invalid_value_error_names_key_origin_and_allowed_values() {
    for (set, allowed) in [
        ("roles=reader", "one of ingester, worker, alerts, api"),
        ("roles=[]", "at least one of ingester"),
        ("database.url=mysql://x", "sqlite://PATH or postgres://"),
        ("database.max_connections=0", "between 1 and 1000"),
        ("database.max_connections=many", "a whole number"),
        ("database.connect_timeout=5", "\"15s\""),
        ("database.connect_timeout=0s", "between 1ms and 366d"),
        ("stream.url=http://x", "redis://"),
        ("stream.name=", "not be empty"),
        ("stream.max_backlog=-1", "at least 1"),
        ("server.listen=8000", "HOST:PORT"),
        ("server.listen=[]", "at least one address"),
        ("server.listen=[1]", "HOST:PORT"),
        ("server.ops_listen=x", "HOST:PORT"),
        ("server.cors_origins=*", "https://app.example.org"),
        ("server.body_limit=1GiB", "64MiB"),
        ("server.rate_burst=0", "between 1 and 1000000"),
        ("server.trusted_proxies=proxy", "IP address"),
        ("server.workers=1.5", "a whole number"),
        ("server.auth.tokens=[{name = \"a\", sha256 = \"00\", scopes = [\"read\"]}]", "64 hex digits"),
        ("server.auth.tokens=[{name = \"a\", scopes = [\"read\"]}]", "is required"),
        ("server.auth.tokens=[{name = \"a\", hash = \"00\", scopes = []}]", "expected one of `name`"),
        ("server.auth.jwt.algorithm=none", "\"HS256\", \"RS256\" or \"EdDSA\""),
        ("server.auth.jwt.algorithm=HS256", "at least 32 bytes"),
        ("server.auth.jwt.algorithm=EdDSA", "PEM"),
        ("server.auth.jwt.public_key=x", "`algorithm` is not"),
        ("server.websocket.timeout=10s", "longer than server.websocket.ping_interval"),
        ("cache.ttl=2h", "between 0ms and 1h"),
        ("ingester.sources=[\"tiktok\"]", "bluesky, folder"),
        ("sources.bluesky.hosts=[]", "at least one host"),
        ("sources.bluesky.hosts=https://x", "wss://HOST/subscribe"),
        ("sources.bluesky.look_back=3d", "between 0ms and 36h"),
        ("ingester.sources=rss", "set sources.rss.feeds or opml"),
        ("sources.rss.feeds=file:///etc/passwd", "an http or https URL"),
        ("sources.rss.feeds=[\"https://a.example/feed\", \"blog\"]", "found \"blog\""),
        ("sources.rss.max_interval=1min", "min_interval must not be longer"),
        ("sources.rss.min_interval=0s", "between 1s and"),
        ("ingester.sources=mastodon", "set sources.mastodon.instances"),
        ("sources.mastodon.instances=mastodon social", "an http or https URL"),
        ("sources.mastodon.tags=#rust,a b", "found \"a b\""),
        ("sources.mastodon.interval=0s", "between 1s and"),
        ("sources.hackernews.url=ftp://x", "an http or https URL"),
        ("sources.hackernews.last_id=7", "set first_id"),
        ("ingester.sources=reddit", "set sources.reddit.client_id"),
        ("sources.reddit.subreddits=r/rust,a b", "found \"a b\""),
        ("ingester.rate=0.01", "0 (no limit) or between 0.1 and 50000"),
        ("ingester.sources=replay", "set sources.replay.path"),
        ("sources.synthetic.rate=nan", "between 0.1 and 50000"),
        ("sources.replay.retime=maybe", "true or false"),
        ("inference.model=", "builtin"),
        ("inference.model=hf:a/b/c", "hf:OWNER/NAME"),
        ("inference.precision=f64", "auto, f32, bf16, f16, int8"),
        ("inference.device=gpu", "cuda:N"),
        ("inference.labels={LABEL_0 = \"good\"}", "positive, neutral, negative"),
        ("alerts.negative_share=1.5", "between 0 and 1"),
        ("alerts.negative_ratio=inf", "above 0"),
        ("alerts.window=7h", "between 1min and 6h"),
        ("alerts.negative_spike=0.5", "between 1 and 1000000"),
        ("alerts.max_lateness=20d", "retention.minute_rollups"),
        ("log.level=loud", "error, warn, info, debug or trace"),
        ("log.format=xml", "auto, human, json"),
    ] {
        let key = set.split('=').next().unwrap();
        let problem = problem(&with_sets(&[set]));
        assert!(problem.message.contains(allowed), "{set}: {problem}");
        // The key of an error inside a list may also name the position. An error that spans several keys may name
        // another key of the section.
        let place = problem.key.split('[').next().unwrap();
        assert!(key.starts_with(place) && place.contains(key.split('.').next().unwrap()), "{set}: {problem}");
        assert_eq!(problem.origin, Origin::Flag(format!("--set {key}")), "{set}");
    }
}

#[test]
fn error_names_the_line_or_the_variable() {
    let wrong = file("[worker]\n\ntasks = \"two\"\nbatch = 5\n[stream]\nprocessed_max_len = 0.5\nserver = 1\n");
    let path = wrong.path().display().to_string();
    let error = Config::load(&Inputs { file: Some(wrong.path().into()), ..Inputs::default() }).map(|_| ()).unwrap_err();
    let mut lines: Vec<_> = error.to_string().lines().map(|line| line.replace(&path, "FILE")).collect();
    lines.sort();
    assert_eq!(
        lines,
        [
            "stream.processed_max_len: expected a whole number, found a number (from FILE:6)",
            "stream.server: there is no such key; the keys of [stream] are url, url_file, ca_file, name, group, dead_letter, \
             processed, processed_max_len, processed_max_bytes, dead_letter_max_bytes, updates_channel, events_channel, max_backlog, command_timeout (from FILE:7)",
            "worker.batch: there is no such key; did you mean worker.batch_size? (from FILE:4)",
            "worker.tasks: expected a whole number, found a string (from FILE:3)",
        ]
    );

    let wrong = problem(&with_variables(&[("SENTISTREAM__SERVER__LISTN", "x")]));
    assert_eq!(
        wrong.to_string(),
        "server.listn: there is no such key; did you mean server.listen? (from environment SENTISTREAM__SERVER__LISTN)"
    );
    let wrong = problem(&with_variables(&[("ALERT_MIN_POSTS", "few")]));
    assert_eq!((wrong.key.as_str(), wrong.origin), ("alerts.min_posts", Origin::Legacy("ALERT_MIN_POSTS".into())));

    let broken = file("[log]\nlevel = \"info\"\n[stream\nurl = \"redis://:hunter2@x\"\n");
    let problem = problem(&Inputs { file: Some(broken.path().into()), ..Inputs::default() });
    assert!(problem.origin.to_string().ends_with(":3") && problem.message.contains("not TOML"), "{problem}");
}

#[test]
fn list_written_as_text_in_a_file_is_read_as_list() {
    let file = file(
        "[server]\nlisten = \"127.0.0.1:7000\"\n[sources.tech]\nkind = \"rss\"\nfeeds = \"https://a.example/feed\"\n",
    );
    let (config, _) = load(&Inputs { file: Some(file.path().into()), ..Inputs::default() });
    assert_eq!(config.server.listen, ["127.0.0.1:7000".parse().unwrap()]);
    assert!(matches!(&config.sources["tech"], SourceConfig::Rss(rss) if rss.feeds.len() == 1));
}

#[test]
fn error_inside_a_list_names_its_path_with_dots() {
    for (set, key) in [
        ("server.auth.tokens=[{name = \"a\", sha256 = \"00\", scopes = [\"read\"]}]", "server.auth.tokens[0].sha256"),
        (
            &format!("server.auth.tokens=[{{name = \"a\", sha256 = \"{}\", scopes = [\"rule\"]}}]", "0".repeat(64)),
            "server.auth.tokens[0].scopes[0]",
        ),
        ("roles=[\"cook\"]", "roles[0]"),
    ] {
        assert_eq!(problem(&with_sets(&[set])).key, key, "{set}");
    }
}

#[test]
fn unknown_key_error_suggests_a_key() {
    for (set, hint) in [
        ("worker.taks=1", "did you mean worker.tasks?"),
        ("batch_size=1", "did you mean ingester.batch_size?"),
        ("server.jwt.issuer=x", "did you mean server.auth.jwt.issuer?"),
        ("nonsense=1", "the top-level keys and sections are alerts, cache, database"),
        ("worker=1", "a table of keys: set one of them"),
        ("worker.tasks.x=1", "no such key"),
        ("worker", "expected section.key=value"),
    ] {
        let problem = problem(&with_sets(&[set]));
        assert!(problem.message.contains(hint), "{set}: {problem}");
    }
    let missing = problem(&Inputs { file: Some("/does/not/exist.toml".into()), ..Inputs::default() });
    assert!(missing.to_string().contains("/does/not/exist.toml"), "{missing}");
}

#[test]
fn legacy_variables_are_read() {
    let (config, _) = load(&with_variables(&[
        ("DATABASE_URL", "postgresql+asyncpg://u:hunter2@db:5432/x"),
        ("REDIS_HOST", "cache"),
        ("REDIS_PORT", "6380"),
        ("REDIS_STREAM_NAME", "posts"),
        ("REDIS_CONSUMER_GROUP", "group"),
        ("REDIS_CACHE_PREFIX", "p:"),
        ("HUGGINGFACE_MODEL", "distilbert-base-uncased-finetuned-sst-2-english"),
        ("EMOTION_MODEL", "j-hartmann/emotion-english-distilroberta-base"),
        ("EXTERNAL_LLM_PROVIDER", "groq"),
        ("EXTERNAL_LLM_API_KEY", "gsk-hunter2"),
        ("EXTERNAL_LLM_MODEL", "llama"),
        ("API_HOST", "0.0.0.0"),
        ("API_PORT", "9000"),
        ("LOG_LEVEL", "WARNING"),
        ("ALERT_NEGATIVE_RATIO_THRESHOLD", "3"),
        ("ALERT_WINDOW_MINUTES", "240"),
        ("ALERT_MIN_POSTS", "20"),
    ]));
    let Backends::Shared { database, stream, .. } = &config.backends else { panic!("{:?}", config.backends) };
    assert_eq!(database.expose_secret(), "postgres://u:hunter2@db:5432/x");
    assert_eq!(stream.expose_secret(), "redis://cache:6380");
    assert_eq!((config.stream.name.as_str(), config.stream.group.as_str()), ("posts", "group"));
    assert_eq!(config.cache.prefix, "p:");
    let hub = |name: &str| ModelRef::Hub { repository: name.to_owned(), revision: None };
    assert_eq!(config.inference.model, hub("distilbert-base-uncased-finetuned-sst-2-english"));
    assert_eq!(config.inference.emotion_model, Some(hub("j-hartmann/emotion-english-distilroberta-base")));
    assert_eq!((config.llm.provider, config.llm.model.as_deref()), (Some(LlmProvider::Groq), Some("llama")));
    assert_eq!(config.server.listen, ["0.0.0.0:9000".parse().unwrap()]);
    assert_eq!(config.log.level.directives(), "warn,actix_http=off");
    assert_eq!((config.alerts.negative_ratio, config.alerts.min_posts), (3.0, 20));
    assert_eq!(config.alerts.window, Duration::from_secs(14_400));

    // REDIS_URL overrides REDIS_HOST and REDIS_PORT. Empty variables are ignored. If only the host or only the port is
    // set, the other one has its default.
    let (config, _) = load(&with_variables(&[
        ("DATABASE_URL", "postgresql://db/x"),
        ("REDIS_URL", "rediss://one:1"),
        ("REDIS_HOST", "two"),
        ("API_PORT", "9000"),
        ("LOG_LEVEL", ""),
        ("HUGGINGFACE_MODEL", "./models/mine"),
    ]));
    assert_eq!(config.stream.url.to_string(), "rediss://one:1");
    assert_eq!(config.server.listen, ["127.0.0.1:9000".parse().unwrap()]);
    assert_eq!(config.inference.model, ModelRef::Folder("./models/mine".into()));
}

#[test]
fn unsupported_pair_of_backends_is_refused() {
    assert!(matches!(load(&with_sets(&SHARED)).0.backends, Backends::Shared { .. }));
    for (sets, key, todo) in [
        (&SHARED[..1], "stream.url", "set stream.url to redis://HOST:PORT"),
        (&SHARED[1..], "database.url", "set database.url to postgres://"),
        (&["database.read_url=postgres://db/x"][..], "database.read_url", "leave it empty"),
        (&[SHARED[0], SHARED[1], "database.read_url=sqlite://x"][..], "database.read_url", "must be a postgres://"),
    ] {
        let problem = problem(&with_sets(sets));
        assert!(problem.key == key && problem.message.contains(todo), "{problem}");
    }
}
