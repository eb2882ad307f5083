//! The number of files that this process may open. A connection is a file.

use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};

/// One of 8 files is reserved for databases and other uses.
const RESERVED: usize = 8;

/// The number of connections that the limit of open files allows. Raises the limit to the highest that the system
/// permits this process: the usual limit of 1,024 exists for programs that use `select`, which cannot handle higher
/// file numbers.
pub fn connections() -> usize {
    let limit = getrlimit(Resource::Nofile);
    let raised = Rlimit { current: limit.maximum, maximum: limit.maximum };
    let limit = setrlimit(Resource::Nofile, raised).map_or(limit.current, |()| raised.current);
    let files = limit.and_then(|files| usize::try_from(files).ok()).unwrap_or(usize::MAX);
    files - files / RESERVED
}
