//! The plan of `remove-cluster`, in the order that leaves nothing behind. Pure.
//!
//! The Kustomization of the PackageInstall is deleted first: Flux deletes the PackageInstall with the deployer,
//! kapp-controller the application with the installer and with the Packages still there. Only then follow the Packages, and
//! only when nothing is left the identities, what Flux knew them by, and the files.

use super::gather::{Facts, RunFacts};
use super::left_behind;
use super::removal_record::{RemovalRecord, RemovedDelivery};
use super::request::Request;
use super::run_cluster::OwnedObject;
use crate::carvel::{package_install_resource, package_resource};
use crate::error::Error;
use crate::gitops::message::{REMOVE, Subject};
use crate::identities;
use crate::invocation::PROGRAM;
use crate::names;
use crate::object::{ObjectReference, api_resource};
use crate::plan::{Apply, AwaitedDeletion, Commit, Delete, NoOrphans, Place, Plan, Prove, Step};

/// Computes the plan.
#[must_use]
pub(super) fn plan(request: &Request, facts: &Facts) -> Plan {
    let mut plan = Plan { purpose: purpose(request, facts), timeout: Some(request.timeout), ..Plan::default() };
    plan.refusals = nothing_left_of(request, facts);
    if !plan.refusals.is_empty() {
        return plan;
    }
    plan.warnings.extend(facts.identities.left.iter().cloned());
    plan.warnings.extend(facts.run.iter().flat_map(|run| &run.objects).flat_map(|one| one.left.iter().cloned()));
    plan.warnings.extend(facts.repositories.left.iter().chain(&facts.repositories.warnings).cloned());
    if request.commit.push_branch.is_some() {
        let packages = packages(facts).unwrap_or_else(|| "nothing".to_owned());
        plan.purpose = format!(
            "remove the files of {packages} for `{}` from Git, and leave the clusters as they are",
            request.run_cluster
        );
        plan.steps.extend(commits(request, facts));
        return plan;
    }
    match &facts.run {
        Some(run) => {
            add_deletion(&mut plan, request, facts, run);
            plan.steps.extend(facts.identities.run.iter().cloned().map(Step::Delete));
        }
        None => add_forced_deletion(&mut plan, request, facts),
    }
    // The Secret is deleted after the identities that its annotations name: an interrupted removal finds them by it.
    plan.steps.extend(facts.identities.build.iter().cloned().map(Step::Delete));
    plan.steps.extend(facts.missing_accounts.iter().map(|account| delete_own(account, None)));
    plan.steps.extend(commits(request, facts));
    if plan.steps.iter().any(removes_something) || !facts.build.record.deliveries.is_empty() {
        add_record(&mut plan, request, facts);
    }
    plan
}

fn purpose(request: &Request, facts: &Facts) -> String {
    let what = packages(facts).unwrap_or_else(|| "what is left".to_owned());
    let place = match &facts.run {
        Some(run) => run.display.clone(),
        None => format!("`{}`, which is gone for good", request.run_cluster),
    };
    let workloads = if request.keep_workloads { ", and leave the application running" } else { "" };
    format!("remove {what} from {place}{workloads}")
}

/// Names the packages whose deliveries are removed; `None` where there are none.
fn packages(facts: &Facts) -> Option<String> {
    let packages: Vec<&str> = facts.build.removed.iter().map(|removed| removed.package.as_str()).collect();
    (!packages.is_empty()).then(|| packages.join(", "))
}

/// Refuses deliveries that only the user knows of where nothing bears their name: one of the names is mistyped.
///
/// An installer proves nothing: it bears the name of the package only, and may serve another run cluster's delivery.
fn nothing_left_of(request: &Request, facts: &Facts) -> Vec<Error> {
    let Facts { build, identities, .. } = facts;
    let is_installer = |name: &str| build.assumed.iter().any(|package| name == names::installer(package));
    // Credentials and deployers bear the name of the run cluster; where other deliveries are removed, they are theirs.
    let has_identities = build.assumed.len() == build.removed.len()
        && ((!build.is_delivered_to(&request.run_cluster) && !build.credentials.is_empty())
            || !identities.build.is_empty()
            || identities.run.iter().any(|one| !is_installer(&one.reference.name)));
    let is_in_git = |package: &String| facts.repositories.changes.iter().any(|one| one.packages.contains(package));
    let is_on_run_cluster = |package: &String| {
        let objects = facts.run.iter().flat_map(|run| &run.objects);
        build.removed.iter().zip(objects).any(|(removed, objects)| {
            removed.package == *package && !(objects.installs.is_empty() && objects.packages.is_empty())
        })
    };
    let is_missing = |package: &&String| !has_identities && !is_in_git(package) && !is_on_run_cluster(package);
    let refusal = |package: &String| {
        Error::usage(format!("nothing of {package} is left for a run cluster `{}`", request.run_cluster))
            .because("no Kustomization, no object on the run cluster and no directory in Git bears these names")
            .hint(format!("see what there is: {PROGRAM} status -n {}", request.namespace))
    };
    build.assumed.iter().filter(is_missing).map(refusal).collect()
}

/// Plans the deletion of the Kustomizations of the PackageInstalls and of the Packages, so far as they exist.
fn kustomizations(request: &Request, facts: &Facts) -> [Vec<Delete>; 2] {
    [0, 1].map(|which| {
        let mut deletes: Vec<Delete> = Vec::new();
        for removed in &facts.build.removed {
            let name = removed.kustomizations()[which];
            let Some(kustomization) = facts.build.flux.kustomization(name) else { continue };
            let reference = facts.build.flux.reference(&request.namespace, name);
            if !facts.build.is_shared(name) && deletes.iter().all(|known| known.reference != reference) {
                deletes.push(Delete::of(Place::Build, &reference, &kustomization.metadata));
            }
        }
        deletes
    })
}

/// Adds the deletion by Flux and kapp-controller, and the proof that they have left nothing.
fn add_deletion(plan: &mut Plan, request: &Request, facts: &Facts, run: &RunFacts) {
    for account in &facts.missing_accounts {
        // It may do nothing, but Flux deletes what it applied only where it exists.
        let manifest = identities::build_account(&request.namespace, &account.name);
        plan.steps.push(Step::Apply(Apply { place: Place::Build, manifest }));
    }
    let owned: Vec<&OwnedObject> = run.objects.iter().flat_map(|one| &one.installs).collect();
    if request.keep_workloads {
        for install in owned.iter().filter(|object| object.reference.resource.kind == "PackageInstall") {
            plan.steps.extend(Step::keep_application(install.reference.clone(), install.uid.clone()));
        }
    }
    let [installs, packages] = kustomizations(request, facts);
    add_deletes_and_wait(plan, installs, &owned);
    let owned: Vec<&OwnedObject> = run.objects.iter().flat_map(|one| &one.packages).collect();
    add_deletes_and_wait(plan, packages, &owned);
    let names = facts.build.removed.iter().flat_map(RemovedDelivery::kustomizations);
    let deleted = names.filter(|name| !facts.build.is_shared(name));
    let no_orphans = NoOrphans {
        kustomizations: deleted.map(|name| (request.namespace.clone(), name.to_owned())).collect(),
        namespaces: facts.build.namespaces().into_iter().collect(),
        resources: vec![package_install_resource(), package_resource(), api_resource("", "v1", "Secret")],
    };
    plan.steps.push(no_orphans.into());
}

/// Adds the deletion without the run cluster: Flux would try for ever to delete what it applied there, unless suspended.
fn add_forced_deletion(plan: &mut Plan, request: &Request, facts: &Facts) {
    let is_suspended =
        |name: &str| facts.build.flux.kustomization(name).is_some_and(|kustomization| kustomization.spec.suspend);
    let deletes = kustomizations(request, facts).concat();
    for delete in deletes.iter().filter(|delete| !is_suspended(&delete.reference.name)) {
        plan.steps.push(Step::suspend(delete.reference.clone()));
    }
    add_deletes_and_wait(plan, deletes, &[]);
    if facts.is_alive {
        plan.warnings
            .push(format!("`{}` still answers: without --force nothing would be left on it", request.run_cluster));
    }
    let applied = left_behind::applied(request, &facts.build);
    if !applied.is_empty() {
        plan.warnings.push(format!(
            "everything on the run cluster stays there, without an owner: {}, and what kapp-controller deployed",
            applied.join(", ")
        ));
    }
    let credentials = left_behind::credentials(request, &facts.build, &facts.identities);
    if !credentials.is_empty() {
        plan.warnings.push(format!(
            "what Flux acts as on the run cluster stays valid there until somebody deletes it: {}",
            credentials.join(", ")
        ));
    }
}

fn add_deletes_and_wait(plan: &mut Plan, deletes: Vec<Delete>, owned: &[&OwnedObject]) {
    let by_plan = |delete: &Delete| AwaitedDeletion {
        place: delete.place,
        reference: delete.reference.clone(),
        uid: delete.uid.clone().unwrap_or_default(),
        note: None,
    };
    let by_controllers = |object: &&OwnedObject| AwaitedDeletion {
        place: Place::Run,
        reference: object.reference.clone(),
        uid: object.uid.clone(),
        note: Some(object.note.clone()),
    };
    // The Kustomizations are waited for first: what Flux deletes is marked once they are gone.
    let first: Vec<AwaitedDeletion> = deletes.iter().map(by_plan).collect();
    let then: Vec<AwaitedDeletion> = owned.iter().map(by_controllers).collect();
    plan.steps.extend(deletes.into_iter().map(Step::Delete));
    let awaited = [first, then].into_iter().filter(|objects| !objects.is_empty());
    plan.steps.extend(awaited.map(Step::await_deletion));
}

/// Plans one commit for each repository. Git comes last: as long as a Kustomization exists, a directory that is missing would
/// only make it fail, and nothing would be deleted; and what an interruption leaves has no effect, but lets `add-cluster`
/// take the delivery up again. Only by a pull request it comes first: the merge is the permission to go on.
fn commits(request: &Request, facts: &Facts) -> impl Iterator<Item = Step> {
    facts.repositories.changes.iter().map(|change| {
        let package = &change.packages.join(", ");
        let subject = Subject { operation: REMOVE, package, run_cluster: &request.run_cluster };
        Step::Commit(Commit {
            changes: change.files.clone(),
            message: subject.message(request.commit.message.as_ref()),
            repository: change.repository.clone(),
        })
    })
}

/// Puts the record of the removal around the plan: made with its first step, and gone with its last.
fn add_record(plan: &mut Plan, request: &Request, facts: &Facts) {
    let Facts { build, run, .. } = facts;
    let uid = run.as_ref().map(|run| &run.uid).or(build.record.run_cluster_uid.as_ref());
    let apply = |deliveries: Vec<RemovedDelivery>| {
        let record = RemovalRecord { run_cluster_uid: uid.cloned(), deliveries };
        let manifest = record.manifest(&request.namespace, &request.run_cluster);
        Step::Apply(Apply { place: Place::Build, manifest })
    };
    let others = &build.other_records;
    plan.steps.insert(0, apply([others.as_slice(), &build.removed].concat()));
    plan.steps.push(if others.is_empty() {
        let reference = RemovalRecord::reference(&request.namespace, &request.run_cluster);
        delete_own(&reference, Some("the record of this removal"))
    } else {
        apply(others.clone())
    });
}

/// Tells whether a step is more than looking whether something is left.
fn removes_something(step: &Step) -> bool {
    match step {
        Step::Commit(commit) => !commit.changes.is_empty(),
        Step::Prove(Prove::NoOrphans(_)) => false,
        _ => true,
    }
}

/// Plans to delete what the plan itself makes.
fn delete_own(reference: &ObjectReference, note: Option<&str>) -> Step {
    let note = note.map(str::to_owned);
    Step::Delete(Delete { place: Place::Build, reference: reference.clone(), uid: None, note })
}

#[cfg(test)]
#[path = "plan_tests.rs"]
mod tests;
