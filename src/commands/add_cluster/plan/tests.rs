//! What `add-cluster` shows and does for a request, without a cluster: the first run, the second, what is adopted, and
//! what is written to Git. Methods to authenticate have a file of their own.

use secrecy::SecretString;
use serde_json::{Value, json};

use super::endpoint_change;
use super::fixtures::{DEPLOYER, PACKAGE, Scene, impersonated, made_by, object};
use crate::authentication::Method;
use crate::commands::add_cluster::facts::{Authentication, ExistingCredential, Installer};
use crate::commands::git::CommitRequest;
use crate::flux::RunCredential;
use crate::identities::{Preset, grants_package_metadata};
use crate::labels;
use crate::object::{ObjectReference, api_resource};
use crate::observe::wait::EndpointChange;
use crate::plan::Place;
use crate::plan::outline::outline;

#[test]
fn the_first_run_makes_identities_credential_files_and_kustomizations_in_this_order() {
    insta::assert_snapshot!(Scene::new().shown(), @r"
    This will deliver hello.default.tap to the run cluster `prod1`, namespace web:
      Git https://git.example.com/gitops.git branch main
        ± apps/hello.default.tap/prod1/packageinstall.yaml
      the run cluster `prod1`
        + ServiceAccount web/dev-prod1-deployer
        + Secret web/dev-prod1-deployer-token
        + Role web/dev-prod1-deployer
        + RoleBinding web/dev-prod1-deployer
        + ServiceAccount web/hello.default.tap-installer
        + Role web/hello.default.tap-installer
        + RoleBinding web/hello.default.tap-installer
      the build cluster
        + Secret dev/prod1-kubeconfig (kubeconfig for dev-prod1-deployer at https://prod1.example:6443)
        ~ GitRepository dev/hello.default.tap-gitops-repo (asked to fetch now, again while that fails)
        + Kustomization dev/hello.default.tap-prod1-packages
        + Kustomization dev/hello.default.tap-prod1-packageinstalls
    ");
}

#[test]
fn a_second_run_has_nothing_to_change() {
    let mut scene = Scene::new();
    let first = scene.plan();
    assert_eq!(endpoint_change(&[(&first, &scene.preview(&first))]), EndpointChange::First);
    scene.carry_out();
    insta::assert_snapshot!(scene.shown(), @r"
    nothing to change:
      10 more are there already and stay as they are
    ");
    let second = scene.plan();
    assert_eq!(endpoint_change(&[(&second, &scene.preview(&second))]), EndpointChange::Unchanged);
}

#[test]
fn what_changed_is_shown_alone() {
    let mut scene = Scene::new();
    scene.carry_out();
    scene.request.labels = vec![("team".to_owned(), "blue".to_owned())];
    scene.facts.version_constraints = "1.2.3".to_owned();
    insta::assert_snapshot!(scene.shown(), @r"
    This will deliver hello.default.tap to the run cluster `prod1`, namespace web:
      Git https://git.example.com/gitops.git branch main
        ± apps/hello.default.tap/prod1/packageinstall.yaml
      the build cluster
        ~ GitRepository dev/hello.default.tap-gitops-repo (asked to fetch now, again while that fails)
        ~ Kustomization dev/hello.default.tap-prod1-packages (metadata.labels)
        ~ Kustomization dev/hello.default.tap-prod1-packageinstalls (metadata.labels)
      8 more are there already and stay as they are
    ");
}

#[test]
fn files_of_a_delivery_in_place_follow_the_accounts_that_they_name() {
    let mut scene = Scene::new();
    scene.carry_out();
    scene.facts.installer = Installer::Own { rules: Preset::Server.rules(true), origin: "another" };
    scene.facts.version_constraints = "1.2.3".to_owned();
    insta::assert_snapshot!(scene.shown(), @r"
    This will deliver hello.default.tap to the run cluster `prod1`, namespace web:
      the run cluster `prod1`
        ~ Role web/hello.default.tap-installer (metadata.annotations, rules)
      Git https://git.example.com/gitops.git branch main
        ± apps/hello.default.tap/prod1/packageinstall.yaml
      the build cluster
        ~ GitRepository dev/hello.default.tap-gitops-repo (asked to fetch now, again while that fails)
      9 more are there already and stay as they are
    ");
}

#[test]
fn the_message_of_the_commit_is_the_users() {
    let mut scene = Scene::new();
    assert!(outline(&scene.plan()).contains("packageinstall.yaml (Deliver hello.default.tap to prod1)"));
    scene.request.commit.message = "OPS-7: {package} on {run-cluster}".parse().ok();
    assert!(outline(&scene.plan()).contains("packageinstall.yaml (OPS-7: hello.default.tap on prod1)"));
}

#[test]
fn files_that_are_held_back_are_all_that_is_written() {
    let mut scene = Scene::new();
    scene.request.commit.no_push = true;
    insta::assert_snapshot!(scene.shown(), @r"
    This will commit the files that deliver hello.default.tap to the run cluster `prod1`, namespace web, and leave the clusters as they are:
      Git https://git.example.com/gitops.git branch main
        ± apps/hello.default.tap/prod1/packageinstall.yaml
    ");
}

#[test]
fn what_a_pull_request_has_brought_is_put_to_use() {
    let mut scene = Scene::new();
    scene.request.commit.is_merged = true;
    let refused = "refused: https://git.example.com/gitops.git branch main does not hold what is asked for";
    assert!(outline(&scene.plan()).contains(refused), "{}", outline(&scene.plan()));
    scene.request.commit = CommitRequest { push_branch: Some("deliver".to_owned()), ..CommitRequest::default() };
    scene.carry_out();
    scene.request.commit = CommitRequest { is_merged: true, ..CommitRequest::default() };
    let shown = scene.shown();
    assert!(shown.contains("(asked to fetch now, again while that fails)") && !shown.contains("Git https"), "{shown}");
    scene.carry_out();
    assert!(scene.shown().starts_with("nothing to change"), "{}", scene.shown());
}

#[test]
fn a_delivery_to_another_namespace_uses_the_account_of_the_first() {
    let mut scene = Scene::new();
    scene.carry_out();
    scene.deliver("bye.default.tap", "other");
    insta::assert_snapshot!(scene.shown(), @r"
    This will deliver bye.default.tap to the run cluster `prod1`, namespace other:
      Git https://git.example.com/gitops.git branch main
        ± apps/bye.default.tap/prod1/packageinstall.yaml
      the run cluster `prod1`
        + Role other/dev-prod1-deployer
        + RoleBinding other/dev-prod1-deployer
        + ServiceAccount other/bye.default.tap-installer
        + Role other/bye.default.tap-installer
        + RoleBinding other/bye.default.tap-installer
      the build cluster
        ~ GitRepository dev/bye.default.tap-gitops-repo (asked to fetch now, again while that fails)
        + Kustomization dev/bye.default.tap-prod1-packages
        + Kustomization dev/bye.default.tap-prod1-packageinstalls
      1 more are there already and stay as they are
    ");
    assert_eq!(
        scene.manifest("RoleBinding", DEPLOYER)["subjects"],
        json!([{"kind": "ServiceAccount", "name": DEPLOYER, "namespace": "web"}])
    );
}

#[test]
fn a_missing_namespace_is_created_before_what_is_in_it() {
    let mut scene = Scene::new();
    scene.facts.creates_namespace = true;
    let shown = scene.shown();
    assert_eq!(shown.lines().nth(4), Some("    + Namespace web"), "{shown}");
}

#[test]
fn the_credential_is_written_only_as_it_was_found() {
    let mut scene = Scene::new();
    let first = scene.manifest("Secret", "prod1-kubeconfig");
    assert_eq!(first["metadata"].get("resourceVersion"), None);
    scene.carry_out();
    let second = scene.manifest("Secret", "prod1-kubeconfig");
    assert_eq!(second["metadata"]["resourceVersion"], "7");
}

#[test]
fn another_address_of_the_user_is_no_other_address_for_flux() {
    let mut scene = Scene::new();
    scene.carry_out();
    scene.facts.user_endpoint.server = "https://127.0.0.1:6443".to_owned();
    insta::assert_snapshot!(scene.shown(), @r"
    nothing to change:
      10 more are there already and stay as they are
    warning: Flux goes on reaching prod1 at https://prod1.example:6443, although your context has https://127.0.0.1:6443
    ");
    assert!(scene.facts.needs_user_context_to_read());
    scene.facts.endpoint = scene.facts.user_endpoint.clone();
    let plan = scene.plan();
    assert_eq!(endpoint_change(&[(&plan, &scene.preview(&plan))]), EndpointChange::Changed);
    assert!(!scene.facts.needs_user_context_to_read());
}

#[test]
fn an_older_flux_is_not_given_what_it_does_not_know() {
    let mut scene = Scene::new();
    let kustomization = "hello.default.tap-prod1-packageinstalls";
    let has_expressions =
        |scene: &Scene| scene.manifest("Kustomization", kustomization)["spec"].get("healthCheckExprs").is_some();
    assert!(has_expressions(&scene));
    scene.facts.has_health_check_expressions = false;
    assert!(!has_expressions(&scene));
}

mod adoption {
    use super::*;

    /// A scene with a Role that somebody else has made.
    fn scene(annotations: Value) -> Scene {
        let mut scene = Scene::new();
        let role = made_by(scene.manifest("Role", DEPLOYER), annotations);
        scene.put(Place::Run, role);
        scene
    }

    #[test]
    fn an_unmanaged_object_is_refused() {
        let scene = scene(json!({}));
        insta::assert_snapshot!(scene.refusals(), @r"
        Role web/dev-prod1-deployer on the run cluster `prod1` belongs to another owner: it was not made by this plugin
        → to take it over, give --force-conflicts; or deliver to another target namespace
        ");
        assert_eq!(scene.shown_of("+ Role web"), "+ Role web/hello.default.tap-installer");
    }

    #[test]
    fn an_unmanaged_object_is_taken_over_on_demand() {
        let mut scene = scene(json!({}));
        scene.request.force_conflicts = true;
        insta::assert_snapshot!(scene.shown_of("Role web"), @r"
        ~ Role web/dev-prod1-deployer (metadata.labels, metadata.annotations)
        + Role web/hello.default.tap-installer
        ");
    }

    #[test]
    fn another_owners_object_is_never_taken_over() {
        let owner = json!({labels::BUILD_CLUSTER_UID: "another-uid", labels::BUILD_NAMESPACE: "team-b"});
        let mut scene = scene(owner);
        scene.request.force_conflicts = true;
        insta::assert_snapshot!(scene.refusals(), @r"
        Role web/dev-prod1-deployer on the run cluster `prod1` belongs to another owner: it serves namespace team-b of the build cluster with the kube-system UID another-uid
        → deliver to another target namespace
        ");
    }

    #[test]
    fn an_unmanaged_account_on_the_build_cluster_is_left_alone() {
        let mut scene = Scene::new();
        scene.facts.impersonated = Some(impersonated());
        let account = scene.manifest("ServiceAccount", "flux");
        scene.put(Place::Build, made_by(account, json!({"team": "blue"})));
        assert!(!scene.shown().contains("ServiceAccount dev/flux"));
    }

    #[test]
    fn an_unmanaged_kubeconfig_is_used_as_it_is() {
        let mut scene = Scene::with(Authentication::Stored(Method::Unmanaged));
        let secret =
            json!({"apiVersion": "v1", "kind": "Secret", "metadata": {"name": "prod1-kubeconfig", "namespace": "dev"}});
        scene.facts.existing_credential =
            Some(ExistingCredential { kind: RunCredential::Secret, object: object(&secret) });
        insta::assert_snapshot!(scene.shown(), @r"
        This will deliver hello.default.tap to the run cluster `prod1`, namespace web:
          Git https://git.example.com/gitops.git branch main
            ± apps/hello.default.tap/prod1/packageinstall.yaml
          the run cluster `prod1`
            + ServiceAccount web/hello.default.tap-installer
            + Role web/hello.default.tap-installer
            + RoleBinding web/hello.default.tap-installer
          the build cluster
            ~ GitRepository dev/hello.default.tap-gitops-repo (asked to fetch now, again while that fails)
            + Kustomization dev/hello.default.tap-prod1-packages
            + Kustomization dev/hello.default.tap-prod1-packageinstalls
        warning: Secret dev/prod1-kubeconfig is not managed by this plugin and is used as it is
        ");
    }
}

mod files {
    use super::*;

    #[test]
    fn the_installer_is_made_with_its_rules_and_named_in_git() {
        let scene = Scene::new();
        let role = scene.manifest("Role", "hello.default.tap-installer");
        assert_eq!(role["metadata"]["annotations"][labels::INSTALLER], "server");
        insta::assert_snapshot!(scene.committed(), @r#"
        # apps/hello.default.tap/prod1/packageinstall.yaml
        ---
        apiVersion: packaging.carvel.dev/v1alpha1
        kind: PackageInstall
        metadata:
          name: hello.default.tap
        spec:
          serviceAccountName: hello.default.tap-installer
          packageRef:
            refName: hello.default.tap
            versionSelection:
              constraints: ">=0.0.0"
        "#);
    }

    #[test]
    fn an_installer_that_somebody_else_manages_is_only_named() {
        let mut scene = Scene::new();
        scene.facts.installer = Installer::Existing("their-installer".to_owned());
        assert!(!scene.shown().contains("installer"));
        assert!(scene.committed().contains("serviceAccountName: their-installer"));
    }

    #[test]
    fn registry_versions_and_values_are_written_to_git() {
        let mut scene = Scene::new();
        scene.request.registry_secret = Some("registry".to_owned());
        scene.facts.values = Some(SecretString::from("replicas: 2\n"));
        scene.facts.version_constraints = "1.0.0".to_owned();
        insta::assert_snapshot!(scene.committed(), @r#"
        # apps/hello.default.tap/prod1/packageinstall.yaml
        ---
        apiVersion: packaging.carvel.dev/v1alpha1
        kind: PackageInstall
        metadata:
          name: hello.default.tap
          annotations:
            ext.packaging.carvel.dev/fetch-0-secret-name: registry
        spec:
          serviceAccountName: hello.default.tap-installer
          packageRef:
            refName: hello.default.tap
            versionSelection:
              constraints: "1.0.0"
          values:
          - secretRef:
              name: hello.default.tap-values-e3e28ba0ad
        # apps/hello.default.tap/prod1/params.yaml
        ---
        apiVersion: v1
        kind: Secret
        metadata:
          name: hello.default.tap-values-e3e28ba0ad
        stringData:
          values.yml: |
            replicas: 2
        "#);
        scene.carry_out();
        assert_eq!(scene.committed(), "");
    }

    #[test]
    fn what_flags_leave_open_stays_as_it_is_in_git() {
        let mut scene = Scene::new();
        scene.facts.values = Some(SecretString::from("replicas: 2\n"));
        scene.request.registry_secret = Some("registry".to_owned());
        scene.carry_out();
        scene.facts.values = None;
        scene.request.registry_secret = None;
        assert_eq!(scene.committed(), "");
    }

    #[test]
    fn encrypted_values_are_not_replaced_by_plain_text() {
        let mut scene = Scene::new();
        scene.facts.values = Some(SecretString::from("password: fake-password\n"));
        let encrypted = "apiVersion: v1\nkind: Secret\nmetadata:\n  name: hello.default.tap-values\nstringData:\n  params.yaml: \"ENC[fake]\"\nsops:\n  version: \"3\"\n";
        scene.write(&format!("{PACKAGE}/prod1/params.yaml"), encrypted);
        insta::assert_snapshot!(scene.refusals(), @r"
        apps/hello.default.tap/prod1/params.yaml is encrypted, and would be replaced by plain text
        → encrypt the new values, too: --encrypt age; or change them with sops, and leave --values and --set out
        ");
        let mut scene = Scene::new();
        scene.facts.values = Some(SecretString::from("password: fake-password\n"));
        scene.write(&format!("{PACKAGE}/prod1/pull.yaml"), &encrypted.replace("-values", "-pull"));
        assert_eq!(scene.refusals(), "", "another Secret that is encrypted");
    }
}

#[test]
fn package_metadata_is_granted_where_there_is_one_and_stays_granted_for_others() {
    let is_granted = |scene: &Scene, namespace: &str| {
        let role = api_resource("rbac.authorization.k8s.io", "v1", "Role");
        let role = scene.facts.live.get(Place::Run, &ObjectReference::namespaced(&role, namespace, DEPLOYER));
        grants_package_metadata(&role.expect("a Role").data["rules"])
    };
    let mut scene = Scene::new();
    scene.carry_out();
    assert!(!is_granted(&scene, "web"));
    scene.facts.shares_metadata = true;
    scene.carry_out();
    assert!(is_granted(&scene, "web"));
    // Another package, without one, in the same namespace shares the Role.
    scene.deliver("bye.default.tap", "web");
    assert!(!scene.facts.shares_metadata);
    scene.carry_out();
    assert!(is_granted(&scene, "web"));
    scene.deliver("bye.default.tap", "other");
    scene.carry_out();
    assert!(!is_granted(&scene, "other"));
}
