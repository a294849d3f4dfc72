//! An isolated place to work in, with the permissions of an ordinary user.

use std::path::{Path, PathBuf};
use std::process::Stdio;

use serde_json::{Value, json};

use crate::error::{Error, Result};
use crate::git_server::Repository;
use crate::kubeconfig::{self, Context};
use crate::kubectl::Kubectl;
use crate::testbed::{BUILD, Testbed, join};

/// The service account whose permissions the user of a workspace has.
pub const USER: &str = "platform-engineer";
/// The name of the Role and of the `ClusterRole` in `docs/permissions/*.yaml`.
const ROLE: &str = "carvelflux-engineer";
/// The variable that lets namespaces stay when their workspace goes.
pub const KEEP_VARIABLE: &str = "CARVELFLUX_TESTBED_KEEP";

/// Namespaces, a Git repository and a kubeconfig that no other workspace shares.
///
/// The namespaces are deleted when it is dropped, unless the thread panics or [`KEEP_VARIABLE`] is set.
#[derive(Debug)]
pub struct Workspace {
    build_namespace: String,
    target_namespace: String,
    kubeconfig: PathBuf,
    repository: Repository,
    administrators: Vec<Kubectl>,
}

impl Workspace {
    pub(crate) fn create(testbed: &Testbed, name: &str) -> Result<Self> {
        let suffix: String = std::iter::repeat_with(|| fastrand::char('a'..='z')).take(5).collect();
        let build_namespace = format!("dev-{name}-{suffix}");
        let target_namespace = format!("apps-{name}-{suffix}");
        let names: Vec<&str> =
            std::iter::once(BUILD).chain(testbed.run_clusters().iter().map(String::as_str)).collect();
        let namespace_of = |cluster: &str| if cluster == BUILD { &build_namespace } else { &target_namespace };
        let contexts: Vec<Context> = std::thread::scope(|scope| {
            let threads: Vec<_> = names
                .iter()
                .map(|&cluster| {
                    let (administrator, namespace) = (testbed.administrator(cluster), namespace_of(cluster));
                    scope.spawn(move || prepare(&administrator, cluster, namespace))
                })
                .collect();
            threads.into_iter().map(join).collect::<Result<_>>()
        })?;
        let path = testbed.work().join(format!("{build_namespace}.kubeconfig.yaml"));
        kubeconfig::write(&path, &contexts)?;
        Ok(Self {
            repository: testbed.git().create_repository(&format!("gitops-{name}-{suffix}"))?,
            build_namespace,
            target_namespace,
            kubeconfig: path,
            administrators: names.iter().map(|cluster| testbed.administrator(cluster)).collect(),
        })
    }

    /// Lets the user grant impersonation on a run cluster: in the namespace that is called like the one on the build cluster,
    /// which is made there.
    pub fn allow_impersonation(&self, testbed: &Testbed, cluster: &str) -> Result<()> {
        let administrator = testbed.administrator(cluster);
        let namespace = self.build_namespace.as_str();
        administrator
            .apply_objects(&[json!({ "apiVersion": "v1", "kind": "Namespace", "metadata": { "name": namespace } })])?;
        let path = permissions().join("run-cluster-impersonation.yaml");
        let permissions = std::fs::read_to_string(&path).map_err(Error::file("read", &path))?;
        administrator.apply(&permissions, &["--namespace", namespace])?;
        administrator.apply_objects(&[json!({
            "apiVersion": "rbac.authorization.k8s.io/v1",
            "kind": "RoleBinding",
            "metadata": { "name": "carvelflux-impersonation", "namespace": namespace },
            "roleRef": {
                "apiGroup": "rbac.authorization.k8s.io", "kind": "Role", "name": "carvelflux-impersonation",
            },
            "subjects": [{ "kind": "ServiceAccount", "name": USER, "namespace": self.target_namespace }],
        })])?;
        Ok(())
    }

    /// Returns the namespace on the build cluster.
    #[must_use]
    pub fn build_namespace(&self) -> &str {
        &self.build_namespace
    }

    /// Returns the namespace on every run cluster.
    #[must_use]
    pub fn target_namespace(&self) -> &str {
        &self.target_namespace
    }

    /// Returns the ordinary user's kubeconfig, whose current context is `build`.
    #[must_use]
    pub fn kubeconfig(&self) -> &Path {
        &self.kubeconfig
    }

    /// Returns the workspace's `GitOps` repository, which is empty at first.
    #[must_use]
    pub fn repository(&self) -> &Repository {
        &self.repository
    }
}

impl Drop for Workspace {
    fn drop(&mut self) {
        if std::thread::panicking() || std::env::var_os(KEEP_VARIABLE).is_some() {
            return;
        }
        for administrator in &self.administrators {
            // Nobody waits for the result; a namespace that stays behind disturbs no other workspace.
            let (build, target) = (self.build_namespace.as_str(), self.target_namespace.as_str());
            let mut command =
                administrator.command(&["delete", "namespace", build, target, "--wait=false", "--ignore-not-found"]);
            let _ = command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null()).spawn();
        }
    }
}

/// Creates the namespace and its user on one cluster, and returns that user's context.
fn prepare(administrator: &Kubectl, cluster: &str, namespace: &str) -> Result<Context> {
    let subject = json!([{ "kind": "ServiceAccount", "name": USER, "namespace": namespace }]);
    let binding = |kind: &str, role: &str, metadata: Value| {
        json!({
            "apiVersion": "rbac.authorization.k8s.io/v1",
            "kind": kind,
            "metadata": metadata,
            "roleRef": { "apiGroup": "rbac.authorization.k8s.io", "kind": role, "name": ROLE },
            "subjects": subject,
        })
    };
    let objects = [
        json!({ "apiVersion": "v1", "kind": "Namespace", "metadata": { "name": namespace } }),
        json!({ "apiVersion": "v1", "kind": "ServiceAccount", "metadata": { "name": USER, "namespace": namespace } }),
        binding("RoleBinding", "Role", json!({ "name": ROLE, "namespace": namespace })),
        binding("ClusterRoleBinding", "ClusterRole", json!({ "name": format!("{ROLE}-{namespace}") })),
    ];
    let path = permissions_file(cluster);
    let permissions = std::fs::read_to_string(&path).map_err(Error::file("read", &path))?;
    // All at once: each run of kubectl takes time on a busy machine. JSON is YAML.
    // What begins with a brace would be taken for nothing but JSON.
    let first = String::new();
    let documents: Vec<String> =
        [first].into_iter().chain(objects.iter().map(Value::to_string)).chain([permissions]).collect();
    administrator.apply(&documents.join("\n---\n"), &["--namespace", namespace])?;
    let token = administrator.run(&["create", "token", USER, "--namespace", namespace, "--duration=8h"])?;

    let (server, authority) = administrator.endpoint()?;
    Ok(Context {
        name: cluster.to_owned(),
        namespace: namespace.to_owned(),
        server,
        authority,
        user: kubeconfig::token_user(&token),
    })
}

fn permissions_file(cluster: &str) -> PathBuf {
    let name = if cluster == BUILD { "build-cluster.yaml" } else { "run-cluster.yaml" };
    permissions().join(name)
}

fn permissions() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../../docs/permissions")
}
