//! Reports the progress of an import on stderr: as a bar on a terminal, otherwise as a line every ten seconds.

use std::io::{self, IsTerminal as _, Write as _};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

use indicatif::{HumanCount, HumanDuration, ProgressBar, ProgressStyle};

/// The interval between updates of the bar.
const TICK: Duration = Duration::from_millis(250);
/// The interval between printed lines when there is no terminal.
const LINE: Duration = Duration::from_secs(10);
/// The remaining time is estimated after this time, because an earlier estimate would be too inaccurate.
const SETTLED: Duration = Duration::from_secs(2);

/// Shows the progress of an import.
pub struct Progress {
    bar: ProgressBar,
    size: Option<u64>,
    position: Arc<AtomicU64>,
    start: Instant,
    last_line: Instant,
}

impl Progress {
    /// The progress in a file of `size` bytes that is read up to `position`.
    pub fn new(size: Option<u64>, position: Arc<AtomicU64>) -> Self {
        let now = Instant::now();
        Self { bar: bar(size), size, position, start: now, last_line: now }
    }

    /// Shows that `posts` were appended.
    pub fn update(&mut self, posts: u64) {
        let position = self.position.load(Ordering::Relaxed);
        let share = self.size.map(|size| (position as f64 / size.max(1) as f64).min(1.0));
        let mut message = format!("{} posts", HumanCount(posts));
        if let Some(left) = share.and_then(|share| self.left(share)) {
            message.push_str(&format!(", about {} left", HumanDuration(left)));
        }
        if !self.bar.is_hidden() {
            self.bar.set_position(if self.size.is_some() { position } else { posts });
            self.bar.set_message(message);
        } else if self.last_line.elapsed() >= LINE {
            self.last_line = Instant::now();
            let percent = share.map_or(String::new(), |share| format!(" ({:.0} %)", share * 100.0));
            self.line(&format!("imported {message}{percent}"));
        }
    }

    /// The remaining time at the average speed so far. The average includes waits for a full stream.
    fn left(&self, share: f64) -> Option<Duration> {
        let elapsed = self.start.elapsed();
        let left = elapsed.as_secs_f64() * (1.0 - share) / share;
        (elapsed >= SETTLED && share > 0.0).then(|| Duration::from_secs(left.round() as u64))
    }

    /// Prints a line to stderr.
    pub fn line(&self, text: &str) {
        // A failure to write to stderr cannot be reported.
        self.bar.suspend(|| drop(writeln!(io::stderr(), "{text}")));
    }

    /// Removes the bar.
    pub fn clear(&self) {
        self.bar.finish_and_clear();
    }
}

fn bar(size: Option<u64>) -> ProgressBar {
    if !io::stderr().is_terminal() {
        return ProgressBar::hidden();
    }
    let (bar, template) = match size {
        Some(size) => (ProgressBar::new(size), "{bar:30} {percent:>3} %  {msg}  {elapsed}"),
        None => (ProgressBar::new_spinner(), "{spinner} {msg}  {elapsed}"),
    };
    bar.enable_steady_tick(TICK);
    match ProgressStyle::with_template(template) {
        Ok(style) => bar.with_style(style),
        Err(_) => bar,
    }
}
