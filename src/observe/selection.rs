//! Which deliveries a command is about: the chosen ones among all that there are. Pure.

use super::delivery::Delivery;
use crate::error::{Error, Result};
use crate::names;

/// How many deliveries a hint lists.
const LISTED: usize = 10;

/// The deliveries that a person named.
#[derive(Clone, Debug, Default)]
pub struct Selection {
    /// The namespace of the Flux objects; `None` means all.
    pub namespace: Option<String>,
    /// The packages, by name or directory; empty means all.
    pub packages: Vec<String>,
    /// The run clusters, by short name; empty means all.
    pub run_clusters: Vec<String>,
    /// Contexts to reach run clusters through, instead of Flux's credential.
    pub run_contexts: Vec<(String, String)>,
}

impl Selection {
    /// Says where is looked, such as "namespace dev".
    #[must_use]
    pub fn place(&self) -> String {
        self.namespace.as_ref().map_or("any namespace".to_owned(), |name| format!("namespace {name}"))
    }

    /// Keeps the chosen ones; what is in other namespaces was not read.
    #[must_use]
    pub fn of(&self, deliveries: Vec<Delivery>) -> Vec<Delivery> {
        let is_chosen = |names: &[String], known: &str| {
            names.is_empty() || names.iter().any(|name| names::of_package(name) == known)
        };
        deliveries
            .into_iter()
            .filter(|one| is_chosen(&self.packages, &one.package) && is_chosen(&self.run_clusters, &one.run_cluster))
            .collect()
    }

    /// Refuses names that no delivery has: most likely they are misspelled.
    pub fn refuse_unknown(&self, deliveries: &[Delivery]) -> Result<()> {
        let is_package = |name: &&String| deliveries.iter().any(|delivery| delivery.package == names::of_package(name));
        let is_run_cluster = |name: &&String| deliveries.iter().any(|delivery| delivery.run_cluster == **name);
        let packages: Vec<&str> = self.packages.iter().filter(|name| !is_package(name)).map(String::as_str).collect();
        let contexts = self.run_contexts.iter().map(|(name, _)| name);
        let mut run_clusters: Vec<&str> =
            self.run_clusters.iter().chain(contexts).filter(|name| !is_run_cluster(name)).map(String::as_str).collect();
        run_clusters.dedup();
        let what = match (packages.is_empty(), run_clusters.is_empty()) {
            (true, true) => return Ok(()),
            (false, true) => format!("of {}", packages.join(", ")),
            (true, false) => format!("to {}", run_clusters.join(", ")),
            (false, false) => format!("of {}, and none to {},", packages.join(", "), run_clusters.join(", ")),
        };
        Err(Error::usage(format!("there is no delivery {what} in {}", self.place())).hint(known(deliveries)))
    }
}

fn known(deliveries: &[Delivery]) -> String {
    if deliveries.is_empty() {
        return "there are none; name another namespace with -n, or see all of them: kubectl carvelflux status -A"
            .to_owned();
    }
    let listed: Vec<String> = deliveries.iter().take(LISTED).map(Delivery::display).collect();
    let more = deliveries.len().saturating_sub(LISTED);
    let more = if more > 0 { format!("; and {more} more: kubectl carvelflux status") } else { String::new() };
    format!("there are: {}{more}", listed.join("; "))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::observe::RunAccess;

    fn delivery(package: &str, run_cluster: &str) -> Delivery {
        Delivery {
            package: package.to_owned(),
            run_cluster: run_cluster.to_owned(),
            namespace: "dev".to_owned(),
            source: ("dev".to_owned(), "source".to_owned()),
            packages_kustomization: format!("{package}-{run_cluster}-packages"),
            installs_kustomization: format!("{package}-{run_cluster}-packageinstalls"),
            target_namespace: "apps".to_owned(),
            access: RunAccess::WorkloadIdentity { config_map: "identity".to_owned(), impersonate: None },
        }
    }

    fn selection(packages: &[&str], run_clusters: &[&str], contexts: &[&str]) -> Selection {
        let owned = |names: &[&str]| names.iter().map(|&name| name.to_owned()).collect();
        Selection {
            namespace: Some("dev".to_owned()),
            packages: owned(packages),
            run_clusters: owned(run_clusters),
            run_contexts: contexts.iter().map(|&name| (name.to_owned(), "context".to_owned())).collect(),
        }
    }

    #[test]
    fn no_names_mean_all() {
        let all = vec![delivery("hello", "prod1"), delivery("hello", "prod2"), delivery("other", "prod1")];
        let count =
            |packages: &[&str], run_clusters: &[&str]| selection(packages, run_clusters, &[]).of(all.clone()).len();
        assert_eq!(count(&[], &[]), 3);
        assert_eq!(count(&["hello"], &[]), 2);
        assert_eq!(count(&["packages/hello/"], &["prod2"]), 1);
        assert_eq!(count(&["helo"], &[]), 0);
    }

    #[test]
    fn misspelled_names_are_refused() {
        let all = [delivery("hello", "prod1"), delivery("hello", "prod2")];
        let refused = |selection: Selection| selection.refuse_unknown(&all).map_err(|error| error.to_string()).err();
        assert_eq!(refused(selection(&["hello"], &["prod2"], &["prod1"])), None);
        for (selection, message) in [
            (selection(&["helo"], &[], &[]), "there is no delivery of helo in namespace dev"),
            (selection(&[], &["prod3"], &[]), "there is no delivery to prod3 in namespace dev"),
            (selection(&[], &[], &["prod3"]), "there is no delivery to prod3 in namespace dev"),
            (selection(&["a"], &["b"], &["b"]), "there is no delivery of a, and none to b, in namespace dev"),
        ] {
            assert_eq!(refused(selection).as_deref(), Some(message));
        }
    }

    #[test]
    fn a_long_list_is_cut() {
        let all: Vec<Delivery> = (0..12).map(|number| delivery("hello", &format!("prod{number}"))).collect();
        let error = selection(&["helo"], &[], &[]).refuse_unknown(&all).expect_err("a refusal");
        let hint = error.hints().first().map(String::as_str).unwrap_or_default();
        assert!(hint.contains("hello on prod9; and 2 more"), "{hint}");
    }
}
