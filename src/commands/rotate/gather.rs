//! What is found out about one run cluster before its credential is rotated. Reads only.

use kube::ResourceExt;
use kube::api::DynamicObject;
use kube::core::PartialObjectMeta;
use secrecy::{ExposeSecret, SecretString};

use super::targets::{Answers, Target};
use crate::authentication::Method;
use crate::authentication::stored::StoredCredential;
use crate::cluster::{Cluster, FIELD_MANAGER, Role};
use crate::error::{Error, Result};
use crate::flux::{Kustomization, impersonated_user, kustomization_resource};
use crate::kubeconfig::Endpoint;
use crate::labels;
use crate::names;
use crate::object::{ObjectReference, api_resource};
use crate::plan::mint::token_of;

/// What was found out.
pub(super) struct Facts {
    pub(super) run_cluster: String,
    pub(super) run: Cluster,
    pub(super) run_uid: String,
    pub(super) stored: StoredCredential,
    /// The Secret's version: whoever changes it meanwhile wins.
    pub(super) resource_version: Option<String>,
    pub(super) deployer_namespace: String,
    pub(super) endpoint: Endpoint,
    /// The Secrets that the old tokens end with.
    pub(super) old_secrets: Vec<(ObjectReference, PartialObjectMeta<DynamicObject>)>,
    /// The old tokens, so far as they are known.
    pub(super) old_tokens: Vec<SecretString>,
    /// The Kustomizations that use the credential and work.
    pub(super) working: Vec<ObjectReference>,
    /// Those that are suspended.
    pub(super) suspended: Vec<ObjectReference>,
    /// A namespace in which the credential must work, and whom Flux impersonates there.
    pub(super) target_namespace: String,
    pub(super) impersonate: Option<String>,
}

/// Gathers everything about a run cluster, and refuses what cannot be rotated.
pub(super) async fn gather(answers: &Answers, target: &Target) -> Result<Facts> {
    let Target { run_cluster, stored, .. } = target;
    let secret = answers.secret_of(run_cluster);
    refuse_others(answers, target)?;
    let (Some(deployer_namespace), Some(run_uid), Some(endpoint)) =
        (stored.deployer_namespace.clone(), stored.run_cluster_uid.clone(), stored.endpoint())
    else {
        return Err(Error::new(format!("{} is not complete", secret.display()))
            .because("its kubeconfig, or what the plugin writes down beside it, is missing or cannot be read")
            .hint(format!("complete it: kubectl carvelflux add-cluster {run_cluster} -n {}", answers.namespace)));
    };
    if !target.has_context {
        return Err(Error::usage(format!("the kubeconfig has no context `{run_cluster}`"))
            .hint(format!("name the context of the run cluster: --run-context {run_cluster}=CONTEXT"))
            .hint("or the file that holds it: --run-kubeconfig FILE"));
    }
    let run = Cluster::connect(Role::Run(run_cluster.clone()), &target.connection).await?;
    let actual = run.uid().await?;
    if actual != run_uid {
        return Err(Error::new(format!("{} is not the cluster that `{run_cluster}` means", run.display()))
            .because(format!(
                "its namespace kube-system has the UID {actual}, {} was made for {run_uid}",
                secret.display()
            ))
            .hint(format!("name the context of the right cluster: --run-context {run_cluster}=CONTEXT")));
    }
    let deployer = names::deployer(&answers.namespace, run_cluster);
    find_account(answers, &run, &deployer_namespace, &deployer).await?;
    let old_secrets = old_secrets(answers, &run, &deployer_namespace, &deployer).await?;
    let old_tokens = old_tokens(&run, stored, &old_secrets).await?;
    let (working, suspended) = users_of(answers, &secret);
    let (target_namespace, impersonate) =
        place_of_proof(&working.iter().chain(&suspended).copied().collect::<Vec<_>>(), &deployer_namespace);
    let reference = |kustomization: &&Kustomization| {
        ObjectReference::namespaced(
            &kustomization_resource(answers.versions.kustomization),
            &answers.namespace,
            &kustomization.name_any(),
        )
    };
    Ok(Facts {
        run_cluster: run_cluster.clone(),
        run,
        run_uid,
        stored: stored.clone(),
        resource_version: target.secret.resource_version(),
        deployer_namespace,
        endpoint,
        old_secrets,
        old_tokens,
        working: working.iter().map(reference).collect(),
        suspended: suspended.iter().map(reference).collect(),
        target_namespace,
        impersonate,
    })
}

/// Refuses credentials that the plugin did not make, and says what to do instead.
fn refuse_others(answers: &Answers, target: &Target) -> Result<()> {
    let Target { run_cluster, stored, .. } = target;
    let secret = answers.secret_of(run_cluster);
    let error = Error::new(format!("the credential for {run_cluster} cannot be rotated here"));
    let error = match stored.method {
        Method::Token | Method::BoundedToken => return Ok(()),
        Method::KubeconfigFile => {
            error.because(format!("{} holds a kubeconfig that was given as a file", secret.display()))
        }
        Method::WorkloadIdentity => error.because("Flux uses a workload identity, and stores no credential"),
        Method::ByHand => error.because(format!("{} was made by hand", secret.display())),
    };
    Err(error.hint(stored.method.renewal(run_cluster, &secret)))
}

/// Makes sure that the deployer's account is there, and ours.
async fn find_account(answers: &Answers, run: &Cluster, namespace: &str, deployer: &str) -> Result<()> {
    let reference = ObjectReference::namespaced(&api_resource("", "v1", "ServiceAccount"), namespace, deployer);
    match run.get_metadata(&reference).await? {
        Some(account) if is_ours(answers, &account) => Ok(()),
        Some(_) => Err(Error::new(format!("{} on {} belongs to another owner", reference.display(), run.display()))
            .because("it does not name this build cluster and namespace")),
        None => Err(Error::new(format!("{} does not exist on {}", reference.display(), run.display()))
            .hint("make it again with the kubectl carvelflux add-cluster command of a delivery to that namespace")),
    }
}

fn is_ours(answers: &Answers, object: &PartialObjectMeta<DynamicObject>) -> bool {
    let annotation = |key: &str| object.annotations().get(key).map(String::as_str);
    annotation(labels::BUILD_CLUSTER_UID) == Some(&answers.build_uid)
        && annotation(labels::BUILD_NAMESPACE) == Some(&answers.namespace)
}

/// Finds the Secrets that tokens of the deployer are in or bound to; an interrupted rotation may have left some behind.
async fn old_secrets(
    answers: &Answers,
    run: &Cluster,
    namespace: &str,
    deployer: &str,
) -> Result<Vec<(ObjectReference, PartialObjectMeta<DynamicObject>)>> {
    let managed = format!("{}={FIELD_MANAGER}", labels::MANAGED_BY);
    let secrets = run.list_labelled(&api_resource("", "v1", "Secret"), namespace, &managed).await?;
    let is_deployers = |secret: &PartialObjectMeta<DynamicObject>| {
        is_ours(answers, secret)
            && secret.annotations().get(labels::SERVICE_ACCOUNT).is_some_and(|account| account == deployer)
    };
    Ok(secrets
        .into_iter()
        .filter(is_deployers)
        .map(|secret| (ObjectReference::secret(namespace, &secret.name_any()), secret))
        .collect())
}

/// Reads the tokens that are to end: the stored one, and those in token Secrets.
async fn old_tokens(
    run: &Cluster,
    stored: &StoredCredential,
    secrets: &[(ObjectReference, PartialObjectMeta<DynamicObject>)],
) -> Result<Vec<SecretString>> {
    let mut tokens: Vec<SecretString> = stored.token().into_iter().cloned().collect();
    for (reference, _) in secrets {
        let token = run.get(reference).await?.as_ref().and_then(token_of);
        let is_new = |token: &SecretString| tokens.iter().all(|known| known.expose_secret() != token.expose_secret());
        let token = token.filter(is_new);
        tokens.extend(token);
    }
    Ok(tokens)
}

/// Finds the Kustomizations that read the Secret: those that work, and those that are suspended.
fn users_of<'a>(answers: &'a Answers, secret: &ObjectReference) -> (Vec<&'a Kustomization>, Vec<&'a Kustomization>) {
    let uses = |kustomization: &&Kustomization| {
        let config = kustomization.spec.kube_config.as_ref();
        let reads = config.and_then(|config| config.secret_ref.as_ref()).is_some_and(|one| one.name == secret.name);
        reads && kustomization.metadata.deletion_timestamp.is_none()
    };
    answers.kustomizations.iter().filter(uses).partition(|kustomization| !kustomization.spec.suspend)
}

/// Returns where the new credential is proven to work: in the target namespace of a delivery, as whom Flux acts there.
fn place_of_proof(users: &[&Kustomization], deployer_namespace: &str) -> (String, Option<String>) {
    let place = users.iter().find_map(|kustomization| {
        let namespace = kustomization.spec.target_namespace.clone()?;
        let account = kustomization.spec.service_account_name.as_ref();
        let impersonated =
            account.map(|account| impersonated_user(&kustomization.namespace().unwrap_or_default(), account));
        Some((namespace, impersonated))
    });
    place.unwrap_or_else(|| (deployer_namespace.to_owned(), None))
}
