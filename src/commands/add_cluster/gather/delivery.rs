//! What is found out about one delivery beyond what it shares with others: files, version, values, installer, and what it would
//! replace.

use std::cell::OnceCell;

use futures::join;
use jiff::Timestamp;
use secrecy::SecretString;

use super::access::{self, Proof};
use super::build_cluster::BuildCluster;
use super::encryption::{self, Keys};
use super::repositories::Repository;
use super::repository::{self, Selected};
use super::run_cluster::RunCluster;
use super::{installer, retarget, values};
use crate::check::{Checks, Skipped, known};
use crate::commands::add_cluster::clusters::Clusters;
use crate::commands::add_cluster::facts::{Authentication, Encryption, ExistingCredential, Impersonated, Installer};
use crate::commands::add_cluster::request::Request;
use crate::gitops::delivery::RunClusterDirectory;
use crate::gitops::layout::PackageDirectory;
use crate::gitops::sops::Identities;

/// What was found out about a delivery.
pub(super) struct Found {
    /// The repository and its branch, as messages name them.
    pub(super) repository: Result<String, Skipped>,
    pub(super) package: Result<(PackageDirectory, RunClusterDirectory), Skipped>,
    pub(super) content: Result<Content, Skipped>,
    pub(super) access: Result<(Proof, Option<Impersonated>), Skipped>,
    /// Whether its Kustomizations may be applied.
    pub(super) kustomizations: Result<(), Skipped>,
}

/// What is going to be installed.
pub(super) struct Content {
    pub(super) selected: Selected,
    pub(super) values: Option<SecretString>,
    pub(super) installer: Installer,
    pub(super) encryption: Option<Encryption>,
}

/// What the checks of a delivery begin with.
#[derive(Clone, Copy)]
pub(super) struct Context<'a> {
    pub(super) clusters: &'a Clusters,
    pub(super) request: &'a Request,
    pub(super) build: &'a BuildCluster,
    pub(super) run: &'a RunCluster,
    /// The key that the command makes, where one is asked for.
    pub(super) new_key: &'a OnceCell<Identities>,
}

/// Reads and checks a delivery. What needs nothing of another is read at the same time.
pub(super) async fn check(
    checks: &mut Checks,
    begun: Context<'_>,
    repository: Result<Repository<'_>, Skipped>,
) -> Found {
    let Context { clusters, request, build, run, .. } = begun;
    let mut git = match repository {
        Ok(repository) => {
            let read = repository::read(request, repository).await;
            checks.take("GitOps repository", read)
        }
        Err(skipped) => Err(skipped),
    };
    let keys = match (&mut git, build.versions, repository) {
        (Ok((_, directory)), Ok(versions), Ok(repository)) => {
            let root = repository.checkout.root();
            let keys = encryption::keys(request, &clusters.build, versions, root, directory).await;
            checks.take_silently("encryption", keys)
        }
        (Err(skipped), _, _) => Err(*skipped),
        (_, Err(skipped), _) | (_, _, Err(skipped)) => Err(skipped),
    };
    let (access, kustomizations, content, registry) = join!(
        Checks::apart(async |checks| {
            let (versions, existing) = (build.versions?, known(&run.existing)?);
            let (authentication, run_uid) = (known(&run.authentication)?, known(&run.uid)?);
            access::check(clusters, request, checks, versions, authentication, existing.as_ref(), run_uid).await
        }),
        Checks::apart(async |checks| check_kustomizations(checks, begun).await),
        Checks::apart(async |checks| {
            let (package, directory) = known(&git)?;
            check_content(checks, begun, package, directory, known(&keys)).await
        }),
        Checks::apart(async |checks| installer::check_registry_secret(&clusters.run, request, checks).await),
    );
    let access = checks.take_in(access);
    let kustomizations = checks.take_in(kustomizations);
    let content = checks.take_in(content);
    checks.take_in(registry);
    if let (Ok((package, directory)), Ok(authentication)) = (&git, &run.authentication) {
        let existing = run.existing();
        let is_impersonated = access.as_ref().is_ok_and(|(_, impersonated)| impersonated.is_some());
        let gets_role = is_impersonated || authentication.gets_role(request, existing);
        repository::check_kinds(checks, package, directory, gets_role);
    }
    if let (Ok((package, directory)), Ok(substituting)) = (&git, &kustomizations) {
        let content = content.as_ref().ok();
        let constraints = content.map(|content| content.selected.constraints.as_str());
        let values = content.and_then(|content| content.values.as_ref());
        repository::check_variables(checks, package, directory, constraints, values, substituting);
    }
    let repository = repository.map(|repository| repository.checkout.display());
    Found { repository, package: git, content, access, kustomizations: kustomizations.map(drop) }
}

/// Checks what Flux has for the delivery already. Returns the names of the Kustomizations that replace variables.
async fn check_kustomizations(checks: &mut Checks, context: Context<'_>) -> Result<Vec<String>, Skipped> {
    let Context { clusters, request, build, run, .. } = context;
    let (authentication, existing) = (known(&run.authentication)?, known(&run.existing)?);
    let kind = authentication.credential_kind(existing.as_ref());
    let is_replaced = matches!(authentication, Authentication::Token { .. })
        && existing.as_ref().is_some_and(ExistingCredential::is_unmanaged);
    if is_replaced {
        let others = retarget::no_other_namespaces(&clusters.build, request, kind, build.versions?).await;
        checks.check("other deliveries with the kubeconfig", others);
    }
    let same = retarget::same_kustomizations(&clusters.build, request, build.versions?, kind).await;
    checks.take("Kustomizations", same)
}

/// Checks what the delivery would replace, and decides which versions are installed, and as whom.
async fn check_content(
    checks: &mut Checks,
    context: Context<'_>,
    package: &PackageDirectory,
    directory: &RunClusterDirectory,
    keys: Result<&Option<Keys>, Skipped>,
) -> Result<Content, Skipped> {
    let (request, run) = (context.request, &context.clusters.run);
    checks.check("PackageInstall", retarget::same_install(run, request, package, directory).await);
    let selected = repository::select_version(checks, request, package, directory);
    let selected = checks.take("version", selected);
    let values = values::to_store(&request.values, package, directory);
    let values = checks.take_silently("values", values);
    if let (Ok(selected), Ok(values)) = (&selected, &values) {
        values::check(checks, &request.values, package, directory, selected, values.as_ref());
    }
    let values = values.map(|values| values.map(|values| values.text));
    let new_text = values.as_ref().ok().and_then(Option::as_ref);
    let encryption = match keys {
        Ok(Some(keys)) => {
            let situation = encryption::Situation { keys, new_key: context.new_key, now: Timestamp::now() };
            let encryption = encryption::encryption(checks, request, package, directory, situation, new_text).await;
            checks.take_silently("encryption", encryption).map(Some)
        }
        Ok(None) => Ok(None),
        Err(skipped) => Err(skipped),
    };
    let creates_namespace = context.run.creates(&request.target_namespace).unwrap_or_default();
    let installer = installer::installer(run, request, directory, new_text, creates_namespace).await;
    let installer = checks.take("installer", installer);
    Ok(Content { selected: selected?, values: values?, installer: installer?, encryption: encryption? })
}
