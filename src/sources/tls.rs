//! TLS of outgoing WebSocket connections.

use std::sync::Arc;

use rustls::ClientConfig;

use crate::outbound;

/// TLS with the certificate authorities of the system. If there are none, each connection fails.
///
/// # Errors
/// When no protocol version is supported, which the compiled-in versions rule out.
pub fn client_config() -> Result<Arc<ClientConfig>, rustls::Error> {
    let mut config = outbound::tls()?;
    // The handshake of a WebSocket is HTTP/1.1.
    config.alpn_protocols.clear();
    Ok(Arc::new(config))
}
