//! What a status of many run clusters looks like.

use insta::assert_snapshot;

use crate::observe::survey::{Surveyed, Versions};
use crate::observe::{Cause, Delivery, Failure, GracePeriod, RunAccess, Stage, Verdict};
use crate::ui::extent::Extent;
use crate::ui::status::tree::lines;

fn surveyed(number: usize, package: &str, verdict: Verdict) -> Surveyed {
    let run_cluster = format!("prod{number}");
    Surveyed {
        delivery: Delivery {
            package: package.to_owned(),
            run_cluster: run_cluster.clone(),
            namespace: "dev".to_owned(),
            source: ("dev".to_owned(), "apps-gitops-repo".to_owned()),
            packages_kustomization: format!("{package}-{run_cluster}-packages"),
            installs_kustomization: format!("{package}-{run_cluster}-packageinstalls"),
            target_namespace: "apps".to_owned(),
            access: RunAccess::WorkloadIdentity { config_map: "identity".to_owned(), impersonate: None },
        },
        revision: Some("main@sha1:0123456789abcdef".to_owned()),
        flux: ["True".to_owned(), "True".to_owned()],
        verdict,
        versions: Some(Versions {
            constraints: ">=1.0.0".to_owned(),
            selected: Some("1.2.0".to_owned()),
            installed: Some(if number.is_multiple_of(3) { "1.1.0" } else { "1.2.0" }.to_owned()),
            ..Versions::default()
        }),
    }
}

fn ready() -> Verdict {
    Verdict::Ready { version: "1.2.0".to_owned() }
}

fn failed(message: String) -> Verdict {
    Verdict::Failed(Failure {
        cause: Cause::FetchFailed,
        stage: Stage::Fetch,
        object: "App apps/hello".to_owned(),
        message,
        hint: "make the Secret".to_owned(),
        grace_period: GracePeriod::None,
        attempt: None,
    })
}

fn fleet() -> Vec<Surveyed> {
    let mut fleet = Vec::new();
    for number in 1..=40 {
        let hello = match number {
            1..=12 => failed(format!("Secret prod{number}-pull in namespace apps is missing")),
            20 => failed("registry.example: no such bundle".to_owned()),
            _ => ready(),
        };
        fleet.push(surveyed(number, "hello", hello));
        fleet.push(surveyed(number, "other", ready()));
    }
    fleet
}

#[test]
fn many_run_clusters_begin_with_what_needs_attention() {
    let text = lines(&fleet(), "2026-11-22T10:00:00Z".parse().expect("a time"), Extent::Attention).join("\n");
    assert_snapshot!(anstream::adapter::strip_str(&text).to_string(), @r#"
    GitRepository dev/apps-gitops-repo  main@sha1:01234567
    ├── ✗ 12 deliveries  failed fetch: hello on prod1, prod2, prod3, prod4, prod5, prod6, prod7, prod8, prod9, prod10 and 2 more
    │     Secret prod1-pull in namespace apps is missing
    │     Hint: make the Secret
    ├── prod20
    │   └── ✗ hello  failed fetch  1.2.0  namespace apps
    │         registry.example: no such bundle
    │         Hint: make the Secret
    ├── 13 deliveries on these run clusters are ready
    └── ✔ 27 run clusters: all 54 deliveries ready
    hello: 1.2.0 on 27 run clusters, 1.1.0 on 13
    other: 1.2.0 on 27 run clusters, 1.1.0 on 13
    80 deliveries, 13 not ready: hello on prod1, prod2, prod3, prod4, prod5, prod6, prod7, prod8, prod9, prod10 and 3 more
    "#);
}

#[test]
fn all_of_them_are_shown_on_request() {
    let text = lines(&fleet(), "2026-11-22T10:00:00Z".parse().expect("a time"), Extent::All).join("\n");
    for number in 1..=40 {
        assert!(text.contains(&format!("prod{number}")), "prod{number} is not shown");
    }
}
