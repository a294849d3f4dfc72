//! Process containment: everything a testbed starts dies with the program that asked for it.
//!
//! The program runs itself again as the first process of a new PID namespace. When that process ends, for
//! whatever reason, the kernel kills everything in the namespace; and the kernel kills that process when the
//! outer one ends, SIGKILL included. No clean-up code has to run for that.

mod work_directory;

use std::ffi::OsString;
use std::os::unix::process::ExitStatusExt as _;
use std::path::PathBuf;
use std::process::{Command, ExitStatus, Stdio};
use std::time::Duration;

use rustix::process::{Pid, Signal, geteuid, kill_process};
use tokio::signal::unix::{SignalKind, signal};

use crate::error::{Error, Result};
use work_directory::Directories;

const WORK_VARIABLE: &str = "CARVELFLUX_TESTBED_WORK";
const LOGS_VARIABLE: &str = "CARVELFLUX_TESTBED_LOGS";

/// Tells the caller of [`enter`] on which side it is.
#[derive(Debug)]
pub enum Entered {
    /// This is the process inside the sandbox: go on.
    Inside(Sandbox),
    /// This is the outer process, and the inner one has ended: end with this exit code.
    Finished(u8),
}

/// The sandbox that this process is in.
#[derive(Debug, Clone)]
pub struct Sandbox {
    work: PathBuf,
    logs: PathBuf,
}

impl Sandbox {
    /// Returns the sandbox that this process is in.
    pub fn current() -> Result<Self> {
        match (std::env::var_os(WORK_VARIABLE), std::env::var_os(LOGS_VARIABLE)) {
            (Some(work), Some(logs)) => Ok(Self { work: work.into(), logs: logs.into() }),
            _ => Err(Error::failed(
                "a testbed can only be started inside its sandbox: call testbed::sandbox::enter() first in main",
            )),
        }
    }

    /// Returns the directory that is removed when the sandbox ends.
    #[must_use]
    pub fn work(&self) -> &std::path::Path {
        &self.work
    }

    /// Returns the directory of log files, which is kept for a while.
    #[must_use]
    pub fn logs(&self) -> &std::path::Path {
        &self.logs
    }
}

/// Enters the sandbox by running this program again inside it, with the same arguments and standard streams.
///
/// Call it first in `main`: the kernel ties the sandbox to the calling *thread*, so that has to be the main one.
pub fn enter() -> Result<Entered> {
    if let Ok(sandbox) = Sandbox::current() {
        return Ok(Entered::Inside(sandbox));
    }
    let namespaces = namespace_arguments()?;
    let directories = Directories::create()?;
    let program = std::env::current_exe()
        .map_err(|source| Error::Spawn { program: "this program once more".to_owned(), source })?;
    let mut command = tokio::process::Command::new("setpriv");
    command
        .args(["--pdeathsig", "KILL", "unshare"])
        .args(namespaces)
        .arg(program)
        .args(std::env::args_os().skip(1))
        .env(WORK_VARIABLE, directories.work())
        .env(LOGS_VARIABLE, directories.logs());
    // This thread alone runs the runtime, see above.
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .map_err(|error| Error::failed(format!("cannot watch over the sandbox: {error}")))?;
    let code = runtime.block_on(watch_over(command))?;
    directories.remove();
    Ok(Entered::Finished(code))
}

async fn watch_over(mut command: tokio::process::Command) -> Result<u8> {
    let listen = |kind| signal(kind).map_err(|error| Error::failed(format!("cannot listen for signals: {error}")));
    let mut interrupt = listen(SignalKind::interrupt())?;
    let mut terminate = listen(SignalKind::terminate())?;
    let mut hangup = listen(SignalKind::hangup())?;
    let mut child = command.spawn().map_err(|source| Error::Spawn { program: "setpriv".to_owned(), source })?;
    let signal_number = tokio::select! {
        status = child.wait() => {
            return status.map(exit_code).map_err(|error| Error::failed(format!("lost sight of the sandbox: {error}")));
        }
        _ = interrupt.recv() => 2,
        _ = terminate.recv() => 15,
        _ = hangup.recv() => 1,
    };
    // Its first process goes before `unshare` does: then `unshare` ends only when everything inside has ended.
    if let Some(unshare) = child.id() {
        for process in children_of(unshare) {
            let _ = kill_process(process, Signal::KILL);
        }
    }
    if tokio::time::timeout(Duration::from_secs(5), child.wait()).await.is_err() {
        let _ = child.kill().await;
    }
    Ok(128 + signal_number)
}

fn children_of(process: u32) -> Vec<Pid> {
    let list = std::fs::read_to_string(format!("/proc/{process}/task/{process}/children")).unwrap_or_default();
    list.split_whitespace().filter_map(|child| Pid::from_raw(child.parse().ok()?)).collect()
}

fn exit_code(status: ExitStatus) -> u8 {
    let code = status.code().unwrap_or_else(|| 128 + status.signal().unwrap_or(1));
    u8::try_from(code).unwrap_or(1)
}

/// Finds the arguments of `unshare` that this machine permits.
fn namespace_arguments() -> Result<Vec<OsString>> {
    let basic = ["--mount", "--pid", "--fork", "--kill-child", "--mount-proc"].map(OsString::from).to_vec();
    let mut with_user = vec![OsString::from("--map-root-user")];
    with_user.extend(basic.clone());
    let candidates = if geteuid().is_root() { vec![basic, with_user] } else { vec![with_user] };
    let mut said = String::new();
    for candidate in candidates {
        let probe = Command::new("setpriv")
            .args(["--pdeathsig", "KILL", "unshare"])
            .args(&candidate)
            .args(["sh", "-c", "mount -t tmpfs tmpfs /mnt"])
            .stdin(Stdio::null())
            .output()
            .map_err(|_| {
                Error::Requirement(
                    "the testbed needs the programs setpriv and unshare: install the package util-linux".to_owned(),
                )
            })?;
        if probe.status.success() {
            return Ok(candidate);
        }
        String::from_utf8_lossy(&probe.stderr).trim().clone_into(&mut said);
    }
    Err(Error::Requirement(format!(
        "this machine does not let the testbed make namespaces ({said}): run it as root, or allow user namespaces \
         (sysctl kernel.unprivileged_userns_clone=1 or kernel.apparmor_restrict_unprivileged_userns=0)"
    )))
}
