//! The table: situation, what `wait` says, and what Flux's Ready says of Packages and PackageInstall at the same moment.

use testbed::Testbed;

use super::Ready::{Green, NotGreen, NotRed, Red};
use super::Says::{Failed, Pending, Ready};
use super::{Scene, Situation, access, changes, deploy, disruptive, flux, lifecycle, packages, source};
use crate::support::{NEXT_VERSION, VERSION};

const fn row(
    name: &'static str,
    produce: for<'a> fn(&'a Testbed, &str) -> Scene<'a>,
    verdict: super::Says,
    ready: [super::Ready; 2],
) -> Situation {
    Situation { name, produce, verdict, ready }
}

/// What leaves the components alone.
#[rustfmt::skip]
pub(crate) const SITUATIONS: &[Situation] = &[
    // Git
    row("bad_git_credentials", source::bad_credentials, Failed("source-not-fetched", "--git-password-file"), [Green, Green]),
    row("missing_git_credentials", source::missing_credentials, Failed("source-not-fetched", "--git-password-file"), [Green, Green]),
    row("missing_branch", source::missing_branch, Failed("source-not-fetched", "branch trunk of"), [Green, Green]),
    row("suspended_git_repository", source::suspended, Failed("suspended", "flux resume source git"), [Green, Green]),
    row("missing_directory", flux::missing_directory, Failed("no-directory", "add the directory hello-app.default.tap/prod1"), [Green, Red]),
    row("invalid_yaml_fresh", flux::invalid_yaml_fresh, Failed("build-failed", "correct the files"), [Green, Red]),
    row("invalid_yaml_after_an_install", flux::invalid_yaml, Failed("build-failed", "correct the files"), [Green, Red]),
    row("kustomize_build_error", flux::build_error, Failed("build-failed", "no-such-file.yaml"), [Green, Red]),
    row("failed_dependency", flux::failed_dependency, Failed("dependency-failed", "add the directory no-such-directory"), [Red, Green]),
    row("failed_dependency_elsewhere", flux::failed_dependency_elsewhere, Failed("dependency-failed", "-elsewhere/platform"), [Red, Green]),
    row("unknown_dependency_elsewhere", flux::unknown_dependency_elsewhere, Pending("packages", "-elsewhere/platform"), [Red, Green]),
    row("suspended_kustomization", flux::suspended, Failed("suspended", "flux resume kustomization"), [Green, Green]),
    row("denied_by_a_policy", flux::denied_by_a_policy, Failed("admission-denied", "ValidatingAdmissionPolicy"), [Green, Red]),
    // Access to the run cluster
    row("missing_namespace", flux::missing_namespace, Failed("no-namespace", "create namespace no-such-namespace"), [Red, NotGreen]),
    row("deployer_may_not_write", access::deployer_may_not_write, Failed("forbidden", "verbs: [\"patch\"]"), [Red, NotGreen]),
    row("deployer_may_do_nothing", access::deployer_may_do_nothing, Failed("forbidden", "verbs: [\"patch\"]"), [Red, NotGreen]),
    row("impersonation_refused", access::impersonation_refused, Failed("forbidden", "--verb=impersonate"), [Red, NotGreen]),
    row("wrong_certificate_authority", access::wrong_authority, Failed("certificate-refused", "certificate authority"), [Red, NotGreen]),
    row("expired_token", access::expired_token, Failed("credential-refused", "expired or revoked"), [Red, NotGreen]),
    row("revoked_token", access::revoked_token, Failed("credential-refused", "expired or revoked"), [Red, NotGreen]),
    row("unreachable_run_cluster", access::unreachable, Failed("run-cluster-unreachable", "can Flux reach"), [NotGreen, NotGreen]),
    row("missing_kubeconfig_secret", access::missing_kubeconfig, Failed("no-credential", "add-cluster"), [Red, Red]),
    row("exec_only_kubeconfig", access::exec_only_kubeconfig, Failed("no-credential", "exec"), [Red, NotGreen]),
    // Versions
    row("no_version_matches", packages::no_version_matches, Failed("no-version-matches", VERSION), [Green, Green]),
    row("build_metadata_left_out", packages::build_metadata_left_out, Failed("no-version-matches", VERSION), [Green, Green]),
    row("prerelease", packages::prerelease, Failed("no-version-matches", "is a prerelease"), [Green, Green]),
    row("downgrade", packages::downgrade, Failed("downgrade-refused", "downgradable"), [Green, Green]),
    row("invalid_constraints", packages::invalid_constraints, Failed("invalid-constraints", "versionSelection.constraints"), [Green, Green]),
    row("new_version_selected", packages::new_version_selected, Ready(NEXT_VERSION), [Green, Green]),
    row("new_version_not_delivered", packages::new_version_not_delivered, Failed("suspended", "packages"), [Green, Green]),
    row("app_controlled_by_hand", packages::app_controlled_by_hand, Failed("manually-controlled", "manually-controlled-"), [Green, Green]),
    row("new_content_of_the_same_version", packages::new_content_of_the_same_version, Failed("template-failed", "no_such_value"), [Green, Green]),
    row("new_content_that_works", packages::new_content_that_works, Ready(VERSION), [Green, Green]),
    // Bundle, values and templates
    row("bundle_not_in_the_registry", packages::bundle_not_in_the_registry, Failed("fetch-failed", "registry"), [Green, Green]),
    row("missing_values_secret", changes::missing_values_secret, Failed("no-values-secret", "no-such-values"), [Green, Green]),
    row("unknown_value", changes::unknown_value, Failed("template-failed", "no_such_value"), [Green, Green]),
    row("template_error", changes::template_error, Failed("template-failed", "no_such_value"), [Green, Green]),
    row("stale_success_after_new_values", changes::only_the_values_changed, Ready(VERSION), [Green, Green]),
    row("stale_failure_after_a_fix", changes::mended_values, Ready(VERSION), [Green, Green]),
    // Deploy
    row("installer_forbidden", deploy::installer_forbidden, Failed("forbidden", "resources: [\"configmaps\"]"), [Green, Green]),
    row("missing_service_account", deploy::missing_service_account, Failed("no-service-account", "create serviceaccount"), [Green, Green]),
    row("quota_of_the_namespace", deploy::quota, Failed("admission-denied", "ResourceQuota no-more refuses it"), [Green, Green]),
    row("pod_security", deploy::pod_security, Failed("admission-denied", "Pod Security level restricted:latest of the namespace refuses it"), [Green, Green]),
    row("limit_range", deploy::limit_range, Failed("admission-denied", "a LimitRange of the namespace refuses it (maximum cpu usage per Pod is 10m.  No limit is specified): "), [Green, Green]),
    row("quota_of_pods", deploy::quota_of_pods, Pending("deploy", "ResourceQuota few-pods refuses it"), [Green, NotRed]),
    row("never_available", deploy::never_available, Pending("deploy", "deployment/hello-app"), [Green, NotRed]),
    row("refused_by_the_api_server", deploy::refused_by_the_api_server, Failed("deploy-failed", "Not_A_Name"), [Green, Green]),
    row("ownership_conflict", deploy::ownership_conflict, Failed("ownership-conflict", "another"), [Green, Green]),
    row("drift_corrected", deploy::drift_corrected, Ready(VERSION), [Green, Green]),
    row("flapping_install", deploy::flapping, Ready(VERSION), [Green, Green]),
    // Paused, canceled, deleted
    row("paused", lifecycle::paused, Failed("paused", "it is paused"), [Green, Green]),
    row("paused_with_new_values", lifecycle::paused_with_new_values, Failed("paused", "it is paused"), [Green, Green]),
    row("paused_by_hand_and_taken_back", lifecycle::paused_by_hand, Ready(VERSION), [Green, Green]),
    row("canceled", lifecycle::canceled, Failed("paused", "it is canceled"), [Green, Green]),
    row("canceled_with_new_values", lifecycle::canceled_with_new_values, Failed("paused", "it is canceled"), [Green, Green]),
    row("deleted_by_hand", lifecycle::deleted_by_hand, Pending("install", "flux reconcile kustomization"), [Green, Green]),
    row("deletion_in_progress", lifecycle::deletion_in_progress, Pending("install", "being deleted"), [Green, Green]),
    row("deletion_stuck", lifecycle::deletion_stuck, Failed("delete-failed", "create serviceaccount"), [Green, Green]),
];

/// What stops a component, on clusters of its own.
#[rustfmt::skip]
pub(crate) const DISRUPTIVE: &[Situation] = &[
    row("kapp_controller_stopped", disruptive::kapp_controller_stopped, Failed("kapp-controller-unavailable", "get apiservice"), [NotGreen, Green]),
    row("api_service_unavailable", disruptive::api_service_unavailable, Pending("install", "packages"), [Green, Green]),
    row("impersonated_by_default", disruptive::impersonated_by_default, Failed("forbidden", "--default-service-account"), [Red, NotGreen]),
    row("kustomize_controller_stopped", disruptive::kustomize_controller_stopped, Pending("packages", "waiting for Flux to apply"), [Green, Green]),
];
