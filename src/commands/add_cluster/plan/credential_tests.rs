//! Each method to authenticate, and impersonation, in plans without a cluster.

use std::time::Duration;

use serde_json::json;

use super::fixtures::{A_DAY, DEPLOYER, FAKE_TOKEN, Scene, identity, impersonated, kubeconfig_file};
use crate::cluster::User;
use crate::commands::add_cluster::facts::Authentication;
use crate::commands::add_cluster::request::AuthenticationRequest;
use crate::flux::{Provider, WorkloadIdentity};
use crate::kubeconfig::base64;
use crate::labels;
use crate::plan::Place;

/// A workload identity that the run cluster knows by the build cluster's own tokens.
fn own_identity() -> WorkloadIdentity {
    WorkloadIdentity {
        address: Some("https://prod1.example:6443".to_owned()),
        service_account: Some("prod1-identity".to_owned()),
        ..WorkloadIdentity::default()
    }
}

fn bounded() -> Scene {
    Scene::with(Authentication::Token { duration: Some(A_DAY) })
}

#[test]
fn a_token_that_expires_is_bound_to_a_secret_instead_of_filled_in() {
    assert_eq!(bounded().shown(), Scene::new().shown());
    assert_eq!(bounded().manifest("Secret", "dev-prod1-deployer-token")["type"], "Opaque");
    let forever = Scene::new().manifest("Secret", "dev-prod1-deployer-token");
    assert_eq!(forever["type"], "kubernetes.io/service-account-token");
}

#[test]
fn a_token_that_works_is_left_alone_and_its_end_is_noted() {
    let mut scene = bounded();
    scene.carry_out();
    insta::assert_snapshot!(scene.shown(), @r"
    nothing to change:
      10 more are there already and stay as they are
    note: the credential for prod1 expires at 2026-11-24T12:00:00Z (in 24h); renew it in time: kubectl carvelflux rotate prod1 -n dev
    ");
}

#[test]
fn a_token_that_is_about_to_expire_is_warned_about() {
    let mut scene = bounded();
    scene.carry_out();
    scene.facts.now += Duration::from_hours(20);
    let plan = scene.plan();
    assert!(plan.warnings.iter().any(|warning| warning.contains("in 4h")), "{:?}", plan.warnings);
    assert!(plan.notes.is_empty(), "{:?}", plan.notes);
}

#[test]
fn a_token_that_does_not_expire_is_left_alone_by_a_duration() {
    let mut scene = Scene::new();
    scene.carry_out();
    scene.request.authentication = Some(AuthenticationRequest::Token { duration: Some(A_DAY) });
    insta::assert_snapshot!(scene.shown(), @r"
    nothing to change:
      10 more are there already and stay as they are
    note: the credential for prod1 does not expire and is left as it is; for one that does: kubectl carvelflux rotate prod1 -n dev --token-duration DURATION
    ");
}

#[test]
fn a_token_that_expired_is_made_again_for_its_first_delivery() {
    let mut scene = bounded();
    scene.carry_out();
    scene.facts.working_token = None;
    insta::assert_snapshot!(scene.shown_of("~"), @"~ Secret dev/prod1-kubeconfig (kubeconfig for dev-prod1-deployer at https://prod1.example:6443) (data)");
}

#[test]
fn a_token_that_expired_is_not_made_again_for_another_namespace() {
    let mut scene = bounded();
    scene.carry_out();
    scene.facts.working_token = None;
    scene.deliver("bye.default.tap", "other");
    insta::assert_snapshot!(scene.refusals(), @r"
    the run cluster `prod1` refuses the credential of Secret dev/prod1-kubeconfig: it is expired or revoked: its account is in namespace web
    → renew it: kubectl carvelflux rotate prod1 -n dev
    ");
}

#[test]
fn a_token_that_was_revoked_is_not_stored_again() {
    let mut scene = Scene::new();
    scene.carry_out();
    let mut filled = scene.manifest("Secret", "dev-prod1-deployer-token");
    filled["data"] = json!({"token": base64(FAKE_TOKEN.as_bytes())});
    scene.put(Place::Run, filled);
    scene.facts.working_token = None;
    insta::assert_snapshot!(scene.refusals(), @r"
    the run cluster `prod1` refuses the credential of Secret dev/prod1-kubeconfig: it is expired or revoked
    → renew it: kubectl carvelflux rotate prod1 -n dev
    ");
}

#[test]
fn a_kubeconfig_file_is_stored_and_gets_no_roles() {
    let mut scene = Scene::with(Authentication::KubeconfigFile(kubeconfig_file()));
    scene.facts.user = Some(User { name: "flux@example.com".to_owned(), uid: None });
    insta::assert_snapshot!(scene.shown(), @r"
    This will deliver hello.default.tap to the run cluster `prod1`, namespace web:
      Git https://git.example.com/gitops.git branch main
        ± apps/hello.default.tap/prod1/packageinstall.yaml
      the run cluster `prod1`
        + ServiceAccount web/hello.default.tap-installer
        + Role web/hello.default.tap-installer
        + RoleBinding web/hello.default.tap-installer
      the build cluster
        + Secret dev/prod1-kubeconfig
        ~ GitRepository dev/hello.default.tap-gitops-repo (asked to fetch now, again while that fails)
        + Kustomization dev/hello.default.tap-prod1-packages
        + Kustomization dev/hello.default.tap-prod1-packageinstalls
    ");
    scene.carry_out();
    insta::assert_snapshot!(scene.shown(), @r"
    nothing to change:
      6 more are there already and stay as they are
    ");
}

#[test]
fn a_kubeconfig_file_that_flux_would_not_read_is_refused() {
    let mut scene = Scene::with(Authentication::KubeconfigFile(kubeconfig_file()));
    let mut secret = scene.manifest("Secret", "prod1-kubeconfig");
    secret["data"] = json!({"value": ""});
    scene.put(Place::Build, secret);
    scene.find_credential();
    insta::assert_snapshot!(scene.refusals(), @r"
    Flux would go on using the key `value` of Secret dev/prod1-kubeconfig: it looks for `value`, then for `value.yaml`
    → remove the key `value` from the Secret, then try again
    ");
}

#[test]
fn an_identity_of_the_build_cluster_is_made_and_proven() {
    let user = "system:serviceaccount:dev:prod1-identity";
    let mut scene = Scene::with(identity(own_identity(), user));
    insta::assert_snapshot!(scene.shown(), @r"
    This will deliver hello.default.tap to the run cluster `prod1`, namespace web:
      Git https://git.example.com/gitops.git branch main
        ± apps/hello.default.tap/prod1/packageinstall.yaml
      the run cluster `prod1`
        + Role web/dev-prod1-deployer
        + RoleBinding web/dev-prod1-deployer
        + ServiceAccount web/hello.default.tap-installer
        + Role web/hello.default.tap-installer
        + RoleBinding web/hello.default.tap-installer
      the build cluster
        + ServiceAccount dev/prod1-identity
        + ConfigMap dev/prod1-kubeconfig
        ~ GitRepository dev/hello.default.tap-gitops-repo (asked to fetch now, again while that fails)
        + Kustomization dev/hello.default.tap-prod1-packages
        + Kustomization dev/hello.default.tap-prod1-packageinstalls
    ");
    let config_map = scene.manifest("ConfigMap", "prod1-kubeconfig");
    assert_eq!(config_map["metadata"]["annotations"][labels::IDENTITY_USER], user);
    assert_eq!(scene.manifest("RoleBinding", DEPLOYER)["subjects"][0]["name"], user);
    let kustomization = scene.manifest("Kustomization", "hello.default.tap-prod1-packageinstalls");
    assert_eq!(kustomization["spec"]["kubeConfig"], json!({"configMapRef": {"name": "prod1-kubeconfig"}}));
    scene.carry_out();
    insta::assert_snapshot!(scene.shown(), @r"
    nothing to change:
      9 more are there already and stay as they are
    ");
}

#[test]
fn an_account_that_a_cloud_does_not_know_is_refused() {
    let workload = WorkloadIdentity { provider: Provider::Azure, ..own_identity() };
    insta::assert_snapshot!(Scene::with(identity(workload, "flux@azure")).refusals(), @r"
    ServiceAccount dev/prod1-identity lacks what azure needs to know it: it has no annotation azure.workload.identity/tenant-id and azure.workload.identity/client-id
    → make it with the annotations: kubectl -n dev create serviceaccount prod1-identity; kubectl -n dev annotate serviceaccount prod1-identity azure.workload.identity/tenant-id=… azure.workload.identity/client-id=…
    ");
}

#[test]
fn an_impersonated_account_gets_the_roles_and_flux_may_impersonate_it() {
    let mut scene = Scene::new();
    scene.facts.impersonated = Some(impersonated());
    insta::assert_snapshot!(scene.shown(), @r"
    This will deliver hello.default.tap to the run cluster `prod1`, namespace web:
      Git https://git.example.com/gitops.git branch main
        ± apps/hello.default.tap/prod1/packageinstall.yaml
      the run cluster `prod1`
        + ServiceAccount web/dev-prod1-deployer
        + Secret web/dev-prod1-deployer-token
        + Role dev/dev-prod1-impersonates-flux
        + RoleBinding dev/dev-prod1-impersonates-flux
        + Role web/dev-prod1-as-flux
        + RoleBinding web/dev-prod1-as-flux
        + ServiceAccount web/hello.default.tap-installer
        + Role web/hello.default.tap-installer
        + RoleBinding web/hello.default.tap-installer
      the build cluster
        + ServiceAccount dev/flux
        + Secret dev/prod1-kubeconfig (kubeconfig for dev-prod1-deployer at https://prod1.example:6443)
        ~ GitRepository dev/hello.default.tap-gitops-repo (asked to fetch now, again while that fails)
        + Kustomization dev/hello.default.tap-prod1-packages
        + Kustomization dev/hello.default.tap-prod1-packageinstalls
    ");
    let kustomization = scene.manifest("Kustomization", "hello.default.tap-prod1-packageinstalls");
    assert_eq!(kustomization["spec"]["serviceAccountName"], "flux");
    scene.carry_out();
    assert!(scene.shown().starts_with("nothing to change:"));
}

#[test]
fn the_user_of_a_kubeconfig_file_may_impersonate_as_well() {
    let mut scene = Scene::with(Authentication::KubeconfigFile(kubeconfig_file()));
    scene.facts.user = Some(User { name: "flux@example.com".to_owned(), uid: None });
    scene.facts.impersonated = Some(impersonated());
    let binding = scene.manifest("RoleBinding", "dev-prod1-impersonates-flux");
    assert_eq!(binding["subjects"][0]["name"], "flux@example.com");
}
