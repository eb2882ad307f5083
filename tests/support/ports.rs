//! Ports for the servers of tests.

use std::net::TcpListener;

/// A port on loopback where nothing listens. It is below the ephemeral range, so that no other process gets it
/// before the test's server starts, or while that server is down.
pub fn free_port() -> u16 {
    loop {
        let port = rand::random_range(10_000..32_000);
        if TcpListener::bind(("127.0.0.1", port)).is_ok() {
            return port;
        }
    }
}
