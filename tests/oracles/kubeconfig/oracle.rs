//! Asks Flux's own code, and makes what the questions are filled with.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::OnceLock;

use carvelflux::testing::{FluxBehaviour, base64};
use serde_json::Value;
use sha2::{Digest, Sha256};
use tempfile::TempDir;

use crate::go;

/// Certificates, keys and files for kubeconfigs.
pub(crate) struct Fixtures {
    pems: BTreeMap<String, String>,
    directory: TempDir,
}

impl Fixtures {
    pub(crate) fn new() -> Self {
        let output = Command::new(program(FluxBehaviour::RefusesFiles)).arg("certificates").output().unwrap();
        assert!(output.status.success());
        let directory = TempDir::new().unwrap();
        std::fs::write(directory.path().join("file"), "fake-token").unwrap();
        std::fs::write(directory.path().join("line"), "fake-token\n").unwrap();
        Self { pems: serde_json::from_slice(&output.stdout).unwrap(), directory }
    }

    pub(crate) fn pem(&self, name: &str) -> Option<&str> {
        self.pems.get(name).map(String::as_str)
    }

    /// Replaces the placeholders of a kubeconfig.
    pub(crate) fn fill(&self, template: &str) -> String {
        let path = |name| self.directory.path().join(name).display().to_string();
        let text = template.replace("@FILE@", &path("file")).replace("@LINE_FILE@", &path("line"));
        self.pems.iter().fold(text, |text, (name, pem)| text.replace(&format!("@{name}@"), &base64(pem.as_bytes())))
    }

    /// Asserts that a text for the user holds no credential, neither as such nor encoded.
    pub(crate) fn assert_no_secret(&self, text: &str, context: &str) {
        for secret in ["fake-token", "fake-password", "fake-secret", "ZmFrZS10b2tlbg"] {
            assert!(!text.contains(secret), "{secret} is in {text}\n{context}");
        }
        for pem in self.pems.values() {
            let body: String = pem.lines().filter(|line| !line.starts_with('-')).take(1).collect();
            let encoded = base64(pem.as_bytes());
            assert!(!text.contains(&body) && !text.contains(&encoded), "a certificate or key is in {text}\n{context}");
        }
    }
}

/// Returns what Go writes for bytes: their hash, or nothing where there are none.
pub(crate) fn hash(content: Option<&[u8]>) -> String {
    let Some(content) = content.filter(|content| !content.is_empty()) else { return String::new() };
    Sha256::digest(content).iter().fold(String::new(), |text, byte| text + &format!("{byte:02x}"))
}

/// Gets Go's answers to requests, in their order.
pub(crate) fn ask(behaviour: FluxBehaviour, requests: &[Value]) -> Vec<Value> {
    // A proxy or kubeconfig of the environment is not Flux's.
    go::ask(Command::new(program(behaviour)).env_clear(), requests)
}

fn program(behaviour: FluxBehaviour) -> &'static Path {
    static NEWER: OnceLock<PathBuf> = OnceLock::new();
    static OLDER: OnceLock<PathBuf> = OnceLock::new();
    match behaviour {
        FluxBehaviour::RefusesFiles => NEWER.get_or_init(|| go::build("kubeconfig", "kubeconfig-oracle-newer", &[])),
        FluxBehaviour::ReadsFiles => {
            let arguments = ["-modfile=older.mod", "-tags=older"];
            OLDER.get_or_init(|| go::build("kubeconfig", "kubeconfig-oracle-older", &arguments))
        }
    }
}
