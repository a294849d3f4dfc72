//! The OCI registry that packages are pushed to and fetched from.

use std::net::TcpStream;
use std::path::PathBuf;
use std::process::Command;
use std::sync::{Arc, OnceLock};
use std::time::Duration;

use crate::cache::create_directory;
use crate::cluster::Places;
use crate::command::output_of;
use crate::error::Result;
use crate::ports::Port;
use crate::private_registry::PrivateRegistry;
use crate::process::Process;
use crate::tools::Tools;

/// An OCI registry on this machine, without TLS and credentials.
#[derive(Debug)]
pub struct Registry {
    port: Port,
    crane: PathBuf,
    process: Arc<Process>,
    private: OnceLock<PrivateRegistry>,
}

impl Registry {
    pub(crate) fn start(tools: &Tools, places: &Places) -> Result<Self> {
        let port = Port::reserve()?;
        let directory = places.work.join("registry");
        create_directory(&directory)?;
        let crane = tools.program("crane")?;
        let process = Arc::new(
            Process::new("registry", &places.logs, &crane)
                .arguments(["registry", "serve", "--address"])
                .argument(port.address())
                .argument("--disk")
                .argument(directory),
        );
        process.start()?;
        process.wait_until(Duration::from_secs(30), || {
            TcpStream::connect(port.address()).map(drop).map_err(|error| error.to_string())
        })?;
        Ok(Self { port, crane, process, private: OnceLock::new() })
    }

    /// Returns the registry's address, such as `127.0.0.1:20123`.
    #[must_use]
    pub fn address(&self) -> String {
        self.port.address()
    }

    /// Returns the same registry behind basic authentication, which starts when it is asked for.
    pub fn private(&self) -> Result<&PrivateRegistry> {
        if let Some(private) = self.private.get() {
            return Ok(private);
        }
        let private = PrivateRegistry::start(self.address())?;
        Ok(self.private.get_or_init(|| private))
    }

    /// Returns the registry's process, for tests that take it away.
    #[must_use]
    pub fn process(&self) -> &Process {
        &self.process
    }

    /// Pushes a small image and returns its reference by digest.
    pub(crate) fn push_image(&self, repository: &str, layer: &std::path::Path) -> Result<String> {
        let reference = format!("{}/{repository}:latest", self.address());
        let said =
            output_of(Command::new(&self.crane).args(["append", "--new_tag", &reference, "--new_layer"]).arg(layer))?;
        Ok(said.trim().to_owned())
    }
}
