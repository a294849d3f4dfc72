//! How long a `git` may take, and the end of one that takes longer, together with the processes that it has started.

use std::cell::Cell;
use std::io;
use std::process::ExitStatus;
use std::time::Duration;

use tokio::io::{AsyncRead, AsyncReadExt};
use tokio::process::Child;
use tokio::time::Instant;

use crate::waiting;

/// How long a server may be silent: `git` reports progress about once a second while anything moves.
const SILENCE: Duration = Duration::from_mins(1);

/// How long one run of `git` may take.
#[derive(Clone, Copy, Debug)]
pub struct Limits {
    /// How long a server may be silent; `None` means for ever.
    pub(super) silence: Option<Duration>,
    /// How long all of it may take.
    pub(super) total: Option<Duration>,
}

impl Default for Limits {
    fn default() -> Self {
        Self { silence: Some(SILENCE), total: None }
    }
}

/// How long a run of `git` may take in any case.
pub(super) const LEAST: Duration = Duration::from_secs(10);

impl Limits {
    /// Takes what `--request-timeout` and `--timeout` say; as with requests to a cluster, 0 means no limit.
    ///
    /// A `--timeout` of a second means not to wait for the delivery, and not that the repository must be read in one.
    #[must_use]
    pub fn new(request_timeout: Option<Duration>, timeout: Duration) -> Self {
        let silence = request_timeout.unwrap_or(SILENCE);
        Self { silence: Some(silence).filter(|limit| !limit.is_zero()), total: Some(timeout.max(LEAST)) }
    }

    /// Returns the same for a command that talks to no server: hooks and signing may take their time.
    pub(super) fn without_silence(self) -> Self {
        Self { silence: None, ..self }
    }
}

/// The limit that passed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Passed {
    Silence(Duration),
    Total(Duration),
}

/// What a process left.
pub(super) struct Ended {
    /// `None` where a limit passed first.
    pub(super) status: Result<ExitStatus, Passed>,
    pub(super) stdout: Vec<u8>,
    pub(super) stderr: Vec<u8>,
}

/// Reads what a process prints until it ends or a limit passes; then it is killed, and what it has started with it.
pub(super) async fn finish(mut child: Child, limits: Limits) -> io::Result<Ended> {
    let started = Instant::now();
    let last_output = Cell::new(started);
    let (mut stdout, mut stderr) = (Vec::new(), Vec::new());
    let pipes = (child.stdout.take(), child.stderr.take());
    let ended = async {
        let read = (drain(pipes.0, &mut stdout, &last_output), drain(pipes.1, &mut stderr, &last_output));
        let ((), (), status) = tokio::try_join!(read.0, read.1, child.wait())?;
        Ok::<_, io::Error>(status)
    };
    let status = tokio::select! {
        status = ended => Ok(status?),
        passed = passed(limits, started, &last_output) => Err(passed),
    };
    if status.is_err() {
        // The helpers for HTTP and SSH outlive a killed `git` for as long as their connections do.
        let descendants = child.id().map(descendants).unwrap_or_default();
        child.start_kill()?;
        descendants.into_iter().for_each(kill);
        child.wait().await?;
    }
    Ok(Ended { status, stdout, stderr })
}

async fn drain(
    pipe: Option<impl AsyncRead + Unpin>,
    text: &mut Vec<u8>,
    last_output: &Cell<Instant>,
) -> io::Result<()> {
    let Some(mut pipe) = pipe else { return Ok(()) };
    while pipe.read_buf(text).await? > 0 {
        last_output.set(Instant::now());
    }
    Ok(())
}

/// Waits until a limit has passed.
async fn passed(limits: Limits, started: Instant, last_output: &Cell<Instant>) -> Passed {
    loop {
        let Some((due, passed)) = next(limits, started, last_output.get()) else { return std::future::pending().await };
        if due <= Instant::now() {
            return passed;
        }
        waiting::reached(due).await;
    }
}

/// Returns which limit passes next, and when, unless there is output before.
fn next(limits: Limits, started: Instant, last_output: Instant) -> Option<(Instant, Passed)> {
    let silence = limits.silence.map(|limit| (last_output + limit, Passed::Silence(limit)));
    let total = limits.total.map(|limit| (started + limit, Passed::Total(limit)));
    silence.into_iter().chain(total).min_by_key(|(due, _)| *due)
}

/// Lists the processes that a process has started, and those that they have.
///
/// A process group of its own would be easier to end, but could not ask for a passphrase on the terminal.
#[cfg(target_os = "linux")]
fn descendants(process: u32) -> Vec<u32> {
    let tasks = std::fs::read_dir(format!("/proc/{process}/task")).into_iter().flatten().flatten();
    let children: Vec<u32> = tasks
        .filter_map(|task| std::fs::read_to_string(task.path().join("children")).ok())
        .flat_map(|children| children.split_whitespace().filter_map(|child| child.parse().ok()).collect::<Vec<u32>>())
        .collect();
    children.into_iter().flat_map(|child| std::iter::once(child).chain(descendants(child))).collect()
}

#[cfg(all(unix, not(target_os = "linux")))]
fn descendants(process: u32) -> Vec<u32> {
    let output = std::process::Command::new("pgrep").args(["-P", &process.to_string()]).output();
    let text = output.map(|output| String::from_utf8_lossy(&output.stdout).into_owned()).unwrap_or_default();
    let children: Vec<u32> = text.split_whitespace().filter_map(|child| child.parse().ok()).collect();
    children.into_iter().flat_map(|child| std::iter::once(child).chain(descendants(child))).collect()
}

#[cfg(not(unix))]
fn descendants(_: u32) -> Vec<u32> {
    Vec::new()
}

#[cfg(unix)]
fn kill(process: u32) {
    let process = i32::try_from(process).ok().and_then(rustix::process::Pid::from_raw);
    if let Some(process) = process {
        // One that has just ended by itself is no failure.
        let _ = rustix::process::kill_process(process, rustix::process::Signal::KILL);
    }
}

#[cfg(not(unix))]
fn kill(_: u32) {}

#[cfg(all(test, target_os = "linux"))]
mod tests {
    use std::process::Stdio;

    use super::*;

    fn shell(script: &str) -> Child {
        let mut command = tokio::process::Command::new("sh");
        command.args(["-c", script]).stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped());
        command.kill_on_drop(true).spawn().unwrap_or_else(|error| panic!("sh does not start: {error}"))
    }

    const SHORT: Duration = Duration::from_millis(400);

    #[tokio::test]
    async fn what_a_process_has_started_ends_with_it() {
        let mut limits = Limits { silence: Some(SHORT), total: None };
        let grandchild = loop {
            let ended = finish(shell("sleep 600 & echo $!; wait"), limits).await.unwrap();
            assert!(matches!(ended.status, Err(Passed::Silence(_))), "{:?}", ended.status);
            let printed = String::from_utf8(ended.stdout).unwrap();
            if !printed.is_empty() {
                break printed;
            }
            // On a machine that is busy, the shell may not even have started by then.
            limits.silence = limits.silence.map(|silence| 2 * silence);
        };
        let runs = || {
            let state = std::fs::read_to_string(format!("/proc/{}/stat", grandchild.trim())).unwrap_or_default();
            // Whoever inherits the orphan may not have collected it yet.
            !(state.is_empty() || state.contains(") Z ") || state.contains(") X "))
        };
        let started = Instant::now();
        while runs() {
            assert!(started.elapsed() < SILENCE, "{grandchild} still runs");
            waiting::pause(SHORT / 10).await;
        }
    }

    #[tokio::test]
    async fn who_talks_without_end_is_ended_by_the_total() {
        let limits = Limits { silence: Some(SILENCE), total: Some(SHORT) };
        let ended = finish(shell("while true; do echo still here; sleep 0.01; done"), limits).await.unwrap();
        assert_eq!(ended.status, Err(Passed::Total(SHORT)));
    }

    #[test]
    fn output_ends_the_silence_and_not_the_total() {
        let started = Instant::now();
        let limits = Limits { silence: Some(SILENCE), total: Some(3 * SILENCE) };
        let next = |last_output| next(limits, started, last_output);
        assert_eq!(next(started), Some((started + SILENCE, Passed::Silence(SILENCE))));
        assert_eq!(next(started + SILENCE), Some((started + 2 * SILENCE, Passed::Silence(SILENCE))));
        assert_eq!(next(started + 5 * SILENCE / 2), Some((started + 3 * SILENCE, Passed::Total(3 * SILENCE))));
        assert_eq!(super::next(Limits { silence: None, total: None }, started, started), None);
    }

    #[test]
    fn the_flags_decide() {
        let second = Duration::from_secs(1);
        assert_eq!(Limits::new(None, second).silence, Some(SILENCE));
        assert_eq!(Limits::new(Some(Duration::ZERO), second).silence, None);
        assert_eq!(Limits::new(Some(second), second).silence, Some(second));
        assert_eq!(Limits::new(None, second).total, Some(LEAST));
        assert_eq!(Limits::new(None, LEAST * 2).total, Some(LEAST * 2));
    }
}
