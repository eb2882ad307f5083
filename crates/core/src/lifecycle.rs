//! Supervision and shutdown of the roles of a process.

mod backoff;

use std::future::Future;
use std::time::Duration;

use anyhow::Context as _;
use tokio::task::{Id, JoinError, JoinSet};
use tokio_util::sync::CancellationToken;

pub use backoff::{BackendWait, Backoff, GaveUp, retry};

/// The two signals of a shutdown, shared by every task of the process.
#[derive(Clone, Debug, Default)]
pub struct Shutdown {
    stop: CancellationToken,
    abandon: CancellationToken,
}

impl Shutdown {
    /// Asks every role to stop taking work and to finish its current work.
    pub fn stop(&self) {
        self.stop.cancel();
    }

    /// Asks every role to release unfinished work. Implies [`Self::stop`].
    pub fn abandon(&self) {
        self.stop.cancel();
        self.abandon.cancel();
    }

    /// Creates signals for a part of the process. The part receives the signals of `self`, and signals that are sent
    /// only to the part.
    #[must_use]
    pub fn child(&self) -> Self {
        Self { stop: self.stop.child_token(), abandon: self.abandon.child_token() }
    }

    /// Whether a stop was requested, so that roles must not take new work.
    pub fn is_stopping(&self) -> bool {
        self.stop.is_cancelled()
    }

    /// The token that is cancelled when a stop is requested.
    pub fn stop_token(&self) -> &CancellationToken {
        &self.stop
    }

    /// Completes when a stop is requested.
    pub async fn stopping(&self) {
        self.stop.cancelled().await;
    }

    /// Completes when unfinished work must be released.
    pub async fn abandoned(&self) {
        self.abandon.cancelled().await;
    }

    /// The result of `work`, or `None` if a stop is requested first. `work` is then dropped, so use this method only
    /// for waits, never for a transaction.
    pub async fn unless_stopping<F: Future>(&self, work: F) -> Option<F::Output> {
        self.stop.run_until_cancelled(work).await
    }

    /// Waits for `time`; returns `false` when a stop is requested first.
    pub async fn sleep(&self, time: Duration) -> bool {
        self.unless_stopping(tokio::time::sleep(time)).await.is_some()
    }
}

/// Runs the roles of a process. If a role ends without a stop request, all roles are stopped and the process fails.
#[derive(Default)]
pub struct Supervisor {
    shutdown: Shutdown,
    roles: JoinSet<anyhow::Result<()>>,
    names: Vec<(Id, &'static str)>,
}

/// The share of the grace period that is reserved at its end for roles to release unfinished work.
const RELEASE_SHARE: f64 = 0.2;

impl Supervisor {
    /// A supervisor whose roles observe `shutdown`.
    pub fn new(shutdown: Shutdown) -> Self {
        Self { shutdown, ..Self::default() }
    }

    /// Starts a role as a task.
    pub fn spawn(&mut self, name: &'static str, role: impl Future<Output = anyhow::Result<()>> + Send + 'static) {
        let handle = self.roles.spawn(role);
        self.names.push((handle.id(), name));
    }

    /// Waits for `signal`, for a stop request or for a role that ends, then stops all roles within `grace`.
    ///
    /// # Errors
    /// When a role failed, panicked, ended without a stop request, or did not stop in time.
    pub async fn run(mut self, signal: impl Future<Output = ()>, grace: Duration) -> anyhow::Result<()> {
        let early = tokio::select! {
            () = signal => Ok(()),
            () = self.shutdown.stopping() => Ok(()),
            Some(ended) = self.roles.join_next_with_id() => Err(self.fault(ended)),
        };
        if let Err(fault) = &early {
            tracing::error!(error = format!("{fault:#}"), "role ended, stopping the other roles");
        }
        self.shutdown.stop();
        let drained = tokio::time::timeout(grace.mul_f64(1.0 - RELEASE_SHARE), self.drain()).await;
        let drained = match drained {
            Ok(result) => result,
            Err(_) => {
                tracing::warn!("grace period nearly over, releasing unfinished work");
                self.shutdown.abandon();
                tokio::time::timeout(grace.mul_f64(RELEASE_SHARE), self.drain()).await.unwrap_or_else(|_| {
                    Err(anyhow::anyhow!("roles did not stop within {grace:?}; increase shutdown.grace"))
                })
            }
        };
        early.and(drained)
    }

    async fn drain(&mut self) -> anyhow::Result<()> {
        let mut result = Ok(());
        while let Some(ended) = self.roles.join_next_with_id().await {
            if !matches!(ended, Ok((_, Ok(())))) {
                result = result.and(Err(self.fault(ended)));
            }
        }
        result
    }

    fn fault(&self, ended: Result<(Id, anyhow::Result<()>), JoinError>) -> anyhow::Error {
        let (id, result) = match ended {
            Ok((id, result)) => {
                (id, result.and_then(|()| Err(anyhow::anyhow!("the role ended without a stop request"))))
            }
            Err(error) => (error.id(), Err(error.into())),
        };
        let name = self.names.iter().find(|(known, _)| *known == id).map_or("unknown", |(_, name)| name);
        match result.context(format!("the role {name} failed")) {
            Err(error) => error,
            Ok(()) => anyhow::anyhow!("the role {name} ended"),
        }
    }
}

/// Installs handlers for SIGTERM and SIGINT. The future completes at the first signal; the second signal exits the
/// process immediately.
pub fn termination() -> impl Future<Output = ()> {
    let mut signals = Signals::listen();
    async move {
        signals.next().await;
        tracing::info!("stopping; a second signal exits immediately");
        tokio::spawn(async move {
            signals.next().await;
            std::process::exit(130);
        });
    }
}

#[cfg(unix)]
struct Signals(Vec<tokio::signal::unix::Signal>);

#[cfg(unix)]
impl Signals {
    /// Installs the handlers. A signal without a handler keeps its default action, which ends the process.
    fn listen() -> Self {
        use tokio::signal::unix::{SignalKind, signal};
        Self(
            [SignalKind::terminate(), SignalKind::interrupt()]
                .into_iter()
                .filter_map(|kind| signal(kind).ok())
                .collect(),
        )
    }

    async fn next(&mut self) {
        let any = futures_util::future::select_all(self.0.iter_mut().map(|signal| Box::pin(signal.recv())));
        any.await;
    }
}

#[cfg(not(unix))]
struct Signals;

#[cfg(not(unix))]
impl Signals {
    fn listen() -> Self {
        Self
    }

    async fn next(&mut self) {
        if tokio::signal::ctrl_c().await.is_err() {
            std::future::pending::<()>().await;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const GRACE: Duration = Duration::from_secs(5);

    #[tokio::test]
    async fn role_that_ends_stops_the_others_and_fails_the_process() {
        let shutdown = Shutdown::default();
        let mut supervisor = Supervisor::new(shutdown.clone());
        supervisor.spawn("steady", async move {
            shutdown.stopping().await;
            Ok(())
        });
        supervisor.spawn("brief", async { Ok(()) });
        let error = supervisor.run(std::future::pending(), GRACE).await.unwrap_err();
        assert!(format!("{error:#}").contains("brief"), "{error:#}");
    }

    #[tokio::test]
    async fn panic_error_names_its_role() {
        let mut supervisor = Supervisor::new(Shutdown::default());
        supervisor.spawn("worker", async { panic!("boom") });
        let error = supervisor.run(std::future::pending(), GRACE).await.unwrap_err();
        assert!(format!("{error:#}").contains("worker"), "{error:#}");
    }

    #[tokio::test(start_paused = true)]
    async fn unfinished_work_is_released_before_the_grace_period_ends() {
        let shutdown = Shutdown::default();
        let mut supervisor = Supervisor::new(shutdown.clone());
        supervisor.spawn("slow", async move {
            shutdown.abandoned().await;
            Ok(())
        });
        supervisor.run(std::future::ready(()), GRACE).await.unwrap();
    }

    #[tokio::test(start_paused = true)]
    async fn hanging_role_does_not_block_shutdown() {
        let mut supervisor = Supervisor::new(Shutdown::default());
        supervisor.spawn("hung", std::future::pending());
        let error = supervisor.run(std::future::ready(()), GRACE).await.unwrap_err();
        assert!(error.to_string().contains("shutdown.grace"), "{error}");
    }
}
