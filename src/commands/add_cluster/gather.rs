//! What `add-cluster` finds out before it plans: clusters, repository, and what is there already. Reads only.

use futures::join;
use secrecy::SecretString;

use super::answers::Answers;
use super::authentication::{self, Authentication, Found};
use super::circumstances;
use super::impersonation::{self, Impersonated};
use super::installer::Installer;
use super::permissions;
use super::proof::{self, Proof};
use super::{guard, registry, repository, way};
use crate::authentication::stored::StoredCredential;
use crate::check::{self, Checks, Skipped, known};
use crate::cluster::{Cluster, User};
use crate::error::Result;
use crate::flux::{FluxVersions, RunCredential};
use crate::gitops::checkout::Checkout;
use crate::gitops::delivery::RunClusterDirectory;
use crate::gitops::layout::PackageDirectory;
use crate::kubeconfig::Endpoint;
use crate::plan::LiveObjects;

/// What was found out.
pub(super) struct Facts {
    pub(super) versions: FluxVersions,
    pub(super) build_uid: String,
    pub(super) run_uid: String,
    pub(super) checkout: Checkout,
    pub(super) package: PackageDirectory,
    pub(super) directory: RunClusterDirectory,
    pub(super) constraints: String,
    /// What Flux has already to reach the run cluster with.
    pub(super) found: Option<Found>,
    /// What the Secret says of it, where it is one.
    pub(super) stored: Option<StoredCredential>,
    /// The stored token, where the run cluster lets it in.
    pub(super) working_token: Option<SecretString>,
    /// How Flux authenticates, or will.
    pub(super) authentication: Authentication,
    /// The context through which the delivery is watched, where Flux's own credential will not do.
    pub(super) run_context: Option<String>,
    /// Whom Flux impersonates, if anybody.
    pub(super) impersonated: Option<Impersonated>,
    /// The user of a kubeconfig that somebody gave.
    pub(super) user: Option<User>,
    /// As whom the package is installed.
    pub(super) installer: Installer,
    /// Whether the target namespace has to be made.
    pub(super) makes_namespace: bool,
    /// The objects that the plan is about, where they exist; read once all else is known, see [`super::live`].
    pub(super) live: LiveObjects,
    /// Whether Flux knows `healthCheckExprs`.
    pub(super) has_health_check_expressions: bool,
    /// What to beware of.
    pub(super) warnings: Vec<String>,
    /// How Flux reaches the run cluster, or will.
    pub(super) endpoint: Endpoint,
}

impl Facts {
    /// Returns the kind of object that Flux reaches the run cluster with.
    pub(super) fn credential(&self) -> RunCredential {
        self.authentication.credential(self.found.as_ref())
    }

    /// Returns where the deployer's account lives, if the plugin makes one.
    pub(super) fn deployer_namespace(&self, answers: &Answers) -> Option<String> {
        self.authentication.deployer_namespace(answers, self.found.as_ref())
    }
}

/// Gathers and checks everything; all findings are reported together, before anything is written.
///
/// What needs nothing of another is read at the same time.
pub(super) async fn gather(answers: &Answers) -> Result<Facts> {
    let mut checks = Checks::default();
    let versions = checks.take("Flux", check::flux(&answers.build, &answers.build_served));
    let (namespace, target, kapp_controller, build_uid, run_uid, found, git) = join!(
        check::namespace(&answers.build, &answers.namespace),
        target_namespace(answers),
        check::kapp_controller(&answers.run, &answers.run_served, &answers.target_namespace),
        answers.build.uid(),
        answers.run.uid(),
        authentication::find(answers),
        // Boxed: it is by far the largest of these futures.
        Box::pin(read_repository(answers, versions)),
    );
    checks.check(format!("namespace {}", answers.namespace), namespace);
    let makes_namespace = checks.take(format!("target namespace {}", answers.target_namespace), target);
    checks.check("kapp-controller", kapp_controller);
    let build_uid = checks.take("identity of the build cluster", build_uid);
    let run_uid = checks.take("identity of the run cluster", run_uid);
    let found = checks.take("credential", found);
    let git = match git {
        Ok(read) => checks.take("GitOps repository", read),
        Err(skipped) => Err(skipped),
    };

    let stored = known(&found).ok().and_then(|found| found.as_ref()?.stored());
    let authentication = match known(&found) {
        Ok(found) => checks.take("authentication", Authentication::in_effect(answers, found.as_ref(), stored.as_ref())),
        Err(skipped) => Err(skipped),
    };
    let credential = credential(answers, &mut checks, &found, stored.as_ref(), &authentication, &run_uid).await;
    let impersonation = async {
        let (versions, found) = (versions?, known(&found)?);
        let (authentication, run_uid) = (known(&authentication)?, known(&run_uid)?);
        impersonation(answers, &mut checks, versions, found.as_ref(), authentication, run_uid).await
    };
    let impersonation = impersonation.await;
    let kustomizations = async {
        let credential = known(&authentication)?.credential(known(&found)?.as_ref());
        let same = guard::same_kustomizations(answers, versions?, credential).await;
        checks.take("Kustomizations", same)
    };
    let kustomizations = kustomizations.await;
    let delivery = async {
        let (_, package, directory) = known(&git)?;
        checks.check("PackageInstall", guard::same_install(answers, package, directory).await);
        let constraints = repository::choose_constraints(&mut checks, answers, package, directory);
        let constraints = checks.take("version", constraints);
        let installer = Installer::in_effect(answers, directory, makes_namespace.unwrap_or_default()).await;
        Ok((constraints?, checks.take("installer", installer)?))
    };
    let delivery = delivery.await;
    registry::check(&mut checks, answers).await;
    if let (Ok(versions), Ok(authentication)) = (versions, known(&authentication)) {
        let makes_namespace = makes_namespace.unwrap_or_default();
        let circumstances = permissions::Circumstances {
            authentication,
            found: found.as_ref().ok().and_then(Option::as_ref),
            impersonated: impersonation.as_ref().ok().and_then(|(_, impersonated)| impersonated.as_ref()),
            installer: delivery.as_ref().ok().map(|(_, installer)| installer),
            makes_namespace,
        };
        permissions::check(&mut checks, answers, versions, circumstances).await;
        circumstances::look(&mut checks, answers, versions, run_uid.as_deref().ok(), makes_namespace).await;
    }
    let warnings = [answers.warnings.clone(), checks.warnings()].concat();
    let facts = || {
        let ((checkout, package, directory), (constraints, installer)) = (git?, delivery?);
        let ((endpoint, working_token), (proof, impersonated)) = (credential?, impersonation?);
        kustomizations?;
        Ok(Facts {
            versions: versions?,
            build_uid: build_uid?,
            run_uid: run_uid?,
            checkout,
            package,
            directory,
            constraints,
            found: found?,
            stored,
            working_token,
            authentication: authentication?,
            endpoint,
            run_context: (!proof.may_read).then(|| answers.run_connection.context.clone()).flatten(),
            impersonated,
            user: proof.user,
            installer,
            makes_namespace: makes_namespace?,
            live: LiveObjects::default(),
            has_health_check_expressions: true,
            warnings,
        })
    };
    checks.finish(facts())
}

/// What was read of the GitOps repository.
type Repository = (Checkout, PackageDirectory, RunClusterDirectory);

/// Reads the GitRepository on the build cluster, then the repository that it names.
async fn read_repository(
    answers: &Answers,
    versions: Result<FluxVersions, Skipped>,
) -> Result<Result<Repository>, Skipped> {
    let source = repository::repository(&answers.build, versions?, answers).await;
    Ok(match source {
        Ok(source) => repository::git(answers, &source).await,
        Err(error) => Err(error),
    })
}

/// Finds out how Flux reaches the run cluster, and whether its stored token, if there is one, still works.
async fn credential(
    answers: &Answers,
    checks: &mut Checks,
    found: &Result<Option<Found>, Skipped>,
    stored: Option<&StoredCredential>,
    authentication: &Result<Authentication, Skipped>,
    run_uid: &Result<String, Skipped>,
) -> Result<(Endpoint, Option<SecretString>), Skipped> {
    let (found, authentication) = (known(found)?, known(authentication)?);
    let working_token = match stored {
        Some(stored) if matches!(authentication, Authentication::Token { .. }) => {
            checks.take("stored credential", working_token(&answers.run, stored).await)
        }
        _ => Ok(None),
    };
    let known_endpoint = found.as_ref().and_then(Found::endpoint);
    let endpoint = way::endpoint(answers, known_endpoint.as_ref());
    let run_uid = known(run_uid)?;
    let check = way::check(answers, authentication, known_endpoint.as_ref(), &endpoint, run_uid);
    checks.check("address of the run cluster", check.await);
    if let Some(found) = found {
        checks.check("run cluster's name", guard::same_cluster(answers, found, run_uid).await);
    }
    Ok((endpoint, working_token?))
}

/// Proves the kubeconfig that somebody gave, and finds out whom Flux impersonates with it.
async fn impersonation(
    answers: &Answers,
    checks: &mut Checks,
    versions: FluxVersions,
    found: Option<&Found>,
    authentication: &Authentication,
    run_uid: &str,
) -> Result<(Proof, Option<Impersonated>), Skipped> {
    let account = checks.take("impersonation", impersonation::account(answers, versions, authentication).await);
    let wanted = account.as_ref().ok().and_then(Option::as_deref);
    let proof = proof::of_credential(answers, checks, versions, authentication, found, run_uid, wanted).await;
    let proof = checks.take("kubeconfig", proof)?;
    let Some(account) = account? else { return Ok((proof, None)) };
    let prepared = impersonation::prepare(answers, checks, account, &proof).await;
    let impersonated = checks.take("permission to impersonate", prepared)?;
    Ok((proof, Some(impersonated)))
}

/// Checks the target namespace, and tells whether it has to be made.
async fn target_namespace(answers: &Answers) -> Result<bool> {
    match check::namespace(&answers.run, &answers.target_namespace).await {
        Ok(()) => Ok(false),
        Err(_) if answers.creates_namespace => Ok(true),
        Err(error) => Err(error.hint("or let this command create it: --create-namespace")),
    }
}

/// Returns the stored token if the run cluster lets it in.
///
/// It is tried in the user's way to the run cluster: Flux's own may not be open to the user.
async fn working_token(run: &Cluster, stored: &StoredCredential) -> Result<Option<SecretString>> {
    let Some(token) = stored.token() else { return Ok(None) };
    let namespace = stored.deployer_namespace.as_deref().unwrap_or_default();
    let is_let_in = run.with_token(token, None)?.lets_in(namespace).await?;
    Ok(is_let_in.then(|| token.clone()))
}
