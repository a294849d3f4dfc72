//! The flags of `check`.

use clap::{Args, ValueEnum};

use super::parse::parse_run_context;

/// How `check` shows what it found.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, ValueEnum)]
pub enum CheckFormat {
    /// A line per check, for people.
    #[default]
    Text,
    /// One JSON document.
    Json,
    /// One YAML document.
    Yaml,
}

/// Arguments of `check`.
#[derive(Args, Debug)]
pub struct CheckArgs {
    /// Run clusters, by short name (default: all that have deliveries)
    #[arg(value_name = "RUN_CLUSTER")]
    pub run_clusters: Vec<String>,
    /// Look at a run cluster through a kubeconfig context as well, for what Flux's credential may not read; may be repeated
    #[arg(long = "run-context", value_name = "NAME=CONTEXT", value_parser = parse_run_context)]
    pub run_contexts: Vec<(String, String)>,
    /// The run clusters of all namespaces
    #[arg(short = 'A', long)]
    pub all_namespaces: bool,
    /// Format: text, json or yaml
    #[arg(short, long, value_name = "FORMAT", default_value = "text", hide_possible_values = true)]
    pub output: CheckFormat,
}
