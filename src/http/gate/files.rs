//! The number of files that this process may open. A connection is a file.

use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};

/// The part of the files that connections leave to databases and others.
const RESERVED: usize = 8;

/// The number of connections that the limit of open files allows. Raises the limit to the highest that the system
/// permits this process: the usual 1,024 are for programs that pass numbers of files to `select`.
pub fn connections() -> usize {
    let limit = getrlimit(Resource::Nofile);
    let raised = Rlimit { current: limit.maximum, maximum: limit.maximum };
    let limit = setrlimit(Resource::Nofile, raised).map_or(limit.current, |()| raised.current);
    let files = limit.and_then(|files| usize::try_from(files).ok()).unwrap_or(usize::MAX);
    files - files / RESERVED
}
