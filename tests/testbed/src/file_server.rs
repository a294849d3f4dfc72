//! A server of the files below a directory on 127.0.0.1: what a release page or a host of static files is to a client.

use std::path::{Component, Path, PathBuf};

use axum::body::Body;
use axum::extract::{Request, State};
use axum::http::{Response, StatusCode};

use crate::basic_authentication::plain;
use crate::error::Result;
use crate::service::Service;

/// A file server that runs on a thread of this process.
#[derive(Debug)]
pub struct FileServer {
    service: Service,
}

impl FileServer {
    /// Starts a server of the files below `root`, which everybody may read.
    pub fn start(root: &Path) -> Result<Self> {
        let application = axum::Router::new().fallback(serve).with_state(root.to_path_buf());
        let service = Service::start("file server", |listener| axum::serve(listener, application).into_future())?;
        Ok(Self { service })
    }

    /// Returns the URL of the root directory, without a slash at its end.
    #[must_use]
    pub fn url(&self) -> String {
        format!("http://127.0.0.1:{}", self.service.port())
    }
}

async fn serve(State(root): State<PathBuf>, request: Request) -> Response<Body> {
    let path = Path::new(request.uri().path().trim_start_matches('/'));
    let inside = path.components().all(|component| matches!(component, Component::Normal(_)));
    match std::fs::read(root.join(path)) {
        Ok(content) if inside => Response::new(Body::from(content)),
        _ => plain(StatusCode::NOT_FOUND, "there is no such file\n"),
    }
}
