//! The flags of the commands that look at deliveries.

use clap::Args;

use super::parse::parse_run_context;
use crate::observe::Selection;

/// Which deliveries a command is about, and how their run clusters are reached.
#[derive(Args, Debug)]
pub struct SelectionArgs {
    /// Package, by name; may be repeated (default: all)
    #[arg(long = "package", value_name = "PACKAGE")]
    pub packages: Vec<String>,
    /// Run cluster, by short name; may be repeated (default: all)
    #[arg(long = "run-cluster", value_name = "RUN_CLUSTER")]
    pub run_clusters: Vec<String>,
    /// Reach a run cluster through a kubeconfig context instead of Flux's credential; may be repeated
    #[arg(long = "run-context", value_name = "NAME=CONTEXT", value_parser = parse_run_context)]
    pub run_contexts: Vec<(String, String)>,
    /// The deliveries of all namespaces
    #[arg(short = 'A', long)]
    pub all_namespaces: bool,
}

impl SelectionArgs {
    /// Returns what was chosen, in this namespace unless it is in all.
    #[must_use]
    pub fn in_namespace(self, namespace: String) -> Selection {
        Selection {
            namespace: (!self.all_namespaces).then_some(namespace),
            packages: self.packages,
            run_clusters: self.run_clusters,
            run_contexts: self.run_contexts,
        }
    }
}
