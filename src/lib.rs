//! SentiStream analyses the sentiment and emotion of social-media posts in real time.
//!
//! # The path of a post
//!
//! ```text
//! source ─▶ ingester ─▶ stream ─▶ worker ─▶ classifier ─▶ store ─▶ live bus ─▶ api (REST, WebSocket, dashboard)
//!                         │          └─ cannot be analysed ─▶ dead letter        └─▶ alerts
//!                         └ consumer group: claim · ack · release · rescue
//! ```
//!
//! Data flows in one direction. Five *roles* ([`ingester`], [`worker`], [`alerts`], [`notify`], [`http`]) run as tasks
//! of one process or of several. They communicate only through shared modules, called *services*: [`stream`],
//! [`inference`], [`store`], [`live`], [`cache`], [`sources`], [`outbound`], [`oidc`], [`accounts`], [`rules`],
//! [`topics`], [`lease`], [`terms`], [`insights`], [`settings`], [`backups`] and [`language`]. Services never import a
//! role, roles never import each other, and only [`app`] imports everything (`tests/it/layering.rs`).
//!
//! # Map
//!
//! Four crates in the folder `crates` contain most modules that need no role, so that they are compiled in parallel,
//! and a change of a role does not compile them again. This crate exports their modules: `core` ([`domain`], [`clock`],
//! [`language`], [`lifecycle`], [`outbound`], [`secrets`], [`telemetry`], [`terms`]), `storage` ([`sqlite`], [`redis`],
//! [`store`], [`stream`]), [`inference`] and [`sources`]. Two further crates are not exported: `kernels` contains the
//! vectorised loops of inference, and `fuzz` the fuzz targets.
//!
//! | module | content |
//! |---|---|
//! | [`domain`] | plain types that cannot contain invalid values |
//! | [`clock`] | the only source of the current time |
//! | [`config`] | typed settings, their layers, and the origin of each value |
//! | [`stream`] | append, claim, acknowledge, rescue, dead letter: an embedded queue or Redis Streams |
//! | [`language`] | language detection, and the handling of languages that the model does not support |
//! | [`inference`] | classification of texts, on dedicated threads |
//! | [`store`] | all SQL, over SQLite and Postgres |
//! | [`sqlite`] | the embedded database: one writer with group commit, many readers |
//! | [`redis`] | connections to Redis, shared by stream, live bus and cache |
//! | [`rules`] | evaluation of alert rules: conditions, states, backtests |
//! | [`lease`] | leases that decide which instance runs a task, and the loop of such a task |
//! | [`terms`] | the normal form of texts; words, hashtags and phrases that distinguish posts |
//! | [`insights`] | what changed between two ranges, and what explains it |
//! | [`live`] | live events (new posts, alerts), within a process and between processes |
//! | [`secrets`] | encryption of secrets at rest, with keys outside the database |
//! | [`settings`] | the effective settings, including those that people change while the server runs |
//! | [`backups`] | backups of the embedded database that administrators make |
//! | [`outbound`] | requests to configured URLs, protected against SSRF |
//! | [`oidc`] | sign-in at an OpenID Connect provider |
//! | [`cache`] | cached API answers; concurrent requests for the same answer compute it once |
//! | [`accounts`] | users, passwords, sessions |
//! | [`topics`] | tracked topics: queries that every post is matched against |
//! | [`sources`] | sources of posts |
//! | [`ingester`], [`worker`], [`alerts`], [`notify`], [`http`] | the roles; `notify` runs together with `alerts` |
//! | [`app`] | the composition root: creates services and roles from the configuration |
//! | [`lifecycle`] | supervision and shutdown |
//! | [`telemetry`] | logs, metrics and traces |
//! | [`cli`] | commands |
//!
//! # Invariants
//!
//! 1. **At least once.** A claimed stream entry is acknowledged only after its post, analysis and rollup change are
//!    committed in one transaction, or after it is in the dead letter. A crash at any instruction loses nothing.
//!    (`tests/it/crashes.rs`)
//! 2. **Effectively once.** `post_id` is unique, and its row keeps the id of the entry that created it. A redelivery
//!    changes no row and no rollup; it only appends to the processed stream again. The worker commits, appends to the
//!    processed stream, publishes live events and acknowledges, in this order. (`tests/conformance/store`)
//! 3. **Every entry is accounted for.** Every entry ends in exactly one [`domain::Outcome`]. While the stream is idle,
//!    the number of appended entries is the sum of all outcomes and the pending entries. (`TestApp::drained` in
//!    `tests/it/api/test_app.rs`)
//! 4. **Bounded.** Every queue, batch, buffer, retry and wait has a limit. A full queue delays its producer, and
//!    nothing is dropped silently. (`tests/conformance/stream`)
//! 5. **Order does not matter.** Batches, workers and instances may interleave in any order with the same result.
//!    (`tests/conformance/store`, by permutation)
//! 6. **The runtime never blocks.** Inference and SQLite run on their own threads.
//! 7. **One writer of alerts.** A lease with a fencing token, which each alert transaction checks, allows only one
//!    instance to write alerts. The window of an alert rule ends at the append time of the oldest entry without an
//!    outcome, but never earlier than `alerts.max_lateness` ago. Lag up to this limit therefore delays alerts and does
//!    not suppress them. (`tests/it/api/alert_engine.rs`)
//! 8. **Answers are consistent.** Aggregates come from rollups that are committed with the rows, so the counts of any
//!    two endpoints agree, apart from the time for which answers are cached (two seconds by default).
//!    (`tests/it/api/counts.rs`)

pub mod accounts;
pub mod alerts;
pub mod app;
pub mod backups;
pub mod cache;
pub mod cli;
pub mod config;
pub mod http;
pub mod ingester;
pub mod insights;
pub mod lease;
pub mod live;
pub mod notify;
pub mod oidc;
pub mod rules;
pub mod settings;
pub mod topics;
pub mod worker;

pub use sentistream_core::{clock, domain, language, lifecycle, outbound, secrets, telemetry, terms};
pub use sentistream_inference as inference;
pub use sentistream_sources as sources;
pub use sentistream_storage::{redis, sqlite, store, stream};
