//! What a person sees while tools are built: one line on a terminal, lines and a heartbeat in a log.

use std::io::{IsTerminal as _, Write as _};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Condvar, Mutex, PoisonError};
use std::time::{Duration, Instant};

use indicatif::{ProgressBar, ProgressState, ProgressStyle};

const FETCHING: &str = "Fetching the sources of the testbed's tools, which are built once and kept";

/// Shows what is being built and how much of it is left, until it is dropped.
pub(crate) struct Progress {
    bar: Option<ProgressBar>,
    heartbeat: Arc<Heartbeat>,
    started: Instant,
}

#[derive(Default)]
struct Heartbeat {
    over: Mutex<bool>,
    changed: Condvar,
    built: AtomicU64,
    expected: AtomicU64,
}

impl Progress {
    /// Starts to show that the testbed's tools are built, on stderr.
    pub(crate) fn start() -> Self {
        let started = Instant::now();
        let heartbeat = Arc::new(Heartbeat::default());
        let bar = if std::io::stderr().is_terminal() {
            let bar = ProgressBar::new(0);
            set_template(&bar, "{spinner} {wide_msg}");
            bar.set_message(FETCHING);
            bar.enable_steady_tick(Duration::from_millis(120));
            Some(bar)
        } else {
            line(FETCHING);
            let heartbeat = Arc::clone(&heartbeat);
            std::thread::spawn(move || heartbeat.beat(started));
            None
        };
        Self { bar, heartbeat, started }
    }

    /// Says that the sources are there, and how many packages are to be built.
    pub(crate) fn expect(&self, packages: u64) {
        self.heartbeat.expected.store(packages, Ordering::Relaxed);
        if let Some(bar) = &self.bar {
            bar.set_length(packages);
            // Not indicatif's own estimate: it follows the last seconds, and one package takes a thousand times as long as another.
            set_template(bar, "{spinner} Building {pos} of {len} packages{left}: {wide_msg}");
            bar.reset_elapsed();
        }
    }

    /// Says what is begun, such as `flux (source-controller, kustomize-controller)`.
    pub(crate) fn begin(&self, title: &str) {
        match &self.bar {
            Some(bar) => bar.set_message(title.to_owned()),
            None => line(&format!("Building {title} …")),
        }
    }

    /// Says that packages of a group are built, and perhaps which one was the last.
    pub(crate) fn built(&self, group: &str, package: &str, packages: u64) {
        self.heartbeat.built.fetch_add(packages, Ordering::Relaxed);
        if let Some(bar) = &self.bar {
            bar.inc(packages);
            bar.set_message(format!("{group} {package}"));
        }
    }

    /// Says that all is done.
    pub(crate) fn finish(&self) {
        if let Some(bar) = &self.bar {
            bar.finish_and_clear();
        }
        line(&format!("The testbed's tools are built, once and for all, in {}", spoken(self.started.elapsed())));
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
    fn beat(&self, started: Instant) {
        let mut over = self.over.lock().unwrap_or_else(PoisonError::into_inner);
        while !*over {
            let (guard, wait) =
                self.changed.wait_timeout(over, Duration::from_mins(1)).unwrap_or_else(PoisonError::into_inner);
            over = guard;
            if wait.timed_out() && !*over {
                let (built, expected) = (self.built.load(Ordering::Relaxed), self.expected.load(Ordering::Relaxed));
                let elapsed = spoken(started.elapsed());
                line(&match expected {
                    0 => format!("the sources are being fetched, for {elapsed}"),
                    expected => format!("{built} of {expected} packages are built after {elapsed}"),
                });
            }
        }
    }
}

fn set_template(bar: &ProgressBar, template: &str) {
    if let Ok(style) = ProgressStyle::with_template(template) {
        bar.set_style(style.with_key("left", |state: &ProgressState, out: &mut dyn std::fmt::Write| {
            let text = left(state.elapsed(), state.pos(), state.len().unwrap_or_default());
            // The line is drawn without it where it cannot be written.
            let _ = out.write_str(&text);
        }));
    }
}

/// Says how long the rest takes at the pace so far; nothing where too little is built to know.
fn left(elapsed: Duration, built: u64, expected: u64) -> String {
    if built * 50 < expected {
        return String::new();
    }
    let rest = elapsed.as_secs() * expected.saturating_sub(built) / built.max(1);
    format!(", about {} min left", rest.div_ceil(60))
}

fn line(text: &str) {
    // Nobody to tell is no reason to stop a build.
    let _ = writeln!(std::io::stderr(), "{text}");
}

fn spoken(duration: Duration) -> String {
    format!("{}:{:02} min", duration.as_secs() / 60, duration.as_secs() % 60)
}
