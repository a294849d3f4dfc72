//! What may come next on a command line: for kubectl and Flux in the format of cobra's `__complete`, for a shell as the scripts
//! of `clap_complete` ask for it. What the values of flags may be is looked up elsewhere.
//!
//! kubectl runs `kubectl_complete-carvelflux` (kubectl v1.26 `pkg/cmd/plugin/plugin_completion.go`), Flux the plugin itself
//! (flux2 v2.9).

use std::ffi::OsString;
use std::io::Write as _;
use std::path::PathBuf;
use std::process::ExitCode;
use std::sync::Arc;
use std::sync::atomic::{AtomicU8, Ordering};

use clap::builder::ArgExt;
use clap::{Arg, ArgMatches, Command, FromArgMatches as _, ValueHint};
use clap_complete::engine::{ArgValueCompleter, CompletionCandidate, complete};
use clap_complete::env::{CompleteEnv, Shells};

use super::connection::ConnectionArgs;
use crate::cluster::Connection;

/// The variable with which the shells' scripts ask.
const VARIABLE: &str = "CARVELFLUX_COMPLETE";

/// What a shell does with the candidates: bits of cobra's `ShellCompDirective` (cobra v1.8 `completions.go`).
mod directive {
    /// The shell completes files where there are no candidates.
    pub(super) const FILES: u8 = 0;
    /// Something is wrong, and there are no candidates.
    pub(super) const ERROR: u8 = 1;
    /// The shell completes no files.
    pub(super) const NO_FILES: u8 = 4;
    /// The shell completes directories.
    pub(super) const DIRECTORIES: u8 = 16;
    /// The candidates are in order.
    pub(super) const KEEP_ORDER: u8 = 32;
}

/// What a value names that is looked up.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ValueKind {
    /// A context of the kubeconfig.
    Context,
    /// A context of the run clusters' kubeconfig.
    RunContext,
    /// A run cluster and a context for it: `NAME=CONTEXT`.
    RunClusterContext,
    /// A cluster of the kubeconfig.
    KubeconfigCluster,
    /// A user of the kubeconfig.
    KubeconfigUser,
    /// A namespace of the build cluster.
    Namespace,
    /// A namespace of a run cluster.
    TargetNamespace,
    /// A package that Flux knows.
    Package,
    /// A run cluster that has deliveries.
    RunCluster,
    /// A version of the package, the highest first.
    Version,
}

/// What is known of a command line when a value of it is looked up.
#[derive(Clone, Debug, Default)]
pub struct CommandLine {
    /// How the build cluster is reached.
    pub connection: Connection,
    /// The namespace of the Flux objects, where it is given.
    pub namespace: Option<String>,
    /// Whether all namespaces are looked at.
    pub all_namespaces: bool,
    /// The context of the run cluster, where one is given.
    pub run_context: Option<String>,
    /// The kubeconfig file of run clusters, where one is given.
    pub run_kubeconfig: Option<PathBuf>,
    /// The run clusters that are named already.
    run_clusters: Vec<String>,
    /// The packages that are named already.
    packages: Vec<String>,
}

impl CommandLine {
    /// Returns the package that the command is about, where one is named.
    #[must_use]
    pub fn package(&self) -> Option<&str> {
        self.packages.first().map(String::as_str)
    }
}

/// Looks up values: all that there are, or none where that takes too long.
pub type Lookup = fn(ValueKind, &CommandLine) -> Vec<String>;

/// Answers what may come next, if this process was started for that.
pub fn answer(command: fn() -> Command, lookup: Lookup) -> Option<ExitCode> {
    let mut arguments = std::env::args_os().skip(1);
    let first = arguments.next();
    let has_descriptions = match first.as_ref().and_then(|first| first.to_str()) {
        Some("__complete") => true,
        Some("__completeNoDesc") => false,
        _ => return answer_script(command, lookup),
    };
    let text = as_cobra(command(), lookup, arguments.collect(), has_descriptions);
    // Where nobody reads it, there is nobody to tell.
    let _ = std::io::stdout().write_all(text.as_bytes());
    Some(ExitCode::SUCCESS)
}

/// What completes the program in bash; that of `clap_complete` knows nothing of the words that bash breaks at `=`, `:` and `@`.
const BASH: &str = include_str!(concat!(env!("CARGO_MANIFEST_DIR"), "/completion/kubectl-carvelflux.bash"));

/// Returns the script with which a shell completes the command line of a program; `None` for an unknown shell.
#[must_use]
pub fn script(shell: &str, program: &str) -> Option<String> {
    if shell == "bash" {
        return Some(BASH.to_owned());
    }
    let mut script = Vec::new();
    let shells = Shells::builtins();
    shells.completer(shell)?.write_registration(VARIABLE, program, program, program, &mut script).ok()?;
    String::from_utf8(script).ok()
}

/// Answers a script of [`script`].
fn answer_script(command: fn() -> Command, lookup: Lookup) -> Option<ExitCode> {
    std::env::var_os(VARIABLE)?;
    let words = std::env::args_os().skip_while(|word| word != "--").skip(1).collect::<Vec<_>>();
    let line = Arc::new(CommandLine::of(command(), &words));
    let factory = || with_values(command(), lookup, &line, &Arc::default());
    let directory = std::env::current_dir().ok();
    match CompleteEnv::with_factory(factory).var(VARIABLE).try_complete(std::env::args_os(), directory.as_deref()) {
        Ok(true) => Some(ExitCode::SUCCESS),
        Ok(false) => None,
        Err(_) => Some(ExitCode::FAILURE),
    }
}

/// Answers as cobra does: `words` are those after the program's name, of which the last one is completed.
fn as_cobra(command: Command, lookup: Lookup, mut words: Vec<OsString>, has_descriptions: bool) -> String {
    words.insert(0, command.get_name().into());
    if words.len() == 1 {
        words.push(OsString::new());
    }
    let last = words.len() - 1;
    if words[last] == "-" {
        // Flags are better known by their long names.
        words[last] = "--".into();
    }
    let line = Arc::new(CommandLine::of(command.clone(), &words));
    let bits = Arc::new(AtomicU8::new(directive::NO_FILES));
    let word = words[last].to_string_lossy().into_owned();
    let mut command = with_values(command, lookup, &line, &bits);
    let Ok(candidates) = complete(&mut command, words, last, None) else {
        return format!(":{}\n", directive::ERROR);
    };
    let mut lines = offered(&candidates, &word, has_descriptions);
    lines.push(format!(":{}\n", bits.load(Ordering::Relaxed)));
    lines.join("\n")
}

/// Writes candidates as cobra does: flags only where one was begun, or where there is nothing else;
/// of a flag with `=` only its value, for the shells put the flag before it (cobra v1.8 `zsh_completions.go`).
fn offered(candidates: &[CompletionCandidate], word: &str, has_descriptions: bool) -> Vec<String> {
    let is_flag = |candidate: &CompletionCandidate| candidate.get_value().to_string_lossy().starts_with('-');
    let without_flags = word.is_empty() && candidates.iter().any(|candidate| !is_flag(candidate));
    let begun = word.split_once('=').filter(|_| word.starts_with('-')).map_or(0, |(flag, _)| flag.len() + 1);
    candidates
        .iter()
        .filter(|candidate| !(without_flags && is_flag(candidate)))
        .filter_map(|candidate| {
            let value = candidate.get_value().to_str()?;
            let help = candidate.get_help().map(ToString::to_string).unwrap_or_default();
            let value = value.get(begun..)?;
            Some(match help.lines().next() {
                Some(help) if has_descriptions => format!("{value}\t{help}"),
                _ => value.to_owned(),
            })
        })
        .collect()
}

/// Tells a command where the values of its flags come from; `bits` becomes what cobra's directive is for the one completed.
fn with_values(command: Command, lookup: Lookup, line: &Arc<CommandLine>, bits: &Arc<AtomicU8>) -> Command {
    let command = command.mut_args(|arg| with_value(arg, lookup, line, bits));
    command.mut_subcommands(|subcommand| subcommand.mut_args(|arg| with_value(arg, lookup, line, bits)))
}

fn with_value(arg: Arg, lookup: Lookup, line: &Arc<CommandLine>, bits: &Arc<AtomicU8>) -> Arg {
    let paths = paths_of(&arg);
    if let Some((hint, directive)) = paths {
        let is_cobra = bits.load(Ordering::Relaxed) != 0;
        let arg = arg.value_hint(hint);
        let bits = Arc::clone(bits);
        let note = move |_: &std::ffi::OsStr| {
            bits.store(directive, Ordering::Relaxed);
            Vec::new()
        };
        return if is_cobra { arg.add(ArgValueCompleter::new(note)) } else { arg };
    }
    let Some(kind) = kind_of(&arg) else { return arg };
    let (line, bits) = (Arc::clone(line), Arc::clone(bits));
    arg.add(completer(move |begun| {
        if kind == ValueKind::Version {
            bits.fetch_or(directive::KEEP_ORDER, Ordering::Relaxed);
        }
        let mut values = lookup(kind, &line);
        // Nobody names one twice.
        let given = match kind {
            ValueKind::RunCluster => line.run_clusters.as_slice(),
            ValueKind::Package => &line.packages,
            _ => &[],
        };
        values.retain(|value| value.starts_with(begun) && !given.contains(value));
        values
    }))
}

/// Makes a completer of what returns the values that begin with a text.
fn completer(values: impl Fn(&str) -> Vec<String> + Send + Sync + 'static) -> impl ArgExt {
    ArgValueCompleter::new(move |begun: &std::ffi::OsStr| {
        let found = begun.to_str().map(&values).unwrap_or_default();
        // In the order in which they were found: clap_complete sorts what has none.
        let ordered = found.into_iter().enumerate();
        ordered.map(|(order, value)| CompletionCandidate::new(value).display_order(Some(order))).collect()
    })
}

/// Tells what a value names that is looked up; `None` where it is not.
fn kind_of(arg: &Arg) -> Option<ValueKind> {
    Some(match (arg.get_id().as_str(), value_name(arg)?) {
        ("context", _) => ValueKind::Context,
        ("cluster", _) => ValueKind::KubeconfigCluster,
        ("user", _) => ValueKind::KubeconfigUser,
        ("target_namespace", _) => ValueKind::TargetNamespace,
        (_, "CONTEXT") => ValueKind::RunContext,
        (_, "NAME=CONTEXT") => ValueKind::RunClusterContext,
        (_, "NAMESPACE") => ValueKind::Namespace,
        (_, "PACKAGE") => ValueKind::Package,
        (_, "RUN_CLUSTER") => ValueKind::RunCluster,
        (_, "VERSION" | "CONSTRAINTS") => ValueKind::Version,
        _ => return None,
    })
}

/// Tells whether a value is a path, and of what.
fn paths_of(arg: &Arg) -> Option<(ValueHint, u8)> {
    match value_name(arg)? {
        "FILE" => Some((ValueHint::FilePath, directive::FILES)),
        "DIR" | "DIRECTORY" => Some((ValueHint::DirPath, directive::DIRECTORIES)),
        _ => None,
    }
}

fn value_name(arg: &Arg) -> Option<&str> {
    arg.get_value_names()?.first().map(clap::builder::Str::as_str)
}

impl CommandLine {
    /// Reads the words before the one that is completed, as far as they can be read.
    fn of(command: Command, words: &[OsString]) -> Self {
        let before = &words[..words.len().saturating_sub(1)];
        let Ok(matches) = command.ignore_errors(true).try_get_matches_from(before) else { return Self::default() };
        let Ok(connection) = ConnectionArgs::from_arg_matches(&matches) else { return Self::default() };
        let subcommand = matches.subcommand().map(|(_, matches)| matches);
        let text = |id: &str| subcommand?.try_get_one::<String>(id).ok()?.cloned();
        let many = |id: &str| subcommand.and_then(|matches| matches.try_get_many::<String>(id).ok().flatten());
        let all = |ids: [&str; 2]| ids.into_iter().filter_map(many).flatten().cloned().collect::<Vec<_>>();
        let flag = |id: &str| -> Option<bool> { subcommand?.try_get_one::<bool>(id).ok()?.copied() };
        let path = |matches: &ArgMatches| matches.try_get_one::<PathBuf>("run_kubeconfig").ok()?.cloned();
        Self {
            connection: connection.connection(),
            namespace: connection.namespace,
            all_namespaces: flag("all_namespaces").unwrap_or_default(),
            run_context: text("run_context"),
            run_kubeconfig: subcommand.and_then(path),
            run_clusters: all(["run_cluster", "run_clusters"]),
            packages: all(["package", "packages"]),
        }
    }
}

#[cfg(test)]
#[path = "completion_tests.rs"]
mod tests;
