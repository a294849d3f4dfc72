//! A text in the user's editor.

use std::ffi::OsString;
use std::io::Write as _;
use std::path::Path;

use secrecy::{ExposeSecret, SecretString};
use tokio::process::Command;

use crate::error::{Error, Result};

/// What edits where nothing is named.
const DEFAULT: &str = if cfg!(windows) { "notepad" } else { "vi" };

/// Runs `$VISUAL`, else `$EDITOR`, else `vi` (on Windows `notepad`) on a text, and returns what was saved. The file is the user's
/// alone and goes away.
pub async fn edit(text: &SecretString, name: &str) -> Result<SecretString> {
    let failed = |error: std::io::Error| Error::new("cannot write a temporary file").because(error);
    let directory = tempfile::tempdir().map_err(failed)?;
    let mut file = tempfile::Builder::new().suffix(&format!("-{name}")).tempfile_in(&directory).map_err(failed)?;
    file.write_all(text.expose_secret().as_bytes()).map_err(failed)?;
    // Closed: Windows may refuse to replace a file that is open.
    let file = file.into_temp_path();
    let editor = editor();
    let shown = editor.to_string_lossy();
    let hint = format!("name an editor that can be run: EDITOR={DEFAULT}");
    let status = command(&shown, &file)
        .kill_on_drop(true)
        .status()
        .await
        .map_err(|error| Error::new(format!("the editor `{shown}` cannot be run")).because(error).hint(&hint))?;
    if !status.success() {
        return Err(Error::new(format!("the editor `{shown}` ended with {status}")).hint(hint));
    }
    // Read by its name: editors replace a file.
    let saved = std::fs::read_to_string(&file)
        .map_err(|error| Error::new("what the editor has saved cannot be read").because(error))?;
    Ok(saved.into())
}

/// Runs an editor through a shell, since it often has arguments; as `git` and `kubectl edit` do.
#[cfg(not(windows))]
fn command(editor: &str, file: &Path) -> Command {
    let mut command = Command::new("sh");
    command.arg("-c").arg(format!("{editor} \"$@\"")).arg(editor).arg(file);
    command
}

/// Runs an editor through `cmd`, which also finds those that are scripts, such as `code`.
#[cfg(windows)]
fn command(editor: &str, file: &Path) -> Command {
    let mut command = Command::new("cmd");
    // Of quotes around everything, `cmd /S` takes the outermost pair away and leaves the rest as it is.
    command.arg("/S").arg("/C").raw_arg(format!("\"{editor} \"{}\"\"", file.display()));
    command
}

fn editor() -> OsString {
    let named = ["VISUAL", "EDITOR"].iter().filter_map(std::env::var_os).find(|editor| !editor.is_empty());
    named.unwrap_or_else(|| DEFAULT.into())
}
