//! A bearer token in a file that somebody else replaces, such as that of a pod's service account.

use std::fs;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use http::header::AUTHORIZATION;
use http::{HeaderValue, Request};
use kube::config::AuthInfo;
use secrecy::{ExposeSecret, SecretString};

use crate::error::{Error, Result};

/// How long a token counts before the file is read again (client-go v0.36 `transport/token_source.go`).
const PERIOD: Duration = Duration::from_secs(50);

/// The token in a file. kube's client would take the line end of the file for a part of it.
#[derive(Clone)]
pub(super) struct TokenFile {
    path: PathBuf,
    read: Arc<Mutex<(Instant, HeaderValue)>>,
}

impl TokenFile {
    /// Takes the file away from a user who has one, and reads it; `None` where something else has precedence.
    pub(super) fn take(user: &mut AuthInfo) -> Result<Option<Self>> {
        let has_other = user.auth_provider.is_some()
            || (user.username.is_some() && user.password.is_some())
            || user.token.is_some();
        let Some(path) = user.token_file.take().filter(|_| !has_other).map(PathBuf::from) else { return Ok(None) };
        let header = header(&path)?;
        Ok(Some(Self { path, read: Arc::new(Mutex::new((Instant::now(), header))) }))
    }

    /// Adds the token to a request.
    pub(super) fn authorize<B>(&self, mut request: Request<B>) -> Request<B> {
        request.headers_mut().insert(AUTHORIZATION, self.current());
        request
    }

    fn current(&self) -> HeaderValue {
        let mut read = self.read.lock().unwrap_or_else(PoisonError::into_inner);
        if read.0.elapsed() > PERIOD {
            // Where the file is gone or half-written, the last token counts.
            let header = header(&self.path).unwrap_or_else(|_| read.1.clone());
            *read = (Instant::now(), header);
        }
        read.1.clone()
    }
}

fn header(path: &Path) -> Result<HeaderValue> {
    let failed = || Error::usage(format!("the token file {} cannot be used", path.display()));
    let text = SecretString::from(fs::read_to_string(path).map_err(|error| failed().because(error))?);
    let token = text.expose_secret().trim();
    if token.is_empty() {
        return Err(failed().because("it is empty"));
    }
    let mut header = HeaderValue::try_from(format!("Bearer {token}"))
        .map_err(|_| failed().because("it holds characters that no token has"))?;
    header.set_sensitive(true);
    Ok(header)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_token_ends_before_the_line_does_and_is_read_again() {
        let directory = tempfile::tempdir().expect("a directory");
        let path = directory.path().join("token");
        let user = || AuthInfo { token_file: Some(path.display().to_string()), ..AuthInfo::default() };
        let refused = |content: &str| {
            fs::write(&path, content).expect("a file");
            TokenFile::take(&mut user()).err().map(|error| error.to_string()).unwrap_or_default()
        };
        assert!(refused(" \n").contains("it is empty"));
        assert!(refused("fake\ntoken").ends_with("it holds characters that no token has"));

        fs::write(&path, "fake-token\r\n").expect("a file");
        let file = TokenFile::take(&mut user()).expect("a token").expect("a file");
        assert_eq!(file.current(), "Bearer fake-token");
        fs::write(&path, "fake-next-token\n").expect("a file");
        assert_eq!(file.current(), "Bearer fake-token");
        let long_ago = Instant::now().checked_sub(PERIOD * 2).expect("a time");
        file.read.lock().expect("a lock").0 = long_ago;
        assert_eq!(file.current(), "Bearer fake-next-token");
        fs::remove_file(&path).expect("a file");
        file.read.lock().expect("a lock").0 = long_ago;
        assert_eq!(file.current(), "Bearer fake-next-token");

        let mut other = AuthInfo { token: Some("fake-token".into()), ..user() };
        assert!(TokenFile::take(&mut other).expect("no token file").is_none());
    }
}
