//! What a command will do: typed, ordered steps, shown, confirmed and executed by one piece of code.
//!
//! A plan is computed without asking anybody: what its steps would change is asked of the API servers afterwards, in dry
//! runs, see [`preview`]. How both are shown lives in [`show`], how the plan is carried out in [`execute`].

pub mod credential;
mod delete;
pub mod execute;
mod flux_use;
mod gone;
mod identity;
mod keep_workloads;
mod live;
mod nothing_left;
pub mod preview;
mod revoke;
pub mod show;
mod still_stored;
mod suspend;

pub use credential::{StoreCredential, TokenSource};
pub use delete::Delete;
pub use flux_use::SeenByFlux;
pub use gone::{Awaited, WaitUntilGone};
pub use identity::ProveIdentity;
pub use keep_workloads::KeepWorkloads;
pub use live::LiveObjects;
pub use nothing_left::NothingLeft;
pub use preview::{Change, Preview};
pub use revoke::ProveDead;
pub use still_stored::StillStored;
pub use suspend::Suspend;

use std::fmt;
use std::time::Duration;

use serde_json::Value;

use crate::error::Error;
use crate::gitops::tree::FileChange;
use crate::object::ObjectReference;

/// Which of the two clusters of a plan a step is about.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Place {
    /// The cluster that runs Flux.
    Build,
    /// The run cluster.
    Run,
}

/// What a command will do.
#[derive(Debug, Default)]
pub struct Plan {
    /// What for, as the end of the sentence "This will …".
    pub purpose: String,
    /// The steps, in order.
    pub steps: Vec<Step>,
    /// What is good to know, also where there is nothing to do.
    pub notes: Vec<String>,
    /// What to beware of.
    pub warnings: Vec<String>,
    /// Why it must not be carried out; told together with what the API servers refuse.
    pub refusals: Vec<Error>,
    /// How long all its waiting together may take, once it is confirmed; `None` where the steps have limits of their own.
    pub timeout: Option<Duration>,
}

/// One step; a later one may use what an earlier one made.
#[derive(Debug)]
pub enum Step {
    /// Applies an object.
    Apply(Apply),
    /// Reads a minted token on the run cluster and stores a kubeconfig with it on the build cluster.
    StoreCredential(Box<StoreCredential>),
    /// Proves that the run cluster knows a workload identity.
    ProveIdentity(Box<ProveIdentity>),
    /// Commits files to the GitOps repository and pushes them.
    Commit(Commit),
    /// Asks Flux to fetch, and waits until it has the pushed commit.
    Fetch {
        /// The GitRepository.
        source: ObjectReference,
    },
    /// Tells kapp-controller to leave an application running when its PackageInstall goes.
    KeepWorkloads(KeepWorkloads),
    /// Suspends a Kustomization.
    Suspend(Suspend),
    /// Deletes an object.
    Delete(Delete),
    /// Waits until deleted objects, and what others delete with them, are gone.
    WaitUntilGone(WaitUntilGone),
    /// Has Flux reconcile with the stored credential, and waits until it has.
    SeeUsed(SeenByFlux),
    /// Proves that nobody has stored another credential meanwhile.
    StillStored(StillStored),
    /// Tries revoked tokens until they are refused.
    ProveDead(ProveDead),
    /// Proves that nothing is left of what Kustomizations had applied.
    NothingLeft(NothingLeft),
}

/// An object to be applied server-side.
pub struct Apply {
    /// Where.
    pub place: Place,
    /// The manifest; it may hold secrets and is never shown as it is.
    pub manifest: Value,
}

/// Files to be committed and pushed.
#[derive(Debug)]
pub struct Commit {
    /// The files that differ; empty when nothing does.
    pub changes: Vec<FileChange>,
    /// The commit's message.
    pub message: String,
    /// Where they go, as messages name it.
    pub repository: String,
}

impl fmt::Debug for Apply {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let object = ObjectReference::of(&self.manifest).map(|reference| reference.display()).unwrap_or_default();
        write!(formatter, "Apply({:?}, {object})", self.place)
    }
}

impl Step {
    /// Tells whether the step changes anything, when the API server says that its object changes like this.
    #[must_use]
    pub fn changes_something(&self, change: &Change) -> bool {
        match self {
            Self::Apply(_) | Self::StoreCredential(_) => *change != Change::None,
            Self::Commit(commit) => !commit.changes.is_empty(),
            Self::ProveIdentity(_) | Self::NothingLeft(_) | Self::StillStored(_) | Self::ProveDead(_) => false,
            Self::Fetch { .. } | Self::KeepWorkloads(_) | Self::Suspend(_) | Self::Delete(_) => true,
            Self::WaitUntilGone(gone) => !gone.objects.is_empty(),
            Self::SeeUsed(used) => !used.kustomizations.is_empty(),
        }
    }

    /// Returns the object that the step applies or deletes.
    #[must_use]
    pub fn object(&self) -> Option<ObjectReference> {
        match self {
            Self::Apply(apply) => ObjectReference::of(&apply.manifest).ok(),
            Self::StoreCredential(store) => ObjectReference::of(&store.secret).ok(),
            Self::KeepWorkloads(keep) => Some(keep.install.clone()),
            Self::Delete(delete) => Some(delete.reference.clone()),
            _ => None,
        }
    }

    /// Returns where the object of the step is.
    #[must_use]
    pub fn place(&self) -> Option<Place> {
        match self {
            Self::Apply(apply) => Some(apply.place),
            Self::StoreCredential(_) => Some(Place::Build),
            Self::KeepWorkloads(_) => Some(Place::Run),
            Self::Delete(delete) => Some(delete.place),
            _ => None,
        }
    }

    /// Tells whether the step brings an object to the state that is wanted, and does nothing where it is in it already.
    #[must_use]
    pub fn is_about_an_object(&self) -> bool {
        matches!(self, Self::Apply(_) | Self::StoreCredential(_))
    }
}
