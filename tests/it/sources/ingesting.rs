//! Runs an ingester that uses the store and the stream of a test app.

use std::time::Duration;

use sentistream::ingester::{self, IngesterOptions, IngesterServices};
use sentistream::lifecycle::Shutdown;
use sentistream::sources::{SourceSpec, SourceStates};

use crate::api::test_app::{DEADLINE, TestApp};

/// A running ingester.
pub struct Ingesting {
    pub states: SourceStates,
    shutdown: Shutdown,
    role: tokio::task::JoinHandle<anyhow::Result<()>>,
}

impl Ingesting {
    /// Starts an ingester that appends the posts of `source` to the stream of `app`.
    pub fn start(app: &TestApp, source: SourceSpec) -> Self {
        let (shutdown, states) = (Shutdown::default(), SourceStates::default());
        let services = IngesterServices {
            stream: app.services.stream.clone(),
            store: app.services.store.clone(),
            states: states.clone(),
            clock: app.services.clock.clone(),
        };
        let options =
            IngesterOptions { batch_size: 100, max_backoff: Duration::from_millis(50), ..IngesterOptions::default() };
        let role = tokio::spawn(ingester::run(vec![source], services, options, shutdown.clone()));
        Self { states, shutdown, role }
    }

    /// Stops the ingester as the shutdown of a process does.
    pub async fn stop(self) {
        self.shutdown.stop();
        let ended = tokio::time::timeout(DEADLINE, self.role).await;
        ended.expect("the ingester ends in time").expect("no panic").expect("no error");
    }
}
