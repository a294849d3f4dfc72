//! What `add-cluster` finds out before it plans: clusters, repository, and what is there already. Reads only.

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
use crate::check::{self, Checks};
use crate::cluster::{Cluster, User};
use crate::error::{Error, Result};
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
pub(super) async fn gather(answers: &Answers) -> Result<Facts> {
    let mut checks = Checks::default();
    let versions = checks.take("Flux", check::flux(&answers.build, &answers.build_served));
    checks.take(format!("namespace {}", answers.namespace), check::namespace(&answers.build, &answers.namespace).await);
    let makes_namespace = checks
        .take(format!("target namespace {}", answers.target_namespace), target_namespace(answers).await)
        .unwrap_or_default();
    checks.take(
        "kapp-controller",
        check::kapp_controller(&answers.run, &answers.run_served, &answers.target_namespace).await,
    );
    let build_uid = checks.take("identity of the build cluster", answers.build.uid().await);
    let run_uid = checks.take("identity of the run cluster", answers.run.uid().await);
    let found = checks.take("credential", authentication::find(answers).await);
    let stored = found.as_ref().and_then(|found| found.as_ref()?.stored());
    let authentication = match &found {
        Some(found) => {
            checks.take("authentication", Authentication::in_effect(answers, found.as_ref(), stored.as_ref()))
        }
        None => None,
    };
    let working_token = match &stored {
        Some(stored) if matches!(authentication, Some(Authentication::Token { .. })) => {
            checks.take("stored credential", working_token(&answers.run, stored).await).flatten()
        }
        _ => None,
    };
    let known = found.as_ref().and_then(|found| found.as_ref()?.endpoint());
    let endpoint = way::endpoint(answers, known.as_ref());
    if let (Some(run_uid), Some(authentication)) = (&run_uid, &authentication) {
        let check = way::check(answers, authentication, known.as_ref(), &endpoint, run_uid);
        checks.take("address of the run cluster", check.await);
    }
    let repository = match versions {
        Some(versions) => checks.take("GitRepository", repository::repository(&answers.build, versions, answers).await),
        None => None,
    };
    if let (Some(run_uid), Some(Some(found))) = (&run_uid, &found) {
        checks.take("run cluster's name", guard::same_cluster(answers, found, run_uid).await);
    }
    let account = match (versions, &authentication) {
        (Some(versions), Some(authentication)) => {
            checks.take("impersonation", impersonation::account(answers, versions, authentication).await).flatten()
        }
        _ => None,
    };
    let proof = match (versions, &authentication, &found, &run_uid) {
        (Some(versions), Some(authentication), Some(found), Some(run_uid)) => {
            let (found, account) = (found.as_ref(), account.as_deref());
            proof::of_credential(answers, &mut checks, versions, authentication, found, run_uid, account).await
        }
        _ => Ok(Proof::none()),
    };
    let proof = checks.take("kubeconfig", proof);
    let impersonated = match (account, &proof) {
        (Some(account), Some(proof)) => {
            let prepared = impersonation::prepare(answers, &mut checks, account, proof).await;
            checks.take("permission to impersonate", prepared)
        }
        _ => None,
    };
    if let (Some(versions), Some(authentication), Some(found)) = (versions, &authentication, &found) {
        let credential = authentication.credential(found.as_ref());
        checks.take("Kustomizations", guard::same_kustomizations(answers, versions, credential).await);
    }
    let git = match &repository {
        Some(repository) => checks.take("GitOps repository", repository::git(answers, repository).await),
        None => None,
    };
    let constraints = match &git {
        Some((_, package, directory)) => {
            checks.take("PackageInstall", guard::same_install(answers, package, directory).await);
            let constraints = repository::choose_constraints(&mut checks, answers, package, directory);
            checks.take("version", constraints)
        }
        None => None,
    };
    let needs_context = proof.as_ref().is_some_and(|proof| !proof.may_read);
    registry::check(&mut checks, answers).await;
    let installer = match &git {
        Some((_, _, directory)) => {
            checks.take("installer", Installer::in_effect(answers, directory, makes_namespace).await)
        }
        None => None,
    };
    if let (Some(versions), Some(authentication)) = (versions, &authentication) {
        let circumstances = permissions::Circumstances {
            authentication,
            found: found.as_ref().and_then(Option::as_ref),
            impersonated: impersonated.as_ref(),
            installer: installer.as_ref(),
            makes_namespace,
        };
        permissions::check(&mut checks, answers, versions, circumstances).await;
        circumstances::look(&mut checks, answers, versions, run_uid.as_deref(), makes_namespace).await;
    }
    let warnings = checks.warnings();
    checks.refuse_if_failed()?;
    let (
        Some(versions),
        Some(build_uid),
        Some(run_uid),
        Some(authentication),
        Some((checkout, package, directory)),
        Some(constraints),
        Some(installer),
    ) = (versions, build_uid, run_uid, authentication, git, constraints, installer)
    else {
        return Err(Error::new("a check neither passed nor failed"));
    };
    Ok(Facts {
        versions,
        build_uid,
        run_uid,
        checkout,
        package,
        directory,
        constraints,
        found: found.flatten(),
        stored,
        working_token,
        authentication,
        endpoint,
        run_context: needs_context.then(|| answers.run_connection.context.clone()).flatten(),
        impersonated,
        user: proof.and_then(|proof| proof.user),
        installer,
        makes_namespace,
        live: LiveObjects::default(),
        has_health_check_expressions: true,
        warnings: [answers.warnings.clone(), warnings].concat(),
    })
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
