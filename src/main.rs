//! `kubectl-carvelflux`: parse, run, exit code.

use std::process::ExitCode;

use carvelflux::cli::Cli;
use carvelflux::commands;
use carvelflux::ui::Ui;
use clap::Parser;

fn main() -> ExitCode {
    let cli = Cli::parse();
    let ui = Ui::detect();
    match commands::run(ui, cli) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            ui.error(&error);
            error.kind().into()
        }
    }
}
