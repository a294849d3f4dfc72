//! The three renderings of one event stream: bars on a pseudo-terminal, lines in a log, JSON for programs.
//!
//! The streams live in [`script`]. Bars are only real on a terminal, so this program starts itself again on one
//! ([`terminal`]) to replay a script there with the clock of the script.

#![expect(clippy::expect_used, reason = "a test fails by panicking")]

mod json;
mod lines;
mod pictures;
mod screens;
mod script;
mod terminal;

use std::process::ExitCode;

use carvelflux::testing::{Extent, Format, Ui, Verbosity, block_on, report, reporter_with_clock, status_lines};
use libtest_mimic::{Arguments, Trial};

fn main() -> ExitCode {
    let mut arguments = std::env::args().skip(1);
    if arguments.next().as_deref() == Some("--replay") {
        return replay(&arguments.collect::<Vec<_>>());
    }
    let trials = [lines::trials(), json::trials(), screens::trials(), pictures::trials()].concat();
    let trials = trials.into_iter().map(|(name, test)| {
        Trial::test(name, move || {
            test();
            Ok(())
        })
    });
    libtest_mimic::run(&Arguments::from_args(), trials.collect()).exit_code()
}

/// Replays a script as a command would show it: `SCRIPT [status] [json] [quiet|details|everything] [hold] [stdin]`.
fn replay(arguments: &[String]) -> ExitCode {
    let has = |word: &str| arguments.iter().any(|argument| argument == word);
    if has("stdin") {
        let _ = std::io::read_to_string(std::io::stdin());
    }
    let verbosity = match () {
        () if has("quiet") => Verbosity::Quiet,
        () if has("details") => Verbosity::Details,
        () if has("everything") => Verbosity::Everything,
        () => Verbosity::Normal,
    };
    let ui = Ui::detect(if has("json") { Format::Json } else { Format::Text }, verbosity);
    let script = script::Script::named(&arguments[0]);
    let result = block_on(async {
        let (clock, milliseconds) = script::clock();
        if has("status") {
            let lines = status_lines(&script.surveyed(), clock.now(), Extent::All);
            lines.iter().try_for_each(|line| ui.result_styled(line))?;
            return std::future::pending().await;
        }
        let mut reporter = reporter_with_clock(ui, clock);
        script.play(reporter.as_mut(), &milliseconds)?;
        if has("hold") {
            std::future::pending::<()>().await;
        }
        reporter.ended();
        report(ui, &script.deliveries, &script.outcomes())
    });
    match result {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            ui.error(&error);
            error.kind().into()
        }
    }
}
