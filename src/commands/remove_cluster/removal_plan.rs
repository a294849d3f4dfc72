//! The plan of `remove-cluster`, in the order that leaves nothing behind.
//!
//! The Kustomization of the PackageInstall goes first: Flux deletes the PackageInstall with the deployer, kapp-controller the
//! application with the installer and with the Packages still there. Only then go the Packages, and only when nothing is
//! left the identities, what Flux knew them by, and the files.

use super::answers::Answers;
use super::gather::Facts;
use super::orphans;
use super::record::{Leaving, Record};
use super::run_side::Found;
use crate::carvel::{package_install_resource, package_resource};
use crate::error::Result;
use crate::flux::kustomization_resource;
use crate::identities;
use crate::object::{ObjectReference, api_resource};
use crate::plan::{Apply, Await, AwaitedDeletion, Commit, Delete, NoOrphans, Place, Plan, Step};

/// Computes the plan. Fails where the record of the removal cannot be written down.
pub(super) fn plan(answers: &Answers, facts: &Facts) -> Result<Plan> {
    let mut plan = Plan { purpose: purpose(answers, facts), timeout: Some(answers.timeout), ..Plan::default() };
    plan.warnings.extend(facts.identities.left.iter().cloned());
    plan.warnings.extend(facts.belongings.iter().flat_map(|one| one.left.iter().cloned()));
    plan.warnings.extend(facts.repositories.left.iter().chain(&facts.repositories.warnings).cloned());
    let kustomizations = [kustomizations(answers, facts, 0), kustomizations(answers, facts, 1)];
    if answers.run.is_some() {
        add_deletion(&mut plan, answers, facts, kustomizations);
        plan.steps.extend(facts.identities.run.iter().cloned().map(Step::Delete));
    } else {
        add_forced_deletion(&mut plan, answers, facts, kustomizations);
    }
    // The Secret goes after the identities that its annotations name: an interrupted removal finds them by it.
    plan.steps.extend(facts.identities.build.iter().cloned().map(Step::Delete));
    plan.steps.extend(facts.missing_accounts.iter().map(|account| Step::Delete(unseen(account, ""))));
    add_commits(&mut plan, answers, facts);
    if plan.steps.iter().any(removes_something) || !facts.build.record.deliveries.is_empty() {
        add_record(&mut plan, answers, facts)?;
    }
    Ok(plan)
}

fn purpose(answers: &Answers, facts: &Facts) -> String {
    let packages: Vec<&str> = facts.build.leaving.iter().map(|leaving| leaving.package.as_str()).collect();
    let what = if packages.is_empty() { "what is left".to_owned() } else { packages.join(", ") };
    let place = match &answers.run {
        Some((run, _)) => run.display(),
        None => format!("`{}`, which is gone for good", answers.run_cluster),
    };
    let workloads = if answers.keeps_workloads { ", and leave the application running" } else { "" };
    format!("remove {what} from {place}{workloads}")
}

/// Plans the deletion of the Kustomizations of the PackageInstalls (0) or of the Packages (1), so far as they exist.
fn kustomizations(answers: &Answers, facts: &Facts, which: usize) -> Vec<Delete> {
    let resource = kustomization_resource(answers.versions.kustomization);
    let mut deletes: Vec<Delete> = Vec::new();
    for leaving in &facts.build.leaving {
        let Some(kustomization) = answers.kustomizations_of(leaving)[which] else { continue };
        let name = leaving.kustomizations()[which];
        let reference = ObjectReference::namespaced(&resource, &answers.namespace, name);
        if facts.build.is_shared(name) || deletes.iter().any(|known| known.reference == reference) {
            continue;
        }
        deletes.push(Delete::of(Place::Build, &reference, &kustomization.metadata));
    }
    deletes
}

/// Adds the deletion by Flux and kapp-controller, and the proof that they have left nothing.
fn add_deletion(plan: &mut Plan, answers: &Answers, facts: &Facts, [installs, packages]: [Vec<Delete>; 2]) {
    for account in &facts.missing_accounts {
        // It may do nothing, but Flux deletes what it applied only where it exists.
        let manifest = identities::build_account(&answers.namespace, &account.name);
        plan.steps.push(Step::Apply(Apply { place: Place::Build, manifest }));
    }
    let found: Vec<&Found> = facts.belongings.iter().flat_map(|one| &one.installs).collect();
    if answers.keeps_workloads {
        for install in found.iter().filter(|found| found.reference.resource.kind == "PackageInstall") {
            plan.steps.extend(Step::keep_application(install.reference.clone(), install.uid.clone()));
        }
    }
    add_deletes_and_wait(plan, installs, &found);
    let found: Vec<&Found> = facts.belongings.iter().flat_map(|one| &one.packages).collect();
    add_deletes_and_wait(plan, packages, &found);
    add_proof(plan, answers, facts);
}

fn add_deletes_and_wait(plan: &mut Plan, deletes: Vec<Delete>, found: &[&Found]) {
    let awaited = |delete: &Delete| AwaitedDeletion {
        place: delete.place,
        reference: delete.reference.clone(),
        uid: delete.uid.clone().unwrap_or_default(),
        note: None,
    };
    let on_run_cluster = |found: &Found| AwaitedDeletion {
        place: Place::Run,
        reference: found.reference.clone(),
        uid: found.uid.clone(),
        note: Some(found.note.clone()),
    };
    // The Kustomizations are waited for first: what Flux deletes is marked once they are gone.
    let kustomizations = Step::await_deletion(deletes.iter().map(awaited));
    plan.steps.extend(deletes.into_iter().map(Step::Delete));
    plan.steps.push(kustomizations);
    plan.steps.push(Step::await_deletion(found.iter().copied().map(on_run_cluster)));
}

fn add_proof(plan: &mut Plan, answers: &Answers, facts: &Facts) {
    let names = |leaving: &Leaving| leaving.kustomizations().map(str::to_owned);
    let gone = |name: &String| !facts.build.is_shared(name);
    let kustomizations = facts.build.leaving.iter().flat_map(names).filter(gone);
    let mut namespaces: Vec<String> = facts.build.leaving.iter().flat_map(|one| one.namespaces.clone()).collect();
    namespaces.sort();
    namespaces.dedup();
    let no_orphans = NoOrphans {
        kustomizations: kustomizations.map(|name| (answers.namespace.clone(), name)).collect(),
        namespaces,
        resources: vec![package_install_resource(), package_resource(), api_resource("", "v1", "Secret")],
    };
    plan.steps.push(no_orphans.into());
}

/// Adds the deletion without the run cluster: Flux would try for ever to delete what it applied there, unless suspended.
fn add_forced_deletion(plan: &mut Plan, answers: &Answers, facts: &Facts, kustomizations: [Vec<Delete>; 2]) {
    let is_suspended = |delete: &Delete| {
        let find = |one: &&crate::flux::Kustomization| one.metadata.name.as_ref() == Some(&delete.reference.name);
        answers.kustomizations.iter().find(find).is_some_and(|one| one.spec.suspend)
    };
    let deletes: Vec<Delete> = kustomizations.into_iter().flatten().collect();
    for delete in deletes.iter().filter(|delete| !is_suspended(delete)) {
        plan.steps.push(Step::suspend(delete.reference.clone()));
    }
    add_deletes_and_wait(plan, deletes, &[]);
    if facts.is_alive {
        plan.warnings
            .push(format!("`{}` still answers: without --force nothing would be left on it", answers.run_cluster));
    }
    let applied = orphans::applied(answers, &facts.build);
    if !applied.is_empty() {
        plan.warnings.push(format!(
            "everything on the run cluster stays there, without an owner: {}, and what kapp-controller deployed",
            applied.join(", ")
        ));
    }
    let credentials = orphans::credentials(answers, &facts.build, &facts.identities);
    if !credentials.is_empty() {
        plan.warnings.push(format!(
            "what Flux acts as on the run cluster stays valid there until somebody deletes it: {}",
            credentials.join(", ")
        ));
    }
}

/// Adds one commit for each repository. Git comes last: as long as a Kustomization exists, a directory that is missing would
/// only make it fail, and nothing would be deleted; and what an interruption leaves has no effect, but lets `add-cluster`
/// take the delivery up again.
fn add_commits(plan: &mut Plan, answers: &Answers, facts: &Facts) {
    for (checkout, (changes, packages)) in facts.repositories.checkouts.iter().zip(&facts.repositories.changes) {
        plan.steps.push(Step::Commit(Commit {
            changes: changes.clone(),
            message: format!("Remove {} from {}", packages.join(", "), answers.run_cluster),
            repository: checkout.display(),
        }));
    }
}

/// Puts the record of the removal around the plan: made with its first step, and gone with its last.
fn add_record(plan: &mut Plan, answers: &Answers, facts: &Facts) -> Result<()> {
    let record = |deliveries: Vec<Leaving>| Record {
        run_cluster_uid: facts.run_uid.clone().or_else(|| facts.build.record.run_cluster_uid.clone()),
        deliveries,
    };
    let others = facts.build.other_records.clone();
    let during = record(others.iter().chain(&facts.build.leaving).cloned().collect());
    let manifest = during.manifest(&answers.namespace, &answers.run_cluster)?;
    plan.steps.insert(0, Step::Apply(Apply { place: Place::Build, manifest }));
    if others.is_empty() {
        let reference = Record::reference(&answers.namespace, &answers.run_cluster);
        plan.steps.push(Step::Delete(unseen(&reference, "the record of this removal")));
    } else {
        let manifest = record(others).manifest(&answers.namespace, &answers.run_cluster)?;
        plan.steps.push(Step::Apply(Apply { place: Place::Build, manifest }));
    }
    Ok(())
}

/// Tells whether a step is more than looking whether something is left.
fn removes_something(step: &Step) -> bool {
    match step {
        Step::Commit(commit) => !commit.changes.is_empty(),
        Step::Await(Await::Deleted(objects)) => !objects.is_empty(),
        Step::Prove(_) => false,
        _ => true,
    }
}

/// Plans to delete what the plan itself makes.
fn unseen(reference: &ObjectReference, note: &str) -> Delete {
    let note = Some(note.to_owned()).filter(|note| !note.is_empty());
    Delete { place: Place::Build, reference: reference.clone(), uid: None, note }
}
