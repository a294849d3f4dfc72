//! What one delivery takes: files, identities, credential, Kustomizations.
//!
//! What the objects look like lives in [`manifests`], how Flux gets its credential in [`super::credential`].

use kube::ResourceExt;
use kube::api::DynamicObject;
use serde_json::Value;

use super::{adoption, credential};
use crate::check::Checks;
use crate::commands::add_cluster::facts::Facts;
use crate::commands::add_cluster::manifests;
use crate::commands::add_cluster::request::Request;
use crate::error::{Error, Result};
use crate::flux::git_repository_resource;
use crate::gitops::delivery::ExistingSecret;
use crate::gitops::install::{PackageInstallSpec, package_install, update_package_install};
use crate::gitops::tree::FileChange;
use crate::gitops::values::{is_same_values_secret, values_secret, values_secret_name};
use crate::labels;
use crate::names;
use crate::object::ObjectReference;
use crate::plan::{Apply, Freshness, Place, Plan, Step};

/// What one delivery takes, by the part of the plan that it belongs to.
#[derive(Debug, Default)]
pub(super) struct Parts {
    /// Private keys: before anything that they encrypt, for an interruption must not lose them.
    pub(super) keys: Vec<Step>,
    /// What must be there before files of a delivery in place change.
    pub(super) in_place: Vec<Step>,
    /// The files that change.
    pub(super) files: Vec<FileChange>,
    /// What a new delivery needs on the clusters.
    pub(super) new: Vec<Step>,
    /// What makes Flux fetch the files.
    pub(super) fetch: Vec<Step>,
    /// What Flux begins with.
    pub(super) kustomizations: Vec<Step>,
    pub(super) notes: Vec<String>,
    pub(super) warnings: Vec<String>,
    pub(super) refusals: Vec<Error>,
}

/// Computes what one delivery takes.
#[must_use]
pub(super) fn parts(request: &Request, facts: &Facts) -> Parts {
    let mut parts = Parts::default();
    let mut checks = Checks::default();
    let files = files(&mut checks, request, facts);
    parts.files = checks.take("files", files).unwrap_or_default();
    let is_delivered = is_delivered(request, facts);
    if request.commit.is_merged && !parts.files.is_empty() {
        checks.check("files", Err(differs_from_what_is_merged(&facts.repository, &parts.files)));
    }
    let encryption = facts.encryption.as_ref();
    if !parts.files.is_empty() || (request.commit.is_merged && !is_delivered) {
        let source = git_repository_resource(facts.versions.source);
        let source =
            ObjectReference::namespaced(&source, &request.namespace, &names::git_repository(&facts.package.name));
        parts.fetch = Step::fetch(source, Freshness::NewCommits).into();
    }
    // Files that no Kustomization reads yet have no effect, and a server that refuses them does so before anything else is
    // written. Those of a delivery in place must find the accounts and roles that they name.
    let key = encryption.and_then(|encryption| encryption.key.clone());
    parts.keys = key.map(|manifest| Step::Apply(Apply { place: Place::Build, manifest })).into_iter().collect();
    let mut plan = Plan::default();
    add_identities(&mut plan, &mut checks, request, facts);
    if facts.led_by.is_none() {
        checks.check("credential", credential::add_credential(&mut plan, request, facts));
    }
    let identities = std::mem::take(&mut plan.steps);
    add_kustomizations(&mut plan, request, facts);
    let kustomizations = std::mem::take(&mut plan.steps);
    if is_delivered {
        parts.in_place = identities;
    } else {
        parts.new = identities;
    }
    // Flux must know how to decrypt when it finds what is encrypted.
    if is_delivered && !parts.files.is_empty() && encryption.is_some() {
        parts.in_place.extend(kustomizations);
    } else {
        parts.kustomizations = kustomizations;
    }
    if request.commit.is_held_back() {
        parts = Parts { keys: parts.keys, files: parts.files, ..Parts::default() };
    }
    parts.notes = plan.notes;
    parts.warnings = plan.warnings;
    parts.warnings.extend(checks.warnings());
    parts.refusals = checks.into_failures();
    parts
}

/// Tells whether Flux reads the files of the delivery already.
fn is_delivered(request: &Request, facts: &Facts) -> bool {
    manifests::kustomizations(request, facts).iter().any(|one| facts.live.of(Place::Build, one).is_some())
}

/// Adds Flux's user and the installer with their roles on the run cluster, and what Flux looks up on the build cluster.
fn add_identities(plan: &mut Plan, checks: &mut Checks, request: &Request, facts: &Facts) {
    if facts.creates_namespace {
        plan.steps.push(Step::Apply(Apply { place: Place::Run, manifest: manifests::namespace(request) }));
    }
    for manifest in manifests::run_identities(request, facts) {
        let owner = match facts.live.of(Place::Run, &manifest) {
            Some(live) => same_owner(request, facts, &manifest, live),
            None => Ok(()),
        };
        if checks.take_silently("owner", owner).is_ok() {
            plan.steps.push(Step::Apply(Apply { place: Place::Run, manifest }));
        }
    }
    let account = manifests::account_for_pruning(request, facts).filter(|manifest| !facts.is_unmanaged(manifest));
    plan.steps.extend(account.map(|manifest| Step::Apply(Apply { place: Place::Build, manifest })));
}

/// Adds the Kustomizations; labels of earlier runs stay.
fn add_kustomizations(plan: &mut Plan, request: &Request, facts: &Facts) {
    let manifests = manifests::kustomizations(request, facts);
    let adopted = manifests.iter().filter_map(|manifest| {
        let live = facts.live.of(Place::Build, manifest).filter(|live| !labels::is_managed(*live))?;
        Some((manifest, live))
    });
    let notes = adoption::notes(adopted);
    if !notes.is_empty() {
        plan.notes.extend(adoption::of_several(&facts.directory));
    }
    plan.notes.extend(notes);
    for mut manifest in manifests {
        let live = facts.live.of(Place::Build, &manifest);
        labels::add(&mut manifest, live, &request.labels);
        if !facts.has_health_check_expressions
            && let Some(spec) = manifest["spec"].as_object_mut()
        {
            spec.remove("healthCheckExprs");
        }
        plan.steps.push(Step::Apply(Apply { place: Place::Build, manifest }));
    }
}

/// Computes the files of the delivery that change: the PackageInstall, and the values where there are new ones.
fn files(checks: &mut Checks, request: &Request, facts: &Facts) -> Result<Vec<FileChange>> {
    let existing = facts.directory.install.as_ref();
    let encryption = facts.encryption.as_ref();
    let encrypted = encryption.and_then(|encryption| encryption.secret.as_ref());
    let keeps_values = encryption.is_some_and(|encryption| encryption.keeps_values);
    let secret = match &facts.values {
        _ if encrypted.is_some() => encrypted.map(|secret| (name_of(secret), secret.clone())),
        Some(values) if !keeps_values => {
            let name = match &request.values.secret_name {
                Some(name) => name.clone(),
                None => values_secret_name(&facts.package.name, values)?,
            };
            // Another Secret, such as one for a registry, has nothing to do with the values.
            let files = facts.directory.files_of_delivery(true);
            let is_replaced = |secret: &&ExistingSecret| {
                secret.encrypted && (is_same_values_secret(&secret.name, &name) || files.contains(&secret.file))
            };
            if let Some(encrypted) = facts.directory.secrets.iter().find(is_replaced) {
                return Err(Error::new(format!(
                    "{} is encrypted, and would be replaced by plain text",
                    encrypted.file
                ))
                .hint("encrypt the new values, too: --encrypt age; or change them with sops, and leave --values and --set out"));
            }
            Some((name.clone(), values_secret(&name, values)))
        }
        _ => None,
    };
    let spec = PackageInstallSpec {
        name: existing.map_or_else(|| facts.package.name.clone(), |install| install.name.clone()),
        service_account: facts.installer.account(&facts.package.name),
        ref_name: facts.package.ref_name.clone(),
        constraints: facts.version_constraints.clone(),
        values_secret: secret
            .as_ref()
            .map(|(name, _)| name.clone())
            .or_else(|| existing.and_then(|install| install.values_secrets.last().cloned())),
        fetch_secret: request.registry_secret.clone().map(|secret| (secret, facts.package.registry_fetches())),
        prereleases: facts.prereleases.is_some(),
        identifiers: facts.prereleases.clone().unwrap_or_default(),
        is_downgradable: request.install.is_downgradable,
        sync_period: request.install.sync_period.clone(),
    };
    let install =
        existing.map_or_else(|| package_install(&spec), |existing| update_package_install(&existing.document, &spec));
    let files = facts.directory.with_delivery(&install, secret.as_ref().map(|(_, secret)| secret))?;
    for path in files.rewritten {
        let warning = Error::new(format!("{path} is rewritten as a whole, and loses its comments"))
            .because("an anchor or a merge key of YAML is where it has to change");
        checks.warn("files", warning);
    }
    let mut changes = files.changes;
    if let (Some((name, _)), None, false) = (&secret, encrypted, request.encryption.allows_plain) {
        let earlier = facts.directory.secrets.iter().find(|secret| is_same_values_secret(&secret.name, name));
        let file = facts.directory.values_file(earlier);
        if changes.iter().any(|change| change.path == file) {
            let warning = Error::new(format!("the values are committed in plain text, in {file}"));
            checks.warn("values", warning.hint("encrypt them: --encrypt age --generate-age-key; where none is secret, --allow-plain-values silences this"));
        }
    }
    changes.extend(encryption.and_then(|encryption| encryption.rules.clone()));
    Ok(changes)
}

/// Makes the error of files that would have to be committed after all.
fn differs_from_what_is_merged(repository: &str, changes: &[FileChange]) -> Error {
    let files: Vec<&str> = changes.iter().map(|change| change.path.as_str()).collect();
    Error::new(format!("{repository} does not hold what is asked for"))
        .because(format!("to be changed: {}", files.join(", ")))
        .hint("leave out the flags about values and versions to take what was merged; or --push-branch BRANCH for another pull request")
}

pub(super) fn name_of(secret: &Value) -> String {
    secret["metadata"]["name"].as_str().unwrap_or_default().to_owned()
}

/// Refuses to write an object on the run cluster that belongs to another build cluster, another namespace or a person:
/// every plugin writes with one field manager, so that the API server would see no conflict.
fn same_owner(request: &Request, facts: &Facts, manifest: &Value, live: &DynamicObject) -> Result<()> {
    let wanted = |key: &str| manifest["metadata"]["annotations"][key].as_str().unwrap_or_default();
    let owner = |key: &str| live.annotations().get(key).map(String::as_str).unwrap_or_default();
    let keys = [labels::BUILD_CLUSTER_UID, labels::BUILD_NAMESPACE];
    if keys.iter().all(|key| owner(key) == wanted(key)) {
        return Ok(());
    }
    let is_made_by_hand = keys.iter().all(|key| owner(key).is_empty());
    if is_made_by_hand && request.force_conflicts {
        return Ok(());
    }
    let display = ObjectReference::of(manifest)?.display();
    let error = Error::new(format!("{display} on {} belongs to another owner", facts.run_display));
    Err(if is_made_by_hand {
        error
            .because("it was not made by this plugin")
            .hint("to take it over, give --force-conflicts; or deliver to another target namespace")
    } else {
        error
            .because(format!(
                "it serves namespace {} of the build cluster with the kube-system UID {}",
                owner(labels::BUILD_NAMESPACE),
                owner(labels::BUILD_CLUSTER_UID)
            ))
            .hint("deliver to another target namespace")
    })
}
