//! A TCP proxy that delays, resets and swallows what passes.

use std::io;
use std::time::Duration;

use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::watch;

/// What the network does.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Weather {
    Clear,
    /// Each packet is late by this.
    Slow(Duration),
    /// Connections stay open and nothing passes.
    Silent,
    /// Connections are closed, and new ones too.
    Broken,
}

/// A proxy in front of one server.
pub struct Proxy {
    pub port: u16,
    weather: watch::Sender<Weather>,
}

impl Proxy {
    /// A proxy to the server on `target`.
    pub async fn to(target: u16) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port");
        let port = listener.local_addr().expect("an address").port();
        let weather = watch::Sender::new(Weather::Clear);
        let observed = weather.subscribe();
        tokio::spawn(async move {
            while let Ok((near, _)) = listener.accept().await {
                tokio::spawn(connection(near, target, observed.clone()));
            }
        });
        Self { port, weather }
    }

    pub fn set(&self, weather: Weather) {
        self.weather.send_replace(weather);
    }
}

async fn connection(near: TcpStream, target: u16, mut weather: watch::Receiver<Weather>) {
    if *weather.borrow() == Weather::Broken {
        return;
    }
    let Ok(far) = TcpStream::connect(("127.0.0.1", target)).await else { return };
    let (near_read, near_write) = near.into_split();
    let (far_read, far_write) = far.into_split();
    let (out, back) = (weather.clone(), weather.clone());
    tokio::select! {
        _ = pass(near_read, far_write, out) => {}
        _ = pass(far_read, near_write, back) => {}
        _ = weather.wait_for(|weather| *weather == Weather::Broken) => {}
    }
}

async fn pass(
    mut from: impl AsyncRead + Unpin,
    mut to: impl AsyncWrite + Unpin,
    mut weather: watch::Receiver<Weather>,
) -> io::Result<()> {
    let mut buffer = vec![0; 16 * 1024];
    loop {
        let read = from.read(&mut buffer).await?;
        if read == 0 {
            return Ok(());
        }
        let current = *weather.borrow();
        match current {
            Weather::Slow(delay) => tokio::time::sleep(delay).await,
            Weather::Silent => {
                let _ = weather.wait_for(|weather| *weather != Weather::Silent).await;
            }
            Weather::Clear | Weather::Broken => {}
        }
        to.write_all(&buffer[..read]).await?;
    }
}
