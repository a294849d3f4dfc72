//! A server of this process on a port of 127.0.0.1 and a thread of its own, until it is dropped.

use std::fmt::Display;
use std::net::Ipv4Addr;

use tokio::net::TcpListener;
use tokio::runtime::{Builder, Runtime};

use crate::error::{Error, Result};

/// The thread and the port of a server.
#[derive(Debug)]
pub(crate) struct Service {
    port: u16,
    runtime: Option<Runtime>,
}

impl Service {
    /// Starts `serve` on a free port; `name` is that of the thread and of the server in errors, such as `Git server`.
    pub(crate) fn start<F>(name: &str, serve: impl FnOnce(TcpListener) -> F) -> Result<Self>
    where
        F: Future<Output: Send> + Send + 'static,
    {
        let failed = |error: std::io::Error| failure(name, &error);
        let runtime =
            Builder::new_multi_thread().worker_threads(1).thread_name(name).enable_all().build().map_err(failed)?;
        let listener = runtime.block_on(TcpListener::bind((Ipv4Addr::LOCALHOST, 0))).map_err(failed)?;
        let port = listener.local_addr().map_err(failed)?.port();
        runtime.spawn(serve(listener));
        Ok(Self { port, runtime: Some(runtime) })
    }

    pub(crate) fn port(&self) -> u16 {
        self.port
    }
}

/// Says why a server does not start.
pub(crate) fn failure(name: &str, error: &dyn Display) -> Error {
    Error::failed(format!("cannot start the {name}: {error}"))
}

impl Drop for Service {
    fn drop(&mut self) {
        if let Some(runtime) = self.runtime.take() {
            runtime.shutdown_background();
        }
    }
}
