//! Which deliveries a command is about: the chosen ones among all that there are. Pure.

use std::collections::BTreeSet;

use super::delivery::Delivery;
use crate::error::{Error, Result};
use crate::invocation::PROGRAM;
use crate::names;
use crate::wording::listed;

/// How many names a message lists.
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
    pub fn of(&self, mut deliveries: Vec<Delivery>) -> Vec<Delivery> {
        deliveries.retain(|delivery| self.includes(delivery));
        deliveries
    }

    fn includes(&self, delivery: &Delivery) -> bool {
        let is_named = |names: &[String], known: &str| {
            names.is_empty() || names.iter().any(|name| names::of_package(name) == known)
        };
        is_named(&self.packages, &delivery.package) && is_named(&self.run_clusters, &delivery.run_cluster)
    }

    /// Refuses names that no delivery has, most likely misspelled, and packages that go to none of the run clusters named.
    pub fn refuse_unknown(&self, deliveries: &[Delivery]) -> Result<()> {
        let packages: BTreeSet<&str> = deliveries.iter().map(|one| one.package.as_str()).collect();
        let run_clusters: BTreeSet<&str> = deliveries.iter().map(|one| one.run_cluster.as_str()).collect();
        let named_packages: BTreeSet<&str> = self.packages.iter().map(|name| names::of_package(name)).collect();
        let contexts = self.run_contexts.iter().map(|(name, _)| name);
        let named_run_clusters: BTreeSet<&str> = self.run_clusters.iter().chain(contexts).map(String::as_str).collect();
        let unknown_packages = list(named_packages.difference(&packages));
        let unknown_run_clusters = list(named_run_clusters.difference(&run_clusters));
        let what = match (unknown_packages, unknown_run_clusters) {
            (None, None) if deliveries.is_empty() || deliveries.iter().any(|one| self.includes(one)) => return Ok(()),
            (None, None) => {
                let run_clusters = list(&self.run_clusters).unwrap_or_default();
                format!("of {} to {run_clusters}", list(&named_packages).unwrap_or_default())
            }
            (Some(packages), None) => format!("of {packages}"),
            (None, Some(run_clusters)) => format!("to {run_clusters}"),
            (Some(packages), Some(run_clusters)) => format!("of {packages}, and none to {run_clusters},"),
        };
        let known = match (list(&packages), list(&run_clusters)) {
            (Some(packages), Some(run_clusters)) => format!("there are deliveries of {packages}; to {run_clusters}"),
            _ => "there are no deliveries at all".to_owned(),
        };
        let error = Error::usage(format!("there is no delivery {what} in {}", self.place())).hint(known);
        Err(if self.namespace.is_some() {
            error.hint(format!("see those of all namespaces: {PROGRAM} status -A"))
        } else {
            error
        })
    }
}

/// Lists names, the first ones of many; `None` where there are none.
fn list<T: ToString>(names: impl IntoIterator<Item = T>) -> Option<String> {
    let names: Vec<String> = names.into_iter().map(|name| name.to_string()).collect();
    (!names.is_empty()).then(|| listed(&names, LISTED))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::observe::RunAccess;
    use crate::ui::errors::assert_printed;

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

    fn refusal(selection: &Selection, deliveries: &[Delivery]) -> Option<(String, String)> {
        let error = selection.refuse_unknown(deliveries).err()?;
        Some((error.to_string(), error.hints().join("\n")))
    }

    #[test]
    fn misspelled_names_are_refused() {
        let all = [delivery("hello", "prod1"), delivery("hello", "prod2"), delivery("other", "prod1")];
        assert_eq!(refusal(&selection(&["hello"], &["prod2"], &["prod1"]), &all), None);
        for (selection, message) in [
            (selection(&["helo"], &[], &[]), "there is no delivery of helo in namespace dev"),
            (selection(&[], &["prod3"], &[]), "there is no delivery to prod3 in namespace dev"),
            (selection(&[], &[], &["prod3"]), "there is no delivery to prod3 in namespace dev"),
            (selection(&[], &["b", "c"], &["b", "c"]), "there is no delivery to b, c in namespace dev"),
            (selection(&["a"], &["b"], &[]), "there is no delivery of a, and none to b, in namespace dev"),
            (selection(&["other"], &["prod2"], &[]), "there is no delivery of other to prod2 in namespace dev"),
        ] {
            let known = "there are deliveries of hello, other; to prod1, prod2\nsee those of all namespaces: kubectl carvelflux status -A";
            assert_eq!(refusal(&selection, &all), Some((message.to_owned(), known.to_owned())));
        }
    }

    #[test]
    fn a_long_list_is_cut() {
        let all: Vec<Delivery> = (0..12).map(|number| delivery("hello", &format!("prod{number:02}"))).collect();
        let (_, hint) = refusal(&selection(&["helo"], &[], &[]), &all).unwrap();
        assert!(hint.contains("to prod00, prod01") && hint.contains("prod09 and 2 more"), "{hint}");
    }

    #[test]
    fn where_all_was_looked_at_nothing_points_elsewhere() {
        let everywhere = Selection { namespace: None, ..selection(&["hello"], &[], &[]) };
        let expected = ("there is no delivery of hello in any namespace", "there are no deliveries at all");
        assert_eq!(refusal(&everywhere, &[]), Some((expected.0.to_owned(), expected.1.to_owned())));
        assert_eq!(refusal(&selection(&[], &[], &[]), &[]), None, "that there are none is the command's to say");
    }

    #[test]
    fn a_name_of_no_delivery_is_refused_with_those_there_are() {
        let misspelled = Selection { packages: vec!["helo".to_owned()], ..selection(&[], &[], &[]) };
        let error = misspelled.refuse_unknown(&[delivery("hello", "prod1"), delivery("other", "prod2")]);
        assert_printed("unknown_delivery", &error.expect_err("there is no helo"));
    }
}
