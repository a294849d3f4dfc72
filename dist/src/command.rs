//! Running a program to its end.

use std::process::{Command, Stdio};

use crate::error::{Error, Result};

/// Runs a command that must succeed, and returns its stdout; what it says on stderr is for the reader.
pub(crate) fn output_of(command: &mut Command) -> Result<String> {
    let program = command.get_program().to_string_lossy().into_owned();
    let output = command.stdin(Stdio::null()).stderr(Stdio::inherit()).output();
    let output = output.map_err(|source| Error::Spawn { program: program.clone(), source })?;
    if output.status.success() {
        Ok(String::from_utf8_lossy(&output.stdout).into_owned())
    } else {
        Err(Error::Failed(format!("{program} ended with {}, see above", output.status)))
    }
}
