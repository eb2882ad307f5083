//! Changes the clocks of processes with libfaketime.

use std::path::{Path, PathBuf};
use std::time::Duration;

use rand::Rng;
use rand::rngs::StdRng;

/// The paths at which distributions install the library.
const LIBRARIES: [&str; 4] = [
    "/usr/lib/x86_64-linux-gnu/faketime/libfaketimeMT.so.1",
    "/usr/lib/aarch64-linux-gnu/faketime/libfaketimeMT.so.1",
    "/usr/lib64/faketime/libfaketimeMT.so.1",
    "/usr/lib/faketime/libfaketimeMT.so.1",
];

/// The clock of one process. It shows the real time until a fault changes it.
pub struct FakeClock {
    /// The path of the library. Without the library the clock always shows the real time.
    library: Option<PathBuf>,
    /// The file from which the library reads the offset.
    file: PathBuf,
}

impl FakeClock {
    /// Creates a clock that shows the real time. `file` must not exist yet.
    pub fn new(file: &Path) -> Self {
        let library = LIBRARIES.into_iter().map(PathBuf::from).find(|path| path.exists());
        let clock = Self { library, file: file.to_owned() };
        clock.set("+0");
        clock
    }

    /// The environment variables of a process with this clock.
    pub fn environment(&self) -> Vec<(&'static str, PathBuf)> {
        let Some(library) = &self.library else { return Vec::new() };
        vec![
            ("LD_PRELOAD", library.clone()),
            ("FAKETIME_TIMESTAMP_FILE", self.file.clone()),
            // The library reads the file once per second.
            ("FAKETIME_CACHE_DURATION", "1".into()),
            // When a real clock is set, the monotonic clock does not change.
            ("FAKETIME_DONT_FAKE_MONOTONIC", "1".into()),
            ("NO_FAKE_STAT", "1".into()),
        ]
    }

    /// Whether a fault can change the clock.
    pub fn can_jump(&self) -> bool {
        self.library.is_some()
    }

    /// Moves the clock by an hour, forward or back. Returns the name of the fault.
    pub fn jump(&self, rng: &mut StdRng) -> &'static str {
        let (offset, name) =
            if rng.random_bool(0.5) { ("+1h", "clock an hour ahead") } else { ("-1h", "clock an hour behind") };
        self.set(offset);
        name
    }

    /// Sets the clock to the real time plus `ahead`.
    pub fn set_ahead(&self, ahead: Duration) {
        self.set(&format!("+{}", ahead.as_secs()));
    }

    /// Resets the clock to the real time.
    pub fn correct(&self) {
        self.set("+0");
    }

    fn set(&self, offset: &str) {
        // The file is replaced by a rename, so that no process reads an incomplete file.
        let next = self.file.with_extension("next");
        std::fs::write(&next, offset).expect("the offset is written");
        std::fs::rename(next, &self.file).expect("the offset is in place");
    }
}
