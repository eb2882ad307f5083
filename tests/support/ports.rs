//! Ports for the servers of tests.

use std::collections::BTreeSet;
use std::net::TcpListener;
use std::sync::{Mutex, PoisonError};

/// The ports that tests of this process have got. A server that is down still owns its port.
static TAKEN: Mutex<BTreeSet<u16>> = Mutex::new(BTreeSet::new());

/// A port on loopback where nothing listens. It is below the ephemeral range, so that no other process gets it
/// before the test's server starts, or while that server is down.
pub fn free_port() -> u16 {
    loop {
        let port = rand::random_range(10_000..32_000);
        let is_new = TAKEN.lock().unwrap_or_else(PoisonError::into_inner).insert(port);
        if is_new && TcpListener::bind(("127.0.0.1", port)).is_ok() {
            return port;
        }
    }
}
