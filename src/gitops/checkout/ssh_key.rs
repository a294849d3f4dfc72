//! The public key of a private SSH key, as the `ssh-keygen` tells it that comes with `ssh`.

use std::process::Stdio;

use secrecy::{ExposeSecret, SecretString};
use tokio::process::Command;

use super::failure::last_lines;
use super::limit;
use super::temporary::Temporary;
use crate::error::{Error, Result};
use crate::waiting;

/// Reads the public key of a private one, which must need no passphrase; `what`
/// names the key in errors.
pub async fn public_key(identity: &SecretString, what: &str) -> Result<String> {
    let temporary = Temporary::new().map_err(failed)?;
    // It refuses a file that others may read.
    let path = temporary.write("identity", identity.expose_secret()).map_err(failed)?;
    let mut command = Command::new("ssh-keygen");
    // With a passphrase, if only the empty one, it does not ask for one on the terminal.
    command.args(["-y", "-P", "", "-f"]).arg(&path).kill_on_drop(true);
    command.env("LC_ALL", "C").stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped());
    let output = match waiting::within(limit::LEAST, command.output()).await {
        Some(Ok(output)) => output,
        Some(Err(error)) => {
            return Err(Error::new("cannot run ssh-keygen")
                .because(error)
                .hint("install OpenSSH, which `git` needs, too"));
        }
        None => return Err(Error::new("ssh-keygen does not end")),
    };
    if output.status.success() {
        return Ok(String::from_utf8_lossy(&output.stdout).trim().to_owned());
    }
    let said = last_lines(&String::from_utf8_lossy(&output.stderr)).replace(&path.display().to_string(), "the key");
    Err(Error::usage(format!("{what} is no private SSH key that works without a passphrase")).because(said).hint(
        "Flux can ask nobody for a passphrase: make it a key of its own with `ssh-keygen -t ed25519 -N '' -f FILE`",
    ))
}

fn failed(error: std::io::Error) -> Error {
    Error::new("cannot make a temporary file").because(error)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn a_key_without_a_passphrase_has_a_public_key() {
        let directory = tempfile::tempdir().expect("a directory");
        let generate = |name: &str, passphrase: &str| {
            let path = directory.path().join(name);
            let mut command = std::process::Command::new("ssh-keygen");
            command.args(["-q", "-t", "ed25519", "-C", "fake", "-N", passphrase, "-f"]).arg(&path);
            assert!(command.status().expect("ssh-keygen").success());
            let read = |path| std::fs::read_to_string(path).expect("a key");
            (SecretString::from(read(path.clone())), read(path.with_extension("pub")))
        };
        let (identity, public) = generate("plain", "");
        assert_eq!(public_key(&identity, "FILE").await.expect("a public key"), public.trim());
        let (identity, _) = generate("protected", "fake-passphrase");
        for identity in [identity, SecretString::from("no key"), SecretString::from("")] {
            let error = public_key(&identity, "FILE").await.expect_err("no key without a passphrase");
            insta::allow_duplicates! {
                insta::assert_snapshot!(error.message(), @"FILE is no private SSH key that works without a passphrase");
            }
            assert!(!error.to_string().contains(&std::env::temp_dir().join("carvelflux").display().to_string()));
        }
    }
}
