//! What is found out about one run cluster before its credential is rotated. Reads only.

use std::time::Duration;

use futures::future::join_all;
use kube::ResourceExt;
use kube::api::DynamicObject;
use kube::core::PartialObjectMeta;
use secrecy::{ExposeSecret, SecretString};

use super::build_cluster::{BuildCluster, Target};
use super::request::Request;
use crate::authentication::Method;
use crate::authentication::acceptance::{Addresses, Verdict};
use crate::authentication::stored::StoredCredential;
use crate::check::Checks;
use crate::check::permissions::{self, Need, missing};
use crate::cluster::{Cluster, Connection, FIELD_MANAGER, Role, load_kubeconfig};
use crate::error::{Error, Result};
use crate::flux::{Kustomization, impersonated_user, kustomization_resource};
use crate::invocation::PROGRAM;
use crate::kubeconfig::Endpoint;
use crate::labels;
use crate::names;
use crate::object::{ObjectReference, api_resource};
use crate::plan::mint::token_of;

/// What was found out about a run cluster.
pub(super) struct Facts {
    pub(super) run_cluster: String,
    pub(super) run_cluster_uid: String,
    pub(super) build_cluster_uid: String,
    /// For how long the stored token was granted; `None` where it does not expire.
    pub(super) granted: Option<Duration>,
    /// The version of the Secret that holds the credential: whoever changes it meanwhile wins.
    pub(super) resource_version: Option<String>,
    pub(super) endpoint: Endpoint,
    /// The namespace of the deployer's service account.
    pub(super) deployer_namespace: String,
    /// A name for the new token's Secret that no other rotation chooses.
    pub(super) next_token_secret: String,
    /// The Secrets that the old tokens are in or bound to: an interrupted rotation may have left several.
    pub(super) token_secrets: Vec<TokenSecret>,
    /// The old tokens, so far as they are known.
    pub(super) tokens: Vec<SecretString>,
    /// The Kustomizations that use the credential and reconcile.
    pub(super) reconciling: Vec<ObjectReference>,
    /// Those that are suspended.
    pub(super) suspended: Vec<ObjectReference>,
    /// A namespace in which the credential must work.
    pub(super) target_namespace: String,
    /// Whom Flux impersonates there.
    pub(super) impersonate: Option<String>,
}

/// A Secret on the run cluster whose deletion revokes a token.
pub(super) struct TokenSecret {
    pub(super) reference: ObjectReference,
    pub(super) uid: Option<String>,
}

/// Gathers everything about a run cluster, and refuses what cannot be rotated. Returns the run cluster as well.
pub(super) async fn gather(
    request: &Request,
    connection: &Connection,
    build: &Cluster,
    namespace: &BuildCluster,
    target: &Target,
) -> Result<(Cluster, Facts)> {
    let Target { run_cluster, stored, .. } = target;
    let secret = request.secret_of(run_cluster);
    refuse_unmanaged(stored, run_cluster, &secret)?;
    let (Some(deployer_namespace), Some(run_cluster_uid), Some(endpoint)) =
        (stored.deployer_namespace.clone(), stored.run_cluster_uid.clone(), stored.endpoint())
    else {
        return Err(Error::new(format!("{} is not complete", secret.display()))
            .because("its kubeconfig, or what the plugin writes down beside it, is missing or cannot be read")
            .hint(format!("complete it: {PROGRAM} add-cluster {run_cluster} -n {}", request.namespace)));
    };
    let run = connect(request, connection, run_cluster).await?;
    same_cluster(&run, run_cluster, &run_cluster_uid, &secret).await?;

    let (reconciling, suspended) = namespace.consumers(&secret);
    let (target_namespace, impersonate) = place_of_proof(reconciling.iter().chain(&suspended), &deployer_namespace);
    let kustomizations = kustomization_resource(namespace.versions.kustomization);
    let reference = |kustomization: &&Kustomization| {
        ObjectReference::namespaced(&kustomizations, &request.namespace, &kustomization.name_any())
    };
    let reconciling: Vec<ObjectReference> = reconciling.iter().map(reference).collect();
    let granted = stored.granted();
    let deployer = Deployer {
        build_cluster_uid: &namespace.uid,
        build_namespace: &request.namespace,
        namespace: &deployer_namespace,
        name: names::deployer(&request.namespace, run_cluster),
    };
    let expires = request.token_duration.or(granted).is_some();
    let (account, address, tokens, on_build, on_run) = futures::join!(
        deployer.find(&run),
        // Boxed: it is the largest of these futures.
        Box::pin(check_address(&run, &endpoint, stored, &deployer)),
        async {
            let secrets = deployer.token_secrets(&run).await?;
            let tokens = tokens(&run, stored, &secrets).await?;
            Ok((secrets, tokens))
        },
        missing(build, reconciling.iter().flat_map(needs_on_kustomization)),
        missing(&run, deployer.needs(expires)),
    );
    let mut checks = Checks::default();
    checks.check("deployer", account);
    checks.check("address of the run cluster", address);
    let tokens = checks.take("tokens", tokens);
    permissions::take(&mut checks, build, on_build);
    permissions::take(&mut checks, &run, on_run);
    let (token_secrets, tokens) = checks.finish(tokens)?;
    let facts = Facts {
        run_cluster: run_cluster.clone(),
        run_cluster_uid,
        build_cluster_uid: namespace.uid.clone(),
        granted,
        resource_version: target.secret.metadata.resource_version.clone(),
        endpoint,
        next_token_secret: names::next_deployer_token(&request.namespace, run_cluster),
        token_secrets,
        tokens,
        reconciling,
        suspended: suspended.iter().map(reference).collect(),
        target_namespace,
        impersonate,
        deployer_namespace,
    };
    Ok((run, facts))
}

/// Refuses credentials that the plugin did not make, and says what to do instead.
fn refuse_unmanaged(stored: &StoredCredential, run_cluster: &str, secret: &ObjectReference) -> Result<()> {
    let error = Error::new(format!("the credential for {run_cluster} cannot be rotated here"));
    let error = match stored.method {
        Method::Token | Method::BoundedToken => return Ok(()),
        Method::KubeconfigFile => {
            error.because(format!("{} holds a kubeconfig that was given as a file", secret.display()))
        }
        Method::WorkloadIdentity => error.because("Flux uses a workload identity, and stores no credential"),
        Method::Unmanaged => error.because(format!("{} is not managed by this plugin", secret.display())),
    };
    Err(error.hint(stored.method.renewal(run_cluster, secret)))
}

/// Reaches a run cluster through the context that is named for it, else the one of its own name.
async fn connect(request: &Request, connection: &Connection, run_cluster: &str) -> Result<Cluster> {
    let connection = connection.of_run_clusters(request.run_kubeconfig.as_ref());
    let given = request.run_context(run_cluster);
    let context = given.unwrap_or(run_cluster);
    let kubeconfig = load_kubeconfig(connection.kubeconfig.as_deref())?;
    if given.is_none() && !kubeconfig.contexts.iter().any(|entry| entry.name == context) {
        return Err(Error::usage(format!("the kubeconfig has no context `{run_cluster}`"))
            .hint(format!("name the context of the run cluster: --run-context {run_cluster}=CONTEXT"))
            .hint("or the file that holds it: --run-kubeconfig FILE"));
    }
    Cluster::connect(Role::Run(run_cluster.to_owned()), &connection.in_context(context)).await
}

/// Refuses a cluster that is not the one that the credential was made for.
async fn same_cluster(run: &Cluster, run_cluster: &str, recorded: &str, secret: &ObjectReference) -> Result<()> {
    let uid = run.uid().await?;
    if uid == recorded {
        return Ok(());
    }
    Err(Error::new(format!("{} is not the cluster that `{run_cluster}` means", run.display()))
        .because(format!("its namespace kube-system has the UID {uid}, {} was made for {recorded}", secret.display()))
        .hint(format!("name the context of the right cluster: --run-context {run_cluster}=CONTEXT")))
}

/// Refuses an address that knows no tokens of service accounts at all, where that can be told before one is made.
async fn check_address(
    run: &Cluster,
    endpoint: &Endpoint,
    stored: &StoredCredential,
    deployer: &Deployer<'_>,
) -> Result<()> {
    let addresses = Addresses::of(run, endpoint).await?;
    if let Some(token) = stored.token()
        && let Verdict::Answered(..) = addresses.know(token, deployer.namespace).await?
    {
        return Ok(());
    }
    match addresses.probe(deployer.namespace, &deployer.name).await {
        Some(Verdict::Refused(words)) => {
            Err(addresses.refusal(&format!("Flux could not use a new token on {}", run.display()), &words))
        }
        _ => Ok(()),
    }
}

/// The service account on the run cluster whose tokens are rotated.
struct Deployer<'a> {
    build_cluster_uid: &'a str,
    build_namespace: &'a str,
    namespace: &'a str,
    name: String,
}

impl Deployer<'_> {
    /// Tells whether an object names this build cluster and namespace as its owner.
    fn owns(&self, object: &PartialObjectMeta<DynamicObject>) -> bool {
        let annotation = |key: &str| object.annotations().get(key).map(String::as_str);
        annotation(labels::BUILD_CLUSTER_UID) == Some(self.build_cluster_uid)
            && annotation(labels::BUILD_NAMESPACE) == Some(self.build_namespace)
    }

    /// Makes sure that the account is there, and ours.
    async fn find(&self, run: &Cluster) -> Result<()> {
        let account = api_resource("", "v1", "ServiceAccount");
        let reference = ObjectReference::namespaced(&account, self.namespace, &self.name);
        match run.get_metadata(&reference).await? {
            Some(account) if self.owns(&account) => Ok(()),
            Some(_) => {
                Err(Error::new(format!("{} on {} belongs to another owner", reference.display(), run.display()))
                    .because("it does not name this build cluster and namespace"))
            }
            None => Err(Error::new(format!("{} does not exist on {}", reference.display(), run.display()))
                .hint(format!("make it again with the {PROGRAM} add-cluster command of a delivery to that namespace"))),
        }
    }

    /// Finds the Secrets that tokens of the account are in or bound to.
    async fn token_secrets(&self, run: &Cluster) -> Result<Vec<TokenSecret>> {
        let managed = format!("{}={FIELD_MANAGER}", labels::MANAGED_BY);
        let secrets = run.list_labelled(&api_resource("", "v1", "Secret"), self.namespace, &managed).await?;
        let is_deployers = |secret: &PartialObjectMeta<DynamicObject>| {
            self.owns(secret) && secret.annotations().get(labels::SERVICE_ACCOUNT) == Some(&self.name)
        };
        let token_secret = |secret: PartialObjectMeta<DynamicObject>| TokenSecret {
            reference: ObjectReference::secret(self.namespace, &secret.name_any()),
            uid: secret.metadata.uid,
        };
        Ok(secrets.into_iter().filter(is_deployers).map(token_secret).collect())
    }

    /// Lists what the user must be allowed on the run cluster beside what the dry runs of the steps prove.
    fn needs(&self, expires: bool) -> Vec<Need> {
        if expires {
            let account = api_resource("", "v1", "ServiceAccount");
            let mut tokens = ObjectReference::namespaced(&account, self.namespace, &self.name);
            tokens.resource.plural.push_str("/token");
            return Need::on(&tokens, &["create"]);
        }
        // The control plane fills the new Secret in, which is watched; its name is not known yet.
        Need::on(&ObjectReference::secret(self.namespace, ""), &["list", "watch"])
    }
}

/// A Kustomization is asked to reconcile, and its answer is watched.
fn needs_on_kustomization(kustomization: &ObjectReference) -> Vec<Need> {
    Need::on(kustomization, &["get", "list", "watch", "patch"])
}

/// Reads the tokens that are to be revoked: the stored one, and those in token Secrets.
async fn tokens(run: &Cluster, stored: &StoredCredential, secrets: &[TokenSecret]) -> Result<Vec<SecretString>> {
    let mut tokens: Vec<SecretString> = stored.token().into_iter().cloned().collect();
    for secret in join_all(secrets.iter().map(|secret| run.get(&secret.reference))).await {
        let token = secret?.as_ref().and_then(token_of);
        let is_new = |token: &SecretString| tokens.iter().all(|known| known.expose_secret() != token.expose_secret());
        let token = token.filter(is_new);
        tokens.extend(token);
    }
    Ok(tokens)
}

/// Returns where the new credential is proven to work: in the target namespace of a delivery, as whom Flux acts there.
fn place_of_proof<'a>(
    mut consumers: impl Iterator<Item = &'a &'a Kustomization>,
    deployer_namespace: &str,
) -> (String, Option<String>) {
    let place = consumers.find_map(|kustomization| {
        let namespace = kustomization.spec.target_namespace.clone()?;
        let account = kustomization.spec.service_account_name.as_ref();
        let impersonated =
            account.map(|account| impersonated_user(&kustomization.namespace().unwrap_or_default(), account));
        Some((namespace, impersonated))
    });
    place.unwrap_or_else(|| (deployer_namespace.to_owned(), None))
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Returns what a credential of this kind is refused with, and the hint.
    fn refusal(method: Method) -> String {
        let stored = StoredCredential {
            method,
            run_cluster_uid: None,
            deployer_namespace: None,
            token_secret: None,
            expires: None,
            lifetime: None,
            kubeconfig: None,
        };
        let secret = ObjectReference::secret("dev", "prod1-kubeconfig");
        let refused = refuse_unmanaged(&stored, "prod1", &secret);
        refused.map_or_else(|error| format!("{error}\n{}", error.hints().join("\n")), |()| "rotated".to_owned())
    }

    #[test]
    fn only_tokens_of_a_deployer_are_rotated() {
        assert_eq!(refusal(Method::Token), "rotated");
        assert_eq!(refusal(Method::BoundedToken), "rotated");
        insta::assert_snapshot!(refusal(Method::KubeconfigFile), @r"
        the credential for prod1 cannot be rotated here: Secret dev/prod1-kubeconfig holds a kubeconfig that was given as a file
        give a new one: kubectl carvelflux add-cluster prod1 -n dev --kubeconfig-file FILE
        ");
        insta::assert_snapshot!(refusal(Method::WorkloadIdentity), @r"
        the credential for prod1 cannot be rotated here: Flux uses a workload identity, and stores no credential
        nothing is stored: the tokens of a workload identity renew themselves
        ");
        insta::assert_snapshot!(refusal(Method::Unmanaged), @r"
        the credential for prod1 cannot be rotated here: Secret dev/prod1-kubeconfig is not managed by this plugin
        replace the kubeconfig in Secret dev/prod1-kubeconfig yourself; with the label reconcile.fluxcd.io/watch=Enabled Flux uses it at once
        ");
    }
}
