//! Flux cannot fetch the GitOps repository.

use testbed::Testbed;

use super::Scene;
use crate::support::User;

const SOURCE: &str = "hello-app.default.tap-gitops-repo";

pub(super) fn bad_credentials<'a>(testbed: &'a Testbed, name: &str) -> Scene<'a> {
    let user = User::delivered(testbed, name);
    user.workspace.repository().change_password("fake-changed-password");
    Scene::of(user)
}

pub(super) fn missing_credentials<'a>(testbed: &'a Testbed, name: &str) -> Scene<'a> {
    let user = User::delivered(testbed, name);
    user.build(&["delete", "secret", "hello-app.default.tap-gitops-auth"]);
    Scene::of(user)
}

pub(super) fn missing_branch<'a>(testbed: &'a Testbed, name: &str) -> Scene<'a> {
    let user = User::delivered(testbed, name);
    user.build(&["patch", "gitrepository", SOURCE, "--type=merge", "-p", r#"{"spec":{"ref":{"branch":"trunk"}}}"#]);
    Scene::of(user)
}

pub(super) fn suspended<'a>(testbed: &'a Testbed, name: &str) -> Scene<'a> {
    let user = User::delivered(testbed, name);
    user.build(&["patch", "gitrepository", SOURCE, "--type=merge", "-p", r#"{"spec":{"suspend":true}}"#]);
    user.change_replicas(3);
    Scene::of(user)
}
