//! Shows the progress of a download: a bar on a terminal, otherwise lines in the log.

use std::io::IsTerminal as _;

use indicatif::{ProgressBar, ProgressStyle};

/// Shows the progress of a download, file by file.
pub struct Meter {
    bar: Option<ProgressBar>,
    file: String,
    size: u64,
    done: u64,
    /// The last progress that was logged, in tenths of the file.
    logged: u64,
}

impl Meter {
    /// Creates a meter without a file. It shows a bar if stderr is a terminal.
    pub fn new() -> Self {
        let bar = std::io::stderr().is_terminal().then(|| ProgressBar::new(0).with_style(style()));
        Self { bar, file: String::new(), size: 0, done: 0, logged: 0 }
    }

    /// Starts the progress of a file. A retry starts the progress again.
    pub fn file(&mut self, file: String, size: u64) {
        if self.file != file {
            self.logged = 0;
            if self.bar.is_none() {
                tracing::info!(file, size_bytes = size, "downloading");
            }
        }
        if let Some(bar) = &self.bar {
            bar.set_length(size);
            bar.set_position(0);
            bar.set_message(file.clone());
        }
        (self.file, self.size, self.done) = (file, size, 0);
    }

    /// Adds bytes that were received.
    pub fn add(&mut self, bytes: u64) {
        self.done += bytes;
        if let Some(bar) = &self.bar {
            bar.set_position(self.done);
            return;
        }
        let tenths = (self.done * 10).checked_div(self.size).unwrap_or(10).min(10);
        if tenths > self.logged {
            self.logged = tenths;
            tracing::info!(file = self.file, done_bytes = self.done, size_bytes = self.size, "downloading");
        }
    }
}

impl Drop for Meter {
    fn drop(&mut self) {
        if let Some(bar) = &self.bar {
            bar.finish_and_clear();
        }
    }
}

fn style() -> ProgressStyle {
    let template = "{msg:.30} {wide_bar} {bytes}/{total_bytes} {bytes_per_sec} {eta}";
    ProgressStyle::with_template(template).unwrap_or_else(|_| ProgressStyle::default_bar())
}
