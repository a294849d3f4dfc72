//! A private Git server on 127.0.0.1: smart HTTP with basic authentication, in front of `git http-backend`. The same
//! repositories over SSH and over HTTPS with a private certificate authority start when they are asked for.

mod backend;
mod https;
mod repository;
mod ssh;

use std::collections::HashMap;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, OnceLock, PoisonError};

use crate::cache::create_directory;
use crate::cluster::Places;
use crate::error::Result;
use crate::service::Service;

pub use https::HttpsGitServer;
pub use repository::Repository;
pub use ssh::{SshGitServer, generate_key};

/// A Git server that runs on a thread of this process.
#[derive(Debug)]
pub struct GitServer {
    state: Arc<State>,
    service: Service,
    ssh: OnceLock<SshGitServer>,
    https: OnceLock<HttpsGitServer>,
    /// Trials ask for these at the same time.
    starting: Mutex<()>,
}

/// What the HTTP side and the repositories share.
#[derive(Debug)]
struct State {
    root: PathBuf,
    accounts: Mutex<HashMap<String, Accounts>>,
    available: AtomicBool,
}

/// Who may do what with one repository.
#[derive(Debug, Clone)]
struct Accounts {
    username: String,
    password: String,
    read_only_username: String,
    read_only_password: String,
}

impl State {
    fn accounts(&self) -> MutexGuard<'_, HashMap<String, Accounts>> {
        self.accounts.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl GitServer {
    /// Starts a server whose repositories lie below `root`.
    pub fn start(root: &Path) -> Result<Self> {
        create_directory(root)?;
        let state =
            Arc::new(State { root: root.to_path_buf(), accounts: Mutex::default(), available: AtomicBool::new(true) });
        let application = axum::Router::new().fallback(backend::serve).with_state(Arc::clone(&state));
        let service = Service::start("Git server", |listener| axum::serve(listener, application).into_future())?;
        Ok(Self { state, service, ssh: OnceLock::new(), https: OnceLock::new(), starting: Mutex::default() })
    }

    /// Returns the same repositories over SSH.
    pub(crate) fn ssh(&self, places: &Places) -> Result<&SshGitServer> {
        let _one_at_a_time = self.starting.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(ssh) = self.ssh.get() {
            return Ok(ssh);
        }
        let ssh = SshGitServer::start(&self.state.root, places)?;
        Ok(self.ssh.get_or_init(|| ssh))
    }

    /// Returns the same repositories over HTTPS.
    pub fn https(&self) -> Result<&HttpsGitServer> {
        let _one_at_a_time = self.starting.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(https) = self.https.get() {
            return Ok(https);
        }
        let https = HttpsGitServer::start(&self.state)?;
        Ok(self.https.get_or_init(|| https))
    }

    /// Creates an empty, private repository with the default branch `main` and users of its own.
    pub fn create_repository(&self, name: &str) -> Result<Repository> {
        let directory = self.state.root.join(format!("{name}.git"));
        let accounts = Accounts {
            username: format!("user-{name}"),
            password: format!("fake-password-{name}"),
            read_only_username: format!("reader-{name}"),
            read_only_password: format!("fake-read-password-{name}"),
        };
        let url = format!("http://127.0.0.1:{}/{name}.git", self.service.port());
        let repository = Repository::create(name, url, directory, Arc::clone(&self.state))?;
        self.state.accounts().insert(name.to_owned(), accounts);
        Ok(repository)
    }

    /// Lets every request fail with "503 Service Unavailable", or lets them work again.
    pub fn set_available(&self, available: bool) {
        self.state.available.store(available, Ordering::Relaxed);
    }
}
