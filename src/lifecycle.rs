//! Supervision, cancellation and draining.

pub mod patience;

use std::future::Future;
use std::time::Duration;

use anyhow::Context as _;
use tokio::task::{Id, JoinError, JoinSet};
use tokio_util::sync::CancellationToken;

pub use patience::{BackendWait, Patience};

/// The two signals of a shutdown, shared by every task of the process.
#[derive(Clone, Debug, Default)]
pub struct Shutdown {
    stop: CancellationToken,
    abandon: CancellationToken,
}

impl Shutdown {
    /// Asks every role to stop taking work and to finish what it has.
    pub fn stop(&self) {
        self.stop.cancel();
    }

    /// Asks every role to hand back what it has not finished. Implies [`Self::stop`].
    pub fn abandon(&self) {
        self.stop.cancel();
        self.abandon.cancel();
    }

    /// Whether no new work may be taken.
    pub fn is_stopping(&self) -> bool {
        self.stop.is_cancelled()
    }

    /// Ends when no new work may be taken.
    pub async fn stopping(&self) {
        self.stop.cancelled().await;
    }

    /// Ends when unfinished work must be handed back.
    pub async fn abandoned(&self) {
        self.abandon.cancelled().await;
    }

    /// `work`'s result, or `None` when a stop comes first. `work` is dropped then:
    /// use it for waits, never around a transaction.
    pub async fn unless_stopping<F: Future>(&self, work: F) -> Option<F::Output> {
        self.stop.run_until_cancelled(work).await
    }

    /// Waits for `time` or for a stop; `false` when it was a stop.
    pub async fn sleep(&self, time: Duration) -> bool {
        self.unless_stopping(tokio::time::sleep(time)).await.is_some()
    }
}

/// Runs the roles of a process: when one ends by itself, all are stopped and the process fails.
#[derive(Default)]
pub struct Supervisor {
    shutdown: Shutdown,
    roles: JoinSet<anyhow::Result<()>>,
    names: Vec<(Id, &'static str)>,
}

/// What is left of the grace time for roles to hand back their work once they are told to abandon it.
const HAND_BACK: f64 = 0.2;

impl Supervisor {
    /// A supervisor whose roles listen to `shutdown`.
    pub fn new(shutdown: Shutdown) -> Self {
        Self { shutdown, ..Self::default() }
    }

    /// Starts a role.
    pub fn spawn(&mut self, name: &'static str, role: impl Future<Output = anyhow::Result<()>> + Send + 'static) {
        let handle = self.roles.spawn(role);
        self.names.push((handle.id(), name));
    }

    /// Waits for `signal` or for a role that ends, then stops all roles within `grace`.
    ///
    /// # Errors
    /// When a role failed, panicked or ended by itself, or did not stop in time.
    pub async fn run(mut self, signal: impl Future<Output = ()>, grace: Duration) -> anyhow::Result<()> {
        let early = tokio::select! {
            () = signal => Ok(()),
            () = self.shutdown.stopping() => Ok(()),
            Some(ended) = self.roles.join_next_with_id() => Err(self.fault(ended)),
        };
        if let Err(fault) = &early {
            tracing::error!(error = format!("{fault:#}"), "stopping, because a role ended");
        }
        self.shutdown.stop();
        let drained = tokio::time::timeout(grace.mul_f64(1.0 - HAND_BACK), self.drain()).await;
        let drained = match drained {
            Ok(result) => result,
            Err(_) => {
                tracing::warn!("work is not finished in time and is handed back");
                self.shutdown.abandon();
                tokio::time::timeout(grace.mul_f64(HAND_BACK), self.drain())
                    .await
                    .unwrap_or_else(|_| Err(anyhow::anyhow!("roles did not stop within {grace:?} (shutdown.grace)")))
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
            Ok((id, result)) => (id, result.and_then(|()| Err(anyhow::anyhow!("it ended by itself")))),
            Err(error) => (error.id(), Err(error.into())),
        };
        let name = self.names.iter().find(|(known, _)| *known == id).map_or("unknown", |(_, name)| name);
        match result.context(format!("the role {name} failed")) {
            Err(error) => error,
            Ok(()) => anyhow::anyhow!("the role {name} ended"),
        }
    }
}

/// Listens for SIGTERM and SIGINT from now on; the future ends at the first. A second one exits the process at once.
pub fn termination() -> impl Future<Output = ()> {
    let mut signals = Signals::listen();
    async move {
        signals.next().await;
        tracing::info!("stopping; a second signal exits at once");
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
    /// A signal that cannot be listened for keeps its default: it ends the process.
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
    async fn a_role_that_ends_by_itself_stops_the_others_and_fails_the_process() {
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
    async fn a_panic_names_its_role() {
        let mut supervisor = Supervisor::new(Shutdown::default());
        supervisor.spawn("worker", async { panic!("boom") });
        let error = supervisor.run(std::future::pending(), GRACE).await.unwrap_err();
        assert!(format!("{error:#}").contains("worker"), "{error:#}");
    }

    #[tokio::test(start_paused = true)]
    async fn work_that_takes_too_long_is_told_to_hand_back() {
        let shutdown = Shutdown::default();
        let mut supervisor = Supervisor::new(shutdown.clone());
        supervisor.spawn("slow", async move {
            shutdown.abandoned().await;
            Ok(())
        });
        supervisor.run(std::future::ready(()), GRACE).await.unwrap();
    }

    #[tokio::test(start_paused = true)]
    async fn a_role_that_hangs_does_not_hold_the_process() {
        let mut supervisor = Supervisor::new(Shutdown::default());
        supervisor.spawn("hung", std::future::pending());
        let error = supervisor.run(std::future::ready(()), GRACE).await.unwrap_err();
        assert!(error.to_string().contains("shutdown.grace"), "{error}");
    }
}
