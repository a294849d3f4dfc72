//! Asks Flux's own code, and makes what the questions are filled with.

use std::collections::BTreeMap;
use std::fs::File;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::sync::OnceLock;

use carvelflux::kubeconfig::{FluxBehaviour, base64};
use serde_json::Value;
use sha2::{Digest, Sha256};
use tempfile::TempDir;

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
    let directory = TempDir::new().unwrap();
    let path = directory.path().join("requests");
    let lines: Vec<String> = requests.iter().map(Value::to_string).collect();
    std::fs::write(&path, lines.join("\n")).unwrap();
    // A proxy or kubeconfig of the environment is not Flux's.
    let output = Command::new(program(behaviour))
        .env_clear()
        .stdin(File::open(&path).unwrap())
        .stderr(Stdio::inherit())
        .output()
        .unwrap();
    assert!(output.status.success());
    let answers: Vec<Value> =
        String::from_utf8(output.stdout).unwrap().lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    assert_eq!(answers.len(), requests.len());
    answers
}

fn program(behaviour: FluxBehaviour) -> &'static Path {
    static NEWER: OnceLock<PathBuf> = OnceLock::new();
    static OLDER: OnceLock<PathBuf> = OnceLock::new();
    match behaviour {
        FluxBehaviour::RefusesFiles => NEWER.get_or_init(|| build("newer", &[])),
        FluxBehaviour::ReadsFiles => OLDER.get_or_init(|| build("older", &["-modfile=older.mod", "-tags=older"])),
    }
}

fn build(name: &str, arguments: &[&str]) -> PathBuf {
    let program = Path::new(env!("CARGO_TARGET_TMPDIR")).join(format!("kubeconfig-oracle-{name}"));
    let status = Command::new("go")
        .args(["build", "-mod=readonly", "-buildvcs=false", "-o"])
        .arg(&program)
        .args(arguments)
        .arg(".")
        .current_dir(Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/oracles/kubeconfig"))
        .status()
        .unwrap();
    assert!(status.success(), "the {name} oracle in tests/oracles/kubeconfig does not build");
    program
}
