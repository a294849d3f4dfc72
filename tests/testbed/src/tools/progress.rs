//! What a person sees while tools are built: a bar on a terminal, lines and a heartbeat in a log.

use std::io::{IsTerminal as _, Write as _};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Condvar, Mutex, PoisonError};
use std::time::{Duration, Instant};

use indicatif::{ProgressBar, ProgressStyle};

/// Shows that something is being built, until it is dropped.
pub(crate) struct Progress {
    bar: Option<ProgressBar>,
    heartbeat: Arc<Heartbeat>,
    title: String,
    started: Instant,
    finished: AtomicBool,
}

#[derive(Default)]
struct Heartbeat {
    over: Mutex<bool>,
    changed: Condvar,
}

impl Progress {
    /// Starts to show `title`, on stderr.
    pub(crate) fn start(title: &str) -> Self {
        let started = Instant::now();
        let heartbeat = Arc::new(Heartbeat::default());
        let bar = if std::io::stderr().is_terminal() {
            let bar = ProgressBar::new_spinner();
            if let Ok(style) = ProgressStyle::with_template("{spinner} {prefix} {elapsed}  {wide_msg}") {
                bar.set_style(style);
            }
            bar.set_prefix(title.to_owned());
            bar.enable_steady_tick(Duration::from_millis(120));
            Some(bar)
        } else {
            line(&format!("{title} …"));
            let (title, heartbeat) = (title.to_owned(), Arc::clone(&heartbeat));
            std::thread::spawn(move || heartbeat.beat(&title, started));
            None
        };
        Self { bar, heartbeat, title: title.to_owned(), started, finished: AtomicBool::new(false) }
    }

    /// Shows what is being worked on right now.
    pub(crate) fn detail(&self, detail: &str) {
        if let Some(bar) = &self.bar {
            bar.set_message(detail.to_owned());
        }
    }

    /// Says that it is done.
    pub(crate) fn finish(&self) {
        if !self.finished.swap(true, Ordering::Relaxed) {
            if let Some(bar) = &self.bar {
                bar.finish_and_clear();
            }
            line(&format!("{}: done in {}", self.title, spoken(self.started.elapsed())));
        }
    }
}

impl Drop for Progress {
    fn drop(&mut self) {
        *self.heartbeat.over.lock().unwrap_or_else(PoisonError::into_inner) = true;
        self.heartbeat.changed.notify_all();
        if let Some(bar) = &self.bar {
            bar.finish_and_clear();
        }
    }
}

impl Heartbeat {
    fn beat(&self, title: &str, started: Instant) {
        let mut over = self.over.lock().unwrap_or_else(PoisonError::into_inner);
        while !*over {
            let (guard, wait) =
                self.changed.wait_timeout(over, Duration::from_mins(1)).unwrap_or_else(PoisonError::into_inner);
            over = guard;
            if wait.timed_out() && !*over {
                line(&format!("{title}: still at it after {}", spoken(started.elapsed())));
            }
        }
    }
}

fn line(text: &str) {
    // Nobody to tell is no reason to stop a build.
    let _ = writeln!(std::io::stderr(), "{text}");
}

fn spoken(duration: Duration) -> String {
    format!("{}:{:02} min", duration.as_secs() / 60, duration.as_secs() % 60)
}
