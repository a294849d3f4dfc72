//! Building the program so that two machines with the same compiler get the same bytes.

use std::ffi::OsString;
use std::path::{Path, PathBuf};
use std::process::Command;

use crate::PROGRAM;
use crate::command::output_of;
use crate::error::{Error, Result};

/// The variable by which the time of what is built is known (<https://reproducible-builds.org/specs/source-date-epoch/>).
pub const TIME_VARIABLE: &str = "SOURCE_DATE_EPOCH";

/// The variable that tells the program its commit.
pub const COMMIT_VARIABLE: &str = "CARVELFLUX_COMMIT";

/// What is built, and where.
#[derive(Debug, Clone)]
pub struct Build {
    /// The repository.
    pub root: PathBuf,
    /// The target triple; this machine's own without it.
    pub target: Option<String>,
    /// The profile of Cargo.toml.
    pub profile: String,
}

/// What was built.
#[derive(Debug)]
pub struct Built {
    /// The program.
    pub program: PathBuf,
    /// The time of the commit, in seconds since 1970.
    pub time: u64,
}

impl Build {
    /// Returns the target triple.
    pub fn target(&self) -> Result<String> {
        if let Some(target) = &self.target {
            return Ok(target.clone());
        }
        let said = output_of(Command::new("rustc").arg("-vV"))?;
        let host = said.lines().find_map(|line| line.strip_prefix("host: "));
        host.map(str::to_owned).ok_or_else(|| Error::Failed("rustc does not say its host".to_owned()))
    }

    /// Builds the program, in a directory of its own, since the flags are others than those of daily work.
    pub fn run(&self) -> Result<Built> {
        let time = self.time()?;
        let directory = self.root.join("target/dist/build");
        let cargo = std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into());
        let mut command = Command::new(cargo);
        // What cargo tells this program of itself would make build scripts run again, as in the demo of the testbed.
        for (name, _) in std::env::vars_os() {
            if name.to_str().is_some_and(|name| name.starts_with("CARGO_PKG_") || name.starts_with("CARGO_MANIFEST_")) {
                command.env_remove(name);
            }
        }
        let output = output_of(
            command
                .current_dir(&self.root)
                .args(["build", "--locked", "--bin", PROGRAM, "--message-format=json-render-diagnostics"])
                .args(["--profile", &self.profile, "--target", &self.target()?, "--target-dir"])
                .arg(&directory)
                .env_remove("RUSTFLAGS")
                .env("CARGO_ENCODED_RUSTFLAGS", self.flags()?)
                .env(TIME_VARIABLE, time.to_string())
                .env(COMMIT_VARIABLE, self.commit()?),
        )?;
        let mut programs = output.lines().filter_map(|line| {
            let message: serde_json::Value = serde_json::from_str(line).ok()?;
            message["executable"].as_str().map(PathBuf::from)
        });
        let program = programs.next_back().ok_or_else(|| Error::Failed("cargo names no program".to_owned()))?;
        Ok(Built { program, time })
    }

    /// Returns the commit, or the one that the environment gives.
    fn commit(&self) -> Result<String> {
        let commit = match std::env::var(COMMIT_VARIABLE) {
            Ok(commit) => commit,
            Err(_) => output_of(Command::new("git").args(["rev-parse", "HEAD"]).current_dir(&self.root))?,
        };
        Ok(commit.trim().to_owned())
    }

    /// Returns the time of the commit, or the one that the environment gives.
    fn time(&self) -> Result<u64> {
        let time = match std::env::var(TIME_VARIABLE) {
            Ok(time) => time,
            Err(_) => output_of(Command::new("git").args(["log", "-1", "--format=%ct"]).current_dir(&self.root))?,
        };
        time.trim().parse().map_err(|_| Error::Failed(format!("no time in seconds since 1970: {}", time.trim())))
    }

    /// Returns flags of rustc, apart from each other by a character that no path has: no path of this machine is in the program.
    fn flags(&self) -> Result<OsString> {
        let sysroot = output_of(Command::new("rustc").args(["--print", "sysroot"]).current_dir(&self.root))?;
        let cargo_home = std::env::var_os("CARGO_HOME").map(PathBuf::from);
        let cargo_home = cargo_home.or_else(|| std::env::home_dir().map(|home| home.join(".cargo")));
        let cargo_home = cargo_home.ok_or_else(|| Error::Failed("there is no home directory: set HOME".to_owned()))?;
        let places: [(&Path, &str); 3] =
            [(Path::new(sysroot.trim()), "rust"), (&cargo_home, "cargo"), (&self.root, PROGRAM)];
        let mut flags = OsString::new();
        for (path, name) in places {
            if !flags.is_empty() {
                flags.push("\u{1f}");
            }
            flags.push("--remap-path-prefix=");
            flags.push(path);
            flags.push("=/");
            flags.push(name);
        }
        if self.target()?.ends_with("-msvc") {
            // Without it, Microsoft's linker writes the time of the build into the program.
            flags.push("\u{1f}-Clink-arg=/Brepro");
        }
        Ok(flags)
    }
}
