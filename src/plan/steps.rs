//! A plan and its seven kinds of step, as plain data: nothing here asks a cluster, and nothing here is about screens.
//! What is minted and proven is described in [`super::mint`] and [`super::proofs`]; [`super::awaits`] judges when an await is over.

use std::fmt;
use std::time::Duration;

use kube::core::ObjectMeta;
use serde_json::{Value, json};

use super::mint::Mint;
use super::proofs::{CredentialUnchanged, IdentityKnown, NoOrphans, TokensRevoked};
use crate::error::Error;
use crate::flux::RECONCILE_REQUESTED_AT;
use crate::gitops::tree::FileChange;
use crate::object::ObjectReference;

/// Which of the two clusters of a plan a step is about.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Place {
    /// The cluster that runs Flux.
    Build,
    /// The run cluster.
    Run,
}

/// What a step changes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Change {
    /// Nothing: what is there is what is wanted.
    None,
    /// Something new is made.
    Create,
    /// These fields get other values, as paths such as `spec.path`.
    Update(Vec<String>),
}

/// What a command will do.
#[derive(Debug, Default)]
pub(crate) struct Plan {
    /// What for, as the end of the sentence "This will …"; empty where the plan before it says that.
    pub(crate) purpose: String,
    /// What it is about, where that is several things.
    pub(crate) subjects: Vec<String>,
    /// The steps, in order.
    pub(crate) steps: Vec<Step>,
    /// What is good to know, also where there is nothing to do.
    pub(crate) notes: Vec<String>,
    pub(crate) warnings: Vec<String>,
    /// Why it must not be carried out; told together with what the API servers refuse.
    pub(crate) refusals: Vec<Error>,
    /// How long all its waiting together may take, once it is confirmed; `None` where the steps have limits of their own.
    pub(crate) timeout: Option<Duration>,
}

/// One step; a later one may use what an earlier one made.
#[derive(Debug)]
pub(crate) enum Step {
    /// Applies an object server-side.
    Apply(Apply),
    /// Deletes an object.
    Delete(Delete),
    /// Commits files to the GitOps repository and pushes them.
    Commit(Commit),
    /// Obtains a token on the run cluster and stores a kubeconfig with it on the build cluster.
    Mint(Box<Mint>),
    /// Asks a controller for something by a patch to one of its objects.
    Request(Request),
    /// Waits until something holds that others bring about.
    Await(Await),
    /// Tries whether something holds, and fails where it does not.
    Prove(Prove),
}

/// An object to be applied server-side.
pub(crate) struct Apply {
    /// Where.
    pub(crate) place: Place,
    /// The manifest; it may hold secrets and is never shown as it is.
    pub(crate) manifest: Value,
}

/// An object to be deleted.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Delete {
    /// Where.
    pub(crate) place: Place,
    /// Which object.
    pub(crate) reference: ObjectReference,
    /// Its UID: another object that takes the name is left alone. `None` where the plan itself makes the object.
    pub(crate) uid: Option<String>,
    /// What to know about it, shown beside it.
    pub(crate) note: Option<String>,
}

/// Files to be committed and pushed.
#[derive(Debug)]
pub(crate) struct Commit {
    /// The files that differ; empty when nothing does.
    pub(crate) changes: Vec<FileChange>,
    /// The commit's message.
    pub(crate) message: String,
    /// Where they go, as messages name it.
    pub(crate) repository: String,
}

/// Whether a fetch that nobody asked for may do.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Freshness {
    /// A commit was pushed a moment ago: without being asked, Flux fetches it with its interval only.
    NewCommits,
    /// Whatever Flux has fetched of the current spec will do.
    CurrentSpec,
}

/// What a controller is asked for. Whoever waits for the answer asks again where it fails in a way that may pass.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Request {
    /// source-controller is to fetch a GitRepository now.
    Fetch {
        /// The GitRepository.
        source: ObjectReference,
        /// Whether it may also be left to Flux, where the request is refused.
        freshness: Freshness,
    },
    /// kustomize-controller is to reconcile a Kustomization with the credential that a step before has stored.
    Reconcile {
        /// The Kustomization.
        kustomization: ObjectReference,
    },
    /// kapp-controller is to leave an application running when its PackageInstall is deleted.
    NoopDelete(NoopDelete),
    /// kustomize-controller is to release a Kustomization without touching what it has applied.
    Suspend {
        /// The Kustomization.
        kustomization: ObjectReference,
    },
}

/// A PackageInstall whose application stays when it is deleted.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct NoopDelete {
    /// The PackageInstall on the run cluster.
    pub(crate) install: ObjectReference,
    /// Its UID.
    pub(crate) uid: String,
}

/// What is waited for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Await {
    /// Flux has fetched.
    Fetched {
        /// The GitRepository, which a request before asks to fetch.
        source: ObjectReference,
        /// Whether what Flux has fetched unasked will do, where the request was refused.
        freshness: Freshness,
    },
    /// kapp-controller has copied `spec.noopDelete` to the App, or never will need to.
    NoopDeleteCopied {
        /// The PackageInstall on the run cluster.
        install: ObjectReference,
    },
    /// Flux has reconciled with a credential that was just stored.
    CredentialInUse(CredentialInUse),
    /// Objects that were deleted, and what others delete with them, are gone.
    Deleted(Vec<AwaitedDeletion>),
}

/// Kustomizations that must reconcile with a credential which was just stored.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct CredentialInUse {
    /// The run cluster's short name.
    pub(crate) run_cluster: String,
    /// The Kustomizations that read it and are not suspended.
    pub(crate) kustomizations: Vec<ObjectReference>,
}

/// An object that somebody deletes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct AwaitedDeletion {
    /// Where.
    pub(crate) place: Place,
    /// Which object.
    pub(crate) reference: ObjectReference,
    /// Its UID: another object that takes the name is not waited for.
    pub(crate) uid: String,
    /// How the plan shows it, beside its name; `None` where a step before shows it already.
    pub(crate) note: Option<String>,
}

/// What must hold before the next step.
#[derive(Debug)]
pub(crate) enum Prove {
    /// The run cluster knows a workload identity.
    IdentityKnown(Box<IdentityKnown>),
    /// Nobody has stored another credential meanwhile.
    CredentialUnchanged(CredentialUnchanged),
    /// Revoked tokens do not authenticate any more.
    TokensRevoked(TokensRevoked),
    /// Nothing is left of what Kustomizations had applied.
    NoOrphans(NoOrphans),
}

impl Plan {
    /// Leaves out what waits for controllers, and everything that must not be done before they are done.
    ///
    /// Flux fetches in its own time; what comes after another wait is only right once that is over.
    #[must_use]
    pub(crate) fn without_waiting(mut self) -> Self {
        self.steps.retain(|step| !matches!(step, Step::Await(Await::Fetched { .. })));
        let first = self.steps.iter().position(|step| matches!(step, Step::Await(_)));
        self.steps.truncate(first.unwrap_or(self.steps.len()));
        self
    }
}

impl Step {
    /// Asks Flux to fetch, and waits until it has.
    #[must_use]
    pub(crate) fn fetch(source: ObjectReference, freshness: Freshness) -> [Self; 2] {
        let fetched = Await::Fetched { source: source.clone(), freshness };
        [Self::Request(Request::Fetch { source, freshness }), Self::Await(fetched)]
    }

    /// Asks kapp-controller to leave an application running, and waits until it knows.
    #[must_use]
    pub(crate) fn keep_application(install: ObjectReference, uid: String) -> [Self; 2] {
        let copied = Await::NoopDeleteCopied { install: install.clone() };
        [Self::Request(Request::NoopDelete(NoopDelete { install, uid })), Self::Await(copied)]
    }

    /// Asks Flux to reconcile each Kustomization with the credential that a step before has stored, and waits until it has.
    #[must_use]
    pub(crate) fn use_credential(run_cluster: &str, kustomizations: Vec<ObjectReference>) -> Vec<Self> {
        let requests = kustomizations
            .iter()
            .map(|kustomization| Self::Request(Request::Reconcile { kustomization: kustomization.clone() }));
        let mut steps: Vec<Self> = requests.collect();
        let in_use = CredentialInUse { run_cluster: run_cluster.to_owned(), kustomizations };
        steps.push(Self::Await(Await::CredentialInUse(in_use)));
        steps
    }

    /// Asks Flux to release a Kustomization without touching what it has applied.
    #[must_use]
    pub(crate) fn suspend(kustomization: ObjectReference) -> Self {
        Self::Request(Request::Suspend { kustomization })
    }

    /// Waits until objects are gone.
    #[must_use]
    pub(crate) fn await_deletion(objects: impl IntoIterator<Item = AwaitedDeletion>) -> Self {
        Self::Await(Await::Deleted(objects.into_iter().collect()))
    }

    /// Tells whether the step changes anything, when the API server says that its object changes like this.
    #[must_use]
    pub(crate) fn changes_something(&self, change: &Change) -> bool {
        match self {
            Self::Apply(_) | Self::Mint(_) => *change != Change::None,
            Self::Commit(commit) => !commit.changes.is_empty(),
            Self::Delete(_) | Self::Request(_) => true,
            // What is waited for is deleted by a controller, on behalf of the plan.
            Self::Await(Await::Deleted(objects)) => !objects.is_empty(),
            Self::Await(_) | Self::Prove(_) => false,
        }
    }

    /// Returns the object that the step applies, changes or deletes.
    #[must_use]
    pub(crate) fn object(&self) -> Option<ObjectReference> {
        match self {
            Self::Apply(apply) => ObjectReference::of(&apply.manifest).ok(),
            Self::Mint(mint) => ObjectReference::of(&mint.secret).ok(),
            Self::Delete(delete) => Some(delete.reference.clone()),
            Self::Request(request) => Some(request.object().clone()),
            Self::Commit(_) | Self::Await(_) | Self::Prove(_) => None,
        }
    }

    /// Returns where the object of the step is.
    #[must_use]
    pub(crate) fn place(&self) -> Option<Place> {
        match self {
            Self::Apply(apply) => Some(apply.place),
            Self::Mint(_) => Some(Place::Build),
            Self::Delete(delete) => Some(delete.place),
            Self::Request(request) => Some(request.place()),
            Self::Commit(_) | Self::Await(_) | Self::Prove(_) => None,
        }
    }

    /// Tells whether the step brings an object to the state that is wanted, and does nothing where it is in it already.
    #[must_use]
    pub(crate) fn is_about_an_object(&self) -> bool {
        matches!(self, Self::Apply(_) | Self::Mint(_))
    }
}

impl From<Mint> for Step {
    fn from(mint: Mint) -> Self {
        Self::Mint(Box::new(mint))
    }
}

impl From<IdentityKnown> for Step {
    fn from(proof: IdentityKnown) -> Self {
        Self::Prove(Prove::IdentityKnown(Box::new(proof)))
    }
}

impl From<CredentialUnchanged> for Step {
    fn from(proof: CredentialUnchanged) -> Self {
        Self::Prove(Prove::CredentialUnchanged(proof))
    }
}

impl From<TokensRevoked> for Step {
    fn from(proof: TokensRevoked) -> Self {
        Self::Prove(Prove::TokensRevoked(proof))
    }
}

impl From<NoOrphans> for Step {
    fn from(proof: NoOrphans) -> Self {
        Self::Prove(Prove::NoOrphans(proof))
    }
}

impl Delete {
    /// Plans to delete an object that was read.
    #[must_use]
    pub(crate) fn of(place: Place, reference: &ObjectReference, metadata: &ObjectMeta) -> Self {
        Self { place, reference: reference.clone(), uid: metadata.uid.clone(), note: None }
    }
}

impl Request {
    /// Returns the object that the request is made with.
    #[must_use]
    pub(crate) fn object(&self) -> &ObjectReference {
        match self {
            Self::Fetch { source, .. } => source,
            Self::Reconcile { kustomization } | Self::Suspend { kustomization } => kustomization,
            Self::NoopDelete(NoopDelete { install, .. }) => install,
        }
    }

    /// Returns where that object is.
    #[must_use]
    pub(crate) fn place(&self) -> Place {
        match self {
            Self::Fetch { .. } | Self::Reconcile { .. } | Self::Suspend { .. } => Place::Build,
            Self::NoopDelete(_) => Place::Run,
        }
    }

    /// Returns the patch that asks; `time` is what an answer will name.
    #[must_use]
    pub(super) fn patch(&self, time: &str) -> Value {
        match self {
            Self::Fetch { .. } | Self::Reconcile { .. } => {
                json!({"metadata": {"annotations": {RECONCILE_REQUESTED_AT: time}}})
            }
            Self::NoopDelete(_) => json!({"spec": {"noopDelete": true}}),
            Self::Suspend { .. } => json!({"spec": {"suspend": true}}),
        }
    }
}

impl NoopDelete {
    /// Builds what is applied. It names the UID, so that it never makes a new object.
    #[must_use]
    pub(crate) fn manifest(&self) -> Value {
        json!({
            "apiVersion": self.install.resource.api_version,
            "kind": self.install.resource.kind,
            "metadata": {"name": self.install.name, "namespace": self.install.namespace, "uid": self.uid},
            "spec": {"noopDelete": true},
        })
    }

    /// Adds to an API server's refusal what to do about it.
    #[must_use]
    pub(crate) fn explain(error: Error) -> Error {
        if error.status() == Some(409) {
            return error
                .hint("where the file in Git says `noopDelete`, change it there, and wait for Flux to apply it");
        }
        error
    }
}

impl fmt::Debug for Apply {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let object = ObjectReference::of(&self.manifest).map(|reference| reference.display()).unwrap_or_default();
        write!(formatter, "Apply({:?}, {object})", self.place)
    }
}
