//! A text in the user's editor.

use std::ffi::OsString;
use std::io::Write as _;

use secrecy::{ExposeSecret, SecretString};
use tokio::process::Command;

use crate::error::{Error, Result};

/// Runs `$VISUAL`, else `$EDITOR`, else `vi` on a text, and returns what was saved. The file is the user's alone and goes away.
pub async fn edit(text: &SecretString, name: &str) -> Result<SecretString> {
    let failed = |error: std::io::Error| Error::new("cannot write a temporary file").because(error);
    let directory = tempfile::tempdir().map_err(failed)?;
    let mut file = tempfile::Builder::new().suffix(&format!("-{name}")).tempfile_in(&directory).map_err(failed)?;
    file.write_all(text.expose_secret().as_bytes()).map_err(failed)?;
    let editor = editor();
    let shown = editor.to_string_lossy();
    // Through a shell, since an editor often has arguments; as `git` and `kubectl edit` do.
    let mut command = Command::new("sh");
    command.arg("-c").arg(format!("{shown} \"$@\"")).arg(&editor).arg(file.path()).kill_on_drop(true);
    let hint = "name an editor that can be run: EDITOR=vi";
    let status = command
        .status()
        .await
        .map_err(|error| Error::new(format!("the editor `{shown}` cannot be run")).because(error).hint(hint))?;
    if !status.success() {
        return Err(Error::new(format!("the editor `{shown}` ended with {status}")).hint(hint));
    }
    // Read by its name: editors replace a file.
    let saved = std::fs::read_to_string(file.path())
        .map_err(|error| Error::new("what the editor has saved cannot be read").because(error))?;
    Ok(saved.into())
}

fn editor() -> OsString {
    let named = ["VISUAL", "EDITOR"].iter().filter_map(std::env::var_os).find(|editor| !editor.is_empty());
    named.unwrap_or_else(|| "vi".into())
}
