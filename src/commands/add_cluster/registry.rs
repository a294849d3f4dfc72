//! A private registry: the Secret with its credentials, for the bundles and for the workload's images.
//!
//! The PackageInstall names the Secret for the bundles. Whether pods may pull images depends on their ServiceAccount's
//! `imagePullSecrets`: unless a package says otherwise, that is `default`, which every other workload of the namespace uses,
//! too. It is not this plugin's to change, so that a missing one is said with the command that adds it.

use super::answers::Answers;
use crate::check::Checks;
use crate::error::{Error, Result};
use crate::object::{ObjectReference, api_resource};
use crate::shell::quoted;

/// The type of a Secret that both kapp-controller and the kubelet can use.
const SECRET_TYPE: &str = "kubernetes.io/dockerconfigjson";

/// Checks the Secret that `--registry-secret` names, and whether the workload can use it as well.
pub(super) async fn check(checks: &mut Checks, answers: &Answers) {
    let Some(name) = &answers.registry_secret else { return };
    if checks.take("registry Secret", exists(answers, name).await).is_err() {
        return;
    }
    if let Ok(false) = is_used_by_pods(answers, name).await {
        let namespace = &answers.target_namespace;
        let patch = format!("{{\"imagePullSecrets\":[{{\"name\":\"{name}\"}}]}}");
        checks.warn(
            "images of the workload",
            Error::new(format!(
                "pods that run as ServiceAccount {namespace}/default pull their images without Secret {name}"
            ))
            .hint(format!(
                "if the images are in that registry, too: kubectl --context {} -n {namespace} patch serviceaccount default -p {}",
                quoted(answers.run.context()),
                quoted(&patch)
            )),
        );
    }
}

async fn exists(answers: &Answers, name: &str) -> Result<()> {
    let reference = ObjectReference::secret(&answers.target_namespace, name);
    let error = match answers.run.get(&reference).await? {
        None => Error::new(format!("{} does not exist on {}", reference.display(), answers.run.display())),
        Some(secret) => match secret.data["type"].as_str() {
            Some(SECRET_TYPE) => return Ok(()),
            other => Error::new(format!("{} cannot hold the credentials of a registry", reference.display()))
                .because(format!("its type is {}, not {SECRET_TYPE}", other.unwrap_or("missing"))),
        },
    };
    Err(error.hint(format!(
        "make one: kubectl --context {} -n {} create secret docker-registry {} --docker-server=REGISTRY --docker-username=NAME --docker-password=…",
        quoted(answers.run.context()),
        answers.target_namespace,
        quoted(name)
    )))
}

/// Tells whether pods that name no ServiceAccount pull with the Secret.
async fn is_used_by_pods(answers: &Answers, name: &str) -> Result<bool> {
    let reference = ObjectReference {
        resource: api_resource("", "v1", "ServiceAccount"),
        namespace: Some(answers.target_namespace.clone()),
        name: "default".to_owned(),
    };
    let account = answers.run.get(&reference).await?;
    let secrets = account.as_ref().and_then(|account| account.data["imagePullSecrets"].as_array());
    Ok(secrets.is_some_and(|secrets| secrets.iter().any(|secret| secret["name"] == name)))
}
