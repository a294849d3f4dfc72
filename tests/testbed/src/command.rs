//! Running a program to its end, with errors that quote what it said.

use std::io::Write as _;
use std::process::{Command, Output, Stdio};

use crate::error::{Error, Result};

/// Runs a command and returns its stdout.
pub(crate) fn output_of(command: &mut Command) -> Result<String> {
    command.stdin(Stdio::null());
    let output = command.output().map_err(|source| spawn_error(command, source))?;
    stdout_of(command, &output)
}

/// Runs a command with the given stdin and returns its stdout.
pub(crate) fn output_with_input(command: &mut Command, input: &[u8]) -> Result<String> {
    command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
    let mut child = command.spawn().map_err(|source| spawn_error(command, source))?;
    let stdin = child.stdin.take();
    let output = std::thread::scope(|scope| {
        // A thread of its own: the program may write much before it has read everything.
        scope.spawn(move || stdin.map(|mut stdin| stdin.write_all(input)));
        child.wait_with_output()
    })
    .map_err(|source| spawn_error(command, source))?;
    stdout_of(command, &output)
}

fn spawn_error(command: &Command, source: std::io::Error) -> Error {
    Error::Spawn { program: command.get_program().to_string_lossy().into_owned(), source }
}

fn stdout_of(command: &Command, output: &Output) -> Result<String> {
    if output.status.success() {
        return Ok(String::from_utf8_lossy(&output.stdout).into_owned());
    }
    let stderr = String::from_utf8_lossy(&output.stderr);
    let said = if stderr.trim().is_empty() { String::from_utf8_lossy(&output.stdout) } else { stderr };
    Err(Error::Command { command: describe(command), status: output.status, output: said.trim().to_owned() })
}

/// Returns a command line as a person would type it.
pub(crate) fn describe(command: &Command) -> String {
    let program = std::path::Path::new(command.get_program());
    let name = program.file_name().unwrap_or(program.as_os_str());
    std::iter::once(name).chain(command.get_args()).map(|word| word.to_string_lossy()).collect::<Vec<_>>().join(" ")
}
