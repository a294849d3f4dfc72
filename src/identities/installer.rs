//! What an installer may do: presets by the kind of workload, or rules from a file. Pure.

use serde_json::{Value, json};

use crate::gitops::manifest::read_documents;

/// The kinds of workload that a supply chain builds (Tanzu Application Platform, Carvel package supply chains).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Preset {
    /// A Deployment with a Service and an Ingress, or an `HTTPRoute` where the values ask for one.
    #[default]
    Server,
    /// A Service of Knative Serving.
    Web,
    /// A Deployment that nobody calls.
    Worker,
}

impl Preset {
    /// All presets.
    pub const ALL: [Self; 3] = [Self::Server, Self::Web, Self::Worker];

    /// Returns the name of the preset, in flags and annotations.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Server => "server",
            Self::Web => "web",
            Self::Worker => "worker",
        }
    }

    /// Finds a preset by its name.
    #[must_use]
    pub fn named(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|preset| preset.name() == name)
    }

    /// Returns the rules: kapp's own records in `ConfigMap`s, and what such a package deploys.
    ///
    /// What the cluster makes from that is only read, for kapp's waiting (carvel-dev/carvel
    /// `site/content/kapp/docs/develop/rbac.md`).
    #[must_use]
    pub fn rules(self, with_http_route: bool) -> Value {
        let write = ["get", "list", "watch", "create", "update", "patch", "delete"];
        let read = ["get", "list", "watch"];
        let rule = |group: &str, resources: &[&str], verbs: &[&str]| json!({"apiGroups": [group], "resources": resources, "verbs": verbs});
        let pods = [rule("apps", &["replicasets"], &read), rule("", &["pods"], &read)];
        let mut rules = match self {
            Self::Server => vec![
                rule("", &["configmaps", "services"], &write),
                rule("apps", &["deployments"], &write),
                rule("networking.k8s.io", &["ingresses"], &write),
            ],
            Self::Web => vec![
                rule("", &["configmaps"], &write),
                rule("serving.knative.dev", &["services"], &write),
                rule("serving.knative.dev", &["configurations", "revisions", "routes"], &read),
                rule("apps", &["deployments"], &read),
            ],
            Self::Worker => vec![rule("", &["configmaps"], &write), rule("apps", &["deployments"], &write)],
        };
        if with_http_route && self == Self::Server {
            rules.push(rule("gateway.networking.k8s.io", &["httproutes"], &write));
        }
        rules.extend(pods);
        Value::Array(rules)
    }
}

/// Tells whether the values of a `server` package ask for an `HTTPRoute`: its value `http_route` is null by default.
#[must_use]
pub fn asks_for_http_route(values: &str) -> bool {
    let documents = read_documents(values, "the values").unwrap_or_default();
    documents.iter().any(|values| !values["http_route"].is_null())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_preset_has_a_wildcard_or_touches_secrets_and_roles() {
        for preset in Preset::ALL {
            let rules = preset.rules(true).to_string();
            for word in ["*", "secrets", "roles", "serviceaccounts"] {
                assert!(!rules.contains(word), "{rules}");
            }
            assert!(rules.contains("configmaps"), "kapp keeps its records there: {rules}");
            assert_eq!(Preset::named(preset.name()), Some(preset));
        }
    }

    #[test]
    fn an_http_route_is_granted_only_where_the_values_ask_for_one() {
        for values in [
            "http_route: {gateway: main}\n",
            "route: &route {gateway: main}\nhttp_route: *route\n",
            "common: &common {http_route: {}}\n<<: *common\n",
            "#@data/values\n---\nport: 1\n#@data/values\n---\nhttp_route: {}\n",
            "{\n\t\"http_route\": {}\n}\n",
        ] {
            assert!(asks_for_http_route(values), "{values}");
        }
        for values in ["http_route: null\n", "port: 8080\n", "", "- a\n", "a: [\n"] {
            assert!(!asks_for_http_route(values), "{values}");
        }
        assert!(!Preset::Server.rules(false).to_string().contains("httproutes"));
        assert!(!Preset::Worker.rules(true).to_string().contains("httproutes"));
    }
}
