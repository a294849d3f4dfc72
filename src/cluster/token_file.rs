//! A bearer token in a file that somebody else replaces, such as that of a pod's service account.

use std::fs;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use http::HeaderValue;
use secrecy::{ExposeSecret, SecretString};

use super::login::bearer;
use crate::error::{Error, Result};

/// How long a token counts before the file is read again (client-go v0.36 `transport/token_source.go`).
const PERIOD: Duration = Duration::from_secs(50);

/// The token in a file, without the line end.
#[derive(Clone)]
pub(super) struct TokenFile {
    path: PathBuf,
    read: Arc<Mutex<(Instant, HeaderValue)>>,
}

impl TokenFile {
    /// Reads the token for the first time.
    pub(super) fn read(path: &Path) -> Result<Self> {
        Ok(Self { path: path.to_owned(), read: Arc::new(Mutex::new((Instant::now(), header(path)?))) })
    }

    /// Returns the header of the token that is in the file now, or was a short while ago.
    pub(super) fn current(&self) -> HeaderValue {
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
    bearer(token).ok_or_else(|| failed().because("it holds characters that no token has"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_token_ends_before_the_line_does_and_is_read_again() {
        let directory = tempfile::tempdir().expect("a directory");
        let path = directory.path().join("token");
        let refused = |content: &str| {
            fs::write(&path, content).expect("a file");
            TokenFile::read(&path).err().map(|error| error.to_string()).unwrap_or_default()
        };
        assert!(refused(" \n").contains("it is empty"));
        assert!(refused("fake\ntoken").ends_with("it holds characters that no token has"));

        fs::write(&path, "fake-token\r\n").expect("a file");
        let file = TokenFile::read(&path).expect("a token");
        assert_eq!(file.current(), "Bearer fake-token");
        fs::write(&path, "fake-next-token\n").expect("a file");
        assert_eq!(file.current(), "Bearer fake-token");
        let long_ago = Instant::now().checked_sub(PERIOD * 2).expect("a time");
        file.read.lock().expect("a lock").0 = long_ago;
        assert_eq!(file.current(), "Bearer fake-next-token");
        fs::remove_file(&path).expect("a file");
        file.read.lock().expect("a lock").0 = long_ago;
        assert_eq!(file.current(), "Bearer fake-next-token");
    }
}
