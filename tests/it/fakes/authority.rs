//! Creates certificates for servers on loopback.

use std::path::Path;
use std::process::Command;
use std::sync::Arc;

use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use tokio_rustls::TlsAcceptor;

/// A certificate authority.
pub struct Authority(tempfile::TempDir);

impl Authority {
    pub fn new() -> Self {
        let folder = tempfile::tempdir().unwrap();
        openssl(folder.path(), &format!("req -x509 {KEY} -keyout ca.key -out ca.pem -days 2 -subj /CN=test-authority"));
        Self(folder)
    }

    pub fn pem(&self) -> Vec<u8> {
        std::fs::read(self.0.path().join("ca.pem")).unwrap()
    }

    /// The TLS of a server with a certificate for `name`, such as `IP:127.0.0.1`.
    pub fn server(&self, name: &str) -> TlsAcceptor {
        let folder = self.0.path();
        openssl(folder, &format!("req {KEY} -keyout server.key -out server.csr -subj /CN=mail"));
        std::fs::write(folder.join("names"), format!("subjectAltName={name}\n")).unwrap();
        let sign = "x509 -req -in server.csr -CA ca.pem -CAkey ca.key -CAcreateserial -out server.pem -days 2";
        openssl(folder, &format!("{sign} -extfile names"));
        let certificate = CertificateDer::from_pem_file(folder.join("server.pem")).unwrap();
        let key = PrivateKeyDer::from_pem_file(folder.join("server.key")).unwrap();
        let _ = rustls::crypto::ring::default_provider().install_default();
        let config = rustls::ServerConfig::builder().with_no_client_auth();
        TlsAcceptor::from(Arc::new(config.with_single_cert(vec![certificate], key).unwrap()))
    }
}

const KEY: &str = "-newkey ec -pkeyopt ec_paramgen_curve:prime256v1 -nodes";

fn openssl(folder: &Path, arguments: &str) {
    let done = Command::new("openssl").current_dir(folder).args(arguments.split(' ')).output();
    let done = done.expect("openssl is needed");
    assert!(done.status.success(), "{}", String::from_utf8_lossy(&done.stderr));
}
