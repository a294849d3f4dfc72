//! What the user asks `rotate` for: from flags, and from the answers to what the flags leave open. Nothing that was read.

use std::path::PathBuf;
use std::time::Duration;

use crate::cli::RotateArgs;
use crate::conversation::Question;
use crate::error::{Error, Result};
use crate::names;
use crate::object::ObjectReference;
use crate::ui::Ui;
use crate::ui::prompt;

/// What is asked for, named as the flags are.
#[derive(Clone, Debug)]
pub(super) struct Request {
    /// The namespace of the Flux objects.
    pub(super) namespace: String,
    /// The run clusters, by short name; none means all.
    pub(super) run_clusters: Vec<String>,
    /// Contexts of run clusters, by short name.
    pub(super) run_contexts: Vec<(String, String)>,
    pub(super) run_kubeconfig: Option<PathBuf>,
    /// How long the new tokens should live, where the flag says so.
    pub(super) token_duration: Option<Duration>,
    pub(super) force_conflicts: bool,
    pub(super) timeout: Duration,
}

/// Refuses to go on without a terminal where something must be asked for.
pub(super) fn require(ui: Ui, arguments: &RotateArgs) -> Result<()> {
    let is_chosen = arguments.all || !arguments.run_clusters.is_empty();
    prompt::require(
        ui,
        &[("RUN_CLUSTER or --all", is_chosen), ("--yes", arguments.preview.or_confirmed(&arguments.confirm))],
    )
}

impl Request {
    /// Takes the flags; asks which one of the `rotatable` run clusters is meant where they name none.
    pub(super) async fn ask(namespace: String, arguments: RotateArgs, rotatable: &[String]) -> Result<Self> {
        let run_clusters = if arguments.all || !arguments.run_clusters.is_empty() {
            arguments.run_clusters
        } else {
            vec![prompt::text(Question::one_of_names("Run cluster to rotate", "RUN_CLUSTER", rotatable)).await?]
        };
        Ok(Self {
            namespace,
            run_clusters,
            run_contexts: arguments.run_contexts,
            run_kubeconfig: arguments.run_kubeconfig,
            token_duration: arguments.token_duration,
            force_conflicts: arguments.force_conflicts,
            timeout: arguments.confirm.timeout,
        })
    }

    /// Returns the run clusters that are meant, each once; a context for another one is a mistake.
    pub(super) fn chosen(&self, rotatable: &[String]) -> Result<Vec<String>> {
        let mut chosen = if self.run_clusters.is_empty() { rotatable.to_vec() } else { self.run_clusters.clone() };
        chosen.sort();
        chosen.dedup();
        match self.run_contexts.iter().find(|(name, _)| !chosen.contains(name)) {
            Some((name, _)) if !chosen.is_empty() => Err(Error::usage(format!(
                "--run-context names `{name}`, which is not among the run clusters to rotate"
            ))
            .hint(format!("these are: {}", chosen.join(", ")))),
            _ => Ok(chosen),
        }
    }

    /// Returns the context that is named for a run cluster.
    pub(super) fn run_context(&self, run_cluster: &str) -> Option<&str> {
        self.run_contexts.iter().find(|(name, _)| name == run_cluster).map(|(_, context)| context.as_str())
    }

    /// Names the Secret with the kubeconfig of a run cluster.
    pub(super) fn secret_of(&self, run_cluster: &str) -> ObjectReference {
        ObjectReference::secret(&self.namespace, &names::kubeconfig(run_cluster))
    }
}
