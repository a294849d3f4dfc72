//! The verbs, one file each, read top to bottom: gather → plan → confirm → apply → wait.
//!
//! Beside them stands what several share. Before a request: which build cluster and namespace ([`context`]), the questions of a
//! walk-through ([`mod@walk`]) and the command that does the same without them ([`repeat`]). While facts are gathered: the repository
//! ([`git`]), the packages in it ([`packages`]), the keys of SOPS ([`age_keys`]) and the merge of a pull request ([`mod@merge`]). In the end: a
//! plan that is reported instead of carried out ([`preview`]), and what came of one that was ([`outcome`]).

mod add_cluster;
mod age_keys;
mod bootstrap;
mod check;
pub mod completion;
mod context;
mod git;
mod merge;
mod namespace;
pub mod outcome;
mod packages;
mod preview;
mod remove_cluster;
mod repeat;
mod rotate;
mod status;
mod values;
mod version;
mod wait;
mod walk;

use crate::cli::{AddClusterArgs, BootstrapArgs, Cli, Command, PreviewMode};
use crate::cluster::{Connection, report_retries};
use crate::error::{Error, ErrorKind, Result};
use crate::ui::{Ui, Verbosity};
use crate::waiting;

/// Runs the command of the command line.
pub fn run(ui: Ui, cli: Cli) -> Result<()> {
    let connection = Connection { login_timeout: cli.timeout(), ..cli.connection.connection() };
    let namespace = cli.connection.namespace.clone();
    if ui.verbosity >= Verbosity::Details {
        report_retries(move |line| ui.status(line));
    }
    let mode = cli.preview();
    preview::check(ui.format, mode.as_ref())?;
    let result = match cli.command {
        Command::Completion(arguments) => completion::run(ui, &arguments),
        Command::Bootstrap(arguments) => block_on(bootstrap_and_go_on(ui, connection, namespace, arguments)),
        Command::AddCluster(arguments) => {
            block_on(add_cluster::run(ui, connection, namespace, *arguments, repeat::words(), None))
        }
        Command::Check(arguments) => block_on(check::run(ui, connection, namespace, arguments)),
        Command::Rotate(arguments) => block_on(rotate::run(ui, connection, namespace, arguments)),
        Command::RemoveCluster(arguments) => block_on(remove_cluster::run(ui, connection, namespace, arguments)),
        Command::Status(arguments) => block_on(status::run(ui, connection, namespace, arguments)),
        Command::Values(arguments) => block_on(values::run(ui, connection, namespace, arguments)),
        Command::Version(arguments) => block_on(version::run(ui, connection, namespace, arguments)),
        Command::Wait(arguments) => block_on(wait::run(ui, connection, namespace, arguments)),
    };
    if mode == Some(PreviewMode::Diff) { result.map_err(Error::of_diff) } else { result }
}

/// Makes a repository known, and goes on with a run cluster where a person who was led through the questions likes to.
async fn bootstrap_and_go_on(
    ui: Ui,
    mut connection: Connection,
    mut namespace: Option<String>,
    arguments: BootstrapArgs,
) -> Result<()> {
    let followed_by = bootstrap::run(ui, &mut connection, &mut namespace, arguments).await?;
    let Some((package, credentials)) = followed_by else { return Ok(()) };
    let arguments = AddClusterArgs::of_package(&package)?;
    let words = repeat::words_of("add-cluster", &package, &connection, namespace.as_deref());
    Box::pin(add_cluster::run(ui, connection, namespace, arguments, words, credentials)).await
}

/// Runs a command until it ends or the user interrupts it.
pub fn block_on<T>(command: impl Future<Output = Result<T>>) -> Result<T> {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .map_err(|error| Error::new("cannot start the asynchronous runtime").because(error))?;
    let result = runtime.block_on(async {
        tokio::select! {
            // An open question hears the signal as well, and knows that nothing was done.
            biased;
            result = command => result,
            () = waiting::interrupted() => Err(Error::of_kind(
                ErrorKind::Interrupted,
                "interrupted; what was done stays",
            ).hint("the same command completes the rest")),
        }
    });
    // What still blocks a thread, such as reading standard input, would hold up the end.
    runtime.shutdown_background();
    result
}

#[cfg(test)]
mod tests {
    use std::time::{Duration, Instant};

    use super::*;

    #[test]
    fn what_still_blocks_does_not_hold_up_the_end() {
        let started = Instant::now();
        let result = block_on(async {
            let reading = tokio::task::spawn_blocking(|| std::thread::sleep(Duration::from_secs(20)));
            tokio::select! {
                _ = reading => Ok(()),
                () = crate::waiting::pause(Duration::from_millis(50)) => Err(Error::new("interrupted")),
            }
        });
        assert!(result.is_err());
        assert!(started.elapsed() < Duration::from_secs(10), "the end came after {:?}", started.elapsed());
    }
}
