//! The cache directory outside `target/`, and the file locks that let several testbeds share it.

use std::fs::{File, OpenOptions, TryLockError};
use std::path::{Path, PathBuf};

use crate::error::{Error, Result};

/// The variable that moves the cache elsewhere.
pub const CACHE_VARIABLE: &str = "CARVELFLUX_TESTBED_CACHE";

/// Returns the cache directory, created if need be.
pub fn directory() -> Result<PathBuf> {
    let path = if let Some(path) = variable(CACHE_VARIABLE) {
        path
    } else if let Some(path) = variable("XDG_CACHE_HOME") {
        path.join("kubectl-carvelflux/testbed")
    } else if let Some(path) = variable("HOME") {
        path.join(".cache/kubectl-carvelflux/testbed")
    } else {
        return Err(Error::Requirement(format!("there is no cache directory to use: set HOME or {CACHE_VARIABLE}")));
    };
    create_directory(&path)?;
    path.canonicalize().map_err(Error::file("find", &path))
}

fn variable(name: &str) -> Option<PathBuf> {
    std::env::var_os(name).filter(|value| !value.is_empty()).map(PathBuf::from)
}

pub(crate) fn create_directory(path: &Path) -> Result<()> {
    std::fs::create_dir_all(path).map_err(Error::file("create the directory", path))
}

pub(crate) fn write(path: &Path, content: impl AsRef<[u8]>) -> Result<()> {
    std::fs::write(path, content).map_err(Error::file("write", path))
}

fn open(path: &Path) -> Result<File> {
    OpenOptions::new()
        .create(true)
        .truncate(false)
        .write(true)
        .open(path)
        .map_err(Error::file("open the lock file", path))
}

/// Waits for a lock file; it is free again when the returned file is dropped or its process ends.
pub(crate) fn lock(path: &Path) -> Result<File> {
    let file = open(path)?;
    file.lock().map_err(Error::file("lock", path))?;
    Ok(file)
}

/// Takes a lock file if nobody holds it.
pub(crate) fn try_lock(path: &Path) -> Result<Option<File>> {
    let file = open(path)?;
    match file.try_lock() {
        Ok(()) => Ok(Some(file)),
        Err(TryLockError::WouldBlock) => Ok(None),
        Err(TryLockError::Error(source)) => Err(Error::file("lock", path)(source)),
    }
}
