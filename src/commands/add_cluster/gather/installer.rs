//! As whom the package is installed: as the flags ask for it, or as it is already; and with which registry credentials.
//!
//! The PackageInstall names the registry's Secret for the bundles. Whether pods may pull images depends on their
//! ServiceAccount's `imagePullSecrets`: unless a package says otherwise, that is `default`, which every other workload of the
//! namespace uses, too. It is not this plugin's to change, so that a missing one is said with the command that adds it.

use kube::ResourceExt;
use kube::api::DynamicObject;
use secrecy::{ExposeSecret, SecretString};
use serde_json::Value;

use crate::check::Checks;
use crate::cluster::Cluster;
use crate::commands::add_cluster::facts::Installer;
use crate::commands::add_cluster::request::{InstallerRequest, Request};
use crate::error::{Error, Result};
use crate::gitops::delivery::RunClusterDirectory;
use crate::identities::{Preset, asks_for_http_route};
use crate::labels;
use crate::names;
use crate::object::{ObjectReference, api_resource};
use crate::shell::quoted;

/// The word for rules from a file, in the annotation of the Role.
const FROM_FILE: &str = "file";

/// The type of a Secret that both kapp-controller and the kubelet can use.
const SECRET_TYPE: &str = "kubernetes.io/dockerconfigjson";

/// Decides as whom the package is installed: as is asked for, else as the account that Git names, else with the rules that
/// the installer's Role was made with.
pub(super) async fn installer(
    run: &Cluster,
    request: &Request,
    directory: &RunClusterDirectory,
    values: Option<&SecretString>,
    creates_namespace: bool,
) -> Result<Installer> {
    let own = names::installer(request.package_name());
    let in_git = directory.install.as_ref().and_then(|install| install.service_account.as_ref());
    let own_rules = |preset: Preset, with_http_route| Installer::Own {
        rules: preset.rules(with_http_route),
        origin: preset.name(),
    };
    let with_http_route = asks_for_route(values, directory);
    Ok(match (&request.installer, in_git) {
        (Some(InstallerRequest::ServiceAccount(account)), _) => {
            account_exists(run, request, account).await?;
            Installer::Existing(account.clone())
        }
        (Some(InstallerRequest::Preset(preset)), _) => own_rules(*preset, with_http_route),
        (Some(InstallerRequest::Rules(role)), _) => Installer::Own { rules: role.rules.clone(), origin: FROM_FILE },
        (None, Some(account)) if *account != own => Installer::Existing(account.clone()),
        (None, _) if creates_namespace => own_rules(Preset::default(), with_http_route),
        (None, _) => {
            let role = run.get(&reference(request, "rbac.authorization.k8s.io", "Role", &own)).await?;
            match role.as_ref().and_then(kept) {
                Some(rules) => Installer::Own { rules, origin: FROM_FILE },
                // Values that are encrypted in Git do not say what they ask for.
                None => own_rules(
                    role.as_ref().and_then(made_with).unwrap_or_default(),
                    with_http_route || role.as_ref().is_some_and(grants_http_routes),
                ),
            }
        }
    })
}

async fn account_exists(run: &Cluster, request: &Request, account: &str) -> Result<()> {
    let reference = reference(request, "", "ServiceAccount", account);
    if run.get(&reference).await?.is_some() {
        return Ok(());
    }
    Err(Error::new(format!("{} does not exist on {}", reference.display(), run.display()))
        .hint("name an existing one with --installer-service-account, or leave the flag out and one is made"))
}

fn reference(request: &Request, group: &str, kind: &str, name: &str) -> ObjectReference {
    ObjectReference {
        resource: api_resource(group, "v1", kind),
        namespace: Some(request.target_namespace.clone()),
        name: name.to_owned(),
    }
}

/// Returns the rules of a Role that were read from a file, which is not at hand any more.
fn kept(role: &DynamicObject) -> Option<Value> {
    let origin = role.annotations().get(labels::INSTALLER)?;
    (origin == FROM_FILE).then(|| role.data["rules"].clone())
}

fn made_with(role: &DynamicObject) -> Option<Preset> {
    role.annotations().get(labels::INSTALLER).and_then(|name| Preset::named(name))
}

fn grants_http_routes(role: &DynamicObject) -> bool {
    role.data["rules"].to_string().contains("\"httproutes\"")
}

/// Tells whether the values, the new ones or those in the repository, ask for an `HTTPRoute`.
fn asks_for_route(values: Option<&SecretString>, directory: &RunClusterDirectory) -> bool {
    match values {
        Some(values) => asks_for_http_route(values.expose_secret()),
        None => directory
            .secrets
            .iter()
            .flat_map(|secret| secret.contents.values())
            .any(|content| asks_for_http_route(content.expose_secret())),
    }
}

/// Checks the Secret that `--registry-secret` names, and whether the workload can use it as well.
pub(super) async fn check_registry_secret(run: &Cluster, request: &Request, checks: &mut Checks) {
    let Some(name) = &request.registry_secret else { return };
    if checks.take("registry Secret", registry_secret_exists(run, request, name).await).is_err() {
        return;
    }
    if let Ok(false) = is_used_by_pods(run, request, name).await {
        let namespace = &request.target_namespace;
        let patch = format!("{{\"imagePullSecrets\":[{{\"name\":\"{name}\"}}]}}");
        checks.warn(
            "images of the workload",
            Error::new(format!(
                "pods that run as ServiceAccount {namespace}/default pull their images without Secret {name}"
            ))
            .hint(format!(
                "if the images are in that registry, too: kubectl --context {} -n {namespace} patch serviceaccount default -p {}",
                quoted(run.context()),
                quoted(&patch)
            )),
        );
    }
}

async fn registry_secret_exists(run: &Cluster, request: &Request, name: &str) -> Result<()> {
    let reference = ObjectReference::secret(&request.target_namespace, name);
    let error = match run.get(&reference).await? {
        None => Error::new(format!("{} does not exist on {}", reference.display(), run.display())),
        Some(secret) => match secret.data["type"].as_str() {
            Some(SECRET_TYPE) => return Ok(()),
            other => Error::new(format!("{} cannot hold the credentials of a registry", reference.display()))
                .because(format!("its type is {}, not {SECRET_TYPE}", other.unwrap_or("missing"))),
        },
    };
    Err(error.hint(format!(
        "make one: kubectl --context {} -n {} create secret docker-registry {} --docker-server=REGISTRY --docker-username=NAME --docker-password=…",
        quoted(run.context()),
        request.target_namespace,
        quoted(name)
    )))
}

/// Tells whether pods that name no ServiceAccount pull with the Secret.
async fn is_used_by_pods(run: &Cluster, request: &Request, name: &str) -> Result<bool> {
    let reference = reference(request, "", "ServiceAccount", "default");
    let account = run.get(&reference).await?;
    let secrets = account.as_ref().and_then(|account| account.data["imagePullSecrets"].as_array());
    Ok(secrets.is_some_and(|secrets| secrets.iter().any(|secret| secret["name"] == name)))
}
