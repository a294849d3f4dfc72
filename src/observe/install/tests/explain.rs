//! The words of the tools, as recorded from kapp-controller v0.53.1, and the causes behind them.

use super::*;

fn explained(stage: Stage, message: &str) -> (Cause, GracePeriod, String) {
    explain(stage, message, Place { namespace: "apps", name: "hello", service_account: "installer" })
}

#[test]
fn a_tool_that_kapp_controller_lost_sight_of_may_have_succeeded() {
    for (stage, cause) in [(Stage::Fetch, Cause::FetchFailed), (Stage::Template, Cause::TemplateFailed)] {
        let (found, grace_period, hint) = explained(stage, "Templating dir: waitid: no child processes");
        assert_eq!((found, grace_period), (cause, GracePeriod::Long));
        assert!(hint.contains("tries again by itself"), "{hint}");
    }
}

const RULE: &str = "configmaps is forbidden: User \"system:serviceaccount:apps:installer\" cannot list resource \"configmaps\" in API \
                    group \"\" in the namespace \"apps\"";

#[test]
fn each_cause_has_its_words() {
    for (stage, message, cause) in [
        (Stage::Fetch, "vendir: Error: Syncing directory '0': … MANIFEST_UNKNOWN", Cause::FetchFailed),
        (Stage::Template, "Preparing template values: secrets \"values\" not found", Cause::NoValuesSecret),
        (Stage::Template, "ytt: Error: Given data value is not declared in schema", Cause::TemplateFailed),
        (
            Stage::Deploy,
            "Preparing kapp: Getting service account: serviceaccounts \"installer\" not found",
            Cause::NoServiceAccount,
        ),
        (Stage::Deploy, RULE, Cause::Forbidden),
        (
            Stage::Deploy,
            "kapp: Error: Ownership errors:\n- Resource 'configmap/hello (v1) namespace: apps' is already associated with a different app 'other'",
            Cause::OwnershipConflict,
        ),
        (
            Stage::Deploy,
            "roles \"x\" is forbidden: user \"u\" is attempting to grant RBAC permissions not currently held",
            Cause::Forbidden,
        ),
        (Stage::Deploy, "pods \"x\" is forbidden: exceeded quota: compute", Cause::AdmissionDenied),
        (
            Stage::Deploy,
            "kapp: Error: unable to retrieve the complete list of server APIs: metrics.k8s.io/v1beta1: the server is currently unable to handle the request",
            Cause::ApiUnavailable,
        ),
        (Stage::Deploy, "kapp: Error: Timed out waiting after 15m0s", Cause::DeployFailed),
    ] {
        assert_eq!(explained(stage, message).0, cause, "{message}");
    }
}

#[test]
fn forbidden_names_the_rule_and_the_role() {
    let (_, grace_period, hint) = explained(Stage::Deploy, RULE);
    assert_eq!(grace_period, GracePeriod::Short);
    assert!(hint.contains("{apiGroups: [\"\"], resources: [\"configmaps\"], verbs: [\"list\"]}"), "{hint}");
    assert!(hint.contains("a Role of system:serviceaccount:apps:installer in namespace apps"), "{hint}");
}

#[test]
fn what_refuses_is_named_with_the_way_out() {
    for (message, words) in [
        (
            "pods \"x\" is forbidden: exceeded quota: compute, requested: pods=1, used: pods=1, limited: pods=1",
            "ResourceQuota compute refuses it (requested: pods=1, used: pods=1, limited: pods=1): raise it or ask for less: kubectl -n apps describe resourcequota compute",
        ),
        (
            "pods \"x\" is forbidden: violates PodSecurity \"restricted:latest\": host namespaces (hostNetwork=true)",
            "pod-security.kubernetes.io/enforce",
        ),
        (
            "configmaps \"x\" is forbidden: unable to create new content in namespace apps because it is being terminated",
            "namespace apps, which is being deleted, refuses it",
        ),
    ] {
        let (cause, _, hint) = explained(Stage::Deploy, message);
        assert_eq!(cause, Cause::AdmissionDenied, "{message}");
        assert!(hint.contains(words), "{hint}");
    }
    let (_, grace_period, hint) = explained(Stage::Deploy, "failed calling webhook \"a.b\": connection refused");
    assert_eq!(grace_period, GracePeriod::Long);
    assert!(hint.starts_with("admission webhook a.b does not answer"), "{hint}");
}

#[test]
fn what_may_be_a_restart_is_given_time() {
    for message in
        ["dial tcp 127.0.0.1:1: connect: connection refused", "etcdserver: leader changed", "503 Service Unavailable"]
    {
        for stage in [Stage::Fetch, Stage::Deploy] {
            assert_eq!(explained(stage, message).1, GracePeriod::Long, "{message}");
        }
    }
    assert_eq!(explained(Stage::Template, "ytt: Error: x").1, GracePeriod::None);
}

#[test]
fn values_that_the_package_does_not_take_are_listed_by_its_schema() {
    let (_, _, hint) = explained(Stage::Template, "ytt: Error: Given data value is not declared in schema");
    assert!(hint.contains("valuesSchema"), "{hint}");
}
