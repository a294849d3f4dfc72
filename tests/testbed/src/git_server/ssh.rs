//! The Git server over SSH: a program of the testbed's own, which knows deploy keys as hosts of repositories do.

use std::net::TcpStream;
use std::path::Path;
use std::process::Command;
use std::time::Duration;

use crate::cache::create_directory;
use crate::cluster::Places;
use crate::command::output_of;
use crate::error::{Error, Result};
use crate::git_server::Repository;
use crate::ports::Port;
use crate::process::Process;
use crate::tools::Tools;

/// The repositories of the Git server over SSH.
#[derive(Debug)]
pub struct SshGitServer {
    port: Port,
    host_key: String,
    _process: Process,
}

impl SshGitServer {
    pub(super) fn start(root: &Path, places: &Places) -> Result<Self> {
        let directory = places.work.join("ssh-git-server");
        create_directory(&directory)?;
        let (key, host_key) = generate_key(&directory, "host-key")?;
        let port = Port::reserve()?;
        let process =
            Process::new("ssh-git-server", &places.logs, Tools::prepare_for_ssh()?.program("ssh-git-server")?)
                .arguments(["--address", &port.address(), "--host-key", &key])
                .argument("--root")
                .argument(root);
        process.start()?;
        process.wait_until(Duration::from_secs(30), || {
            TcpStream::connect(port.address()).map(drop).map_err(|error| error.to_string())
        })?;
        Ok(Self { port, host_key, _process: process })
    }

    /// Returns the URL of a repository.
    #[must_use]
    pub fn url(&self, repository: &Repository) -> String {
        format!("ssh://git@{}/{}.git", self.port.address(), repository.name())
    }

    /// Returns its line of `known_hosts`.
    #[must_use]
    pub fn known_hosts(&self) -> String {
        known_hosts(&self.port.address(), &self.host_key)
    }

    /// Returns the line of `known_hosts` that another key would have.
    #[must_use]
    pub fn known_hosts_with(&self, host_key: &str) -> String {
        known_hosts(&self.port.address(), host_key)
    }
}

fn known_hosts(address: &str, key: &str) -> String {
    let (host, port) = address.rsplit_once(':').unwrap_or((address, "22"));
    let key: Vec<&str> = key.split_whitespace().take(2).collect();
    format!("[{host}]:{port} {}\n", key.join(" "))
}

/// Makes an ed25519 key pair; returns the path of the private key, and the public key.
pub fn generate_key(directory: &Path, name: &str) -> Result<(String, String)> {
    let path = directory.join(name);
    let mut command = Command::new("ssh-keygen");
    command.args(["-q", "-t", "ed25519", "-N", "", "-C", "testbed", "-f"]).arg(&path);
    output_of(&mut command)?;
    let public = path.with_extension("pub");
    let key = std::fs::read_to_string(&public).map_err(Error::file("read", &public))?;
    Ok((path.display().to_string(), key))
}
