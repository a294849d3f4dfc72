//! `kubectl carvelflux` delivers Carvel packages from a GitOps repository to run clusters with Flux.
//!
//! Everything is one of four values: a `Plan` (what a command will do), an `Expectation` (what a Git revision asks of a
//! delivery), an `Observation` (what is), and a `Check` (what must hold before a Plan may run). Judging is pure, and
//! so is computing a Plan; its Preview makes dry runs, and writes nothing. I/O goes through `cluster`, `gitops`'s checkout and
//! `ui`; the files that flags name are read in `commands`.
//!
//! This crate is a program: [`run`] is all of it. It offers no API to others; [`testing`] is for its own tests and benchmarks.

#![expect(unreachable_pub, reason = "all modules are private: `pub` in one means that other modules use the item")]

mod authentication;
mod carvel;
mod check;
mod cli;
mod cluster;
mod commands;
mod conditions;
mod conversation;
mod error;
mod flux;
mod gitops;
mod identities;
mod invocation;
mod kubeconfig;
mod labels;
mod names;
mod object;
mod observe;
mod plan;
mod refusal;
mod shell;
pub mod testing;
mod ui;
mod waiting;
mod whole_file;
mod wording;

use std::process::ExitCode;

/// Parses the command line of this process, runs its command, and returns the exit code.
#[must_use]
pub fn run() -> ExitCode {
    if let Some(code) = cli::complete(values_of_flags) {
        return code;
    }
    let cli = match cli::Cli::read() {
        Ok(cli) => cli,
        Err(code) => return code,
    };
    let ui = ui::Ui::detect(cli.format(), (&cli.verbosity).into());
    match commands::run(ui, cli) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            ui.error(&error);
            error.kind().into()
        }
    }
}

/// Looks up what the value of a flag may be, for completion.
fn values_of_flags(kind: cli::ValueKind, line: &cli::CommandLine) -> Vec<String> {
    let values = async { Ok(commands::completion::values::values(kind, line).await) };
    commands::block_on(values).unwrap_or_default()
}
