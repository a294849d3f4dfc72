//! `completion`: the script for a shell, or the file that kubectl runs for TAB, put where kubectl finds it.

pub mod values;

use std::fs;
use std::path::{Path, PathBuf};

use crate::cli::{CompletionArgs, CompletionTarget, completion_script};
use crate::error::{Error, Result};
use crate::invocation::{PROGRAM, is_of_flux};
use crate::shell::quoted;
use crate::ui::Ui;
use crate::whole_file::{self, Mode};

/// The program as shells know it.
const BINARY: &str = "kubectl-carvelflux";

/// The file that kubectl runs for TAB.
const COMPLETER: &str = "kubectl_complete-carvelflux";

/// What is in it.
const CONTENT: &str = include_str!(concat!(env!("CARGO_MANIFEST_DIR"), "/completion/kubectl_complete-carvelflux"));

pub(super) fn run(ui: Ui, arguments: &CompletionArgs) -> Result<()> {
    let Some(shell) = shell(arguments.target) else {
        return install(ui, arguments.directory.as_deref());
    };
    if arguments.directory.is_some() {
        return Err(Error::usage("--directory is about `completion install`; a script is printed"));
    }
    let script = completion_script(shell, BINARY);
    ui.document(&script.ok_or_else(|| Error::new(format!("there is no script for {shell}")))?)
}

fn shell(target: CompletionTarget) -> Option<&'static str> {
    match target {
        CompletionTarget::Install => None,
        CompletionTarget::Bash => Some("bash"),
        CompletionTarget::Zsh => Some("zsh"),
        CompletionTarget::Fish => Some("fish"),
        CompletionTarget::Powershell => Some("powershell"),
    }
}

/// Puts the completer beside the plugin, and says what was done.
fn install(ui: Ui, directory: Option<&Path>) -> Result<()> {
    if is_of_flux() {
        return ui.result("Flux asks the plugin itself for TAB: nothing has to be installed");
    }
    if cfg!(windows) {
        return Err(Error::usage("on Windows kubectl runs no script for TAB")
            .hint(format!("let PowerShell complete {BINARY} itself: {BINARY} completion powershell")));
    }
    let path = std::env::var_os("PATH").unwrap_or_default();
    let searched: Vec<PathBuf> = std::env::split_paths(&path).filter(|path| !path.as_os_str().is_empty()).collect();
    let found = |name: &str| searched.iter().find(|directory| directory.join(name).is_file());
    let directory = match directory {
        Some(directory) => directory.to_owned(),
        None => found(COMPLETER).or_else(|| found(BINARY)).cloned().ok_or_else(|| {
            Error::usage(format!(
                "{BINARY} is in no directory of PATH, so that kubectl finds neither it nor its completion"
            ))
            .hint("put it there, or name a directory of PATH: completion install --directory DIR")
        })?,
    };
    if !directory.is_dir() {
        return Err(Error::usage(format!("there is no directory {}", directory.display()))
            .hint("name a directory of PATH: completion install --directory DIR"));
    }
    let file = directory.join(COMPLETER);
    let place = quoted(&file.display().to_string());
    let existing = fs::read_to_string(&file).ok();
    if existing.as_deref() == Some(CONTENT) {
        ui.result(&format!("{place} is there already"))?;
    } else {
        if existing.is_some_and(|text| !text.contains(BINARY)) {
            return Err(Error::usage(format!("{place} is not of this plugin, and left as it is"))
                .hint("remove it, or name another directory with --directory"));
        }
        whole_file::write(&file, CONTENT.as_bytes(), Mode::Executable).map_err(|error| {
            Error::new(format!("cannot write {place}"))
                .because(error)
                .hint("name a directory of PATH that you may write: completion install --directory DIR")
        })?;
        ui.result(&format!("{place} was written: kubectl runs it for TAB after `{PROGRAM}`"))?;
    }
    if !searched.contains(&directory) {
        ui.warning(&format!("{} is not on PATH, where kubectl looks", directory.display()));
    }
    ui.status("it takes effect where kubectl's own completion is on, such as with: source <(kubectl completion bash)");
    Ok(())
}
