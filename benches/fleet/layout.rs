//! How large the fleet is, on which API server each of its run clusters is, and what is called how.

use serde_json::Value;

pub(crate) const RUN_CLUSTERS: usize = 100;
pub(crate) const PACKAGES: usize = 10;
pub(crate) const DELIVERIES: usize = RUN_CLUSTERS * PACKAGES;
/// The run cluster of the real delivery.
pub(crate) const RUN_CLUSTER: &str = "prod1";
/// The API servers that hold the namespaces: the testbed's run clusters.
pub(crate) const API_SERVERS: usize = 4;

/// One delivery of the fleet, by its numbers.
#[derive(Clone, Copy)]
pub(crate) struct Place {
    pub(crate) run_cluster: usize,
    pub(crate) package: usize,
}

pub(crate) fn numbers() -> std::ops::Range<usize> {
    0..RUN_CLUSTERS
}

/// Returns the run clusters that an API server holds.
pub(crate) fn numbers_on(server: usize) -> impl Iterator<Item = usize> + Clone {
    numbers().skip(server).step_by(API_SERVERS)
}

/// Returns the name of an API server: that of the testbed's run cluster.
pub(crate) fn api_server(server: usize) -> String {
    format!("prod{}", server + 1)
}

/// Returns the short name of a run cluster, which is its namespace too.
pub(crate) fn run_cluster(number: usize) -> String {
    format!("run-{number:03}")
}

pub(crate) fn package(number: usize) -> String {
    format!("hello-{number:02}.default.tap")
}

/// Makes the objects of all deliveries of some run clusters.
pub(crate) fn copies(run_clusters: impl Iterator<Item = usize>, make: impl Fn(Place) -> Vec<Value>) -> Vec<Value> {
    run_clusters
        .flat_map(|run_cluster| (0..PACKAGES).map(move |package| Place { run_cluster, package }))
        .flat_map(make)
        .collect()
}
