//! What `bootstrap` plans.

use secrecy::SecretString;
use serde_json::json;

use super::*;
use crate::gitops::credentials::GitCredentials;
use crate::gitops::flux_credential::{FluxCredential, SshKey};
use crate::object::ObjectReference;
use crate::plan::outline::outline;
use crate::plan::show::lines;
use crate::plan::{Change, Headings, LiveObjects, Preview};

fn credentials() -> GitCredentials {
    GitCredentials { username: "me".to_owned(), password: SecretString::from("not-a-real-password") }
}

/// What is read on a build cluster that has these objects.
fn facts(objects: impl IntoIterator<Item = Value>) -> Facts {
    let read = |manifest: Value| {
        let reference = ObjectReference::of(&manifest).expect("the fixture is named");
        (Place::Build, reference, serde_json::from_value(manifest).expect("the fixture is an object"))
    };
    Facts {
        version: "v1",
        live: LiveObjects::new(objects.into_iter().map(read)),
        is_secret_readable: true,
        login: None,
        ssh_key: None,
    }
}

/// What is read where the repository takes this login.
fn facts_with(login: Option<GitCredentials>, objects: impl IntoIterator<Item = Value>) -> Facts {
    Facts { login, ..facts(objects) }
}

/// The Secret as an earlier run has left it.
fn secret() -> Value {
    let credential = FluxCredential { login: Some(credentials()), ..FluxCredential::default() };
    git_credentials_secret("dev", "hello.default.tap", &credential)
}

/// The GitRepository as an earlier run has left it, with what Flux says about it.
fn repository(with_credentials: bool, ready: &str) -> Value {
    let url = "https://git.example.com/gitops.git";
    let secret = with_credentials.then_some("hello.default.tap-gitops-auth");
    let access = GitAccessReferences { secret, ..GitAccessReferences::default() };
    let mut object = git_repository("v1", "dev", "hello.default.tap", url, "main", access);
    object["metadata"]["generation"] = json!(1);
    object["status"] = json!({
        "observedGeneration": 1,
        "conditions": [{
            "type": "Ready", "status": ready, "reason": "words", "message": "words", "observedGeneration": 1,
        }],
        "artifact": {"revision": "main@sha1:0123456789"},
    });
    object
}

/// Shows a plan of which the API servers say this.
fn shown(plan: &Plan, changes: &[Change]) -> String {
    let headings = Headings { build: "the build cluster at https://build".to_owned(), ..Headings::default() };
    lines(&[(plan, &Preview::with(changes.to_vec()), headings)]).join("\n")
}

fn manifests(plan: &Plan) -> Vec<&serde_json::Value> {
    let applies = plan.steps.iter().filter_map(|step| match step {
        Step::Apply(apply) => Some(&apply.manifest),
        _ => None,
    });
    applies.collect()
}

#[test]
fn the_first_run_makes_the_secret_before_the_repository_that_names_it() {
    let plan = plan(&Request::fixture(), &facts_with(Some(credentials()), []));
    insta::assert_snapshot!(shown(&plan, &[Change::Create, Change::Create]), @r"
    This will make https://git.example.com/gitops.git branch main known to Flux:
      the build cluster at https://build
        + Secret dev/hello.default.tap-gitops-auth
        + GitRepository dev/hello.default.tap-gitops-repo
        ~ GitRepository dev/hello.default.tap-gitops-repo (asked to fetch now, again while that fails)
    ");
    assert!(!format!("{plan:?}").contains("not-a-real-password"));
}

#[test]
fn a_second_run_shows_only_what_differs() {
    let plan = plan(&Request::fixture(), &facts_with(Some(credentials()), [secret(), repository(true, "True")]));
    insta::assert_snapshot!(
        shown(&plan, &[Change::None, Change::Update(vec!["spec.interval".to_owned()])]),
        @r"
    This will make https://git.example.com/gitops.git branch main known to Flux:
      the build cluster at https://build
        ~ GitRepository dev/hello.default.tap-gitops-repo (spec.interval)
      1 more are there already and stay as they are
    "
    );
}

#[test]
fn a_public_repository_gets_no_secret_and_one_in_place_is_named() {
    let public = plan(&Request::fixture(), &facts([]));
    assert_eq!(manifests(&public).len(), 1);
    assert_eq!(manifests(&public)[0]["spec"].get("secretRef"), None);
    let in_place = plan(&Request::fixture(), &facts([secret()]));
    assert_eq!(manifests(&in_place)[0]["spec"]["secretRef"]["name"], "hello.default.tap-gitops-auth");
}

#[test]
fn a_secret_that_may_not_be_read_stays_where_it_is_named() {
    let named = |with_credentials: bool, is_secret_readable: bool| {
        let facts = Facts { is_secret_readable, ..facts([repository(with_credentials, "True")]) };
        manifests(&plan(&Request::fixture(), &facts))[0]["spec"].get("secretRef").is_some()
    };
    assert!(named(true, false));
    assert!(!named(false, false), "it may not exist");
    assert!(!named(true, true), "it does not exist");
}

#[test]
fn labels_of_earlier_runs_stay() {
    let labels = vec![("team".to_owned(), "blue".to_owned())];
    let mut live = repository(false, "True");
    live["metadata"]["labels"] = json!({"shard": "1"});
    live["metadata"]["managedFields"] = json!([{
        "manager": "carvelflux", "operation": "Apply",
        "fieldsV1": {"f:metadata": {"f:labels": {"f:shard": {}}}},
    }]);
    let plan = plan(&Request { labels, ..Request::fixture() }, &facts([live]));
    let applied = &manifests(&plan)[0]["metadata"]["labels"];
    assert_eq!((&applied["shard"], &applied["team"]), (&json!("1"), &json!("blue")));
}

#[test]
fn flux_is_asked_to_fetch_once() {
    let first = plan(&Request::fixture(), &facts([]));
    insta::assert_snapshot!(outline(&first), @r"
    make https://git.example.com/gitops.git branch main known to Flux
      apply   build GitRepository dev/hello.default.tap-gitops-repo
      request build GitRepository dev/hello.default.tap-gitops-repo: fetch
    ");
    let second = plan(&Request::fixture(), &facts([repository(false, "True")]));
    insta::assert_snapshot!(outline(&second), @r"
    make https://git.example.com/gitops.git branch main known to Flux
      apply   build GitRepository dev/hello.default.tap-gitops-repo
    ");
    let with_credentials =
        plan(&Request::fixture(), &facts_with(Some(credentials()), [secret(), repository(true, "True")]));
    insta::assert_snapshot!(outline(&with_credentials), @r"
    make https://git.example.com/gitops.git branch main known to Flux
      apply   build Secret dev/hello.default.tap-gitops-auth
      apply   build GitRepository dev/hello.default.tap-gitops-repo
    ");
}

#[test]
fn flux_is_asked_to_fetch_with_changed_credentials() {
    let mut changed = credentials();
    changed.password = SecretString::from("another-that-is-not-real");
    let plan = plan(&Request::fixture(), &facts_with(Some(changed), [secret(), repository(true, "True")]));
    insta::assert_snapshot!(outline(&plan), @r"
    make https://git.example.com/gitops.git branch main known to Flux
      apply   build Secret dev/hello.default.tap-gitops-auth
      apply   build GitRepository dev/hello.default.tap-gitops-repo
      request build GitRepository dev/hello.default.tap-gitops-repo: fetch
    ");
}

#[test]
fn flux_is_asked_to_fetch_where_it_has_not_or_would_fetch_otherwise() {
    let asks = |credentials: Option<GitCredentials>, objects: Vec<Value>| {
        outline(&plan(&Request::fixture(), &facts_with(credentials, objects))).contains(": fetch")
    };
    assert!(asks(None, vec![repository(false, "False")]), "it has failed");
    assert!(asks(None, vec![repository(false, "Unknown")]), "it has not fetched yet");
    let mut with_user = repository(false, "True");
    with_user["spec"]["url"] = json!("https://me@git.example.com/gitops.git");
    assert!(asks(None, vec![with_user]), "another URL of the same repository");
    assert!(asks(Some(credentials()), vec![repository(true, "True")]), "the Secret is new");
    assert!(asks(None, vec![secret(), repository(false, "True")]), "the GitRepository did not name the Secret");
    assert!(!asks(None, vec![secret(), repository(true, "True")]));
    let mut by_name = repository(false, "True");
    by_name["spec"]["ref"] = json!({"branch": "main", "name": "refs/heads/main"});
    assert!(!asks(None, vec![by_name.clone()]), "the same branch, written in another way");
    by_name["spec"]["ref"]["name"] = json!("refs/heads/next");
    assert!(asks(None, vec![by_name]), "another branch");
}

#[test]
fn a_certificate_authority_that_is_given_leaves_the_login_in_the_secret() {
    let with_ca = Request {
        given: FluxCredential { certificate_authority: Some("fake-authority".to_owned()), ..FluxCredential::default() },
        ..Request::fixture()
    };
    let plan = plan(&with_ca, &facts([secret(), repository(true, "True")]));
    let applied = manifests(&plan)[0]["data"].as_object().expect("data");
    assert_eq!(applied.keys().collect::<Vec<_>>(), ["ca.crt", "password", "username"]);
    assert!(outline(&plan).contains(": fetch"), "the Secret changes");
}

#[test]
fn an_ssh_key_replaces_what_the_secret_holds() {
    let key = SshKey { identity: "fake-key".into(), public: "fake".to_owned(), known_hosts: "fake".to_owned() };
    let plan = plan(&Request::fixture(), &Facts { ssh_key: Some(key), ..facts([secret()]) });
    let applied = manifests(&plan)[0]["data"].as_object().expect("data");
    assert_eq!(applied.keys().collect::<Vec<_>>(), ["identity", "identity.pub", "known_hosts"]);
    assert_eq!(manifests(&plan)[1]["spec"]["secretRef"]["name"], "hello.default.tap-gitops-auth");
    assert!(!format!("{plan:?}").contains("fake-key"));
}

#[test]
fn what_is_there_already_is_named_and_stays_named() {
    let asked = Request {
        secret: Some("own".to_owned()),
        proxy_secret: Some("proxy".to_owned()),
        provider: Some(GitProvider::Github),
        ..Request::fixture()
    };
    let first = plan(&asked, &facts_with(Some(credentials()), []));
    let spec = |plan: &Plan| manifests(plan)[0]["spec"].clone();
    assert_eq!(manifests(&first).len(), 1, "a Secret is written that is the user's own");
    assert_eq!(
        (&spec(&first)["secretRef"], &spec(&first)["proxySecretRef"], &spec(&first)["provider"]),
        (&json!({"name": "own"}), &json!({"name": "proxy"}), &json!("github"))
    );
    // Without the flags, everything stays as it is.
    let mut live = repository(false, "True");
    live["spec"] = spec(&first);
    let second = plan(&Request::fixture(), &facts([live.clone()]));
    assert_eq!(spec(&second), spec(&first));
    assert!(!outline(&second).contains(": fetch"));
    // What is given goes into a Secret of the plugin's own.
    let third = plan(&Request::fixture(), &facts_with(Some(credentials()), [live]));
    assert_eq!(manifests(&third)[1]["spec"]["secretRef"]["name"], "hello.default.tap-gitops-auth");
}
