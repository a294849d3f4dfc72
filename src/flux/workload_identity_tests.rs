use super::*;
use crate::ui::errors::assert_printed;

fn of(data: &Value) -> Result<WorkloadIdentity> {
    let object = json!({"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "c"}, "data": data});
    WorkloadIdentity::of(&serde_json::from_value(object).expect("a ConfigMap"))
}

fn of_cloud(provider: Provider, cluster: Option<&str>) -> WorkloadIdentity {
    WorkloadIdentity { provider, cluster: cluster.map(str::to_owned), ..WorkloadIdentity::default() }
}

#[test]
fn what_is_written_is_read() {
    let identity = WorkloadIdentity {
        provider: Provider::Azure,
        cluster: Some("c".to_owned()),
        address: Some("https://prod1.example:6443".to_owned()),
        certificate_authority: Some("PEM".to_owned()),
        audiences: vec!["one".to_owned(), "two".to_owned()],
        service_account: Some("flux".to_owned()),
    };
    assert_eq!(of(&identity.data()).expect("it is complete"), identity);
    assert_eq!(of_cloud(Provider::Gcp, None).data(), json!({"provider": "gcp"}));
}

#[test]
fn the_address_is_the_audience_where_none_is_named() {
    let data = json!({"provider": "generic", "address": "https://prod1"});
    assert_eq!(of(&data).expect("complete").token_audiences(), ["https://prod1"]);
    let data = json!({"provider": "generic", "address": "https://prod1", "audiences": "one\n\n two \n"});
    assert_eq!(of(&data).expect("complete").token_audiences(), ["one", "two"]);
    assert!(of(&json!({"provider": "other"})).is_err());
}

#[test]
fn clusters_are_named_as_their_cloud_does() {
    let azure = "/subscriptions/00000000-0000-0000-0000-000000000000/resourcegroups/g/providers/\
                 Microsoft.ContainerService/managedClusters/prod1";
    for (provider, good) in [
        (Provider::Aws, "arn:aws-cn:eks:cn-north-1:123456789012:cluster/prod1"),
        (Provider::Azure, azure),
        (Provider::Gcp, "projects/p/locations/europe-west1/clusters/prod1"),
    ] {
        of_cloud(provider, Some(good)).check().expect(good);
        for bad in ["", "prod1", "a/b/c/d/e/f", "arn:aws:eks:r:1:cluster/", "projects//locations/l/clusters/c"] {
            let error = of_cloud(provider, Some(bad)).check().expect_err(bad);
            assert!(error.hints()[0].contains("--cluster-resource"), "{error}");
        }
    }
}

#[test]
fn what_a_provider_needs_must_be_there() {
    assert!(of_cloud(Provider::Generic, Some("projects/p/locations/l/clusters/c")).check().is_err());
    for provider in Provider::ALL {
        assert!(of_cloud(provider, None).check().is_err(), "{provider:?} needs something");
    }
    let with_address = |provider| WorkloadIdentity {
        address: Some("https://prod1".to_owned()),
        certificate_authority: Some("PEM".to_owned()),
        ..of_cloud(provider, None)
    };
    assert!(with_address(Provider::Aws).check().is_err(), "the region is in the name of the cluster");
    for provider in [Provider::Generic, Provider::Azure, Provider::Gcp] {
        with_address(provider).check().expect("address and CA will do");
    }
}

#[test]
fn addresses_are_taken_as_flux_takes_them() {
    for (address, canonical) in [
        ("https://Prod1.example:6443", "https://prod1.example:6443"),
        ("https://prod1.example/", "https://prod1.example:443"),
        ("prod1.example", "https://prod1.example:443"),
        ("https://[::1]:6443", "https://[::1]:6443"),
        ("https://[fd00::1]", "https://[fd00::1]:443"),
    ] {
        assert_eq!(canonical_address(address).expect(address), canonical);
    }
    for refused in ["http://prod1.example", "https://rancher.example/k8s/clusters/c-1"] {
        assert!(canonical_address(refused).is_err(), "{refused}");
    }
}

#[test]
fn what_a_provider_cannot_use_is_refused() {
    let refusal = |identity: WorkloadIdentity| identity.check().expect_err("Flux cannot use it");
    assert_printed("cluster_resource_without_a_cloud", &refusal(of_cloud(Provider::Generic, Some("prod1"))));
    assert_printed("cluster_resource_of_another_form", &refusal(of_cloud(Provider::Aws, Some("prod1"))));
}
