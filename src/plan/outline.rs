//! For tests of the commands: a plan as text, one line for each step, those that write nothing among them. A request and what is
//! awaited of it are one line.

use super::mint::readable;
use super::steps::{Await, Request};
use super::{Mint, Place, Plan, Prove, Step, TokenSource};
use crate::object::ObjectReference;

/// Writes down what a plan is for, all its steps in order, and what it warns of or refuses.
pub(crate) fn outline(plan: &Plan) -> String {
    let mut lines = vec![plan.purpose.clone()];
    lines.extend(plan.refusals.iter().map(|refusal| format!("refused: {refusal}")));
    lines.extend(plan.warnings.iter().map(|warning| format!("warning: {warning}")));
    lines.extend(plan.notes.iter().map(|note| format!("note: {note}")));
    lines.extend(plan.steps.iter().filter_map(line).map(|line| format!("  {line}")));
    lines.join("\n")
}

fn line(step: &Step) -> Option<String> {
    let names =
        |references: &[ObjectReference]| references.iter().map(ObjectReference::display).collect::<Vec<_>>().join(", ");
    Some(match step {
        Step::Apply(apply) => format!("apply   {} {}", place(apply.place), name(&apply.manifest)),
        Step::Mint(store) => format!("mint    build {}: {}", name(&store.secret), credential(store)),
        Step::Prove(Prove::IdentityKnown(_)) => "prove   the run cluster knows the workload identity".to_owned(),
        Step::Commit(commit) => {
            let files: Vec<String> = commit
                .changes
                .iter()
                .map(|change| format!("{}{}", if change.content.is_some() { "±" } else { "-" }, change.path))
                .collect();
            format!("commit  {}: {} ({})", commit.repository, files.join(" "), commit.message)
        }
        Step::Request(Request::Fetch { source, .. }) => format!("request build {}: fetch", source.display()),
        Step::Request(Request::NoopDelete(keep)) => format!("apply   run {}: spec.noopDelete", keep.install.display()),
        Step::Request(Request::Suspend { kustomization }) => {
            format!("apply   build {}: spec.suspend", kustomization.display())
        }
        Step::Delete(delete) => {
            let note = delete.note.as_ref().map(|note| format!(" ({note})")).unwrap_or_default();
            format!("delete  {} {}{note}", place(delete.place), delete.reference.display())
        }
        Step::Await(Await::Deleted(objects)) => {
            let objects: Vec<ObjectReference> = objects.iter().map(|awaited| awaited.reference.clone()).collect();
            format!("await   gone: {}", names(&objects))
        }
        Step::Await(Await::CredentialInUse(used)) => format!("await   used by: {}", names(&used.kustomizations)),
        Step::Request(Request::Reconcile { .. })
        | Step::Await(Await::Fetched { .. } | Await::NoopDeleteCopied { .. }) => return None,
        Step::Prove(Prove::CredentialUnchanged(stored)) => {
            format!("prove   {} names {}", stored.secret.display(), stored.token_secret)
        }
        Step::Prove(Prove::TokensRevoked(dead)) => {
            format!("prove   {} tokens are refused in {}", dead.tokens.len(), dead.namespace)
        }
        Step::Prove(Prove::NoOrphans(left)) => {
            let owners: Vec<String> =
                left.kustomizations.iter().map(|(namespace, name)| format!("{namespace}/{name}")).collect();
            format!("prove   nothing of {} in {}", owners.join(", "), left.namespaces.join(", "))
        }
    })
}

fn credential(store: &Mint) -> String {
    let source = match &store.source {
        TokenSource::Known(_) => "the token that works".to_owned(),
        TokenSource::Filled { secret, .. } => format!("the token in {}", secret.display()),
        TokenSource::Requested { account, bound_to, lifetime } => {
            format!("a token of {account} for {}, bound to {}", readable(*lifetime), bound_to.display())
        }
    };
    let who = store.impersonate.as_ref().map(|user| format!(" as {user}")).unwrap_or_default();
    format!("{source}, which works in {}{who}", store.target_namespace)
}

fn place(place: Place) -> &'static str {
    match place {
        Place::Build => "build",
        Place::Run => "run",
    }
}

fn name(manifest: &serde_json::Value) -> String {
    ObjectReference::of(manifest).map(|reference| reference.display()).unwrap_or_default()
}
