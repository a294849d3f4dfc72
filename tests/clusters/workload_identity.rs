//! `--auth workload-identity`: nothing stored, between clusters that trust each other.

use carvelflux::testing::{KustomizationRequest, Provider, RunCredential, WorkloadIdentity, kustomization};
use serde_json::{Value, json};
use testbed::{Options, Testbed};

use crate::Test;
use crate::support::{INSTALLS, PACKAGE, User};

/// Tests on clusters that know nothing of each other.
pub(crate) const TESTS: &[(&str, Test)] = &[
    ("workload_identity::a_run_cluster_that_does_not_trust_the_issuer", untrusted),
    ("workload_identity::wrong_flags_are_refused", wrong_flags),
    ("workload_identity::clouds_are_accepted_by_the_api_server", clouds),
];

/// Tests that start a testbed of their own: its run clusters trust the build cluster.
pub(crate) const OWN: &[(&str, fn())] = &[("workload_identity::delivers_and_deletes", delivers_and_deletes)];

fn bootstrapped<'a>(testbed: &'a Testbed, name: &str) -> User<'a> {
    let user = User::new(testbed, name);
    user.bootstrap().expect_code(0);
    user
}

/// Returns the arguments of `add-cluster` with a workload identity.
fn with_identity<'b>(user: &'b User<'_>, more: &[&'b str]) -> Vec<&'b str> {
    let mut arguments = user.add_cluster_arguments("prod1", "prod1");
    arguments.extend(["--auth", "workload-identity"]);
    arguments.extend(more);
    arguments
}

fn delivers_and_deletes() {
    let options = Options { run_clusters: 1, is_build_cluster_trusted: true, ..Options::default() };
    let testbed = Testbed::start(&options).unwrap_or_else(|error| panic!("the testbed does not start: {error}"));
    let user = bootstrapped(&testbed, "identity");
    let (build, target) = (user.workspace.build_namespace(), user.workspace.target_namespace());
    let name = format!("{}system:serviceaccount:{build}:prod1-identity", testbed::USER_PREFIX);

    // Whom the run cluster takes it for is found out before Flux is told anything.
    user.run(&with_identity(&user, &["--audience", "prod1"]))
        .expect_code(1)
        .says(&format!("--identity-user {name}"))
        .does_not_say("created Kustomization");
    let arguments = with_identity(&user, &["--audience", "prod1", "--identity-user", &name]);

    // Flux may not use accounts of namespaces yet: no reason to wait until the deadline.
    user.run(&arguments)
        .expect_code(1)
        .says("ObjectLevelWorkloadIdentity feature gate is not enabled")
        .says("--feature-gates=ObjectLevelWorkloadIdentity=true");
    let controller = testbed.process("build/kustomize-controller").expect("the process");
    controller.restart_with("--feature-gates=ObjectLevelWorkloadIdentity=true").expect("it starts");

    user.run(&arguments).expect_code(0).says(&format!("{PACKAGE} on prod1  ready"));
    let config_map = user.get("build", build, "configmap", "prod1-kubeconfig");
    assert_eq!(config_map["data"]["provider"], "generic");
    assert_eq!(config_map["data"]["serviceAccountName"], "prod1-identity");
    assert_eq!(config_map["metadata"]["annotations"]["carvelflux.dev/authentication"], "workload-identity");
    let kustomization = user.get("build", build, "kustomization", INSTALLS);
    assert_eq!(kustomization["spec"]["kubeConfig"], json!({"configMapRef": {"name": "prod1-kubeconfig"}}));
    assert_eq!(user.get("build", build, "secret", "prod1-kubeconfig"), Value::Null, "nothing is stored");
    let deployer = format!("{build}-prod1-deployer");
    assert_eq!(user.get("prod1", target, "serviceaccount", &deployer), Value::Null, "no account is made there");

    user.run(&arguments).expect_code(0).says("nothing to change");
    user.add_cluster("prod1").expect_code(0).says("nothing to change");
    user.run(&["wait"]).expect_code(0).says(&format!("{PACKAGE} on prod1  ready"));
    user.run(&["status"]).expect_code(0).says("ready");
    let mut token = user.add_cluster_arguments("prod1", "prod1");
    token.extend(["--auth", "token"]);
    user.run(&token).expect_code(1).says("already authenticates with another method: workload-identity");

    // The run cluster ceases to know it.
    user.target(&["delete", "rolebinding", &deployer]);
    user.change_replicas(3);
    user.run(&["wait", "--timeout", "3m"]).expect_code(1).says(&name).says("forbidden");
    user.add_cluster("prod1").expect_code(0).says("created RoleBinding");

    // Tokens for another cluster are worth nothing there.
    let other = r#"{"data": {"audiences": "prod2"}}"#;
    user.build(&["patch", "configmap", "prod1-kubeconfig", "--type=merge", "-p", other]);
    user.reconcile_by_flux(&[INSTALLS]);
    user.run(&["wait", "--timeout", "3m"])
        .expect_code(1)
        .says("trust the build cluster as an issuer")
        .says(&format!("ConfigMap {build}/prod1-kubeconfig"));
    user.run(&[&arguments[..], &["--force-conflicts"]].concat()).expect_code(0).says("updated ConfigMap");

    user.assert_deleting_prunes();
    user.add_cluster("prod1").expect_code(0).says("created Kustomization");
    user.run(&["remove-cluster", "prod1", "--run-context", "prod1", "--yes"]).expect_code(0);
    for (cluster, namespace, kind, name) in [
        ("build", build, "configmap", "prod1-kubeconfig"),
        ("build", build, "serviceaccount", "prod1-identity"),
        ("prod1", target, "role", deployer.as_str()),
        ("prod1", target, "rolebinding", deployer.as_str()),
    ] {
        assert_eq!(user.get(cluster, namespace, kind, name), Value::Null, "{kind} {name} is left");
    }
    older_flux_is_refused(&user, &arguments);
}

/// Takes what Flux 2.7 brought out of the CRD, as an older one has it.
fn older_flux_is_refused(user: &User<'_>, arguments: &[&str]) {
    let kubectl = |arguments: &[&str]| user.testbed.kubectl("build", arguments).expect("kubectl");
    let name = "kustomizations.kustomize.toolkit.fluxcd.io";
    let text = kubectl(&["get", "crd", name, "-o", "json"]);
    let mut definition: Value = serde_json::from_str(&text).expect("JSON");
    for version in definition["spec"]["versions"].as_array_mut().expect("versions") {
        let field = &mut version["schema"]["openAPIV3Schema"]["properties"]["spec"]["properties"]["kubeConfig"];
        let field = field.as_object_mut().expect("the field");
        field.remove("x-kubernetes-validations");
        field["properties"].as_object_mut().expect("properties").remove("configMapRef");
    }
    let patch = json!({"spec": {"versions": definition["spec"]["versions"]}}).to_string();
    kubectl(&["patch", "crd", name, "--type=merge", "-p", &patch]);
    let before = user.state();
    let refused = || user.run(arguments);
    // The API server takes a moment to serve a changed schema.
    crate::support::eventually("the older schema", || {
        refused().stderr.contains("knows no workload identities").then_some(())
    });
    refused().expect_code(1).says("upgrade Flux to 2.7 or newer").does_not_say("✔");
    assert_eq!(before, user.state());
}

fn untrusted(testbed: &Testbed) {
    let user = bootstrapped(testbed, "untrusted");
    let output = user.run(&with_identity(&user, &["--audience", "prod1"]));
    output
        .expect_code(1)
        .says("the run cluster `prod1` does not trust the build cluster's tokens")
        .says("let its API server trust the issuer https://127.0.0.1:")
        .says("for the audience prod1")
        .does_not_say("created Kustomization")
        .does_not_say("created ConfigMap");
}

fn wrong_flags(testbed: &Testbed) {
    let user = bootstrapped(testbed, "identity-flags");
    let before = user.state();
    let refused = |arguments: &[&str], words: &str| {
        user.run(arguments).expect_code(2).says(words).does_not_say("✔");
    };
    let mut without_way = user.add_cluster_arguments("prod1", "prod1");
    without_way.extend(["--audience", "prod1"]);
    refused(&without_way, "--auth");
    without_way.extend(["--auth", "token"]);
    refused(&without_way, "require --auth workload-identity");
    refused(&with_identity(&user, &["--kubeconfig-file", "own.yaml"]), "cannot be used with");
    refused(
        &with_identity(&user, &["--provider", "aws"]),
        "--cluster-resource arn:aws:eks:REGION:ACCOUNT:cluster/NAME",
    );
    refused(&with_identity(&user, &["--cluster-resource", "projects/p/locations/l/clusters/c"]), "--provider aws");
    let gcp = ["--provider", "gcp", "--cluster-resource", "projects/p/locations/l/clusters/c"];
    refused(&with_identity(&user, &gcp), "--identity-user USER");
    let azure = ["--provider", "azure", "--identity-user", "u", "--identity-service-account", "flux"];
    user.run(&with_identity(&user, &azure))
        .expect_code(1)
        .says("azure.workload.identity/tenant-id and azure.workload.identity/client-id")
        .does_not_say("✔");
    assert_eq!(before, user.state());
}

fn clouds(testbed: &Testbed) {
    let azure = "/subscriptions/00000000-0000-0000-0000-000000000000/resourceGroups/g/providers/\
                 Microsoft.ContainerService/managedClusters/prod1";
    for (provider, cluster) in [
        (Provider::Aws, "arn:aws:eks:eu-central-1:123456789012:cluster/prod1"),
        (Provider::Azure, azure),
        (Provider::Gcp, "projects/p/locations/europe-west1/clusters/prod1"),
    ] {
        let identity = WorkloadIdentity { provider, cluster: Some(cluster.to_owned()), ..WorkloadIdentity::default() };
        identity.check().expect("it is complete");
        let config_map = json!({
            "apiVersion": "v1", "kind": "ConfigMap",
            "metadata": {"name": "prod1-kubeconfig", "namespace": "default"}, "data": identity.data(),
        });
        let request = KustomizationRequest {
            version: "v1",
            namespace: "default",
            package: PACKAGE,
            run_cluster: "prod1",
            target_namespace: "apps",
            credential: RunCredential::ConfigMap,
            service_account: None,
        };
        let kustomization = kustomization(&request, INSTALLS, "./hello/prod1");
        for object in [config_map, kustomization] {
            let file = tempfile::NamedTempFile::new().expect("a file");
            std::fs::write(file.path(), object.to_string()).expect("a file");
            let path = file.path().to_str().expect("UTF-8");
            let arguments = ["apply", "--server-side", "--dry-run=server", "--validate=strict", "-f", path];
            let answer = testbed.kubectl("build", &arguments).expect("the API server accepts it");
            assert!(answer.contains("server dry run"), "{answer}");
        }
    }
}
