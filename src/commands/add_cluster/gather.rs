//! What `add-cluster` finds out before it plans: [`Facts`], and the checkout that the plan commits to. Reads only.
//!
//! All that is wrong is reported together, as findings of named checks. Each subject has a file of its own: [`credential`],
//! [`access`], [`installer`], [`repository`]; [`retarget`] and [`permissions`] refuse.

mod access;
mod credential;
mod encryption;
mod installer;
mod merge;
mod permissions;
mod repository;
mod retarget;
mod values;

use futures::future::try_join_all;
use futures::join;
use jiff::Timestamp;
use secrecy::SecretString;
use serde_json::Value;

use self::encryption::Keys;
pub(super) use self::merge::wait_for_merge;
use self::repository::Selected;
use super::clusters::Clusters;
use super::facts::{Authentication, Encryption, ExistingCredential, Facts, Installer};
use super::manifests::{kustomizations, references};
use super::request::{InstallerRequest, Request};
use crate::check::{self, Checks, Skipped, known};
use crate::cluster::Cluster;
use crate::error::{Error, Result};
use crate::flux::{FluxVersions, Kustomization, kustomization_resource};
use crate::gitops::checkout::Checkout;
use crate::gitops::delivery::RunClusterDirectory;
use crate::gitops::layout::PackageDirectory;
use crate::kubeconfig::Endpoint;
use crate::names;
use crate::object::ObjectReference;
use crate::plan::{LiveObjects, Place};
use crate::ui::Ui;

/// Gathers and checks everything; all findings are reported together, before anything is written.
///
/// What needs nothing of another is read at the same time.
pub(super) async fn gather(ui: Ui, request: &Request, clusters: &Clusters) -> Result<(Facts, Checkout)> {
    let (mut facts, checkout) = Box::pin(check_all(ui, request, clusters)).await?;
    read_live_objects(request, clusters, &mut facts).await?;
    Ok((facts, checkout))
}

/// Reads and checks everything but the objects that the plan is about: which these are is known only then.
async fn check_all(ui: Ui, request: &Request, clusters: &Clusters) -> Result<(Facts, Checkout)> {
    let mut checks = Checks::default();
    let versions = checks.take("Flux", check::flux(&clusters.build, &clusters.build_served));
    let (namespace, target, kapp_controller, build_uid, run_uid, existing, git) = join!(
        check::namespace(&clusters.build, &request.namespace),
        creates_namespace(request, &clusters.run),
        check::kapp_controller(&clusters.run, &clusters.run_served, &request.target_namespace),
        clusters.build.uid(),
        clusters.run.uid(),
        credential::existing(&clusters.build, request),
        // Boxed: it is by far the largest of these futures.
        Box::pin(read_repository(ui, request, clusters, versions)),
    );
    checks.check(format!("namespace {}", request.namespace), namespace);
    let creates_namespace = checks.take(format!("target namespace {}", request.target_namespace), target);
    checks.check("kapp-controller", kapp_controller);
    let build_uid = checks.take("identity of the build cluster", build_uid);
    let run_uid = checks.take("identity of the run cluster", run_uid);
    let existing = checks.take("credential", existing);
    let mut git = match git {
        Ok(Ok((checkout, package, directory, doubts))) => {
            for doubt in doubts {
                checks.warn("GitOps repository", doubt);
            }
            checks.take("GitOps repository", Ok((checkout, package, directory)))
        }
        Ok(Err(error)) => checks.take("GitOps repository", Err(error)),
        Err(skipped) => Err(skipped),
    };
    let keys = match (&mut git, versions) {
        (Ok((checkout, _, directory)), Ok(versions)) => {
            let keys = encryption::keys(request, &clusters.build, versions, checkout.root(), directory).await;
            checks.take_silently("encryption", keys)
        }
        (Err(skipped), _) => Err(*skipped),
        (_, Err(skipped)) => Err(skipped),
    };

    let stored = known(&existing).ok().and_then(|existing| existing.as_ref()?.stored());
    let authentication = match known(&existing) {
        Ok(existing) => {
            let decided =
                credential::authentication(request, &clusters.user_endpoint, existing.as_ref(), stored.as_ref());
            checks.take("authentication", decided)
        }
        Err(skipped) => Err(skipped),
    };
    let is_new_namespace = creates_namespace.unwrap_or_default();
    let (credential, access, kustomizations, delivery, registry) = join!(
        Checks::apart(async |checks| {
            Box::pin(check_credential(
                request,
                clusters,
                checks,
                &existing,
                &authentication,
                &run_uid,
                is_new_namespace,
            ))
            .await
        }),
        Checks::apart(async |checks| {
            let (versions, existing) = (versions?, known(&existing)?);
            let (authentication, run_uid) = (known(&authentication)?, known(&run_uid)?);
            access::check(clusters, request, checks, versions, authentication, existing.as_ref(), run_uid).await
        }),
        Checks::apart(async |checks| {
            let (authentication, existing) = (known(&authentication)?, known(&existing)?);
            let kind = authentication.credential_kind(existing.as_ref());
            let is_replaced = matches!(authentication, Authentication::Token { .. })
                && existing.as_ref().is_some_and(ExistingCredential::is_unmanaged);
            if is_replaced {
                let others = retarget::no_other_namespaces(&clusters.build, request, kind, versions?).await;
                checks.check("other deliveries with the kubeconfig", others);
            }
            let same = retarget::same_kustomizations(&clusters.build, request, versions?, kind).await;
            checks.take("Kustomizations", same)
        }),
        Checks::apart(async |checks| {
            let (_, package, directory) = known(&git)?;
            check_delivery(request, &clusters.run, checks, package, directory, known(&keys), is_new_namespace).await
        }),
        Checks::apart(async |checks| installer::check_registry_secret(&clusters.run, request, checks).await),
    );
    let credential = checks.take_in(credential);
    let access = checks.take_in(access);
    let kustomizations = checks.take_in(kustomizations);
    let delivery = checks.take_in(delivery);
    checks.take_in(registry);
    if let (Ok(versions), Ok(authentication)) = (versions, known(&authentication)) {
        let writes = permissions::PlannedWrites {
            authentication,
            existing: existing.as_ref().ok().and_then(Option::as_ref),
            impersonated: access.as_ref().ok().and_then(|(_, impersonated)| impersonated.as_ref()),
            installer: delivery.as_ref().ok().map(|(_, _, installer, _)| installer),
            creates_namespace: is_new_namespace,
            has_metadata: git.as_ref().is_ok_and(|(_, package, _)| package.has_metadata),
        };
        if let Ok((_, package, directory)) = known(&git) {
            let existing = writes.existing;
            let gets_role = writes.impersonated.is_some() || authentication.gets_role(request, existing);
            repository::check_kinds(&mut checks, package, directory, gets_role);
        }
        let run_uid = run_uid.as_deref().ok();
        // The permissions are judged beside all other findings: one that is missing explains some of them.
        let ((), advised) = join!(
            permissions::check(&mut checks, clusters, request, versions, writes),
            Checks::apart(async |checks| {
                advise(checks, clusters, request, versions, run_uid, is_new_namespace).await;
            }),
        );
        checks.take_in(advised);
    }
    if let (Ok((_, package, directory)), Ok(substituting)) = (known(&git), known(&kustomizations)) {
        let delivery = delivery.as_ref().ok();
        let constraints = delivery.map(|(selected, ..)| selected.constraints.as_str());
        let values = delivery.and_then(|(_, values, ..)| values.as_ref());
        repository::check_variables(&mut checks, package, directory, constraints, values, substituting);
    }
    let about_file = request.installer.as_ref().map(InstallerRequest::warnings).unwrap_or_default();
    let warnings = [about_file, checks.warnings().as_slice()].concat();
    let found = || {
        let ((checkout, package, directory), (selected, values, installer, encryption)) = (git?, delivery?);
        let ((endpoint, working_token), (proof, impersonated)) = (credential?, access?);
        kustomizations?;
        let facts = Facts {
            now: Timestamp::now(),
            versions: versions?,
            build_uid: build_uid?,
            run_uid: run_uid?,
            run_display: clusters.run.display(),
            repository: checkout.display(),
            package,
            directory,
            version_constraints: selected.constraints,
            prereleases: selected.prereleases,
            version: selected.version,
            values,
            encryption,
            existing_credential: existing?,
            stored,
            working_token,
            authentication: authentication?,
            endpoint,
            user_endpoint: clusters.user_endpoint.clone(),
            may_read: proof.may_read,
            impersonated,
            user: proof.user,
            installer,
            creates_namespace: creates_namespace?,
            live: LiveObjects::default(),
            has_health_check_expressions: true,
            warnings,
        };
        Ok((facts, checkout))
    };
    checks.finish(found())
}

/// What was read of the GitOps repository.
type Repository = (Checkout, PackageDirectory, RunClusterDirectory, Vec<Error>);

/// Reads the GitRepository on the build cluster, then the repository that it names.
async fn read_repository(
    ui: Ui,
    request: &Request,
    clusters: &Clusters,
    versions: Result<FluxVersions, Skipped>,
) -> Result<Result<Repository>, Skipped> {
    let source = repository::source(&clusters.build, versions?, request).await;
    Ok(match source {
        Ok(source) => repository::git(ui, request, clusters, &source).await,
        Err(error) => Err(error),
    })
}

/// Finds out how Flux reaches the run cluster, and whether a token works there: the stored one, if there is one.
async fn check_credential(
    request: &Request,
    clusters: &Clusters,
    checks: &mut Checks,
    existing: &Result<Option<ExistingCredential>, Skipped>,
    authentication: &Result<Authentication, Skipped>,
    run_uid: &Result<String, Skipped>,
    is_new_namespace: bool,
) -> Result<(Endpoint, Option<SecretString>), Skipped> {
    let (existing, authentication) = (known(existing)?, known(authentication)?);
    let known_endpoint = existing.as_ref().and_then(ExistingCredential::endpoint);
    let endpoint = credential::endpoint(request, &clusters.user_endpoint, known_endpoint.as_ref());
    let run_uid = known(run_uid)?;
    let (is_usable, working_token) = join!(
        credential::check_endpoint(clusters, request, authentication, known_endpoint.as_ref(), &endpoint, run_uid),
        async {
            let Authentication::Token { .. } = authentication else { return Ok((None, None)) };
            // A namespace that has yet to be created has no account.
            let namespace = if is_new_namespace { clusters.run.default_namespace() } else { &request.target_namespace };
            // The token of another account is not the deployer's.
            let own = existing.as_ref().filter(|existing| !existing.is_unmanaged());
            let stored = own.and_then(ExistingCredential::stored);
            credential::working_token(&clusters.run, &endpoint, stored.as_ref(), namespace).await
        },
    );
    let is_usable = checks.take("address of the run cluster", is_usable);
    let working_token = match (is_usable, working_token) {
        // An address of another cluster knows no token of this one.
        (Err(skipped), Err(_)) => Err(skipped),
        (_, working_token) => checks.take("credential of the run cluster", working_token).map(|(token, warning)| {
            if let Some(warning) = warning {
                checks.warn("credential of the run cluster", warning);
            }
            token
        }),
    };
    if let Some(existing) = existing {
        checks.check("run cluster's name", retarget::same_cluster(clusters, request, existing, run_uid).await);
    }
    Ok((endpoint, working_token?))
}

/// Checks what the delivery would replace, and decides which versions are installed, and as whom.
async fn check_delivery(
    request: &Request,
    run: &Cluster,
    checks: &mut Checks,
    package: &PackageDirectory,
    directory: &RunClusterDirectory,
    keys: Result<&Option<Keys>, Skipped>,
    creates_namespace: bool,
) -> Result<(Selected, Option<SecretString>, Installer, Option<Encryption>), Skipped> {
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
            let now = Timestamp::now();
            let encryption = encryption::encryption(checks, request, package, directory, keys, new_text, now);
            checks.take_silently("encryption", encryption).map(Some)
        }
        Ok(None) => Ok(None),
        Err(skipped) => Err(skipped),
    };
    let installer = installer::installer(run, request, directory, new_text, creates_namespace).await;
    let installer = checks.take("installer", installer);
    Ok((selected?, values?, installer?, encryption?))
}

/// Checks the target namespace, and tells whether it has to be created.
async fn creates_namespace(request: &Request, run: &Cluster) -> Result<bool> {
    match check::namespace(run, &request.target_namespace).await {
        Ok(()) => Ok(false),
        Err(error) if error.status() != Some(404) => Err(error),
        Err(_) if request.create_namespace => Ok(true),
        Err(error) => Err(error.hint("or let this command create it: --create-namespace")),
    }
}

/// Warns about Flux's capacity, other names of the run cluster, and over-privileged accounts in the target namespace.
async fn advise(
    checks: &mut Checks,
    clusters: &Clusters,
    request: &Request,
    versions: FluxVersions,
    run_uid: Option<&str>,
    creates_namespace: bool,
) {
    let resource = kustomization_resource(versions.kustomization);
    let everywhere = clusters.build.list_in::<Kustomization>(&resource, None).await;
    let kustomizations = match everywhere {
        Ok(kustomizations) => kustomizations,
        // Whoever may not read them everywhere sees those of this namespace.
        Err(_) => clusters.build.list(&resource, &request.namespace).await.unwrap_or_default(),
    };
    match check::capacity(&clusters.build, &kustomizations).await {
        Ok(words) => checks.pass("Flux's capacity", words),
        Err(warning) => checks.warn("Flux's capacity", warning),
    }
    if let Some(uid) = run_uid {
        let own = names::kubeconfig(&request.run_cluster);
        // What may not be read cannot be compared.
        let others = check::other_names(&clusters.build, &request.namespace, uid, &own).await.unwrap_or_default();
        if !others.is_empty() {
            checks.warn("names of the run cluster", check::of_one_cluster(&request.run_cluster, &others));
        }
    }
    if !creates_namespace {
        let namespace = &request.target_namespace;
        for warning in check::over_privileged(&clusters.run, namespace).await.warnings(namespace) {
            checks.warn("accounts of the target namespace", warning);
        }
    }
}

/// Completes the facts with the objects that the plan is about, and with what the build cluster's Flux knows.
async fn read_live_objects(request: &Request, clusters: &Clusters, facts: &mut Facts) -> Result<()> {
    // Nothing exists in a namespace that has yet to be created.
    let may_exist = |(place, reference): &(Place, ObjectReference)| {
        let is_new = facts.creates_namespace && reference.namespace.as_ref() == Some(&request.target_namespace);
        *place == Place::Build || !is_new
    };
    let reads = references(request, facts).into_iter().filter(may_exist).map(|(place, reference)| async move {
        let cluster = if place == Place::Build { &clusters.build } else { &clusters.run };
        let object = cluster.get(&reference).await?;
        Ok::<_, Error>(object.map(|object| (place, reference, object)))
    });
    // Both Kustomizations have the same fields.
    let [manifest, _] = kustomizations(request, facts);
    let (live, has_health_check_expressions) =
        futures::future::try_join(try_join_all(reads), has_health_check_expressions(&clusters.build, &manifest))
            .await?;
    facts.live = LiveObjects::new(live.into_iter().flatten());
    facts.has_health_check_expressions = has_health_check_expressions;
    Ok(())
}

/// Asks the build cluster, in a dry run, whether its Flux knows `healthCheckExprs`: it does since 2.5.
///
/// A workload identity cannot be left out: Flux knows it since 2.7.
async fn has_health_check_expressions(build: &Cluster, manifest: &Value) -> Result<bool> {
    match build.apply(manifest, true).await {
        Err(error) if error.to_string().contains("configMapRef") => {
            Err(Error::new(format!("Flux on {} knows no workload identities", build.display()))
                .because(&error)
                .hint("upgrade Flux to 2.7 or newer, or choose another method to authenticate"))
        }
        Err(error) if error.to_string().contains("healthCheckExprs") => Ok(false),
        // What else is refused is told with everything else that is.
        Ok(_) | Err(_) => Ok(true),
    }
}
