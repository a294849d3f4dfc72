//! `kubectl` as the testbed itself uses it: as administrator of one context.

use std::path::{Path, PathBuf};
use std::process::Command;

use serde_json::Value;

use crate::command::{output_of, output_with_input};
use crate::error::Result;
use crate::kubeconfig;

/// kubectl with a kubeconfig and a context.
#[derive(Debug, Clone)]
pub(crate) struct Kubectl {
    program: PathBuf,
    kubeconfig: PathBuf,
    context: String,
    cache: PathBuf,
}

impl Kubectl {
    pub(crate) fn new(program: &Path, kubeconfig: &Path, context: &str, work: &Path) -> Self {
        Self {
            program: program.to_path_buf(),
            kubeconfig: kubeconfig.to_path_buf(),
            context: context.to_owned(),
            // Discovery is cached by address, and ports are used again by other testbeds.
            cache: work.join("kubectl-cache"),
        }
    }

    /// Returns where the context leads: the server, and its certificate authority as kubeconfigs hold it.
    pub(crate) fn endpoint(&self) -> Result<(String, String)> {
        kubeconfig::endpoint(&self.kubeconfig, &self.context)
    }

    pub(crate) fn command(&self, arguments: &[&str]) -> Command {
        let mut command = Command::new(&self.program);
        command
            .arg("--context")
            .arg(&self.context)
            .args(arguments)
            .env("KUBECONFIG", &self.kubeconfig)
            .env("KUBECACHEDIR", &self.cache);
        command
    }

    pub(crate) fn run(&self, arguments: &[&str]) -> Result<String> {
        output_of(&mut self.command(arguments))
    }

    /// Applies manifests, server-side, from YAML or JSON text.
    pub(crate) fn apply(&self, manifests: &str, extra: &[&str]) -> Result<String> {
        // kubectl would load the whole schema first: on a busy machine, or where definitions have just changed, it gives up.
        let mut command = self.command(&["apply", "--server-side", "--force-conflicts", "--validate=false", "-f", "-"]);
        output_with_input(command.args(extra), manifests.as_bytes())
    }

    /// Applies objects, server-side.
    pub(crate) fn apply_objects(&self, objects: &[Value]) -> Result<String> {
        let list = serde_json::json!({ "apiVersion": "v1", "kind": "List", "items": objects });
        self.apply(&list.to_string(), &[])
    }
}
