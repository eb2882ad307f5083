//! One connection: writes queued frames, reads the client's messages, and detects a dead client.

use std::time::Duration;

use actix_web::web::Data;
use actix_ws::{AggregatedMessage, AggregatedMessageStream, CloseCode, CloseReason};
use tokio::sync::mpsc;
use tokio::time::{Instant, MissedTickBehavior};

use super::super::auth::{Authenticator, Principal};
use super::super::state::State;
use super::frame::{self, Frame};
use super::hub::Membership;
use super::request::Request;
use super::snapshot;

/// The maximum wait for a connection to close.
const CLOSE_WAIT: Duration = Duration::from_secs(1);

/// The maximum number of frames that are taken from the queue at once.
const FRAMES: usize = 64;

/// The interval at which the access of a client is checked.
const TOKEN_CHECK: Duration = Duration::from_secs(1);

/// The authorization of a connection, which ends when the client's token or session ends.
pub struct Access {
    /// Checks whether the access of the client is still valid.
    pub authenticator: Data<Authenticator>,
    /// The client.
    pub principal: Principal,
}

/// A client, the frames for it, and its socket.
pub struct Connection {
    /// The client's membership in the hub, which ends when this value is dropped.
    pub client: Membership,
    /// The frames that the hub has queued for the client.
    pub queue: mpsc::Receiver<Frame>,
    /// The sending half of the WebSocket.
    pub socket: actix_ws::Session,
}

/// A connection that is being served.
pub struct Session {
    state: Data<State>,
    access: Access,
    client: Membership,
    queue: mpsc::Receiver<Frame>,
    socket: actix_ws::Session,
}

/// Why a connection ends.
enum End {
    /// The client has disconnected or no longer responds.
    Gone,
    /// The server closes the connection, with a code and a reason.
    Close(CloseCode, &'static str),
}

impl Session {
    /// A session that serves `connection` until `access` expires.
    pub fn new(state: Data<State>, access: Access, connection: Connection) -> Self {
        let Connection { client, queue, socket } = connection;
        Self { state, access, client, queue, socket }
    }

    /// Serves the connection until it ends.
    pub async fn run(mut self, mut messages: AggregatedMessageStream) {
        let end = self.serve(&mut messages).await;
        // The client leaves the hub first, so that no frames are queued while the connection closes.
        let Self { client, socket, .. } = self;
        drop(client);
        if let End::Close(code, reason) = end {
            let close = socket.close(Some(CloseReason { code, description: Some(reason.to_owned()) }));
            // A client that does not read cannot receive the close frame, so the connection is dropped after a timeout.
            if let Ok(Ok(())) = tokio::time::timeout(CLOSE_WAIT, close).await {
                let answered = async { while let Some(Ok(_)) = messages.recv().await {} };
                let _ = tokio::time::timeout(CLOSE_WAIT, answered).await;
            }
        }
    }

    async fn serve(&mut self, messages: &mut AggregatedMessageStream) -> End {
        let options = self.state.options.live.clone();
        let now = self.state.api.clock.now();
        if let Err(end) = self.send(frame::connected(now)).await {
            return end;
        }
        let counts = self.state.clone();
        let mut counts = std::pin::pin!(async move { snapshot::metrics_update(&counts).await.ok() });
        let mut counts_wanted = true;

        let mut pings = tokio::time::interval_at(Instant::now() + options.ping_interval, options.ping_interval);
        pings.set_missed_tick_behavior(MissedTickBehavior::Delay);
        let can_end = self.access.principal.can_end();
        let mut token_checks = tokio::time::interval(TOKEN_CHECK);
        token_checks.set_missed_tick_behavior(MissedTickBehavior::Delay);
        let mut last_message = Instant::now();
        let mut frames = Vec::new();
        loop {
            let step = tokio::select! {
                biased;
                () = self.state.hub.closing() => Err(End::Close(CloseCode::Away, "the server is shutting down")),
                () = self.client.too_slow() => Err(too_slow()),
                _ = token_checks.tick(), if can_end => self.check_token(),
                message = messages.recv() => match message {
                    Some(Ok(message)) => {
                        last_message = Instant::now();
                        self.handle(message).await
                    }
                    Some(Err(_)) => Err(End::Close(CloseCode::Protocol, "invalid WebSocket frame")),
                    None => Err(End::Gone),
                },
                _ = pings.tick() => {
                    if last_message.elapsed() >= options.silence_limit { Err(End::Gone) } else { self.ping().await }
                }
                frame = counts.as_mut(), if counts_wanted => {
                    counts_wanted = false;
                    match frame {
                        Some(frame) => self.send(frame).await,
                        None => Ok(()),
                    }
                }
                1.. = self.queue.recv_many(&mut frames, FRAMES) => self.forward(std::mem::take(&mut frames)).await,
            };
            if let Err(end) = step {
                return end;
            }
        }
    }

    fn check_token(&self) -> Result<(), End> {
        if self.access.authenticator.is_current(&self.access.principal) {
            return Ok(());
        }
        Err(End::Close(CloseCode::Policy, "access has ended: sign in again, or use a valid token"))
    }

    /// Sends queued frames, and after the last frame the number of missed events.
    async fn forward(&mut self, frames: Vec<Frame>) -> Result<(), End> {
        let socket = &mut self.socket;
        let all = async {
            // An empty frame only wakes the session and is not sent.
            for frame in frames.into_iter().filter(|frame| !frame.is_empty()) {
                socket.text(frame).await?;
            }
            Ok(())
        };
        write(&self.client, &self.state, all).await?;
        if let Some(missed) = self.client.settle(&self.queue) {
            self.send(frame::lagged(missed)).await?;
        }
        Ok(())
    }

    async fn handle(&mut self, message: AggregatedMessage) -> Result<(), End> {
        match message {
            AggregatedMessage::Text(text) => {
                let answer = match Request::parse(&text) {
                    Ok(Request::Ping) => frame::pong(self.state.api.clock.now()),
                    Ok(Request::Subscribe(filters)) => {
                        let answer = frame::subscribed(&filters);
                        self.client.subscribe(filters);
                        answer
                    }
                    Err(error) => frame::error(&error.to_string()),
                };
                self.send(answer).await
            }
            AggregatedMessage::Binary(_) => self.send(frame::error("send JSON in text frames")).await,
            AggregatedMessage::Ping(payload) => {
                let pong = self.socket.pong(&payload);
                write(&self.client, &self.state, pong).await
            }
            AggregatedMessage::Pong(_) => Ok(()),
            AggregatedMessage::Close(_) => Err(End::Close(CloseCode::Normal, "")),
        }
    }

    async fn ping(&mut self) -> Result<(), End> {
        let ping = self.socket.ping(b"");
        write(&self.client, &self.state, ping).await
    }

    async fn send(&mut self, frame: Frame) -> Result<(), End> {
        let text = self.socket.text(frame);
        write(&self.client, &self.state, text).await
    }
}

/// Waits until the connection accepts a frame, the client is closed as too slow, or the server stops.
async fn write(
    client: &Membership,
    state: &State,
    writing: impl Future<Output = Result<(), actix_ws::Closed>>,
) -> Result<(), End> {
    tokio::select! {
        written = writing => written.map_err(|_| End::Gone),
        () = client.too_slow() => Err(too_slow()),
        () = state.hub.closing() => Err(End::Close(CloseCode::Away, "the server is shutting down")),
        // While no events occur, a client misses none and is not closed as too slow. A client that accepts no data for
        // this long is therefore disconnected here.
        () = tokio::time::sleep(state.options.live.silence_limit) => Err(End::Gone),
    }
}

fn too_slow() -> End {
    End::Close(CloseCode::Again, "too slow: reconnect and fetch the missed events")
}
