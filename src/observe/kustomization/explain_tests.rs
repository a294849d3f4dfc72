//! The words of Flux, as recorded from kustomize-controller v1.9.3, and the causes behind them.

use super::*;
use serde_json::{Value, json};

fn explained(spec: &Value, reason: &str, message: &str) -> (Cause, String) {
    let mut spec = spec.clone();
    for (field, value) in [
        ("path", json!("./hello/prod1")),
        ("targetNamespace", json!("apps")),
        ("kubeConfig", json!({"secretRef": {"name": "prod1-kubeconfig"}})),
    ] {
        spec[field] = value;
    }
    let object: Kustomization = serde_json::from_value(json!({
        "apiVersion": "kustomize.toolkit.fluxcd.io/v1", "kind": "Kustomization",
        "metadata": {"name": "k", "namespace": "dev"}, "spec": spec,
    }))
    .expect("the fixture is a Kustomization");
    let ready = Condition { reason: reason.to_owned(), message: message.to_owned(), ..Condition::default() };
    let (cause, _, hint) = explain(&ready, &object);
    (cause, hint)
}

#[test]
fn a_workload_identity_is_told_from_a_kubeconfig() {
    let explained = |message: &str| {
        let object: Kustomization = serde_json::from_value(json!({
            "apiVersion": "kustomize.toolkit.fluxcd.io/v1", "kind": "Kustomization",
            "metadata": {"name": "k", "namespace": "dev"},
            "spec": {"path": "./a/b", "kubeConfig": {"configMapRef": {"name": "prod1-kubeconfig"}}},
        }))
        .expect("the fixture is a Kustomization");
        let ready = Condition {
            reason: "ReconciliationFailed".to_owned(),
            message: message.to_owned(),
            ..Condition::default()
        };
        let (cause, grace_period, hint) = explain(&ready, &object);
        assert!(hint.contains("ConfigMap dev/prod1-kubeconfig"), "{hint}");
        (cause, grace_period)
    };
    let gate = "failed to get access token for cluster: ObjectLevelWorkloadIdentity feature gate is not enabled";
    assert_eq!(explained(gate), (Cause::FeatureDisabled, GracePeriod::None));
    let missing = "failed to get configmap dev/prod1-kubeconfig: configmaps \"prod1-kubeconfig\" not found";
    assert_eq!(explained(missing).0, Cause::NoCredential);
    assert_eq!(explained("failed to get server groups: Unauthorized").0, Cause::CredentialRefused);
}

const PATCH: &str = "packages.data.packaging.carvel.dev \"hello.1.0.0\" is forbidden: User \"USER\" cannot patch resource \
                     \"packages\" in API group \"data.packaging.carvel.dev\" in the namespace \"apps\"";

#[test]
fn each_cause_is_named() {
    for (reason, message, cause) in [
        (
            "ArtifactFailed",
            "kustomization path not found: stat /tmp/k/hello/prod1: no such file or directory",
            Cause::NoDirectory,
        ),
        ("BuildFailed", "kustomize build failed: accumulating resources", Cause::BuildFailed),
        (
            "ReconciliationFailed",
            "Secret/apps/values is SOPS encrypted, configuring decryption is required for this secret to be reconciled",
            Cause::BuildFailed,
        ),
        (
            "ReconciliationFailed",
            "Get \"https://127.0.0.1:1/api\": dial tcp 127.0.0.1:1: connect: connection refused",
            Cause::RunClusterUnreachable,
        ),
        (
            "ReconciliationFailed",
            "tls: failed to verify certificate: x509: certificate signed by unknown authority",
            Cause::CertificateRefused,
        ),
        (
            "ReconciliationFailed",
            "the server has asked for the client to provide credentials",
            Cause::CredentialRefused,
        ),
        (
            "ReconciliationFailed",
            "unable to read KubeConfig secret 'dev/prod1-kubeconfig' error: secrets \"prod1-kubeconfig\" not found",
            Cause::NoCredential,
        ),
        ("ReconciliationFailed", "Secret/apps/values not found: namespaces \"apps\" not found", Cause::NoNamespace),
        (
            "ReconciliationFailed",
            "Package/apps/hello dry-run failed (ServiceUnavailable): service unavailable",
            Cause::KappControllerUnavailable,
        ),
        (
            "ReconciliationFailed",
            "Secret/apps/values dry-run failed (InternalError): Internal error occurred: failed calling webhook \"a.b\": failed to call webhook: Post \"https://a.b.svc:443/\": dial tcp 10.0.0.1:443: connect: connection refused",
            Cause::AdmissionDenied,
        ),
        (
            "ReconciliationFailed",
            "Secret/apps/values dry-run failed (Forbidden): secrets \"values\" is forbidden: exceeded quota: few, requested: secrets=1, used: secrets=2, limited: secrets=2",
            Cause::AdmissionDenied,
        ),
        (
            "ReconciliationFailed",
            "failed to get API group resources: unable to retrieve the complete list of server APIs: data.packaging.carvel.dev/v1alpha1: the server is currently unable to handle the request",
            Cause::KappControllerUnavailable,
        ),
        (
            "ReconciliationFailed",
            "failed to get API group resources: unable to retrieve the complete list of server APIs: metrics.k8s.io/v1beta1: the server is currently unable to handle the request",
            Cause::ApiUnavailable,
        ),
        ("ReconciliationFailed", PATCH, Cause::Forbidden),
        ("ReconciliationFailed", &PATCH.replace("USER", "system:anonymous"), Cause::NoCredential),
        ("ReconciliationFailed", "Secret/apps/values dry-run failed (Invalid): data is invalid", Cause::NotApplied),
    ] {
        assert_eq!(explained(&json!({}), reason, message).0, cause, "{message}");
    }
}

#[test]
fn the_missing_rule_and_its_role_are_named() {
    let (_, hint) =
        explained(&json!({}), "ReconciliationFailed", &PATCH.replace("USER", "system:serviceaccount:apps:deployer"));
    assert!(
        hint.contains("{apiGroups: [\"data.packaging.carvel.dev\"], resources: [\"packages\"], verbs: [\"patch\"]}"),
        "{hint}"
    );
    assert!(hint.contains("a Role of system:serviceaccount:apps:deployer in namespace apps"), "{hint}");
}

#[test]
fn the_default_service_account_of_flux_is_recognised() {
    let refused = "serviceaccounts \"default\" is forbidden: User \"system:serviceaccount:apps:deployer\" cannot impersonate \
                   resource \"serviceaccounts\" in API group \"\" in the namespace \"dev\"";
    let (cause, hint) = explained(&json!({}), "ReconciliationFailed", refused);
    assert_eq!(cause, Cause::Forbidden);
    assert!(hint.contains("--default-service-account") && hint.contains("--serviceaccount=apps:deployer"), "{hint}");
    let (_, hint) = explained(&json!({"serviceAccountName": "sa"}), "ReconciliationFailed", refused);
    assert!(hint.starts_with("spec.serviceAccountName is sa"), "{hint}");

    // As recorded from kustomize-controller v1.9.3.
    let wordless = "Package/apps/hello dry-run failed (Forbidden): failed to get server groups: unknown";
    let (cause, hint) = explained(&json!({}), "ReconciliationFailed", wordless);
    assert_eq!(cause, Cause::Forbidden);
    assert!(hint.contains("--default-service-account") && hint.contains("--verb=impersonate"), "{hint}");

    let unbound = PATCH.replace("USER", "system:serviceaccount:dev:default");
    let (_, hint) = explained(&json!({}), "ReconciliationFailed", &unbound);
    assert!(hint.contains("--default-service-account") && hint.contains("-n apps create rolebinding"), "{hint}");
    assert!(hint.contains("--serviceaccount=dev:default"), "{hint}");
}

#[test]
fn a_kind_that_the_deployer_lacks_is_told_with_the_whole_command() {
    let refused = |resource: &str, group: &str| {
        format!(
            "x is forbidden: User \"system:serviceaccount:apps:dev-prod1-deployer\" cannot patch resource \"{resource}\" in API group \"{group}\" in the namespace \"apps\""
        )
    };
    let hint = |resource: &str, group: &str| {
        let (cause, hint) = explained(&json!({}), "ReconciliationFailed", &refused(resource, group));
        assert_eq!(cause, Cause::Forbidden);
        hint
    };
    let metadata = hint("packagemetadatas", "data.packaging.carvel.dev");
    assert!(
        metadata.contains(
            "kubectl carvelflux add-cluster prod1 --package hello -n dev --target-namespace apps --run-context CONTEXT;"
        ),
        "{metadata}"
    );
    // No Role of the plugin's allows these.
    let other = hint("configmaps", "");
    assert!(other.contains("take the configmaps out of hello/prod1") && !other.contains("add-cluster"), "{other}");
}
