//! A TCP proxy that delays data, drops data, and resets connections.

use std::io;
use std::time::Duration;

use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::watch;

/// The state of the network.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum NetworkState {
    Clear,
    /// Each packet is delayed by this time.
    Slow(Duration),
    /// Connections remain open, but no data is forwarded.
    Silent,
    /// Open and new connections are closed.
    Broken,
}

/// A proxy in front of one server.
pub struct Proxy {
    pub port: u16,
    network: watch::Sender<NetworkState>,
}

impl Proxy {
    /// Starts a proxy to the server on the port `target`.
    pub async fn to(target: u16) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port");
        let port = listener.local_addr().expect("an address").port();
        let network = watch::Sender::new(NetworkState::Clear);
        let observed = network.subscribe();
        tokio::spawn(async move {
            while let Ok((near, _)) = listener.accept().await {
                tokio::spawn(connection(near, target, observed.clone()));
            }
        });
        Self { port, network }
    }

    pub fn set(&self, network: NetworkState) {
        self.network.send_replace(network);
    }
}

async fn connection(near: TcpStream, target: u16, mut network: watch::Receiver<NetworkState>) {
    if *network.borrow() == NetworkState::Broken {
        return;
    }
    let Ok(far) = TcpStream::connect(("127.0.0.1", target)).await else { return };
    let (near_read, near_write) = near.into_split();
    let (far_read, far_write) = far.into_split();
    let (out, back) = (network.clone(), network.clone());
    tokio::select! {
        _ = pass(near_read, far_write, out) => {}
        _ = pass(far_read, near_write, back) => {}
        _ = network.wait_for(|network| *network == NetworkState::Broken) => {}
    }
}

async fn pass(
    mut from: impl AsyncRead + Unpin,
    mut to: impl AsyncWrite + Unpin,
    mut network: watch::Receiver<NetworkState>,
) -> io::Result<()> {
    let mut buffer = vec![0; 16 * 1024];
    loop {
        let read = from.read(&mut buffer).await?;
        if read == 0 {
            return Ok(());
        }
        let current = *network.borrow();
        match current {
            NetworkState::Slow(delay) => tokio::time::sleep(delay).await,
            NetworkState::Silent => {
                let _ = network.wait_for(|network| *network != NetworkState::Silent).await;
            }
            NetworkState::Clear | NetworkState::Broken => {}
        }
        to.write_all(&buffer[..read]).await?;
    }
}
