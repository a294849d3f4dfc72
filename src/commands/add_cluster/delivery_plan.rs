//! The plan of `add-cluster`: identities, credential, files, Kustomizations, in the order in which each finds what it needs.

use kube::ResourceExt;
use serde_json::{Value, json};

use super::answers::Answers;
use super::gather::{Facts, kubeconfig_reference};
use super::guard;
use crate::cluster::{Cluster, ObjectReference};
use crate::error::{Error, Result};
use crate::flux::{KustomizationRequest, WATCH_LABEL, git_repository_resource, kustomization};
use crate::gitops::install::{PackageInstallSpec, package_install, update_package_install};
use crate::gitops::values::{values_secret, values_secret_name};
use crate::identities::{Owner, deployer_rules, installer_rules, role, role_binding, service_account, token_secret};
use crate::kubeconfig::{self, Endpoint};
use crate::labels;
use crate::names;
use crate::plan::execute::token_of;
use crate::plan::{Apply, Change, Commit, Place, Plan, Step, StoreCredential, change_from, change_of};

/// Computes the plan; asks both clusters what each step would change, and changes nothing.
pub(super) async fn plan(answers: &Answers, facts: &Facts) -> Result<Plan> {
    let package = &facts.package.name;
    let mut plan = Plan {
        purpose: format!("deliver {package} to {}, namespace {}", answers.run.display(), answers.target_namespace),
        ..Plan::default()
    };
    add_identities(&mut plan, answers, facts).await?;
    add_credential(&mut plan, answers, facts).await?;
    plan.steps.push(Step::Commit(commit(answers, facts)?));
    plan.steps.push(Step::Fetch {
        source: ObjectReference {
            resource: git_repository_resource(facts.versions.source),
            namespace: Some(answers.namespace.clone()),
            name: names::git_repository(package),
        },
    });
    for manifest in kustomizations(answers, facts) {
        let manifest = without_unknown_fields(&answers.build, manifest).await?;
        let change = change_of(&answers.build, &manifest).await?;
        plan.steps.push(Step::Apply(Apply { place: Place::Build, manifest, change }));
    }
    Ok(plan)
}

/// Adds deployer and installer with their roles on the run cluster.
async fn add_identities(plan: &mut Plan, answers: &Answers, facts: &Facts) -> Result<()> {
    let owner = Owner { build_cluster_uid: &facts.build_uid, build_namespace: &answers.namespace };
    let namespace = &answers.target_namespace;
    let mut manifests = Vec::new();
    if let Some(account_namespace) = deployer_namespace(answers, facts) {
        let name = names::deployer(&answers.namespace, &answers.run_cluster);
        if account_namespace == *namespace {
            let token = names::deployer_token(&answers.namespace, &answers.run_cluster);
            manifests.push(service_account(owner, namespace, &name));
            manifests.push(token_secret(owner, namespace, &token, &name));
        }
        manifests.push(role(owner, namespace, &name, &deployer_rules()));
        manifests.push(role_binding(owner, namespace, &name, &account_namespace, &name));
    }
    let installer = names::installer(&facts.package.name);
    if service_account_name(facts) == installer {
        manifests.push(service_account(owner, namespace, &installer));
        manifests.push(role(owner, namespace, &installer, &installer_rules()));
        manifests.push(role_binding(owner, namespace, &installer, namespace, &installer));
    }
    for manifest in manifests {
        push_on_run_cluster(plan, answers, manifest).await?;
    }
    Ok(())
}

/// Adds the kubeconfig Secret. One that was made by hand is left as it is.
async fn add_credential(plan: &mut Plan, answers: &Answers, facts: &Facts) -> Result<()> {
    let Some(account_namespace) = deployer_namespace(answers, facts) else {
        plan.warnings
            .push(format!("{} was made by hand and is used as it is", kubeconfig_reference(answers).display()));
        return Ok(());
    };
    // Another delivery's namespace holds the token, and its credential serves this one as well.
    if account_namespace != answers.target_namespace {
        return Ok(());
    }
    let token_secret =
        ObjectReference::secret(&account_namespace, &names::deployer_token(&answers.namespace, &answers.run_cluster));
    let minted = answers.run.get(&token_secret).await?.as_ref().and_then(token_of);
    let endpoint = endpoint(plan, answers, facts);
    let mut store = StoreCredential {
        run_cluster: answers.run_cluster.clone(),
        endpoint,
        user: names::deployer(&answers.namespace, &answers.run_cluster),
        token_secret,
        target_namespace: answers.target_namespace.clone(),
        secret: kubeconfig_secret(answers, facts, &account_namespace),
        change: Change::Create,
    };
    store.change = match (&facts.kubeconfig_secret, minted) {
        (_, Some(token)) => change_of(&answers.build, &store.secret_with(&token)).await?,
        (Some(_), None) => Change::Update(vec!["data".to_owned()]),
        // The dry run proves the permission to write it.
        (None, None) => change_of(&answers.build, &store.secret).await?,
    };
    plan.steps.push(Step::StoreCredential(Box::new(store)));
    Ok(())
}

/// Returns how Flux is to reach the run cluster: as it does already, for the user's way there may be a tunnel.
fn endpoint(plan: &mut Plan, answers: &Answers, facts: &Facts) -> Endpoint {
    let secret = facts.kubeconfig_secret.as_ref();
    let stored = secret
        .and_then(|secret| kubeconfig::of_secret(&secret.data, None).ok())
        .and_then(|stored| Endpoint::of_context(&stored, None, |path| std::fs::read(path)).ok());
    match stored {
        Some(stored) if stored.server != answers.endpoint.server => {
            plan.warnings.push(format!(
                "Flux goes on reaching {} at {}, although your context has {}",
                answers.run_cluster, stored.server, answers.endpoint.server
            ));
            stored
        }
        _ => answers.endpoint.clone(),
    }
}

/// Returns where the deployer's account lives: with the first delivery; `None` where a person manages the credential.
fn deployer_namespace(answers: &Answers, facts: &Facts) -> Option<String> {
    match &facts.kubeconfig_secret {
        Some(secret) => secret.annotations().get(labels::DEPLOYER_NAMESPACE).cloned(),
        None => Some(answers.target_namespace.clone()),
    }
}

fn kubeconfig_secret(answers: &Answers, facts: &Facts, deployer_namespace: &str) -> Value {
    let mut labels = labels::managed();
    labels[WATCH_LABEL.0] = json!(WATCH_LABEL.1);
    json!({
        "apiVersion": "v1",
        "kind": "Secret",
        "metadata": {
            "name": names::kubeconfig(&answers.run_cluster),
            "namespace": answers.namespace,
            "labels": labels,
            "annotations": {
                labels::RUN_CLUSTER_UID: facts.run_uid,
                labels::DEPLOYER_NAMESPACE: deployer_namespace,
            },
        },
        "type": "Opaque",
    })
}

fn service_account_name(facts: &Facts) -> String {
    let existing = facts.directory.install.as_ref().and_then(|install| install.service_account.clone());
    existing.unwrap_or_else(|| names::installer(&facts.package.name))
}

/// Computes the files of the delivery: the PackageInstall, and the values where there are new ones.
fn commit(answers: &Answers, facts: &Facts) -> Result<Commit> {
    let existing = facts.directory.install.as_ref();
    let secret = match &answers.values {
        Some(values) => {
            if let Some(encrypted) = facts.directory.secrets.iter().find(|secret| secret.encrypted) {
                return Err(Error::new(format!(
                    "{} is encrypted, and would be replaced by plain text",
                    encrypted.file
                ))
                .hint("change the values with sops, and leave --values out"));
            }
            let name = values_secret_name(&facts.package.name, values)?;
            Some((name.clone(), values_secret(&name, values)))
        }
        None => None,
    };
    let spec = PackageInstallSpec {
        name: existing.map_or_else(|| facts.package.name.clone(), |install| install.name.clone()),
        service_account: service_account_name(facts),
        ref_name: facts.package.ref_name.clone(),
        constraints: facts.constraints.clone(),
        values_secret: secret
            .as_ref()
            .map(|(name, _)| name.clone())
            .or_else(|| existing.and_then(|install| install.values_secrets.last().cloned())),
        prereleases: existing.is_some_and(|install| install.prereleases),
    };
    let install =
        existing.map_or_else(|| package_install(&spec), |existing| update_package_install(&existing.document, &spec));
    Ok(Commit {
        changes: facts.directory.with_delivery(&install, secret.as_ref().map(|(_, secret)| secret))?,
        message: format!("Deliver {} to {}", facts.package.name, answers.run_cluster),
        repository: format!("{} branch {}", facts.checkout.url(), facts.checkout.branch()),
    })
}

fn kustomizations(answers: &Answers, facts: &Facts) -> [Value; 2] {
    let package = &facts.package.name;
    let request = KustomizationRequest {
        version: facts.versions.kustomization,
        namespace: &answers.namespace,
        package,
        run_cluster: &answers.run_cluster,
        target_namespace: &answers.target_namespace,
    };
    let path = &facts.package.path;
    [
        kustomization(
            &request,
            &names::packages_kustomization(package, &answers.run_cluster),
            &format!("./{path}/packages"),
        ),
        kustomization(
            &request,
            &names::package_installs_kustomization(package, &answers.run_cluster),
            &format!("./{path}/{}", answers.run_cluster),
        ),
    ]
}

/// Leaves `healthCheckExprs` out where the API server does not know it: before Flux 2.5.
async fn without_unknown_fields(build: &Cluster, mut manifest: Value) -> Result<Value> {
    if let Err(error) = build.apply(&manifest, true).await {
        if !error.to_string().contains("healthCheckExprs") {
            return Err(error);
        }
        if let Some(spec) = manifest["spec"].as_object_mut() {
            spec.remove("healthCheckExprs");
        }
    }
    Ok(manifest)
}

/// Adds an object on the run cluster, unless it belongs to somebody else.
async fn push_on_run_cluster(plan: &mut Plan, answers: &Answers, manifest: Value) -> Result<()> {
    let live = answers.run.get(&ObjectReference::of(&manifest)?).await?;
    if let Some(live) = &live {
        guard::same_owner(answers, &manifest, live)?;
    }
    let change = change_from(&answers.run, live, &manifest).await?;
    plan.steps.push(Step::Apply(Apply { place: Place::Run, manifest, change }));
    Ok(())
}
