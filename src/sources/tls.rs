//! Certificates that outgoing connections of sources trust: those of the system.

use std::sync::Arc;

use rustls::ClientConfig;

/// TLS with the system's certificates.
///
/// # Errors
/// When TLS cannot be set up. A system without certificates is no error here: each connection fails then.
pub fn client_config() -> Result<Arc<ClientConfig>, String> {
    let mut roots = rustls::RootCertStore::empty();
    roots.add_parsable_certificates(rustls_native_certs::load_native_certs().certs);
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let config = ClientConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .map_err(|error| format!("cannot set up TLS: {error}"))?
        .with_root_certificates(roots)
        .with_no_client_auth();
    Ok(Arc::new(config))
}
