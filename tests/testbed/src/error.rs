//! The one error type of the testbed: what failed, and what to do next.

use std::fmt::Write as _;
use std::path::{Path, PathBuf};

/// Reports why a testbed could not do what was asked.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// The machine lacks something that the testbed cannot bring along.
    #[error("{0}")]
    Requirement(String),
    /// A file or directory could not be used.
    #[error("cannot {action} {}: {source}", path.display())]
    File {
        /// What was attempted, as a verb.
        action: &'static str,
        /// The file or directory.
        path: PathBuf,
        /// What the operating system said.
        source: std::io::Error,
    },
    /// A program could not be started.
    #[error("cannot run {program}: {source}; is it installed and on the PATH?")]
    Spawn {
        /// The program.
        program: String,
        /// What the operating system said.
        source: std::io::Error,
    },
    /// A program ran and failed.
    #[error("`{command}` failed ({status}): {output}")]
    Command {
        /// The command line.
        command: String,
        /// Its exit status.
        status: std::process::ExitStatus,
        /// What it wrote to stderr, or else to stdout.
        output: String,
    },
    /// A component of the testbed did not start, or ended.
    #[error("{process} {problem}; its log {} ends with:\n{tail}", log.display())]
    Process {
        /// The process, such as `prod1/kube-apiserver`.
        process: String,
        /// What is wrong with it.
        problem: String,
        /// Its log file.
        log: PathBuf,
        /// The last lines of the log.
        tail: String,
    },
    /// Something of the testbed's own did not work out.
    #[error("{0}")]
    Failed(String),
}

/// The result of everything in the testbed.
pub type Result<T, E = Error> = std::result::Result<T, E>;

impl Error {
    pub(crate) fn failed(message: impl Into<String>) -> Self {
        Self::Failed(message.into())
    }

    /// Returns an adapter for `map_err` that names the file an I/O error is about.
    pub(crate) fn file(action: &'static str, path: &Path) -> impl FnOnce(std::io::Error) -> Self {
        let path = path.to_path_buf();
        move |source| Self::File { action, path, source }
    }
}

/// Returns the last lines of a log, indented, for an error message.
pub(crate) fn tail_of(log: &Path) -> String {
    const LINES: usize = 12;
    let content = std::fs::read(log).unwrap_or_default();
    let text = String::from_utf8_lossy(&content);
    let lines: Vec<&str> = text.lines().collect();
    let mut tail = String::new();
    for line in lines.iter().skip(lines.len().saturating_sub(LINES)) {
        let shortened: String = line.chars().take(400).collect();
        let _ = writeln!(tail, "  {shortened}");
    }
    if tail.is_empty() {
        tail.push_str("  (nothing)");
    }
    tail
}
