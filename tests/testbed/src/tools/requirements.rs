//! What must be on the machine already: Go to build with, Git with its HTTP backend, perhaps kubectl.

use std::path::{Path, PathBuf};
use std::process::Command;

use super::group;
use crate::command::output_of;
use crate::error::{Error, Result};

/// Checks that `go` is here and new enough for every group.
pub(crate) fn check_go() -> Result<()> {
    let mut needed = (1, 21, 0);
    for group in group::ALL {
        let path = group.sources().join("go.mod");
        let content = std::fs::read_to_string(&path).map_err(Error::file("read", &path))?;
        if let Some(version) = content.lines().find_map(|line| version_in(line.strip_prefix("go ")?)) {
            needed = needed.max(version);
        }
    }
    let wanted = format!("Go {}.{}.{} or newer is needed to build the testbed's tools", needed.0, needed.1, needed.2);
    let said = output_of(Command::new("go").arg("version")).map_err(|_| {
        Error::Requirement(format!("{wanted}, and no working `go` is on the PATH: install it from https://go.dev/dl"))
    })?;
    match said.split_whitespace().find_map(|word| version_in(word.strip_prefix("go")?)) {
        Some(found) if found >= needed => Ok(()),
        _ => Err(Error::Requirement(format!(
            "{wanted}, and this machine has \"{}\": update it from https://go.dev/dl",
            said.trim()
        ))),
    }
}

/// Checks that `git` is here, new enough, and can serve repositories over HTTP.
pub(crate) fn check_git() -> Result<()> {
    let wanted = "Git 2.30 or newer with `git http-backend` is needed to serve repositories";
    let said = output_of(Command::new("git").arg("--version"))
        .map_err(|_| Error::Requirement(format!("{wanted}, and no working `git` is on the PATH: install Git")))?;
    match said.split_whitespace().find_map(version_in) {
        Some(version) if version >= (2, 30, 0) => {}
        _ => return Err(Error::Requirement(format!("{wanted}, and this machine has \"{}\": update Git", said.trim()))),
    }
    let directory = output_of(Command::new("git").arg("--exec-path"))?;
    if Path::new(directory.trim()).join("git-http-backend").exists() {
        Ok(())
    } else {
        Err(Error::Requirement(format!(
            "{wanted}, and {} has no git-http-backend: install the full Git package",
            directory.trim()
        )))
    }
}

/// Finds a `kubectl` on the PATH that works.
pub(crate) fn find_kubectl() -> Option<PathBuf> {
    let path = std::env::var_os("PATH")?;
    let kubectl =
        std::env::split_paths(&path).map(|directory| directory.join("kubectl")).find(|file| file.is_file())?;
    output_of(Command::new(&kubectl).args(["version", "--client"])).ok().map(|_| kubectl)
}

fn version_in(text: &str) -> Option<(u32, u32, u32)> {
    let mut parts = text.trim().split(['.', '-', '+']).map(|part| {
        let digits: String = part.chars().take_while(char::is_ascii_digit).collect();
        digits.parse::<u32>().ok()
    });
    let major = parts.next()??;
    Some((major, parts.next().flatten()?, parts.next().flatten().unwrap_or(0)))
}

#[cfg(test)]
mod tests {
    use super::version_in;

    #[test]
    fn versions_of_go_and_git_are_understood() {
        assert_eq!(version_in("1.26.8"), Some((1, 26, 8)));
        assert_eq!(version_in("1.27rc1"), Some((1, 27, 0)));
        assert_eq!(version_in("2.39.5.windows.1"), Some((2, 39, 5)));
        assert_eq!(version_in("version"), None);
    }
}
