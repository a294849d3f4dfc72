//! The flags of `status`.

use clap::{Args, ValueEnum};

use super::SelectionArgs;

/// How `status` shows what it found.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, ValueEnum)]
pub enum StatusFormat {
    /// A tree: sources, run clusters, deliveries.
    #[default]
    Tree,
    /// A table, a line per delivery.
    Wide,
    /// One JSON document.
    Json,
    /// One YAML document.
    Yaml,
    /// The names only.
    Name,
}

/// Arguments of `status`.
#[derive(Args, Debug)]
pub struct StatusArgs {
    /// Which deliveries.
    #[command(flatten)]
    pub selection: SelectionArgs,
    /// Show it again with every change, until interrupted
    #[arg(short, long)]
    pub watch: bool,
    /// Format: tree, wide, json, yaml or name
    #[arg(short, long, value_name = "FORMAT", default_value = "tree", hide_possible_values = true)]
    pub output: StatusFormat,
}
