//! URLs of databases and streams, and the supported combinations of both.

use std::fmt;
use std::path::PathBuf;
use std::str::FromStr;

use secrecy::{ExposeSecret, SecretString};
use serde::{Deserialize, Deserializer};

/// The URL of the database. `Debug` and `Display` mask the password.
#[derive(Clone)]
pub enum DatabaseUrl {
    /// The file of the embedded database.
    Sqlite(PathBuf),
    /// `postgres://…`. A URL with `postgresql://` is rewritten to this form.
    Postgres(SecretString),
}

/// The URL of the stream. `Debug` and `Display` mask the password.
#[derive(Clone)]
pub enum StreamUrl {
    /// The embedded queue, in the file of the embedded database.
    Local,
    /// `redis://`, `rediss://`, `redis-sentinel://` or `redis-cluster://`; the last two also have TLS forms.
    Redis(SecretString),
}

/// The backends of this process: one of two supported combinations.
#[derive(Clone, Debug)]
pub enum Backends {
    /// SQLite and the embedded queue, in one file.
    Embedded {
        /// The database file.
        path: PathBuf,
    },
    /// Postgres and Redis.
    Shared {
        /// The URL of the database, `postgres://…`.
        database: SecretString,
        /// A Postgres replica for reads.
        read: Option<SecretString>,
        /// The URL of the stream, `redis://…` or another form of [`StreamUrl::Redis`].
        stream: SecretString,
    },
}

impl Default for Backends {
    fn default() -> Self {
        Self::Embedded { path: "data/sentistream.db".into() }
    }
}

const REDIS_SCHEMES: [&str; 6] =
    ["redis", "rediss", "redis-sentinel", "rediss-sentinel", "redis-cluster", "rediss-cluster"];

impl FromStr for DatabaseUrl {
    type Err = &'static str;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        const ALLOWED: &str = "expected sqlite://PATH or postgres://USER:PASSWORD@HOST:PORT/NAME";
        let (scheme, rest) = text.trim().split_once("://").ok_or(ALLOWED)?;
        match scheme.split_once('+').map_or(scheme, |(scheme, _driver)| scheme) {
            "sqlite" if scheme == "sqlite" => match rest {
                "" | ":memory:" => Err("expected the path of a file: sqlite://data/sentistream.db"),
                path => Ok(Self::Sqlite(path.into())),
            },
            "postgres" | "postgresql" => {
                if rest.is_empty() {
                    Err(ALLOWED)
                } else {
                    Ok(Self::Postgres(format!("postgres://{rest}").into()))
                }
            }
            _ => Err(ALLOWED),
        }
    }
}

impl FromStr for StreamUrl {
    type Err = &'static str;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        const ALLOWED: &str =
            "expected \"local\", or redis://, rediss://, redis-sentinel:// or redis-cluster:// with HOST:PORT";
        let text = text.trim();
        if text == "local" {
            return Ok(Self::Local);
        }
        let url = url::Url::parse(text).map_err(|_| ALLOWED)?;
        if REDIS_SCHEMES.contains(&url.scheme()) && url.host_str().is_some_and(|host| !host.is_empty()) {
            Ok(Self::Redis(text.to_owned().into()))
        } else {
            Err(ALLOWED)
        }
    }
}

impl fmt::Display for DatabaseUrl {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Sqlite(path) => write!(f, "sqlite://{}", path.display()),
            Self::Postgres(url) => f.write_str(&mask(url.expose_secret())),
        }
    }
}

impl fmt::Display for StreamUrl {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Local => f.write_str("local"),
            Self::Redis(url) => f.write_str(&mask(url.expose_secret())),
        }
    }
}

macro_rules! masked_debug_and_parse {
    ($($name:ident),+) => {$(
        impl fmt::Debug for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                fmt::Display::fmt(self, f)
            }
        }

        impl<'de> Deserialize<'de> for $name {
            fn deserialize<D: Deserializer<'de>>(de: D) -> Result<Self, D::Error> {
                super::values::parsed(de)
            }
        }
    )+};
}

masked_debug_and_parse!(DatabaseUrl, StreamUrl);

/// Replaces every part of `url` that may be secret by `***`: the password, and query parameters that may contain one. A
/// text that is not a URL is masked completely. Ambiguous parts are masked too, because a password may contain
/// unescaped delimiters.
pub fn mask(url: &str) -> String {
    const HIDDEN: &str = "***";
    if url.is_empty() || url == "local" || url.starts_with("sqlite://") {
        return url.to_owned();
    }
    let Some((scheme, rest)) = url.split_once("://") else { return HIDDEN.to_owned() };
    let (user, rest) = match rest.rsplit_once('@') {
        None => (String::new(), rest),
        Some((user, rest)) => match user.split_once(':') {
            None => (format!("{user}@"), rest),
            Some((name, _password)) => (format!("{name}:{HIDDEN}@"), rest),
        },
    };
    let Some((place, query)) = rest.split_once('?') else { return format!("{scheme}://{user}{rest}") };
    let pairs: Vec<_> = query
        .split('&')
        .map(|pair| match pair.split_once('=') {
            Some((name, _)) if name.to_lowercase().contains("pass") => format!("{name}={HIDDEN}"),
            _ => pair.to_owned(),
        })
        .collect();
    format!("{scheme}://{user}{place}?{}", pairs.join("&"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_accepted_form_of_a_url_is_read() {
        for (text, shown) in [
            ("sqlite://data/x.db", "sqlite://data/x.db"),
            ("sqlite:///var/x.db", "sqlite:///var/x.db"),
            ("postgres://u:hunter2@db:5432/x?sslmode=require", "postgres://u:***@db:5432/x?sslmode=require"),
            ("postgresql://u@db/x", "postgres://u@db/x"),
            ("postgresql+asyncpg://u:hunter2@db/x", "postgres://u:***@db/x"),
            ("postgres://db/x?user=u&password=hunter2", "postgres://db/x?user=u&password=***"),
        ] {
            let url: DatabaseUrl = text.parse().unwrap();
            assert_eq!((url.to_string(), format!("{url:?}")), (shown.to_owned(), shown.to_owned()));
        }
        for (text, shown) in [
            ("local", "local"),
            ("redis://:hunter2@cache:6379/1", "redis://:***@cache:6379/1"),
            (
                "redis-sentinel://u:hunter2@a:26379/0?sentinelServiceName=m&sentinelPassword=hunter2",
                "redis-sentinel://u:***@a:26379/0?sentinelServiceName=m&sentinelPassword=***",
            ),
            ("rediss://cache:6379", "rediss://cache:6379"),
        ] {
            assert_eq!(format!("{:?}", text.parse::<StreamUrl>().unwrap()), shown);
        }
        for text in ["", "mysql://x", "postgres:/x", "data/x.db", "sqlite://", "sqlite://:memory:", "sqlite+aio://x"] {
            assert!(text.parse::<DatabaseUrl>().is_err(), "{text}");
        }
        for text in ["", "localhost", "redis://", "http://x", "redis:6379"] {
            assert!(text.parse::<StreamUrl>().is_err(), "{text}");
        }
    }

    #[test]
    fn malformed_urls_are_masked() {
        assert_eq!(mask("hunter2"), "***");
        assert_eq!(mask("postgres://u:hun/t?e@r2@[bad/x"), "postgres://u:***@[bad/x");
        assert_eq!(mask("postgres://u:hunter2@a:1,b:2/x"), "postgres://u:***@a:1,b:2/x");
    }
}
