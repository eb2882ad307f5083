//! Ports for the servers of tests.

use std::net::TcpListener;

/// A port on loopback where nothing listens. It is below those that the system gives out, so that nobody else gets it
/// before the server of a test does, or while that is down.
pub fn free_port() -> u16 {
    loop {
        let port = rand::random_range(10_000..32_000);
        if TcpListener::bind(("127.0.0.1", port)).is_ok() {
            return port;
        }
    }
}
