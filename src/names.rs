//! The names of everything the plugin makes, and the limits they must keep.
//!
//! Pure. The names on the build cluster are the guide's; those on a run cluster derive from the full package name.

use std::hash::{BuildHasher, Hasher, RandomState};

use crate::error::{Error, Result};

/// The longest name of a Kustomization that Flux can apply: it becomes the value of the label
/// `kustomize.toolkit.fluxcd.io/name` on every object (fluxcd/flux2#2004), and label values end at 63 characters.
const LONGEST_KUSTOMIZATION: usize = 63;

/// How the names of the objects end that hold credentials for run clusters.
pub const KUBECONFIG_SUFFIX: &str = "-kubeconfig";

const GIT_REPOSITORY_SUFFIX: &str = "-gitops-repo";
const PACKAGES_SUFFIX: &str = "-packages";
const PACKAGE_INSTALLS_SUFFIX: &str = "-packageinstalls";

/// Returns a path in the repository without the `./` and `/` around it that shells and habits add.
#[must_use]
pub fn normalised_path(path: &str) -> &str {
    path.trim_start_matches("./").trim_matches('/')
}

/// Returns the name of a package: the last part of its path in the repository.
#[must_use]
pub fn of_package(path: &str) -> &str {
    path.trim_end_matches('/').rsplit('/').next().unwrap_or(path)
}

/// Returns the name of the GitRepository of a package.
#[must_use]
pub fn git_repository(package: &str) -> String {
    format!("{package}{GIT_REPOSITORY_SUFFIX}")
}

/// Returns the package whose GitRepository has a name; `None` where the name is another's.
#[must_use]
pub fn package_of_git_repository(name: &str) -> Option<&str> {
    name.strip_suffix(GIT_REPOSITORY_SUFFIX).filter(|package| !package.is_empty())
}

/// Returns the name of the Secret with the Git credentials of a package.
#[must_use]
pub fn git_credentials(package: &str) -> String {
    format!("{package}-gitops-auth")
}

/// Returns the name of the Secret with the kubeconfig of a run cluster.
#[must_use]
pub fn kubeconfig(run_cluster: &str) -> String {
    format!("{run_cluster}{KUBECONFIG_SUFFIX}")
}

/// Returns the name of the ConfigMap that records what is being removed from a run cluster.
#[must_use]
pub fn removal(run_cluster: &str) -> String {
    format!("{run_cluster}-removal")
}

/// Returns the name of the Kustomization that applies a package's Packages.
#[must_use]
pub fn packages_kustomization(package: &str, run_cluster: &str) -> String {
    format!("{package}-{run_cluster}{PACKAGES_SUFFIX}")
}

/// Returns the name of the Kustomization that applies a delivery's PackageInstall.
#[must_use]
pub fn package_installs_kustomization(package: &str, run_cluster: &str) -> String {
    format!("{package}-{run_cluster}{PACKAGE_INSTALLS_SUFFIX}")
}

/// Returns the name of the deployer's ServiceAccount, Role and RoleBinding on a run cluster.
#[must_use]
pub fn deployer(build_namespace: &str, run_cluster: &str) -> String {
    format!("{build_namespace}-{run_cluster}-deployer")
}

/// Returns the name of the deployer's token Secret on a run cluster.
#[must_use]
pub fn deployer_token(build_namespace: &str, run_cluster: &str) -> String {
    format!("{}-token", deployer(build_namespace, run_cluster))
}

/// Returns the name of the service account in the build namespace whose tokens Flux uses for a run cluster.
#[must_use]
pub fn identity(run_cluster: &str) -> String {
    format!("{run_cluster}-identity")
}

/// Returns the name of the Role and RoleBinding in a target namespace of the account that Flux impersonates.
#[must_use]
pub fn impersonated(build_namespace: &str, run_cluster: &str, account: &str) -> String {
    format!("{build_namespace}-{run_cluster}-as-{account}")
}

/// Returns the name of the Role and RoleBinding that allow Flux's own user to impersonate an account.
#[must_use]
pub fn impersonator(build_namespace: &str, run_cluster: &str, account: &str) -> String {
    format!("{build_namespace}-{run_cluster}-impersonates-{account}")
}

/// Returns another name for the deployer's token Secret: each rotation has one of its own, so that old and new live side
/// by side.
#[must_use]
pub fn next_deployer_token(build_namespace: &str, run_cluster: &str) -> String {
    const ALPHABET: &[u8] = b"bcdfghjklmnpqrstvwxz2456789";
    let mut random = RandomState::new().build_hasher().finish();
    let suffix = std::iter::repeat_with(|| {
        let length = ALPHABET.len() as u64;
        let letter = usize::try_from(random % length).map_or('x', |index| char::from(ALPHABET[index]));
        random /= length;
        letter
    });
    format!("{}-{}", deployer_token(build_namespace, run_cluster), suffix.take(5).collect::<String>())
}

/// Returns the name of the installer's ServiceAccount, Role and RoleBinding on a run cluster.
#[must_use]
pub fn installer(package: &str) -> String {
    format!("{package}-installer")
}

/// Checks a package's name: a directory of the repository and the beginning of object names.
pub fn check_package(package: &str) -> Result<()> {
    if is_subdomain(package) {
        return Ok(());
    }
    Err(Error::usage(format!("the package name `{package}` cannot be part of a Kubernetes object's name"))
        .because("it must be a lowercase DNS subdomain: letters, digits, `-` and `.`, such as `hello-app.default.tap`")
        .hint("name the package's directory in the GitOps repository"))
}

/// Checks a run cluster's name, and with it the names of its Kustomizations for `package`.
pub fn check_run_cluster(run_cluster: &str, package: &str) -> Result<()> {
    if run_cluster == "packages" {
        return Err(Error::usage("a run cluster cannot be named `packages`")
            .because(format!(
                "`{package}/packages/` holds the package's versions, `{package}/<run cluster>/` its installs"
            ))
            .hint("choose another name for the run cluster, such as `prod1`"));
    }
    if !is_label(run_cluster) {
        return Err(Error::usage(format!(
            "the run cluster name `{run_cluster}` cannot be part of a Kubernetes object's name"
        ))
        .because("it must be a lowercase DNS label: letters, digits and `-`, such as `prod1`")
        .hint("choose another name for the run cluster"));
    }
    let longest = package_installs_kustomization(package, run_cluster);
    if longest.len() > LONGEST_KUSTOMIZATION {
        let excess = longest.len() - LONGEST_KUSTOMIZATION;
        let noun = if excess == 1 { "character" } else { "characters" };
        return Err(Error::usage(format!(
            "the Kustomization `{longest}` would have {} characters; Flux can apply at most {LONGEST_KUSTOMIZATION}",
            longest.len()
        ))
        .because("Flux writes the name as a label value on every object it applies (fluxcd/flux2#2004)")
        .hint(format!(
            "choose a name for the run cluster that is at least {excess} {noun} shorter than `{run_cluster}`"
        )));
    }
    Ok(())
}

/// Checks the name of a namespace.
pub fn check_namespace(name: &str) -> Result<()> {
    if is_label(name) {
        return Ok(());
    }
    Err(Error::usage(format!("`{name}` cannot be the name of a namespace"))
        .because("it must be a lowercase DNS label: letters, digits and `-`, at most 63 characters"))
}

/// Checks the name of a service account.
pub fn check_service_account(name: &str) -> Result<()> {
    if is_subdomain(name) {
        return Ok(());
    }
    Err(Error::usage(format!("`{name}` cannot be the name of a service account"))
        .because("it must be a lowercase DNS subdomain: letters, digits, `-` and `.`")
        .hint("give only the name of the service account, without its namespace"))
}

/// Tells whether `name` is a DNS-1123 label, which namespaces and run clusters must be.
#[must_use]
pub fn is_label(name: &str) -> bool {
    name.len() <= 63 && is_part(name)
}

/// Tells whether `name` is a DNS-1123 subdomain, which most object names must be.
#[must_use]
pub fn is_subdomain(name: &str) -> bool {
    // Kubernetes limits the whole, and not its parts.
    name.len() <= 253 && name.split('.').all(is_part)
}

fn is_part(name: &str) -> bool {
    let edge = |character: char| character.is_ascii_lowercase() || character.is_ascii_digit();
    name.starts_with(edge) && name.ends_with(edge) && name.chars().all(|character| edge(character) || character == '-')
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ui::errors::assert_printed;

    const PACKAGE: &str = "hello-app.default.tap";

    #[test]
    fn a_kustomization_of_63_characters_passes_and_of_64_does_not() {
        let run_cluster = "r".repeat(46 - PACKAGE.len());
        assert_eq!(package_installs_kustomization(PACKAGE, &run_cluster).len(), 63);
        assert!(check_run_cluster(&run_cluster, PACKAGE).is_ok());
        let error = check_run_cluster(&format!("{run_cluster}r"), PACKAGE).map_err(|error| error.to_string());
        assert!(error.is_err_and(|text| text.contains("would have 64 characters")));
    }

    #[test]
    fn the_directory_of_the_packages_is_no_run_cluster() {
        assert!(check_run_cluster("packages", PACKAGE).is_err());
        assert!(check_run_cluster("prod1", PACKAGE).is_ok());
    }

    #[test]
    fn names_follow_dns_1123() {
        for good in ["a", "prod-1", "0"] {
            assert!(is_label(good), "{good}");
        }
        for bad in ["", "-a", "a-", "A", "a.b", "a_b", &"a".repeat(64)] {
            assert!(!is_label(bad), "{bad}");
        }
        assert!(is_subdomain(PACKAGE));
        assert!(!is_subdomain("hello..app"));
    }

    #[test]
    fn names_that_cannot_be_used_are_refused_with_the_rule() {
        let too_long = check_run_cluster(&"r".repeat(47 - PACKAGE.len()), PACKAGE);
        assert_printed("name_too_long", &too_long.expect_err("64 characters"));
        assert_printed("reserved_name", &check_run_cluster("packages", PACKAGE).expect_err("a directory's name"));
        assert_printed("invalid_name", &check_run_cluster("Prod_1", PACKAGE).expect_err("no DNS label"));
    }
}
