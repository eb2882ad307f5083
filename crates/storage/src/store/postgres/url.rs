//! Parses the database URL into the part that `tokio-postgres` reads and the TLS parameters.

use std::path::PathBuf;
use std::str::FromStr;

use percent_encoding::percent_decode_str;

/// Why a database URL cannot be used. No message contains the URL, which may contain a password.
#[derive(Debug, thiserror::Error)]
pub enum UrlError {
    /// The scheme of the URL is not that of a Postgres database.
    #[error("the database URL must start with postgres:// or postgresql://")]
    Scheme,
    /// The value of `sslmode` is unknown.
    #[error("sslmode={0} in the database URL: must be disable, prefer, require, verify-ca or verify-full")]
    SslMode(String),
    /// The rest of the URL is malformed.
    #[error("the database URL is malformed: {}", source_of(.0))]
    Malformed(#[source] tokio_postgres::Error),
}

/// The protection of a connection, with the values of libpq's `sslmode`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum SslMode {
    /// No TLS.
    Disable,
    /// TLS if the server offers it; the certificate is not verified.
    Prefer,
    /// TLS; the certificate is not verified.
    Require,
    /// TLS; the certificate must be issued by a known authority.
    VerifyCa,
    /// TLS; the certificate must be issued by a known authority and be valid for the host.
    VerifyFull,
}

impl FromStr for SslMode {
    type Err = UrlError;

    fn from_str(text: &str) -> Result<Self, UrlError> {
        match text {
            "disable" => Ok(Self::Disable),
            "allow" | "prefer" => Ok(Self::Prefer),
            "require" => Ok(Self::Require),
            "verify-ca" => Ok(Self::VerifyCa),
            "verify-full" => Ok(Self::VerifyFull),
            other => Err(UrlError::SslMode(other.to_owned())),
        }
    }
}

/// The TLS part of a URL.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Security {
    /// How the server is verified.
    pub mode: SslMode,
    /// `sslrootcert`: a PEM file. If it is missing or `system`, the system's certificates are used.
    pub roots: Option<PathBuf>,
}

/// The connection parameters and the TLS settings.
#[derive(Clone, Debug)]
pub struct Target {
    /// The parameters of the connection, without those of TLS.
    pub config: tokio_postgres::Config,
    /// The TLS settings.
    pub security: Security,
}

impl Target {
    /// Reads `postgres://…`, `postgresql://…` and `postgresql+driver://…`.
    ///
    /// # Errors
    /// When the URL has another scheme, an unknown `sslmode`, or is malformed.
    pub fn parse(url: &str) -> Result<Self, UrlError> {
        let (scheme, rest) = url.split_once("://").unwrap_or_default();
        if !matches!(scheme.split('+').next(), Some("postgres" | "postgresql")) {
            return Err(UrlError::Scheme);
        }
        let (address, query) = rest.split_once('?').unwrap_or((rest, ""));
        let (mut mode, mut roots, mut kept) = (None, None, Vec::new());
        for pair in query.split('&').filter(|pair| !pair.is_empty()) {
            let (name, value) = pair.split_once('=').unwrap_or((pair, ""));
            let value = percent_decode_str(value).decode_utf8_lossy();
            match name {
                "sslmode" => mode = Some(value.parse()?),
                "sslrootcert" => roots = (value != "system").then(|| PathBuf::from(&*value)),
                _ => kept.push(pair),
            }
        }
        let mode = match mode.unwrap_or(SslMode::Prefer) {
            // As in libpq, `require` with a certificate authority verifies the authority.
            SslMode::Require if roots.is_some() => SslMode::VerifyCa,
            mode => mode,
        };
        let mut config = tokio_postgres::Config::from_str(&format!("postgres://{address}?{}", kept.join("&")))
            .map_err(UrlError::Malformed)?;
        config.ssl_mode(match mode {
            SslMode::Disable => tokio_postgres::config::SslMode::Disable,
            SslMode::Prefer => tokio_postgres::config::SslMode::Prefer,
            _ => tokio_postgres::config::SslMode::Require,
        });
        Ok(Self { config, security: Security { mode, roots } })
    }
}

fn source_of(error: &tokio_postgres::Error) -> String {
    std::error::Error::source(error).map_or_else(|| error.to_string(), ToString::to_string)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn url_is_split_into_tls_and_connection_parameters() {
        let target = Target::parse(
            "postgresql+asyncpg://me:p%40ss@db.example:5433/posts?sslmode=verify-full&sslrootcert=%2Fca.pem&application_name=x",
        )
        .unwrap();
        assert_eq!(target.security, Security { mode: SslMode::VerifyFull, roots: Some("/ca.pem".into()) });
        assert_eq!(target.config.get_user(), Some("me"));
        assert_eq!(target.config.get_password(), Some("p@ss".as_bytes()));
        assert_eq!(target.config.get_ports(), [5433]);
        assert_eq!(target.config.get_application_name(), Some("x"));
        let mode = |query: &str| Target::parse(&format!("postgres://h/d{query}")).unwrap().security.mode;
        assert_eq!(mode(""), SslMode::Prefer);
        assert_eq!(mode("?sslmode=require"), SslMode::Require);
        assert_eq!(mode("?sslmode=require&sslrootcert=ca.pem"), SslMode::VerifyCa);
        assert_eq!(mode("?sslmode=verify-ca&sslrootcert=system"), SslMode::VerifyCa);
    }

    #[test]
    fn error_of_bad_url_does_not_contain_its_password() {
        for url in ["mysql://me:secret@h/d", "postgres://me:secret@h/d?sslmode=maybe", "postgres://me:secret@h:x/d"] {
            let message = Target::parse(url).unwrap_err().to_string();
            assert!(!message.contains("secret"), "{message}");
        }
    }
}
