//! `testbed`: builds the tools, brings clusters up, and shows the plugin at work.

mod demo;

use std::path::{Path, PathBuf};
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
        #[arg(long, value_name = "FILE")]
        kubeconfig: Option<PathBuf>,
    },
    /// Delivers a package to two run clusters with the plugin, from nothing.
    Demo {
        /// Leave everything running at the end, until Ctrl-C.
        #[arg(long)]
        keep: bool,
        /// The plugin to show; without it, it is built first.
        #[arg(long, value_name = "FILE")]
        plugin: Option<PathBuf>,
    },
}

fn main() -> ExitCode {
    match run(&Arguments::parse()) {
        Ok(code) => code,
        Err(error) => {
            report(&format!("error: {error}"));
            ExitCode::FAILURE
        }
    }
}

fn run(arguments: &Arguments) -> Result<ExitCode> {
    match &arguments.command {
        Command::Tools => {
            Tools::prepare()?;
            return Ok(ExitCode::SUCCESS);
        }
        // Built before the sandbox is entered, so that Ctrl-C meets an ordinary build.
        Command::Demo { plugin: None, .. } if sandbox::Sandbox::current().is_err() => {
            Tools::prepare_for_clusters()?;
            demo::build_plugin(&[])?;
        }
        Command::Demo { .. } | Command::Up { .. } => {}
    }
    if let Entered::Finished(code) = sandbox::enter()? {
        return Ok(code.into());
    }
    match &arguments.command {
        Command::Tools => Ok(ExitCode::SUCCESS),
        Command::Up { run_clusters, kubeconfig } => {
            let testbed = start(*run_clusters)?;
            if let Some(path) = kubeconfig {
                testbed.copy_kubeconfig(path)?;
            }
            stay(kubeconfig.as_deref().unwrap_or(testbed.kubeconfig()), &[])
        }
        Command::Demo { keep, plugin } => {
            // It is built already, and only named once more.
            let plugin = plugin.clone().map_or_else(|| demo::build_plugin(&["--quiet"]), Ok)?;
            // It is linked to from another directory.
            let plugin = std::path::absolute(&plugin).map_err(|source| testbed::Error::File {
                action: "find",
                path: plugin.clone(),
                source,
            })?;
            let testbed = start(2)?;
            let workspace = demo::run(&testbed, &plugin)?;
            if !keep {
                return Ok(ExitCode::SUCCESS);
            }
            let directory = plugin.parent().unwrap_or(Path::new(".")).display().to_string();
            let repository = workspace.repository();
            // A made-up password of a repository that lives as long as the demo.
            let others = [
                ("GIT_USERNAME", repository.username()),
                ("GIT_PASSWORD", repository.password()),
                ("PATH", format!("{directory}:$PATH")),
            ];
            stay(workspace.kubeconfig(), &others)
        }
    }
}

fn start(run_clusters: usize) -> Result<Testbed> {
    let started = Instant::now();
    report(&format!("Starting a build cluster with Flux and {run_clusters} run clusters with kapp-controller …"));
    let testbed = Testbed::start(&Options { run_clusters, ..Options::default() })?;
    report(&format!("Ready after {} s; logs are in {}", started.elapsed().as_secs(), testbed.logs().display()));
    Ok(testbed)
}

/// Waits for ever: the outer process handles signals and ends this one.
#[expect(clippy::print_stdout, reason = "this is the program's result")]
fn stay(kubeconfig: &Path, others: &[(&str, String)]) -> ! {
    println!("export KUBECONFIG={}", kubeconfig.display());
    for (name, value) in others {
        println!("export {name}={value}");
    }
    report("Ctrl-C ends everything.");
    loop {
        std::thread::park();
    }
}

#[expect(clippy::print_stderr, reason = "this is the program's progress")]
fn report(text: &str) {
    eprintln!("{text}");
}
