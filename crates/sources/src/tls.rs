//! The TLS configuration of outgoing WebSocket connections.

use std::sync::Arc;

use rustls::ClientConfig;

use sentistream_core::outbound;

/// The TLS configuration with the certificate authorities of the system. If the system has none, every encrypted
/// connection fails.
///
/// # Errors
/// When no protocol version is supported, which cannot happen with the compiled-in versions.
pub fn client_config() -> Result<Arc<ClientConfig>, rustls::Error> {
    let mut config = outbound::tls()?;
    // The handshake of a WebSocket requires HTTP/1.1, so no other protocol is offered.
    config.alpn_protocols.clear();
    Ok(Arc::new(config))
}
