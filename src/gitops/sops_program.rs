//! The user's own `sops`, for keys that only it can use: those of PGP, of key management services and of Vault.
//!
//! What is secret goes through pipes, never through arguments or files.

use std::io::ErrorKind;
use std::path::{Path, PathBuf};
use std::process::Stdio;
use std::time::Duration;

use secrecy::{ExposeSecret, SecretString};
use tokio::io::AsyncWriteExt as _;
use tokio::process::Command;

use crate::error::{Error, Result};
use crate::waiting::within;

/// Variables that name keys before `.sops.yaml` does (getsops/sops v3.13.2, `cmd/sops/main.go`).
const KEYS: [&str; 7] = [
    "SOPS_AGE_RECIPIENTS",
    "SOPS_AZURE_KEYVAULT_URLS",
    "SOPS_GCP_KMS_IDS",
    "SOPS_HUAWEICLOUD_KMS_IDS",
    "SOPS_KMS_ARN",
    "SOPS_PGP_FP",
    "SOPS_VAULT_URIS",
];

/// The exit code where none of the keys is at hand (getsops/sops v3.13.2, `cmd/sops/codes/codes.go`).
const NO_KEY: i32 = 128;

/// How long it may take: somebody may have to type a passphrase, or to touch a security key.
const LIMIT: Duration = Duration::from_mins(2);

/// How many of the last lines that it writes are shown.
const LINES: usize = 4;

/// The program, where it finds the rules of a repository.
#[derive(Clone, Debug)]
pub struct SopsProgram {
    name: PathBuf,
    root: PathBuf,
}

impl SopsProgram {
    /// Names the one that is found as the user's shell finds it.
    #[must_use]
    pub fn of_user(root: &Path) -> Self {
        Self::named("sops", root)
    }

    /// Names another one.
    #[must_use]
    pub fn named(name: &str, root: &Path) -> Self {
        Self { name: name.into(), root: root.to_owned() }
    }

    /// Encrypts what a file of the repository is to hold, as the rules there say; `None` where there is no such program.
    pub async fn encrypt(
        &self,
        file: &str,
        plain: &SecretString,
        encrypted_regex: Option<&str>,
    ) -> Result<Option<String>> {
        let mut arguments = vec!["encrypt", "--filename-override", file];
        arguments.extend(encrypted_regex.iter().flat_map(|regex| ["--encrypted-regex", *regex]));
        match self.run(&arguments, plain.expose_secret()).await? {
            None => Ok(None),
            Some(Ended { code: Some(0), output, .. }) => Ok(Some(output.expose_secret().to_owned())),
            Some(ended) => Err(Error::new(format!("your `sops` could not encrypt {file}"))
                .because(ended.error)
                .hint(format!("see whether it can, in a checkout of the repository: sops encrypt {file}"))
                .hint("it must be SOPS 3.10 or newer, which reads standard input")),
        }
    }

    /// Decrypts a file of the repository; `None` where there is no such program, or it has none of the keys.
    pub async fn decrypt(&self, file: &str, encrypted: &str) -> Result<Option<SecretString>> {
        match self.run(&["decrypt", "--filename-override", file], encrypted).await? {
            None | Some(Ended { code: Some(NO_KEY), .. }) => Ok(None),
            Some(Ended { code: Some(0), output, .. }) => Ok(Some(output)),
            Some(ended) => Err(Error::new(format!("your `sops` could not decrypt {file}"))
                .because(ended.error)
                .hint(format!("see whether it can, in a checkout of the repository: sops decrypt {file}"))),
        }
    }

    /// Runs it with a text on standard input.
    async fn run(&self, arguments: &[&str], input: &str) -> Result<Option<Ended>> {
        let mut command = Command::new(&self.name);
        command.args(arguments).current_dir(&self.root).kill_on_drop(true);
        command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
        for name in KEYS {
            command.env_remove(name);
        }
        let failed = |error: std::io::Error| Error::new("cannot run sops").because(error);
        let mut child = match command.spawn() {
            Err(error) if error.kind() == ErrorKind::NotFound => return Ok(None),
            spawned => spawned.map_err(failed)?,
        };
        let stdin = child.stdin.take();
        let feed = async {
            if let Some(mut stdin) = stdin {
                // One that does not read all of it says why.
                let _ = stdin.write_all(input.as_bytes()).await;
            }
        };
        let ended = within(LIMIT, async { futures::join!(feed, child.wait_with_output()).1 }).await;
        let output =
            ended.ok_or_else(|| Error::new(format!("your `sops` did not end within {LIMIT:?}")))?.map_err(failed)?;
        let text = String::from_utf8_lossy(&output.stderr).into_owned();
        let lines: Vec<&str> = text.lines().map(str::trim).filter(|line| !line.is_empty()).collect();
        Ok(Some(Ended {
            code: output.status.code(),
            output: SecretString::from(String::from_utf8_lossy(&output.stdout).into_owned()),
            error: lines[lines.len().saturating_sub(LINES)..].join("; "),
        }))
    }
}

/// What a run has left.
struct Ended {
    code: Option<i32>,
    output: SecretString,
    error: String,
}
