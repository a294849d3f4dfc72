use serde_json::json;

use super::plan;
use crate::commands::remove_cluster::fixtures::{Scene, delivery, recorded, scene};
use crate::commands::remove_cluster::removal_record::RemovalRecord;
use crate::plan::outline::outline;

impl Scene {
    fn planned(&self) -> String {
        outline(&plan(&self.request, &self.facts()))
    }

    /// Returns the lines of the plan that name something.
    fn planned_about(&self, name: &str) -> String {
        let planned = self.planned();
        planned.lines().filter(|line| line.contains(name)).collect::<Vec<_>>().join("\n")
    }
}

#[test]
fn everything_of_the_last_delivery_is_removed() {
    insta::assert_snapshot!(scene(&["hello"]).planned(), @r"
    remove hello from the run cluster `prod1`
      apply   build ConfigMap dev/prod1-removal
      delete  build Kustomization dev/hello-prod1-packageinstalls
      await   gone: Kustomization dev/hello-prod1-packageinstalls
      await   gone: PackageInstall apps/hello, App apps/hello
      delete  build Kustomization dev/hello-prod1-packages
      await   gone: Kustomization dev/hello-prod1-packages
      await   gone: Package apps/hello.1.0.0
      prove   nothing of dev/hello-prod1-packageinstalls, dev/hello-prod1-packages in apps
      delete  run RoleBinding apps/dev-prod1-deployer
      delete  run Role apps/dev-prod1-deployer
      delete  run Secret apps/dev-prod1-deployer-token
      delete  run ServiceAccount apps/dev-prod1-deployer
      delete  run RoleBinding apps/hello-installer
      delete  run Role apps/hello-installer
      delete  run ServiceAccount apps/hello-installer
      delete  build Secret dev/prod1-kubeconfig
      commit  https://git.example.com/hello.git branch main: -hello/prod1/install.yaml (Remove hello from prod1)
      delete  build ConfigMap dev/prod1-removal (the record of this removal)
    ");
}

#[test]
fn by_a_pull_request_the_files_come_first_and_alone() {
    let mut scene = scene(&["hello"]);
    scene.request.commit.push_branch = Some("clean-up".to_owned());
    insta::assert_snapshot!(scene.planned(), @r"
    remove the files of hello for `prod1` from Git, and leave the clusters as they are
      commit  https://git.example.com/hello.git branch main: -hello/prod1/install.yaml (Remove hello from prod1)
    ");
}

#[test]
fn what_another_delivery_uses_stays() {
    let mut scene = scene(&["hello", "other"]);
    scene.request.packages = vec!["hello".to_owned()];
    insta::assert_snapshot!(scene.planned(), @r"
    remove hello from the run cluster `prod1`
    warning: Secret dev/prod1-kubeconfig stays: Kustomization other-prod1-packageinstalls uses it
      apply   build ConfigMap dev/prod1-removal
      delete  build Kustomization dev/hello-prod1-packageinstalls
      await   gone: Kustomization dev/hello-prod1-packageinstalls
      await   gone: PackageInstall apps/hello, App apps/hello
      delete  build Kustomization dev/hello-prod1-packages
      await   gone: Kustomization dev/hello-prod1-packages
      await   gone: Package apps/hello.1.0.0
      prove   nothing of dev/hello-prod1-packageinstalls, dev/hello-prod1-packages in apps
      delete  run RoleBinding apps/hello-installer
      delete  run Role apps/hello-installer
      delete  run ServiceAccount apps/hello-installer
      commit  https://git.example.com/hello.git branch main: -hello/prod1/install.yaml (Remove hello from prod1)
      delete  build ConfigMap dev/prod1-removal (the record of this removal)
    ");
}

#[test]
fn a_credential_that_a_helm_release_uses_stays_with_its_account() {
    let mut scene = scene(&["hello"]);
    let release =
        json!({"metadata": {"name": "redis"}, "spec": {"kubeConfig": {"secretRef": {"name": "prod1-kubeconfig"}}}});
    scene.helm_releases = Some(vec![serde_json::from_value(release).expect("a HelmRelease")]);
    insta::assert_snapshot!(scene.planned(), @r"
    remove hello from the run cluster `prod1`
    warning: Secret dev/prod1-kubeconfig stays: HelmRelease redis uses it
    warning: ServiceAccount apps/dev-prod1-deployer stays, with its roles and tokens: HelmRelease redis uses it
      apply   build ConfigMap dev/prod1-removal
      delete  build Kustomization dev/hello-prod1-packageinstalls
      await   gone: Kustomization dev/hello-prod1-packageinstalls
      await   gone: PackageInstall apps/hello, App apps/hello
      delete  build Kustomization dev/hello-prod1-packages
      await   gone: Kustomization dev/hello-prod1-packages
      await   gone: Package apps/hello.1.0.0
      prove   nothing of dev/hello-prod1-packageinstalls, dev/hello-prod1-packages in apps
      delete  run RoleBinding apps/hello-installer
      delete  run Role apps/hello-installer
      delete  run ServiceAccount apps/hello-installer
      commit  https://git.example.com/hello.git branch main: -hello/prod1/install.yaml (Remove hello from prod1)
      delete  build ConfigMap dev/prod1-removal (the record of this removal)
    ");
}

#[test]
fn an_impersonated_account_that_another_delivery_uses_stays() {
    let mut scene = scene(&["hello", "other"]);
    scene.request.packages = vec!["hello".to_owned()];
    scene.kustomizations = ["hello", "other"].iter().flat_map(|package| delivery(package, Some("applier"))).collect();
    scene.accounts = vec!["applier"];
    scene.identities = vec![("Role", "dev-prod1-as-applier"), ("Role", "dev-prod1-impersonates-applier")];
    let both = scene.planned_about("applier");
    scene.kustomizations.truncate(2);
    let alone = scene.planned_about("applier");
    insta::assert_snapshot!(both, @"warning: ServiceAccount dev/applier stays: Kustomization other-prod1-packageinstalls uses it");
    insta::assert_snapshot!(alone, @r"
    delete  run Role apps/dev-prod1-as-applier
    delete  run Role apps/dev-prod1-impersonates-applier
    delete  build ServiceAccount dev/applier
    ");
}

#[test]
fn an_account_that_flux_misses_is_made_for_the_deletion() {
    let mut scene = scene(&["hello"]);
    scene.kustomizations = delivery("hello", Some("applier")).to_vec();
    scene.missing_accounts = vec!["applier"];
    let about = scene.planned_about("dev/applier");
    insta::assert_snapshot!(about, @r"
    apply   build ServiceAccount dev/applier
    delete  build ServiceAccount dev/applier
    ");
}

#[test]
fn workloads_are_kept_by_telling_kapp_controller_first() {
    let mut scene = scene(&["hello"]);
    scene.request.keep_workloads = true;
    insta::assert_snapshot!(scene.planned(), @r"
    remove hello from the run cluster `prod1`, and leave the application running
      apply   build ConfigMap dev/prod1-removal
      apply   run PackageInstall apps/hello: spec.noopDelete
      delete  build Kustomization dev/hello-prod1-packageinstalls
      await   gone: Kustomization dev/hello-prod1-packageinstalls
      await   gone: PackageInstall apps/hello, App apps/hello
      delete  build Kustomization dev/hello-prod1-packages
      await   gone: Kustomization dev/hello-prod1-packages
      await   gone: Package apps/hello.1.0.0
      prove   nothing of dev/hello-prod1-packageinstalls, dev/hello-prod1-packages in apps
      delete  run RoleBinding apps/dev-prod1-deployer
      delete  run Role apps/dev-prod1-deployer
      delete  run Secret apps/dev-prod1-deployer-token
      delete  run ServiceAccount apps/dev-prod1-deployer
      delete  run RoleBinding apps/hello-installer
      delete  run Role apps/hello-installer
      delete  run ServiceAccount apps/hello-installer
      delete  build Secret dev/prod1-kubeconfig
      commit  https://git.example.com/hello.git branch main: -hello/prod1/install.yaml (Remove hello from prod1)
      delete  build ConfigMap dev/prod1-removal (the record of this removal)
    ");
}

#[test]
fn workloads_and_files_are_kept_together() {
    let mut scene = scene(&["hello", "other"]);
    (scene.request.keep_workloads, scene.request.keep_git) = (true, true);
    scene.request.packages = vec!["hello".to_owned()];
    insta::assert_snapshot!(scene.planned(), @r"
    remove hello from the run cluster `prod1`, and leave the application running
    warning: Secret dev/prod1-kubeconfig stays: Kustomization other-prod1-packageinstalls uses it
      apply   build ConfigMap dev/prod1-removal
      apply   run PackageInstall apps/hello: spec.noopDelete
      delete  build Kustomization dev/hello-prod1-packageinstalls
      await   gone: Kustomization dev/hello-prod1-packageinstalls
      await   gone: PackageInstall apps/hello, App apps/hello
      delete  build Kustomization dev/hello-prod1-packages
      await   gone: Kustomization dev/hello-prod1-packages
      await   gone: Package apps/hello.1.0.0
      prove   nothing of dev/hello-prod1-packageinstalls, dev/hello-prod1-packages in apps
      delete  run RoleBinding apps/hello-installer
      delete  run Role apps/hello-installer
      delete  run ServiceAccount apps/hello-installer
      delete  build ConfigMap dev/prod1-removal (the record of this removal)
    ");
}

#[test]
fn without_the_run_cluster_what_stays_there_is_named() {
    let mut scene = scene(&["hello"]);
    scene.request.force = true;
    insta::assert_snapshot!(scene.planned(), @r"
    remove hello from `prod1`, which is gone for good
    warning: everything on the run cluster stays there, without an owner: Package apps/hello.1.0.0, PackageInstall apps/hello, and what kapp-controller deployed
    warning: what Flux acts as on the run cluster stays valid there until somebody deletes it: Role apps/dev-prod1-deployer, Secret apps/dev-prod1-deployer-token, ServiceAccount apps/dev-prod1-deployer
      apply   build ConfigMap dev/prod1-removal
      apply   build Kustomization dev/hello-prod1-packageinstalls: spec.suspend
      apply   build Kustomization dev/hello-prod1-packages: spec.suspend
      delete  build Kustomization dev/hello-prod1-packageinstalls
      delete  build Kustomization dev/hello-prod1-packages
      await   gone: Kustomization dev/hello-prod1-packageinstalls, Kustomization dev/hello-prod1-packages
      delete  build Secret dev/prod1-kubeconfig
      commit  https://git.example.com/hello.git branch main: -hello/prod1/install.yaml (Remove hello from prod1)
      delete  build ConfigMap dev/prod1-removal (the record of this removal)
    ");
}

#[test]
fn a_run_cluster_that_still_answers_is_said_to() {
    let mut scene = scene(&["hello"]);
    (scene.request.force, scene.is_alive) = (true, true);
    scene.kustomizations.iter_mut().for_each(|one| one.spec.suspend = true);
    let planned = scene.planned();
    assert!(
        planned.contains("warning: `prod1` still answers: without --force nothing would be left on it"),
        "{planned}"
    );
    assert!(!planned.contains("spec.suspend"), "what is suspended already is not suspended again: {planned}");
}

/// When both Kustomizations are gone, the record alone tells what they were.
#[test]
fn interrupted_when_flux_has_deleted_everything() {
    let mut scene = Scene { installed: Vec::new(), in_git: vec!["hello"], ..scene(&["hello"]) };
    scene.kustomizations.clear();
    scene.record.deliveries = vec![recorded("hello")];
    insta::assert_snapshot!(scene.planned(), @r"
    remove hello from the run cluster `prod1`
      apply   build ConfigMap dev/prod1-removal
      prove   nothing of dev/hello-prod1-packageinstalls, dev/hello-prod1-packages in apps
      delete  run RoleBinding apps/dev-prod1-deployer
      delete  run Role apps/dev-prod1-deployer
      delete  run Secret apps/dev-prod1-deployer-token
      delete  run ServiceAccount apps/dev-prod1-deployer
      delete  run RoleBinding apps/hello-installer
      delete  run Role apps/hello-installer
      delete  run ServiceAccount apps/hello-installer
      delete  build Secret dev/prod1-kubeconfig
      commit  https://git.example.com/hello.git branch main: -hello/prod1/install.yaml (Remove hello from prod1)
      delete  build ConfigMap dev/prod1-removal (the record of this removal)
    ");
}

#[test]
fn interrupted_when_the_first_kustomization_is_deleted() {
    let mut scene = scene(&["hello"]);
    scene.kustomizations.remove(0);
    scene.record.deliveries = vec![recorded("hello")];
    let planned = scene.planned();
    assert!(!planned.contains("delete  build Kustomization dev/hello-prod1-packageinstalls"), "{planned}");
    insta::assert_snapshot!(planned, @r"
    remove hello from the run cluster `prod1`
      apply   build ConfigMap dev/prod1-removal
      await   gone: PackageInstall apps/hello, App apps/hello
      delete  build Kustomization dev/hello-prod1-packages
      await   gone: Kustomization dev/hello-prod1-packages
      await   gone: Package apps/hello.1.0.0
      prove   nothing of dev/hello-prod1-packageinstalls, dev/hello-prod1-packages in apps
      delete  run RoleBinding apps/dev-prod1-deployer
      delete  run Role apps/dev-prod1-deployer
      delete  run Secret apps/dev-prod1-deployer-token
      delete  run ServiceAccount apps/dev-prod1-deployer
      delete  run RoleBinding apps/hello-installer
      delete  run Role apps/hello-installer
      delete  run ServiceAccount apps/hello-installer
      delete  build Secret dev/prod1-kubeconfig
      commit  https://git.example.com/hello.git branch main: -hello/prod1/install.yaml (Remove hello from prod1)
      delete  build ConfigMap dev/prod1-removal (the record of this removal)
    ");
}

#[test]
fn a_removal_that_was_interrupted_for_another_package_stays_on_record() {
    let mut scene = scene(&["hello"]);
    scene.request.packages = vec!["hello".to_owned()];
    scene.record.deliveries = vec![recorded("other")];
    let about = scene.planned_about("ConfigMap");
    insta::assert_snapshot!(about, @r"
    apply   build ConfigMap dev/prod1-removal
    apply   build ConfigMap dev/prod1-removal
    ");
}

#[test]
fn interrupted_before_the_record_is_deleted() {
    let nothing = Scene {
        has_credential: false,
        identities: Vec::new(),
        installed: Vec::new(),
        in_git: Vec::new(),
        ..scene(&[])
    };
    let record = RemovalRecord { run_cluster_uid: Some("prod1-uid".to_owned()), deliveries: vec![recorded("hello")] };
    insta::assert_snapshot!(Scene { record, ..nothing }.planned(), @r"
    remove hello from the run cluster `prod1`
      apply   build ConfigMap dev/prod1-removal
      prove   nothing of dev/hello-prod1-packageinstalls, dev/hello-prod1-packages in apps
      delete  build ConfigMap dev/prod1-removal (the record of this removal)
    ");
}

#[test]
fn a_credential_of_which_nobody_knows_the_deliveries_is_removed() {
    let mut scene = scene(&["hello"]);
    scene.kustomizations.clear();
    scene.installed.clear();
    scene.in_git.clear();
    insta::assert_snapshot!(scene.planned(), @r"
    remove what is left from the run cluster `prod1`
      apply   build ConfigMap dev/prod1-removal
      prove   nothing of  in 
      delete  run RoleBinding apps/dev-prod1-deployer
      delete  run Role apps/dev-prod1-deployer
      delete  run Secret apps/dev-prod1-deployer-token
      delete  run ServiceAccount apps/dev-prod1-deployer
      delete  run RoleBinding apps/hello-installer
      delete  run Role apps/hello-installer
      delete  run ServiceAccount apps/hello-installer
      delete  build Secret dev/prod1-kubeconfig
      delete  build ConfigMap dev/prod1-removal (the record of this removal)
    ");
}

#[test]
fn a_package_of_which_nothing_is_left_is_most_likely_mistyped() {
    let nothing = Scene { has_credential: false, identities: Vec::new(), ..scene(&[]) };
    let mut scene = Scene { assumed: vec![recorded("hello")], ..nothing };
    scene.request.packages = vec!["hello".to_owned()];
    insta::assert_snapshot!(scene.planned(), @r"
    remove hello from the run cluster `prod1`
    refused: nothing of hello is left for a run cluster `prod1`: no Kustomization, no object on the run cluster and no directory in Git bears these names
    ");
    scene.in_git = vec!["hello"];
    assert!(scene.planned().contains("commit"), "{}", scene.planned());
}
