//! The list of deliveries of `--from-file`: YAML or JSON, read with the line of each entry. Pure: files that it names are read by
//! [`super::listed`].
//!
//! Only what belongs to single deliveries or run clusters is in it; what holds for all are flags.

use std::path::PathBuf;

use secrecy::SecretString;

use crate::carvel::values::{Content, Entry, Node, Place, read, template};
use crate::error::{Error, ErrorKind, Result};
use crate::wording::nearest;

/// What is delivered, and how the run clusters are reached.
#[derive(Debug, Default)]
pub(super) struct List {
    pub(super) run_clusters: Vec<ListedRunCluster>,
    pub(super) deliveries: Vec<ListedDelivery>,
}

/// How one run cluster is reached; fields are named as the flags are.
#[derive(Debug)]
pub(super) struct ListedRunCluster {
    pub(super) place: String,
    pub(super) name: String,
    pub(super) run_context: Option<String>,
    pub(super) kubeconfig_file: Option<PathBuf>,
    pub(super) flux_server: Option<String>,
    pub(super) flux_proxy_url: Option<String>,
    pub(super) flux_tls_server_name: Option<String>,
    pub(super) flux_certificate_authority: Option<PathBuf>,
}

/// One delivery; fields are named as the flags are.
#[derive(Debug)]
pub(super) struct ListedDelivery {
    /// Where it stands, as messages name it.
    pub(super) place: String,
    pub(super) run_cluster: String,
    pub(super) package: String,
    pub(super) target_namespace: String,
    pub(super) version_constraints: Option<String>,
    pub(super) values: Vec<ListedValues>,
}

/// Values of a delivery.
#[derive(Clone, Debug)]
pub(super) enum ListedValues {
    /// In a file, relative to that of the list.
    File(PathBuf),
    /// In the list itself, as YAML.
    Inline(SecretString),
}

const TOP: [&str; 3] = ["defaults", "deliveries", "runClusters"];
const OF_RUN_CLUSTER: [&str; 7] = [
    "name",
    "runContext",
    "kubeconfigFile",
    "fluxServer",
    "fluxProxyUrl",
    "fluxTlsServerName",
    "fluxCertificateAuthority",
];
const OF_DELIVERY: [&str; 5] = ["runCluster", "package", "targetNamespace", "versionConstraints", "values"];

impl List {
    /// Reads a list; all that is wrong with it is said at once, each with its line.
    pub(super) fn parse(text: &str, origin: &str) -> Result<Self> {
        let mut documents = read(text.trim_start_matches('\u{feff}'), origin).map_err(|unreadable| {
            Error::usage(format!("{} cannot be read as a list of deliveries", unreadable.place))
                .because(unreadable.reason)
        })?;
        let mut findings = Findings(Vec::new());
        let (Some(document), true) = (documents.pop(), documents.is_empty()) else {
            return Err(Error::usage(format!("{origin} must hold one document, with a list under `deliveries`")));
        };
        let list = findings.list(&document);
        let Findings(mut findings) = findings;
        match findings.len() {
            0 => Ok(list),
            1 => Err(findings.remove(0)),
            many => Err(Error::several(
                ErrorKind::Usage,
                format!("{many} things are wrong with {origin}; nothing was changed"),
                findings,
            )),
        }
    }
}

/// What is wrong with a list.
struct Findings(Vec<Error>);

impl Findings {
    fn say(&mut self, place: Option<&Place>, what: &str) {
        self.0.push(Error::usage(what).about(&shown(place)));
    }

    fn list(&mut self, document: &Node) -> List {
        let entries = self.mapping(document, "the list", &TOP).unwrap_or_default();
        let defaults = find(entries, "defaults").and_then(|node| self.mapping(node, "`defaults`", &OF_DELIVERY));
        let defaults = defaults.unwrap_or_default();
        let mut list = List::default();
        for node in self.items(find(entries, "runClusters"), "runClusters") {
            list.run_clusters.extend(self.run_cluster(node));
        }
        for node in self.items(find(entries, "deliveries"), "deliveries") {
            list.deliveries.extend(self.delivery(node, defaults));
        }
        if list.deliveries.is_empty() && self.0.is_empty() {
            self.say(document.place.as_ref(), "there is nothing under `deliveries`");
        }
        for unused in
            list.run_clusters.iter().filter(|one| !list.deliveries.iter().any(|other| other.run_cluster == one.name))
        {
            self.0.push(Error::usage(format!("nothing is delivered to {}", unused.name)).about(&unused.place));
        }
        list
    }

    fn run_cluster(&mut self, node: &Node) -> Option<ListedRunCluster> {
        let entries = self.mapping(node, "a run cluster", &OF_RUN_CLUSTER)?;
        let mut text = |key: &str| find(entries, key).and_then(|node| self.text(node, key));
        let name = text("name");
        let run_cluster = ListedRunCluster {
            place: shown(node.place.as_ref()),
            name: name.clone().unwrap_or_default(),
            run_context: text("runContext"),
            kubeconfig_file: text("kubeconfigFile").map(Into::into),
            flux_server: text("fluxServer"),
            flux_proxy_url: text("fluxProxyUrl"),
            flux_tls_server_name: text("fluxTlsServerName"),
            flux_certificate_authority: text("fluxCertificateAuthority").map(Into::into),
        };
        if find(entries, "name").is_none() {
            self.say(node.place.as_ref(), "`name` is missing");
        }
        name.map(|_| run_cluster)
    }

    fn delivery(&mut self, node: &Node, defaults: &[Entry]) -> Option<ListedDelivery> {
        let entries = self.mapping(node, "a delivery", &OF_DELIVERY)?;
        let given = |key: &str| find(entries, key).or_else(|| find(defaults, key));
        let [run_cluster, package, target_namespace] = ["runCluster", "package", "targetNamespace"].map(|key| {
            if given(key).is_none() {
                self.say(node.place.as_ref(), &format!("`{key}` is missing"));
            }
            given(key).and_then(|node| self.text(node, key))
        });
        let version_constraints = given("versionConstraints").and_then(|node| self.text(node, "versionConstraints"));
        let values = given("values").map(|node| self.values(node)).unwrap_or_default();
        Some(ListedDelivery {
            place: shown(node.place.as_ref()),
            run_cluster: run_cluster?,
            package: package?,
            target_namespace: target_namespace?,
            version_constraints,
            values,
        })
    }

    /// Takes a file, several files of which later ones win, or the values themselves.
    fn values(&mut self, node: &Node) -> Vec<ListedValues> {
        match &node.content {
            Content::Text(file) => vec![ListedValues::File(file.into())],
            Content::List(files) => {
                let file = |node| self.text(node, "values").map(|file| ListedValues::File(file.into()));
                files.iter().filter_map(file).collect()
            }
            Content::Mapping(_) => {
                let text = template::yaml(node);
                if text.is_err() {
                    self.say(node.place.as_ref(), "`values` holds a tag or a merge key: put these values into a file");
                }
                text.ok().map(|text| ListedValues::Inline(text.into())).into_iter().collect()
            }
            _ => {
                self.say(node.place.as_ref(), "`values` must be a file, a list of files, or a mapping");
                Vec::new()
            }
        }
    }

    /// Returns the entries of a mapping, and refuses keys that it does not have.
    fn mapping<'node>(&mut self, node: &'node Node, what: &str, keys: &[&str]) -> Option<&'node [Entry]> {
        let Content::Mapping(entries) = &node.content else {
            self.say(node.place.as_ref(), &format!("{what} must be a mapping, and is {}", node.content.kind()));
            return None;
        };
        for entry in entries {
            let key = entry.key.text.as_str();
            if !keys.contains(&key) {
                let hint = match nearest(key, keys.iter().copied()) {
                    Some(nearest) => format!("did you mean `{nearest}`?"),
                    None => format!("there are {}", keys.join(", ")),
                };
                self.say(entry.place.as_ref(), &format!("`{key}` is no key of {what}; {hint}"));
            }
        }
        Some(entries)
    }

    fn items<'node>(&mut self, node: Option<&'node Node>, key: &str) -> &'node [Node] {
        match node.map(|node| &node.content) {
            None => &[],
            Some(Content::List(items)) => items,
            Some(other) => {
                self.say(
                    node.and_then(|node| node.place.as_ref()),
                    &format!("`{key}` must be a list, and is {}", other.kind()),
                );
                &[]
            }
        }
    }

    /// Takes a text; a version such as 1.10 is text only in quotes.
    fn text(&mut self, node: &Node, key: &str) -> Option<String> {
        if let Content::Text(text) = &node.content
            && !text.trim().is_empty()
        {
            return Some(text.clone());
        }
        let what = match &node.content {
            Content::Text(_) | Content::Null => format!("`{key}` is empty"),
            other => format!("`{key}` must be text, and is {}: put it in quotes", other.kind()),
        };
        self.say(node.place.as_ref(), &what);
        None
    }
}

/// Says where something stands.
fn shown(place: Option<&Place>) -> String {
    place.map(ToString::to_string).unwrap_or_default()
}

fn find<'node>(entries: &'node [Entry], key: &str) -> Option<&'node Node> {
    entries.iter().find(|entry| entry.key.text == key).map(|entry| &entry.node)
}

#[cfg(test)]
mod tests {
    use secrecy::ExposeSecret;

    use super::*;

    #[test]
    fn defaults_hold_where_a_delivery_says_nothing_else() {
        let list = List::parse(
            "defaults: {targetNamespace: apps, versionConstraints: '>=1.0.0', values: all.yaml}\n\
             runClusters: [{name: prod1, runContext: admin@prod1, fluxServer: 'https://10.0.0.1:6443'}]\n\
             deliveries:\n\
             - {runCluster: prod1, package: hello.default.tap}\n\
             - {runCluster: prod2, package: apps/bye, targetNamespace: web, values: {replicas: 2}}\n\
             - {runCluster: prod2, package: hello.default.tap, versionConstraints: '2.x', values: [a.yaml, b.yaml]}\n",
            "deliveries.yaml",
        );
        let list = list.expect("a list");
        let [prod1] = &list.run_clusters[..] else { panic!("one run cluster") };
        assert_eq!((prod1.name.as_str(), prod1.run_context.as_deref()), ("prod1", Some("admin@prod1")));
        let words = |one: &ListedDelivery| {
            let values = one.values.iter().map(|values| match values {
                ListedValues::File(file) => file.display().to_string(),
                ListedValues::Inline(text) => text.expose_secret().replace('\n', ";"),
            });
            let values = values.collect::<Vec<_>>().join("+");
            let constraints = one.version_constraints.clone().unwrap_or_default();
            format!("{} {} {} {} {constraints} {values}", one.place, one.run_cluster, one.package, one.target_namespace)
        };
        insta::assert_snapshot!(list.deliveries.iter().map(words).collect::<Vec<_>>().join("\n"), @r"
        deliveries.yaml line 4 prod1 hello.default.tap apps >=1.0.0 all.yaml
        deliveries.yaml line 5 prod2 apps/bye web >=1.0.0 replicas: 2;
        deliveries.yaml line 6 prod2 hello.default.tap apps 2.x a.yaml+b.yaml
        ");
    }

    #[test]
    fn all_that_is_wrong_is_named_with_its_line() {
        let text = "default: {}\n\
             runClusters:\n\
             - {name: prod9, context: x}\n\
             deliveries:\n\
             - {runcluster: prod1, package: hello, targetNamespace: apps}\n\
             - package: 1.10\n  runCluster: prod1\n  targetNamespace: ''\n  values: 5\n\
             - hello\n";
        let error = List::parse(text, "deliveries.yaml").expect_err("a lot is wrong");
        let lines: Vec<String> = error.parts().iter().map(ToString::to_string).collect();
        insta::assert_snapshot!(lines.join("\n"), @r"
        deliveries.yaml line 1: `default` is no key of the list; did you mean `defaults`?
        deliveries.yaml line 3: `context` is no key of a run cluster; did you mean `runContext`?
        deliveries.yaml line 5: `runcluster` is no key of a delivery; did you mean `runCluster`?
        deliveries.yaml line 5: `runCluster` is missing
        deliveries.yaml line 6: `package` must be text, and is a number with a fraction: put it in quotes
        deliveries.yaml line 8: `targetNamespace` is empty
        deliveries.yaml line 9: `values` must be a file, a list of files, or a mapping
        deliveries.yaml line 10: a delivery must be a mapping, and is text
        deliveries.yaml line 3: nothing is delivered to prod9
        ");
        assert_eq!(error.kind(), crate::error::ErrorKind::Usage);
    }

    #[test]
    fn the_example_of_the_document_is_a_list() {
        let document = include_str!("../../../docs/fleet.md");
        let example = document.split("```yaml\n").nth(1).and_then(|rest| rest.split("```").next()).expect("an example");
        let list = List::parse(example, "deliveries.yaml").expect("a list");
        assert_eq!((list.run_clusters.len(), list.deliveries.len()), (1, 3));
        for key in OF_DELIVERY.iter().chain(&OF_RUN_CLUSTER) {
            assert!(document.contains(&format!("`{key}`")), "{key} is not documented");
        }
    }

    #[test]
    fn json_is_read_and_nothing_is_not() {
        let json = r#"{"deliveries": [{"runCluster": "prod1", "package": "hello", "targetNamespace": "apps"}]}"#;
        assert_eq!(List::parse(json, "list.json").expect("a list").deliveries.len(), 1);
        for text in ["", "deliveries: []\n", "- a\n", "a: [\n", "deliveries: {}\n---\nx: 1\n"] {
            assert!(List::parse(text, "list.yaml").is_err(), "{text:?}");
        }
    }

    #[test]
    fn a_secret_in_a_list_is_not_shown() {
        let text = "deliveries: [{runCluster: a, package: b, targetNamespace: c, values: {password: not-a-real-one}}]";
        assert!(!format!("{:?}", List::parse(text, "list.yaml").expect("a list")).contains("not-a-real"));
    }
}
