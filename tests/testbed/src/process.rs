//! One component of the testbed as a process with a log file, which tests may stop and start again.

use std::ffi::OsString;
use std::fs::OpenOptions;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitStatus, Stdio};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use rustix::process::{Pid, Signal, kill_process};
use std::os::unix::process::CommandExt as _;

use crate::error::{Error, Result, tail_of};

/// A named component, such as `prod1/kapp-controller`.
#[derive(Debug)]
pub struct Process {
    name: String,
    log: PathBuf,
    program: PathBuf,
    arguments: Vec<OsString>,
    environment: Vec<(OsString, OsString)>,
    added: Mutex<Vec<OsString>>,
    child: Mutex<Option<Child>>,
}

impl Process {
    pub(crate) fn new(name: &str, logs: &Path, program: impl Into<PathBuf>) -> Self {
        Self {
            name: name.to_owned(),
            log: logs.join(format!("{}.log", name.replace('/', "-"))),
            program: program.into(),
            arguments: Vec::new(),
            environment: Vec::new(),
            added: Mutex::new(Vec::new()),
            child: Mutex::new(None),
        }
    }

    pub(crate) fn argument(mut self, argument: impl Into<OsString>) -> Self {
        self.arguments.push(argument.into());
        self
    }

    pub(crate) fn arguments<A: Into<OsString>>(mut self, arguments: impl IntoIterator<Item = A>) -> Self {
        self.arguments.extend(arguments.into_iter().map(Into::into));
        self
    }

    pub(crate) fn environment(mut self, name: &str, value: impl Into<OsString>) -> Self {
        self.environment.push((name.into(), value.into()));
        self
    }

    /// Returns the name of the component.
    #[must_use]
    pub fn name(&self) -> &str {
        &self.name
    }

    /// Returns the file that holds everything the component wrote.
    #[must_use]
    pub fn log(&self) -> &Path {
        &self.log
    }

    /// Starts the component; one that runs already is left alone.
    pub fn start(&self) -> Result<()> {
        let mut child = self.child();
        if let Some(running) = child.as_mut()
            && matches!(running.try_wait(), Ok(None))
        {
            return Ok(());
        }
        let log = OpenOptions::new()
            .create(true)
            .append(true)
            .open(&self.log)
            .map_err(Error::file("open the log", &self.log))?;
        let errors = log.try_clone().map_err(Error::file("open the log", &self.log))?;
        let spawned = Command::new(&self.program)
            .args(&self.arguments)
            .args(self.added.lock().unwrap_or_else(PoisonError::into_inner).iter())
            // Memory is there, and processors are not: all components are in Go, and collect garbage less often with it.
            .env("GOGC", "300")
            .envs(self.environment.iter().map(|(name, value)| (name, value)))
            .stdin(Stdio::null())
            .stdout(log)
            .stderr(errors)
            // Its own group: Ctrl-C on the terminal is for the sandbox to handle, which ends everything.
            .process_group(0)
            .spawn()
            .map_err(|source| Error::Spawn { program: self.program.display().to_string(), source })?;
        *child = Some(spawned);
        Ok(())
    }

    /// Asks the component to end (SIGTERM), and ends it (SIGKILL) if it has not within three seconds.
    pub fn stop(&self) -> Result<()> {
        let mut child = self.child();
        if let Some(running) = child.as_mut() {
            // The API server would let long requests end for a minute.
            let deadline = Instant::now() + Duration::from_secs(3);
            signal(running, Signal::TERM);
            while Instant::now() < deadline && matches!(running.try_wait(), Ok(None)) {
                std::thread::sleep(Duration::from_millis(50));
            }
            end(running);
        }
        *child = None;
        Ok(())
    }

    /// Ends the component at once (SIGKILL), as a crash would.
    pub fn kill(&self) {
        if let Some(mut running) = self.child().take() {
            end(&mut running);
        }
    }

    /// Stops the component and starts it again with the same arguments.
    pub fn restart(&self) -> Result<()> {
        self.stop()?;
        self.start()
    }

    /// Stops the component and starts it again with one more argument, now and later.
    pub fn restart_with(&self, argument: &str) -> Result<()> {
        self.added.lock().unwrap_or_else(PoisonError::into_inner).push(argument.into());
        self.restart()
    }

    /// Freezes the component (SIGSTOP): it keeps its connections and answers nothing.
    pub fn pause(&self) {
        if let Some(running) = self.child().as_mut() {
            signal(running, Signal::STOP);
        }
    }

    /// Lets a frozen component go on (SIGCONT).
    pub fn resume(&self) {
        if let Some(running) = self.child().as_mut() {
            signal(running, Signal::CONT);
        }
    }

    /// Starts the component again if it ended by itself, as a kubelet would; a stopped one stays stopped.
    pub(crate) fn revive(&self) -> Result<()> {
        if self.ended().is_some() { self.start() } else { Ok(()) }
    }

    /// Returns the exit status of a component that ended by itself.
    fn ended(&self) -> Option<ExitStatus> {
        self.child().as_mut().and_then(|child| child.try_wait().ok().flatten())
    }

    /// Repeats a probe until it succeeds, the component ends, or the time is over.
    pub(crate) fn wait_until(&self, timeout: Duration, mut probe: impl FnMut() -> Result<(), String>) -> Result<()> {
        let deadline = Instant::now() + timeout;
        loop {
            let problem = match probe() {
                Ok(()) => return Ok(()),
                Err(problem) => problem,
            };
            if let Some(status) = self.ended() {
                return Err(self.error(format!("ended ({status}) before it was ready")));
            }
            if Instant::now() > deadline {
                return Err(self.error(format!("was not ready within {} s ({problem})", timeout.as_secs())));
            }
            std::thread::sleep(Duration::from_millis(150));
        }
    }

    fn error(&self, problem: String) -> Error {
        Error::Process { process: self.name.clone(), problem, log: self.log.clone(), tail: tail_of(&self.log) }
    }

    fn child(&self) -> MutexGuard<'_, Option<Child>> {
        self.child.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        self.kill();
    }
}

fn signal(child: &Child, signal: Signal) {
    if let Some(identifier) = i32::try_from(child.id()).ok().and_then(Pid::from_raw) {
        // A process that is gone needs no signal.
        let _ = kill_process(identifier, signal);
    }
}

fn end(child: &mut Child) {
    let _ = child.kill();
    let _ = child.wait();
}
