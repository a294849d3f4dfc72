//! What `add-cluster` reads of the GitOps repository for one delivery: its files, and which version is selected.

use secrecy::{ExposeSecret, SecretString};

use super::repositories::Repository;
use crate::carvel::selection::{Prereleases, SelectionError, VersionRequest, select};
use crate::carvel::version::Version;
use crate::check::Checks;
use crate::commands::add_cluster::request::Request;
use crate::error::{Error, Result};
use crate::gitops::artifact::in_lfs;
use crate::gitops::delivery::RunClusterDirectory;
use crate::gitops::layout::{PackageDirectory, has_variable};
use crate::identities::delivers_kind;

/// Which versions are chosen from where nothing else is said: all releases.
const ANY_VERSION: &str = ">=0.0.0";

const CONSTRAINTS_HINT: &str =
    "write them as kapp-controller documents them, such as --version-constraints '>=1.0.0 <2.0.0'";

/// Reads what is there for the run cluster, as Flux's artifact holds it, and returns it with the package.
pub(super) async fn read(
    request: &Request,
    repository: Repository<'_>,
) -> Result<(PackageDirectory, RunClusterDirectory)> {
    let Repository { checkout, artifact, package } = repository;
    let mut directory = RunClusterDirectory::read(checkout.root(), &package.path, &request.run_cluster)?;
    directory.others.retain(|other| artifact.left_out(&other.file).is_none());
    let files = directory.files_of_delivery(request.values.is_given());
    artifact.check(files.iter().map(String::as_str), &directory.path)?;
    if let Some(file) = checkout.in_large_file_storage(&files).await?.first() {
        return Err(in_lfs(file));
    }
    Ok((package.clone(), directory))
}

/// Which versions are chosen from, and which one is.
pub(super) struct Selected {
    /// The constraints.
    pub(super) constraints: String,
    /// The identifiers of accepted prereleases; `None` for no prereleases.
    pub(super) prereleases: Option<Vec<String>>,
    /// The version; `None` where only kapp-controller can tell.
    pub(super) version: Option<String>,
}

/// Takes the constraints of the flag, else those in the repository, else any; they must select a version, or be such that
/// only kapp-controller can tell.
pub(super) fn select_version(
    checks: &mut Checks,
    request: &Request,
    package: &PackageDirectory,
    directory: &RunClusterDirectory,
) -> Result<Selected> {
    let install = directory.install.as_ref();
    let constraints = request
        .version_constraints
        .clone()
        .or_else(|| install.and_then(|install| install.constraints.clone()))
        .unwrap_or_else(|| ANY_VERSION.to_owned());
    let in_git = install.filter(|install| install.prereleases).map(|install| install.identifiers.clone());
    let prereleases = request.install.prereleases.clone().or(in_git);
    let wanted = VersionRequest {
        constraints: constraints.clone(),
        prereleases: prereleases.clone().map(|identifiers| Prereleases { identifiers }),
    };
    let selected = |version: Option<Version>| Selected {
        constraints: constraints.clone(),
        prereleases: prereleases.clone(),
        version: version.map(|version| version.to_string()),
    };
    if has_variable(&constraints) || package.has_variable_version() {
        // Whether Flux replaces it, the Kustomizations say: see `check_variables`.
        return Ok(selected(None));
    }
    match select(&package.versions(), &wanted) {
        Ok(version) => Ok(selected(Some(version))),
        Err(SelectionError::Undecided { source, .. }) => {
            checks.warn("version constraints", Error::new(source.to_string()).hint(CONSTRAINTS_HINT));
            Ok(selected(None))
        }
        Err(error) => Err(none_selected(&package.name, error)),
    }
}

/// Says why no version is selected, and what is near.
fn none_selected(package: &str, error: SelectionError) -> Error {
    let failed = Error::usage(format!("no version of {package} can be selected")).because(&error);
    match error {
        SelectionError::NoneMatches { hint_build: Some(version), .. } => {
            failed.hint(format!("name the whole version: --version-constraints '{version}'"))
        }
        SelectionError::NoneMatches { after_prereleases, nearest, all, .. } => {
            let nearest: Vec<String> = nearest.iter().map(ToString::to_string).collect();
            let failed = if nearest.is_empty() {
                failed
            } else {
                failed.hint(format!("the nearest versions in the repository: {}", nearest.join(", ")))
            };
            if after_prereleases < all { failed.hint("accept prereleases, too: --prereleases") } else { failed }
        }
        SelectionError::InvalidConstraint { .. } | SelectionError::Undecided { .. } => failed.hint(CONSTRAINTS_HINT),
    }
}

/// Refuses objects of kinds that no delivery should hold, where Flux acts as somebody who gets a Role from the plugin: that
/// Role does not allow them, and Flux applies nothing of a directory in which one object is refused. What somebody else's
/// account may do is their business.
pub(super) fn check_kinds(
    checks: &mut Checks,
    package: &PackageDirectory,
    directory: &RunClusterDirectory,
    gets_role: bool,
) {
    for file in &package.kustomizations {
        checks.warn(
            "GitOps repository",
            Error::new(format!("what Flux builds with {file} cannot be told from here"))
                .because("versions and kinds are looked at as they stand in the files"),
        );
    }
    // What a kustomization file leaves out is not applied.
    let of_package = if package.is_built() { &[][..] } else { &package.others };
    let of_run_cluster = if directory.kustomization.is_some() { &[][..] } else { &directory.others };
    let others = of_package.iter().chain(of_run_cluster);
    // A document without a kind is some tool's configuration, which Flux leaves out, or one that it cannot build.
    let refused: Vec<String> = others
        .filter(|other| gets_role && !other.kind.is_empty() && !delivers_kind(&other.group, &other.kind))
        .map(ToString::to_string)
        .collect();
    if refused.is_empty() {
        return;
    }
    let error = Error::new(format!("the directories of {} hold objects that no delivery should", package.name));
    let error = refused.into_iter().fold(error, Error::because);
    checks.fail(
        "kinds of objects",
        error.hint(
            "let the package itself deploy them, or keep them elsewhere in the repository, with a Kustomization of their own; a delivery holds Packages, PackageMetadata, a PackageInstall and Secrets",
        ),
    );
}

/// Says where Flux replaces variables, so that it applies something else than the files hold; `substituting` are the
/// Kustomizations of the delivery that do.
pub(super) fn check_variables(
    checks: &mut Checks,
    package: &PackageDirectory,
    directory: &RunClusterDirectory,
    constraints: Option<&str>,
    new_values: Option<&SecretString>,
    substituting: &[String],
) {
    checks.check("Packages", package.check(!substituting.is_empty()));
    let constraints = constraints.filter(|constraints| has_variable(constraints));
    if substituting.is_empty() {
        if let Some(constraints) = constraints {
            checks.fail(
                "version",
                Error::usage(format!("no version of {} can be selected", package.name))
                    .because(format!(
                        "`{constraints}` holds a variable, and no Kustomization of the delivery has a postBuild"
                    ))
                    .hint(CONSTRAINTS_HINT),
            );
        }
        return;
    }
    let mut places = package.with_variables.clone();
    places.extend(
        directory.files.iter().filter(|file| has_variable(file.content.expose_secret())).map(|file| file.path.clone()),
    );
    if new_values.is_some_and(|values| has_variable(values.expose_secret())) {
        places.push("the new values".to_owned());
    }
    if constraints.is_some() {
        places.push("the version constraints".to_owned());
    }
    if !places.is_empty() {
        checks.warn(
            "variables",
            Error::new(format!("what Flux makes of the variables in {} cannot be told from here", places.join(", ")))
                .because(format!("postBuild of Kustomization {} replaces them", substituting.join(", "))),
        );
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Says what fails and what is warned of.
    fn judged(files: &[(&str, &str)], gets_role: bool) -> (Vec<String>, Vec<String>) {
        let root = tempfile::tempdir().expect("a directory");
        let package = "apiVersion: data.packaging.carvel.dev/v1alpha1\nkind: Package\nmetadata: {name: a.b.c.1.0.0}\nspec: {refName: a.b.c, version: 1.0.0}\n";
        for (path, text) in files.iter().chain(&[("a/packages/1.yaml", package)]) {
            let path = root.path().join(path);
            std::fs::create_dir_all(path.parent().expect("a parent")).expect("a directory");
            std::fs::write(path, text).expect("a file");
        }
        let package = PackageDirectory::read_all(root.path(), "a").expect("a package");
        let directory = RunClusterDirectory::read(root.path(), "a", "prod1").expect("a directory");
        let mut checks = Checks::default();
        check_kinds(&mut checks, &package, &directory, gets_role);
        let warnings = checks.warnings();
        (checks.into_failures().iter().map(ToString::to_string).collect(), warnings)
    }

    #[test]
    fn kinds_that_the_deployer_lacks_are_refused_by_name() {
        let files = [
            ("a/packages/settings.yaml", "apiVersion: v1\nkind: ConfigMap\n"),
            ("a/packages/metadata.yaml", "apiVersion: data.packaging.carvel.dev/v1alpha1\nkind: PackageMetadata\n"),
            ("a/packages/.sops.yaml", "creation_rules: []\n"),
            ("a/prod1/account.yaml", "apiVersion: v1\nkind: ServiceAccount\n"),
            ("a/prod1/pull.yaml", "apiVersion: v1\nkind: Secret\nmetadata: {name: pull}\n"),
        ];
        let (failures, _) = judged(&files, true);
        assert_eq!(
            failures,
            [
                "the directories of a hold objects that no delivery should: a/packages/settings.yaml holds a ConfigMap: a/prod1/account.yaml holds a ServiceAccount"
            ]
        );
        // What an account of the user's own may do is the user's business.
        assert_eq!(judged(&files, false), (vec![], vec![]));
    }

    #[test]
    fn what_a_kustomization_file_leaves_out_is_not_refused() {
        let files = [
            ("a/packages/settings.yaml", "apiVersion: v1\nkind: ConfigMap\n"),
            ("a/packages/kustomization.yaml", "resources: [1.yaml]\n"),
        ];
        let (failures, warnings) = judged(&files, true);
        assert!(failures.is_empty(), "{failures:?}");
        assert!(warnings[0].starts_with("what Flux builds with a/packages/kustomization.yaml cannot be told"));
    }
}
