use super::*;
use crate::flux::kustomization_resource;
use crate::kubeconfig::Endpoint;
use crate::plan::outline::outline;

fn request() -> Request {
    Request {
        namespace: "dev".to_owned(),
        run_clusters: vec!["prod1".to_owned()],
        run_contexts: Vec::new(),
        run_kubeconfig: None,
        token_duration: None,
        force_conflicts: false,
        timeout: Duration::from_mins(5),
    }
}

/// Describes a run cluster with one delivery, whose token does not expire and lives in `token-old`.
fn facts() -> Facts {
    Facts {
        run_cluster: "prod1".to_owned(),
        run_cluster_uid: "uid-of-prod1".to_owned(),
        build_cluster_uid: "uid-of-build".to_owned(),
        granted: None,
        resource_version: Some("7".to_owned()),
        endpoint: Endpoint {
            server: "https://prod1.example:6443".to_owned(),
            certificate_authority_data: None,
            tls_server_name: None,
            proxy_url: None,
        },
        deployer_namespace: "apps".to_owned(),
        next_token_secret: "token-new".to_owned(),
        token_secrets: Vec::new(),
        tokens: Vec::new(),
        reconciling: vec![kustomization("hello-packages"), kustomization("hello-installs")],
        suspended: Vec::new(),
        target_namespace: "apps".to_owned(),
        impersonate: None,
    }
    .with_tokens(&["token-old"], 1)
}

impl Facts {
    /// Has these Secrets, and so many tokens that are known.
    fn with_tokens(mut self, secrets: &[&str], tokens: usize) -> Self {
        let secret = |name: &&str| TokenSecret {
            reference: ObjectReference::secret("apps", name),
            uid: Some(format!("uid-of-{name}")),
        };
        self.token_secrets = secrets.iter().map(secret).collect();
        self.tokens = (0..tokens).map(|index| format!("not-a-real-token-{index}").into()).collect();
        self
    }
}

fn kustomization(name: &str) -> ObjectReference {
    ObjectReference::namespaced(&kustomization_resource("v1"), "dev", name)
}

fn planned(facts: &Facts) -> String {
    planned_for(&request(), facts)
}

fn planned_for(request: &Request, facts: &Facts) -> String {
    let outline = outline(&plan(request, facts));
    assert!(!outline.contains("not-a-real-token"), "{outline}");
    outline
}

#[test]
fn a_token_that_does_not_expire_is_replaced_by_another() {
    insta::assert_snapshot!(planned(&facts()), @r"
    give Flux a new credential for prod1, which does not expire, and revoke the old one
      apply   run Secret apps/token-new
      mint    build Secret dev/prod1-kubeconfig: the token in Secret apps/token-new, which works in apps
      await   used by: Kustomization dev/hello-packages, Kustomization dev/hello-installs
      prove   Secret dev/prod1-kubeconfig names token-new
      delete  run Secret apps/token-old (its token is revoked)
      prove   1 tokens are refused in apps
    ");
}

#[test]
fn a_token_that_expires_is_replaced_by_one_that_lives_as_long() {
    insta::assert_snapshot!(planned(&Facts { granted: Some(Duration::from_hours(3)), ..facts() }), @r"
    give Flux a new credential for prod1, which lives 3h, and revoke the old one
      apply   run Secret apps/token-new
      mint    build Secret dev/prod1-kubeconfig: a token of dev-prod1-deployer for 3h, bound to Secret apps/token-new, which works in apps
      await   used by: Kustomization dev/hello-packages, Kustomization dev/hello-installs
      prove   Secret dev/prod1-kubeconfig names token-new
      delete  run Secret apps/token-old (its token is revoked)
      prove   1 tokens are refused in apps
    ");
}

#[test]
fn the_flag_makes_a_token_that_expires_of_one_that_does_not() {
    let request = Request { token_duration: Some(Duration::from_hours(24)), ..request() };
    insta::assert_snapshot!(outline(&plan(&request, &facts())), @r"
    give Flux a new credential for prod1, which lives 24h, and revoke the old one
      apply   run Secret apps/token-new
      mint    build Secret dev/prod1-kubeconfig: a token of dev-prod1-deployer for 24h, bound to Secret apps/token-new, which works in apps
      await   used by: Kustomization dev/hello-packages, Kustomization dev/hello-installs
      prove   Secret dev/prod1-kubeconfig names token-new
      delete  run Secret apps/token-old (its token is revoked)
      prove   1 tokens are refused in apps
    ");
}

#[test]
fn all_deliveries_that_share_the_credential_must_use_it_and_suspended_ones_are_named() {
    let facts = Facts {
        reconciling: ["hello-packages", "hello-installs", "other-packages"].map(kustomization).to_vec(),
        suspended: vec![kustomization("other-installs")],
        ..facts()
    };
    insta::assert_snapshot!(planned(&facts), @r"
    give Flux a new credential for prod1, which does not expire, and revoke the old one
    warning: Kustomization dev/other-installs is suspended: it uses the new credential once it is resumed
      apply   run Secret apps/token-new
      mint    build Secret dev/prod1-kubeconfig: the token in Secret apps/token-new, which works in apps
      await   used by: Kustomization dev/hello-packages, Kustomization dev/hello-installs, Kustomization dev/other-packages
      prove   Secret dev/prod1-kubeconfig names token-new
      delete  run Secret apps/token-old (its token is revoked)
      prove   1 tokens are refused in apps
    ");
}

#[test]
fn where_flux_impersonates_the_credential_must_work_as_that_account() {
    let facts = Facts {
        impersonate: Some("system:serviceaccount:dev:applier".to_owned()),
        target_namespace: "more".to_owned(),
        ..facts()
    };
    let store = planned(&facts).lines().find(|line| line.contains("mint")).map(str::to_owned);
    insta::assert_snapshot!(store.unwrap_or_default(), @"  mint    build Secret dev/prod1-kubeconfig: the token in Secret apps/token-new, which works in more as system:serviceaccount:dev:applier");
}

#[test]
fn the_stored_secret_must_be_the_one_that_was_read() {
    let plan = plan(&request(), &facts());
    let stored = plan.steps.iter().find_map(|step| match step {
        Step::Mint(store) => Some(&store.secret["metadata"]["resourceVersion"]),
        _ => None,
    });
    assert_eq!(stored, Some(&json!("7")));
}

/// After the first step there is a second Secret on the run cluster, and its token; nobody uses it yet.
#[test]
fn interrupted_when_the_secret_is_made() {
    insta::assert_snapshot!(planned(&facts().with_tokens(&["token-old", "token-half"], 2)), @r"
    give Flux a new credential for prod1, which does not expire, and revoke the old one
      apply   run Secret apps/token-new
      mint    build Secret dev/prod1-kubeconfig: the token in Secret apps/token-new, which works in apps
      await   used by: Kustomization dev/hello-packages, Kustomization dev/hello-installs
      prove   Secret dev/prod1-kubeconfig names token-new
      delete  run Secret apps/token-old (its token is revoked)
      delete  run Secret apps/token-half (its token is revoked)
      prove   2 tokens are refused in apps
    ");
}

/// From the second step on Flux has the token of the second Secret, and the first one is not revoked: what is to be done is
/// the same, whether Flux was seen to use it or not.
#[test]
fn interrupted_when_the_credential_is_stored_and_when_flux_uses_it() {
    let facts = Facts { resource_version: Some("8".to_owned()), ..facts() };
    insta::assert_snapshot!(planned(&facts.with_tokens(&["token-old", "token-half"], 2)), @r"
    give Flux a new credential for prod1, which does not expire, and revoke the old one
      apply   run Secret apps/token-new
      mint    build Secret dev/prod1-kubeconfig: the token in Secret apps/token-new, which works in apps
      await   used by: Kustomization dev/hello-packages, Kustomization dev/hello-installs
      prove   Secret dev/prod1-kubeconfig names token-new
      delete  run Secret apps/token-old (its token is revoked)
      delete  run Secret apps/token-half (its token is revoked)
      prove   2 tokens are refused in apps
    ");
}

/// When the old Secret is deleted, nobody knows its token any more; that it is refused is not proven again.
#[test]
fn interrupted_when_the_old_token_is_revoked() {
    let facts = Facts { resource_version: Some("8".to_owned()), ..facts() };
    insta::assert_snapshot!(planned(&facts.with_tokens(&["token-half"], 1)), @r"
    give Flux a new credential for prod1, which does not expire, and revoke the old one
      apply   run Secret apps/token-new
      mint    build Secret dev/prod1-kubeconfig: the token in Secret apps/token-new, which works in apps
      await   used by: Kustomization dev/hello-packages, Kustomization dev/hello-installs
      prove   Secret dev/prod1-kubeconfig names token-new
      delete  run Secret apps/token-half (its token is revoked)
      prove   1 tokens are refused in apps
    ");
}

/// A token that was bound to a Secret which is gone is dead already, and there is nothing to revoke.
#[test]
fn a_credential_that_was_revoked_with_kubectl_is_replaced() {
    insta::assert_snapshot!(planned(&facts().with_tokens(&[], 1)), @r"
    give Flux a new credential for prod1, which does not expire, and revoke the old one
      apply   run Secret apps/token-new
      mint    build Secret dev/prod1-kubeconfig: the token in Secret apps/token-new, which works in apps
      await   used by: Kustomization dev/hello-packages, Kustomization dev/hello-installs
      prove   Secret dev/prod1-kubeconfig names token-new
      prove   1 tokens are refused in apps
    ");
}

/// Asks for tokens that live a day.
fn request_for_a_day() -> Request {
    Request { token_duration: Some(Duration::from_hours(24)), ..request() }
}

/// After the first step there is a second Secret on the run cluster. A token that was bound to it and not stored is known to
/// nobody, and is revoked with it.
#[test]
fn interrupted_with_a_duration_when_the_secret_is_made() {
    let facts = facts().with_tokens(&["token-old", "token-half"], 1);
    insta::assert_snapshot!(planned_for(&request_for_a_day(), &facts), @r"
    give Flux a new credential for prod1, which lives 24h, and revoke the old one
      apply   run Secret apps/token-new
      mint    build Secret dev/prod1-kubeconfig: a token of dev-prod1-deployer for 24h, bound to Secret apps/token-new, which works in apps
      await   used by: Kustomization dev/hello-packages, Kustomization dev/hello-installs
      prove   Secret dev/prod1-kubeconfig names token-new
      delete  run Secret apps/token-old (its token is revoked)
      delete  run Secret apps/token-half (its token is revoked)
      prove   1 tokens are refused in apps
    ");
}

/// From the second step on Flux has a token that expires, and the one that does not is still in its Secret. Without the flag the
/// next one lives as long.
#[test]
fn interrupted_with_a_duration_when_the_credential_is_stored_and_when_flux_uses_it() {
    let granted = Some(Duration::from_hours(24));
    let facts = Facts { granted, resource_version: Some("8".to_owned()), ..facts() };
    let facts = facts.with_tokens(&["token-old", "token-half"], 2);
    let again = planned_for(&request_for_a_day(), &facts);
    assert_eq!(again, planned(&facts));
    insta::assert_snapshot!(again, @r"
    give Flux a new credential for prod1, which lives 24h, and revoke the old one
      apply   run Secret apps/token-new
      mint    build Secret dev/prod1-kubeconfig: a token of dev-prod1-deployer for 24h, bound to Secret apps/token-new, which works in apps
      await   used by: Kustomization dev/hello-packages, Kustomization dev/hello-installs
      prove   Secret dev/prod1-kubeconfig names token-new
      delete  run Secret apps/token-old (its token is revoked)
      delete  run Secret apps/token-half (its token is revoked)
      prove   2 tokens are refused in apps
    ");
}

/// When the old Secret is deleted, only the token that Flux has is left to be replaced.
#[test]
fn interrupted_with_a_duration_when_the_old_token_is_revoked() {
    let granted = Some(Duration::from_hours(24));
    let facts = Facts { granted, resource_version: Some("8".to_owned()), ..facts() }.with_tokens(&["token-half"], 1);
    let again = planned_for(&request_for_a_day(), &facts);
    assert_eq!(again, planned(&facts));
    insta::assert_snapshot!(again, @r"
    give Flux a new credential for prod1, which lives 24h, and revoke the old one
      apply   run Secret apps/token-new
      mint    build Secret dev/prod1-kubeconfig: a token of dev-prod1-deployer for 24h, bound to Secret apps/token-new, which works in apps
      await   used by: Kustomization dev/hello-packages, Kustomization dev/hello-installs
      prove   Secret dev/prod1-kubeconfig names token-new
      delete  run Secret apps/token-half (its token is revoked)
      prove   1 tokens are refused in apps
    ");
}
