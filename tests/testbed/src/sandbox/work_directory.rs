//! The directories of a sandbox: one for work, removed at the end, and one for logs, kept for a while.
//!
//! Each holds a locked file for as long as its sandbox lives; what nobody has locked is left over from a
//! program that was killed, and the next one sweeps it away.

use std::fs::File;
use std::path::{Path, PathBuf};
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use crate::cache;
use crate::error::{Error, Result};

const PREFIX: &str = "carvelflux-testbed-";
const LOCK: &str = "in-use.lock";
const LOG_DIRECTORIES_KEPT: usize = 5;

/// The directories of one sandbox.
pub(super) struct Directories {
    work: PathBuf,
    logs: PathBuf,
    _work_lock: File,
    _logs_lock: File,
}

impl Directories {
    /// Creates both directories and sweeps what earlier sandboxes left.
    pub(super) fn create() -> Result<Self> {
        let cache = cache::directory()?;
        // Nobody may sweep a directory between its creation and its locking.
        let _guard = cache::lock(&cache.join("sandbox.lock"))?;
        let temporary = temporary_directory();
        sweep(&temporary);
        let all_logs = cache.join("logs");
        cache::create_directory(&all_logs)?;
        prune(&all_logs);

        let seconds = SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |elapsed| elapsed.as_secs());
        let logs = all_logs.join(format!("{seconds}-{}", std::process::id()));
        cache::create_directory(&logs)?;
        let work = tempfile::Builder::new()
            .prefix(PREFIX)
            .tempdir_in(&temporary)
            .map_err(Error::file("create a directory in", &temporary))?
            .keep();
        let hold = |directory: &Path| cache::lock(&directory.join(LOCK));
        let (work_lock, logs_lock) = (hold(&work)?, hold(&logs)?);
        Ok(Self { work, logs, _work_lock: work_lock, _logs_lock: logs_lock })
    }

    pub(super) fn work(&self) -> &Path {
        &self.work
    }

    pub(super) fn logs(&self) -> &Path {
        &self.logs
    }

    /// Removes the work directory; the last processes may still be letting go of it.
    pub(super) fn remove(self) {
        for _ in 0..50 {
            if std::fs::remove_dir_all(&self.work).is_ok() || !self.work.exists() {
                return;
            }
            std::thread::sleep(Duration::from_millis(100));
        }
    }
}

/// Returns the system's directory for temporary files, unless kapp-controller could not see it there.
fn temporary_directory() -> PathBuf {
    let directory = std::env::temp_dir();
    let directory = directory.canonicalize().unwrap_or(directory);
    if ["/home", "/run"].iter().any(|hidden| directory.starts_with(hidden)) { "/tmp".into() } else { directory }
}

/// Removes the work directories that nobody holds. What cannot be removed belongs to somebody else.
fn sweep(temporary: &Path) {
    for directory in subdirectories(temporary) {
        let is_ours = directory.file_name().is_some_and(|name| name.to_string_lossy().starts_with(PREFIX));
        if is_ours && let Ok(Some(_lock)) = cache::try_lock(&directory.join(LOCK)) {
            let _ = std::fs::remove_dir_all(&directory);
        }
    }
}

/// Removes all but the newest log directories, and none that is in use.
fn prune(logs: &Path) {
    let mut directories = subdirectories(logs);
    directories.sort();
    let surplus = (directories.len() + 1).saturating_sub(LOG_DIRECTORIES_KEPT);
    for directory in directories.into_iter().take(surplus) {
        if let Ok(Some(_lock)) = cache::try_lock(&directory.join(LOCK)) {
            let _ = std::fs::remove_dir_all(&directory);
        }
    }
}

fn subdirectories(directory: &Path) -> Vec<PathBuf> {
    let Ok(entries) = std::fs::read_dir(directory) else { return Vec::new() };
    entries.filter_map(|entry| Some(entry.ok()?.path())).filter(|path| path.is_dir()).collect()
}
