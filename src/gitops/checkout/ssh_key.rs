//! SSH keys and host keys, by the programs that come with `ssh`: `ssh-keygen` and `ssh-keyscan`.

use std::ffi::OsStr;
use std::process::{Output, Stdio};

use secrecy::{ExposeSecret, SecretString};
use tokio::process::Command;

use super::failure::last_lines;
use super::limit;
use super::temporary::Temporary;
use crate::error::{Error, Result};
use crate::gitops::host_keys;
use crate::gitops::url::GitUrl;
use crate::waiting;

/// The types of SSH keys that are made.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum KeyType {
    /// The usual one.
    Ed25519,
    /// On the curve P-384, for servers that know no other, or may use no other.
    Ecdsa,
}

impl KeyType {
    /// All types.
    pub const ALL: [Self; 2] = [Self::Ed25519, Self::Ecdsa];

    /// Returns the name of the type, as `ssh-keygen` and flags take it.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Ed25519 => "ed25519",
            Self::Ecdsa => "ecdsa",
        }
    }
}

/// Makes a key pair without a passphrase; returns the private and the public key, which a comment ends.
pub async fn generate(key_type: KeyType, comment: &str) -> Result<(SecretString, String)> {
    let temporary = Temporary::new().map_err(failed)?;
    let path = temporary.path().join("identity");
    // The number of bits counts for ECDSA alone.
    let arguments = ["-q", "-t", key_type.name(), "-b", "384", "-N", "", "-C", comment, "-f"];
    let arguments = arguments.iter().map(OsStr::new).chain([path.as_os_str()]);
    let output = run("ssh-keygen", arguments).await?;
    if !output.status.success() {
        return Err(Error::new("ssh-keygen cannot make a key").because(said(&output)));
    }
    let read = |path| std::fs::read_to_string(path).map_err(failed);
    let public = read(path.with_extension("pub"))?;
    Ok((SecretString::from(read(path)?), public.trim().to_owned()))
}

/// Asks a server for its host keys; returns lines of `known_hosts`. Nothing proves that they are the server's.
pub async fn scan(url: &GitUrl) -> Result<String> {
    let (host, port) = url.host_and_port();
    let arguments = ["-T", "5", "-p", port.unwrap_or("22"), "--", host];
    let output = run("ssh-keyscan", arguments.iter().map(OsStr::new)).await?;
    let keys = host_keys::sorted(&String::from_utf8_lossy(&output.stdout));
    if keys.is_empty() {
        return Err(Error::new(format!("{} does not tell its SSH host keys", url.host()))
            .because(said(&output))
            .hint("get them from its operator, and give them: --known-hosts-file FILE"));
    }
    Ok(keys)
}

/// Reads the public key of a private one, which must need no passphrase; `what` names the key in errors.
pub async fn public_key(identity: &SecretString, what: &str) -> Result<String> {
    let temporary = Temporary::new().map_err(failed)?;
    // It refuses a file that others may read.
    let path = temporary.write("identity", identity.expose_secret()).map_err(failed)?;
    // With a passphrase, if only the empty one, it does not ask for one on the terminal.
    let arguments = ["-y", "-P", "", "-f"].iter().map(OsStr::new).chain([path.as_os_str()]);
    let output = run("ssh-keygen", arguments).await?;
    if output.status.success() {
        return Ok(String::from_utf8_lossy(&output.stdout).trim().to_owned());
    }
    let said = said(&output).replace(&path.display().to_string(), "the key");
    Err(Error::usage(format!("{what} is no private SSH key that works without a passphrase")).because(said).hint(
        "Flux can ask nobody for a passphrase: make it a key of its own with `ssh-keygen -t ed25519 -N '' -f FILE`",
    ))
}

/// Runs a program of OpenSSH; only one that cannot be run, or does not end, is an error.
async fn run(program: &str, arguments: impl Iterator<Item = &OsStr>) -> Result<Output> {
    let mut command = Command::new(program);
    command.args(arguments).kill_on_drop(true);
    command.env("LC_ALL", "C").stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped());
    match waiting::within(limit::LEAST, command.output()).await {
        Some(Ok(output)) => Ok(output),
        Some(Err(error)) => Err(Error::new(format!("cannot run {program}"))
            .because(error)
            .hint("install OpenSSH, which `git` needs, too")),
        None => Err(Error::new(format!("{program} does not end"))),
    }
}

fn said(output: &Output) -> String {
    last_lines(&String::from_utf8_lossy(&output.stderr))
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
