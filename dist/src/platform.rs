//! The platforms that there are archives for.

use crate::PROGRAM;
use crate::error::{Error, Result};

/// An operating system and a processor, by the names that krew has for them.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Platform {
    os: &'static str,
    arch: &'static str,
}

impl Platform {
    /// Returns the platform of a target triple of Rust, such as `x86_64-unknown-linux-musl`.
    pub fn of_target(target: &str) -> Result<Self> {
        let arch = match target.split('-').next() {
            Some("x86_64") => Some("amd64"),
            Some("aarch64") => Some("arm64"),
            _ => None,
        };
        let os = ["linux", "darwin", "windows"].into_iter().find(|os| target.split('-').any(|part| part == *os));
        match (os, arch) {
            (Some(os), Some(arch)) => Ok(Self { os, arch }),
            _ => Err(Error::Failed(format!("no release is made for {target}: src/platform.rs has no name for it"))),
        }
    }

    /// Returns the name of the platform's archive.
    #[must_use]
    pub fn archive_name(self) -> String {
        format!("{PROGRAM}-{}-{}.tar.gz", self.os, self.arch)
    }

    /// Returns the name of the program's file.
    #[must_use]
    pub fn program(self) -> String {
        let extension = if self.os == "windows" { ".exe" } else { "" };
        format!("{PROGRAM}{extension}")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn archives_are_named_as_krew_names_platforms() {
        for (target, name) in [
            ("x86_64-unknown-linux-musl", "kubectl-carvelflux-linux-amd64.tar.gz"),
            ("aarch64-unknown-linux-gnu", "kubectl-carvelflux-linux-arm64.tar.gz"),
            ("aarch64-apple-darwin", "kubectl-carvelflux-darwin-arm64.tar.gz"),
            ("x86_64-pc-windows-msvc", "kubectl-carvelflux-windows-amd64.tar.gz"),
        ] {
            assert_eq!(Platform::of_target(target).unwrap().archive_name(), name);
        }
        assert!(Platform::of_target("riscv64gc-unknown-linux-gnu").is_err());
        assert_eq!(Platform::of_target("x86_64-pc-windows-msvc").unwrap().program(), "kubectl-carvelflux.exe");
    }
}
