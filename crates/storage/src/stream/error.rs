//! Why operations of the stream fail.

/// Why a stream operation failed.
#[derive(Debug, thiserror::Error)]
pub enum StreamError {
    /// The entries do not fit into the backlog. They were not appended.
    #[error(
        "the stream is full: {pending} entries wait, the limit is {limit} (stream.max_backlog); add workers or wait"
    )]
    Full {
        /// The number of unsettled entries.
        pending: u64,
        /// The maximum number of unsettled entries (`stream.max_backlog`).
        limit: u64,
    },
    /// Redis is short of memory. The entries were not appended.
    #[error(
        "the stream is full: Redis uses {used} of {max} bytes (maxmemory), and posts are accepted only below 80 % of \
         this limit (with an eviction policy: below the whole limit); add workers or memory, or wait"
    )]
    MemoryFull {
        /// The memory that Redis uses, in bytes.
        used: u64,
        /// `maxmemory`, in bytes.
        max: u64,
    },
    /// The backend is unavailable, slow or restarting. A retry may succeed.
    #[error("the stream is not available: {0}")]
    Unavailable(String),
    /// The failure is permanent: a retry would fail in the same way.
    #[error("the stream failed: {0}")]
    Failed(String),
}

impl StreamError {
    /// Whether the same call may succeed later.
    pub fn is_transient(&self) -> bool {
        !matches!(self, Self::Failed(_))
    }
}
