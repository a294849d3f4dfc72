//! `kubectl-carvelflux`: parse, run, exit code.

use std::process::ExitCode;

use carvelflux::cli::{self, Cli};
use carvelflux::commands;
use carvelflux::error::{Error, ErrorKind};
use carvelflux::ui::{Format, Ui};
use clap::Parser;

fn main() -> ExitCode {
    let cli = match Cli::try_parse() {
        Ok(cli) => cli,
        Err(answer) => return without_command(&answer),
    };
    let ui = Ui::detect(cli.format(), (&cli.verbosity).into());
    match commands::run(ui, cli) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            ui.error(&error);
            error.kind().into()
        }
    }
}

/// Prints the help that was asked for, or what is wrong with the command line, which a program is told in its own format.
fn without_command(answer: &clap::Error) -> ExitCode {
    let _ = answer.print();
    if !answer.use_stderr() {
        return ExitCode::SUCCESS;
    }
    if cli::asks_for_json(std::env::args_os()) {
        let text = answer.render().to_string();
        let message = text.lines().next().unwrap_or_default();
        let error =
            Error::usage(message.trim_start_matches("error: ")).hint("see the flags: kubectl carvelflux --help");
        carvelflux::ui::end_events(Format::Json, &error);
    }
    ErrorKind::Usage.into()
}
