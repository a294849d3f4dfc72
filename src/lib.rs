//! `kubectl carvelflux` delivers Carvel packages from a GitOps repository to run clusters with Flux.
//!
//! Everything is one of four values: a `Plan` (what a command will do), an `Expectation` (what a Git revision asks of a
//! delivery), an `Observation` (what is), and a `Check` (what must hold before a Plan may run). Judging is pure, and
//! so is computing a Plan; its Preview makes dry runs, and writes nothing. I/O goes through [`cluster`], [`gitops`]'s checkout and [`ui`]; the files
//! that flags name are read in [`commands`].

pub mod authentication;
pub mod carvel;
pub mod check;
pub mod cli;
pub mod cluster;
pub mod commands;
pub mod conditions;
pub mod error;
pub mod flux;
pub mod gitops;
pub mod identities;
pub mod kubeconfig;
pub mod labels;
pub mod names;
pub mod object;
pub mod observe;
mod plan;
mod refusal;
pub mod shell;
pub mod ui;
mod waiting;

use std::process::ExitCode;

/// Parses the command line of this process, runs its command, and returns the exit code.
#[must_use]
pub fn run() -> ExitCode {
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
