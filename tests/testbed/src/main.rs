//! `testbed`: builds the tools, brings clusters up, and shows the plugin at work.

use std::path::PathBuf;
use std::process::ExitCode;
use std::time::Instant;

use clap::{Parser, Subcommand};
use testbed::sandbox::{self, Entered};
use testbed::{Options, Result, Testbed, Tools};

/// Runs real clusters as local processes.
#[derive(Parser)]
#[command(version)]
struct Arguments {
    #[command(subcommand)]
    command: Command,
}

#[derive(Subcommand)]
enum Command {
    /// Builds everything that a testbed runs, into the cache.
    Tools,
    /// Starts a build cluster and run clusters, until Ctrl-C.
    Up {
        /// How many run clusters to start.
        #[arg(long, default_value_t = 2)]
        run_clusters: usize,
        /// Where to write the kubeconfig.
        #[arg(long)]
        kubeconfig: Option<PathBuf>,
    },
}

fn main() -> ExitCode {
    match run(&Arguments::parse()) {
        Ok(code) => code,
        Err(error) => {
            eprintln_error(&error);
            ExitCode::FAILURE
        }
    }
}

fn run(arguments: &Arguments) -> Result<ExitCode> {
    if matches!(arguments.command, Command::Tools) {
        Tools::prepare()?;
        return Ok(ExitCode::SUCCESS);
    }
    if let Entered::Finished(code) = sandbox::enter()? {
        return Ok(code.into());
    }
    match &arguments.command {
        Command::Tools => Ok(ExitCode::SUCCESS),
        Command::Up { run_clusters, kubeconfig } => up(*run_clusters, kubeconfig.clone()),
    }
}

#[expect(clippy::print_stdout, reason = "this is the program's result")]
#[expect(clippy::print_stderr, reason = "this is the program's progress")]
fn up(run_clusters: usize, kubeconfig: Option<PathBuf>) -> Result<ExitCode> {
    let started = Instant::now();
    let testbed = Testbed::start(&Options { run_clusters, ..Options::default() })?;
    eprintln!("ready after {} s; logs are in {}", started.elapsed().as_secs(), testbed.logs().display());
    let path = match kubeconfig {
        Some(path) => {
            testbed.copy_kubeconfig(&path)?;
            path
        }
        None => testbed.kubeconfig().to_path_buf(),
    };
    println!("export KUBECONFIG={}", path.display());
    // The outer process handles signals and ends this one.
    loop {
        std::thread::park();
    }
}

#[expect(clippy::print_stderr, reason = "this is where errors end up")]
fn eprintln_error(error: &testbed::Error) {
    eprintln!("error: {error}");
}
