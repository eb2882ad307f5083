//! TLS to Postgres through rustls, with the verification modes of libpq.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use diesel::result::{ConnectionError, ConnectionResult};
use diesel_async::AsyncPgConnection;
use rustls::client::danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier};
use rustls::client::{WebPkiServerVerifier, verify_server_name};
use rustls::crypto::{CryptoProvider, verify_tls12_signature, verify_tls13_signature};
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, ServerName, UnixTime};
use rustls::server::ParsedCertificate;
use rustls::{CertificateError, ClientConfig, DigitallySignedStruct, Error, RootCertStore, SignatureScheme};
use tokio_postgres::{CancelToken, Config, NoTls};
use tokio_postgres_rustls::MakeRustlsConnect;

use super::url::{Security, SslMode};

/// Why connections cannot be protected as the URL requires.
#[derive(Debug, thiserror::Error)]
pub enum TlsError {
    /// The file with certificates cannot be read.
    #[error("the file {} of sslrootcert in the database URL cannot be read: {source}", path.display())]
    Certificates {
        /// The path of the file.
        path: PathBuf,
        /// Why it cannot be read.
        source: rustls::pki_types::pem::Error,
    },
    /// No certificate of an authority is available to verify the server.
    #[error("no certificate authority to verify the database server: set sslrootcert in the database URL")]
    NoAuthority,
    /// The verifier cannot be built.
    #[error(transparent)]
    Verifier(#[from] rustls::client::VerifierBuilderError),
    /// The TLS library does not support the protocol versions.
    #[error(transparent)]
    Protocol(#[from] Error),
}

/// The TLS settings of connections.
pub struct Tls(Option<MakeRustlsConnect>);

impl Tls {
    /// Reads the certificates.
    ///
    /// # Errors
    /// When `sslmode` requires the certificate of an authority, and there is none or the file cannot be read.
    pub fn new(security: &Security) -> Result<Self, TlsError> {
        if security.mode == SslMode::Disable {
            return Ok(Self(None));
        }
        let provider = Arc::new(rustls::crypto::ring::default_provider());
        let verifier = Verifier::new(security, provider.clone())?;
        let config = ClientConfig::builder_with_provider(provider)
            .with_safe_default_protocol_versions()?
            .dangerous()
            .with_custom_certificate_verifier(Arc::new(verifier))
            .with_no_client_auth();
        Ok(Self(Some(MakeRustlsConnect::new(config))))
    }

    /// Asks the server to cancel the statement of another connection.
    ///
    /// # Errors
    /// When the server cannot be reached.
    pub async fn cancel(&self, token: &CancelToken) -> Result<(), tokio_postgres::Error> {
        match &self.0 {
            None => token.cancel_query(NoTls).await,
            Some(tls) => token.cancel_query(tls.clone()).await,
        }
    }

    /// Opens a connection.
    pub async fn connect(&self, config: &Config) -> ConnectionResult<AsyncPgConnection> {
        match &self.0 {
            None => {
                let (client, connection) = config.connect(NoTls).await.map_err(|e| refused(&e))?;
                AsyncPgConnection::try_from_client_and_connection(client, connection).await
            }
            Some(tls) => {
                let (client, connection) = config.connect(tls.clone()).await.map_err(|e| refused(&e))?;
                AsyncPgConnection::try_from_client_and_connection(client, connection).await
            }
        }
    }
}

fn refused(error: &tokio_postgres::Error) -> ConnectionError {
    let mut text = error.to_string();
    if let Some(source) = std::error::Error::source(error) {
        text.push_str(&format!(": {source}"));
    }
    ConnectionError::BadConnection(text)
}

/// Verifies the certificate of the server as far as `sslmode` requires. The signatures of the handshake are always
/// verified.
#[derive(Debug)]
struct Verifier {
    provider: Arc<CryptoProvider>,
    /// The authorities that may have issued the certificate. `None`: a certificate of any issuer is accepted.
    chain: Option<Chain>,
}

#[derive(Debug)]
struct Chain {
    inner: Arc<WebPkiServerVerifier>,
    /// The configured certificates. One of them may be the certificate of the server itself instead of an authority.
    roots: Vec<CertificateDer<'static>>,
    checks_name: bool,
}

impl Verifier {
    fn new(security: &Security, provider: Arc<CryptoProvider>) -> Result<Self, TlsError> {
        let checks_name = match security.mode {
            SslMode::Disable | SslMode::Prefer | SslMode::Require => return Ok(Self { provider, chain: None }),
            SslMode::VerifyCa => false,
            SslMode::VerifyFull => true,
        };
        let roots = match &security.roots {
            Some(file) => certificates(file)?,
            None => rustls_native_certs::load_native_certs().certs,
        };
        let mut store = RootCertStore::empty();
        let (usable, _) = store.add_parsable_certificates(roots.iter().cloned());
        if usable == 0 {
            return Err(TlsError::NoAuthority);
        }
        let inner = WebPkiServerVerifier::builder_with_provider(Arc::new(store), provider.clone()).build()?;
        Ok(Self { provider, chain: Some(Chain { inner, roots, checks_name }) })
    }
}

fn certificates(file: &Path) -> Result<Vec<CertificateDer<'static>>, TlsError> {
    let read = CertificateDer::pem_file_iter(file).and_then(Iterator::collect);
    read.map_err(|source| TlsError::Certificates { path: file.to_owned(), source })
}

impl ServerCertVerifier for Verifier {
    fn verify_server_cert(
        &self,
        end_entity: &CertificateDer<'_>,
        intermediates: &[CertificateDer<'_>],
        server_name: &ServerName<'_>,
        ocsp_response: &[u8],
        now: UnixTime,
    ) -> Result<ServerCertVerified, Error> {
        let Some(chain) = &self.chain else { return Ok(ServerCertVerified::assertion()) };
        if chain.roots.iter().any(|root| root == end_entity) {
            if chain.checks_name {
                verify_server_name(&ParsedCertificate::try_from(end_entity)?, server_name)?;
            }
            return Ok(ServerCertVerified::assertion());
        }
        match chain.inner.verify_server_cert(end_entity, intermediates, server_name, ocsp_response, now) {
            // This error means that the chain is valid, because the chain is checked before the name.
            Err(Error::InvalidCertificate(
                CertificateError::NotValidForName | CertificateError::NotValidForNameContext { .. },
            )) if !chain.checks_name => Ok(ServerCertVerified::assertion()),
            result => result,
        }
    }

    fn verify_tls12_signature(
        &self,
        message: &[u8],
        cert: &CertificateDer<'_>,
        dss: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        verify_tls12_signature(message, cert, dss, &self.provider.signature_verification_algorithms)
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        cert: &CertificateDer<'_>,
        dss: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        verify_tls13_signature(message, cert, dss, &self.provider.signature_verification_algorithms)
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        self.provider.signature_verification_algorithms.supported_schemes()
    }
}
