//! In which state everything is that the plugin could have written: what proves that it wrote nothing.

use std::collections::BTreeMap;
use std::hash::{DefaultHasher, Hash as _, Hasher as _};

use serde_json::Value;

use super::{User, administrator};

const ACCESS: [&str; 4] = ["secret", "serviceaccount", "role", "rolebinding"];

impl User<'_> {
    /// Lists the names of everything that the plugin could have written on both sides.
    pub(crate) fn everything(&self) -> Vec<String> {
        let build = self.testbed.kubectl(
            "build",
            &["get", "secrets,gitrepositories,kustomizations", "-n", self.workspace.build_namespace(), "-o", "name"],
        );
        let mut names: Vec<String> = build.expect("kubectl get").lines().map(|line| format!("build {line}")).collect();
        for cluster in self.testbed.run_clusters() {
            let kinds = "secrets,serviceaccounts,roles,rolebindings,packageinstalls";
            let run =
                self.testbed.kubectl(cluster, &["get", kinds, "-n", self.workspace.target_namespace(), "-o", "name"]);
            names.extend(run.expect("kubectl get").lines().map(|line| format!("{cluster} {line}")));
        }
        names
    }

    /// Returns in which state everything is that the plugin could have written, on both sides and in Git.
    ///
    /// Two that are equal prove that the plugin wrote nothing in between; what controllers write on their own is left out.
    pub(crate) fn state(&self) -> BTreeMap<String, String> {
        let mut state = self.state_in("build");
        for cluster in self.testbed.run_clusters() {
            state.extend(self.state_in(cluster));
        }
        state
    }

    /// Returns the same of one cluster, and of Git.
    pub(crate) fn state_in(&self, context: &str) -> BTreeMap<String, String> {
        let mut state = BTreeMap::from([(
            "Git".to_owned(),
            self.workspace.repository().git(&["for-each-ref", "refs/heads/main"]).expect("Git"),
        )]);
        let (namespace, more): (_, &[&str]) = match context {
            "build" => (self.workspace.build_namespace(), &["configmap", "gitrepository", "kustomization"]),
            _ => (self.workspace.target_namespace(), &["packageinstall"]),
        };
        for kind in ACCESS.iter().chain(more) {
            for object in &administrator::list(self.testbed.kubeconfig(), context, namespace, kind) {
                let (kind, name) = (&object["kind"], &object["metadata"]["name"]);
                // Every namespace gets these from Kubernetes, some time after it was created.
                let is_default = name == "kube-root-ca.crt" || (kind == "ServiceAccount" && name == "default");
                if !is_default {
                    state.insert(format!("{context} {kind} {name}"), version_of(object));
                }
            }
        }
        state
    }
}

/// Returns what changes with every write to an object, other than those of controllers.
fn version_of(object: &Value) -> String {
    let metadata = &object["metadata"];
    let is_token = object["type"] == "kubernetes.io/service-account-token";
    if object.get("status").is_none() && object.get("spec").is_none() && !is_token {
        return format!("resourceVersion {}", metadata["resourceVersion"]);
    }
    // Controllers write status and finalizers, and the API server labels a token with the day when it was used last.
    let labels = if is_token { &Value::Null } else { &metadata["labels"] };
    let mut content = DefaultHasher::new();
    // As a hash, so that no failed assertion shows a token.
    format!("{labels} {} {}", metadata["annotations"], object["data"]).hash(&mut content);
    format!("{} generation {} content {:x}", metadata["uid"], metadata["generation"], content.finish())
}
