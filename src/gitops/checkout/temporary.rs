//! The directory that holds a clone: only its user may enter it, and it does not outlive its use.
//!
//! It goes away with the value. A killed process leaves it behind, with whatever secrets lie in the repository; the next one
//! finds it by its lock, which ended with the process, and removes it.

use std::fs::{self, File};
use std::io::{self, Write as _};
use std::path::{Path, PathBuf};

use tempfile::TempDir;

const PREFIX: &str = "carvelflux-";

/// The file in the directory that is locked while the directory is in use.
const LOCK: &str = "lock";

/// A directory of its own, in use by this process.
#[derive(Debug)]
pub(super) struct Temporary {
    // Closed before the directory is removed: Windows keeps a file that is open.
    _lock: File,
    directory: TempDir,
}

impl Temporary {
    /// Makes one beside the other temporary files, and removes those that killed processes have left there.
    pub(super) fn new() -> io::Result<Self> {
        Self::inside(&std::env::temp_dir())
    }

    fn inside(place: &Path) -> io::Result<Self> {
        let mut builder = tempfile::Builder::new();
        builder.prefix(PREFIX);
        #[cfg(unix)]
        builder.permissions(std::os::unix::fs::PermissionsExt::from_mode(0o700));
        let directory = builder.tempdir_in(place)?;
        // Without a lock of this name it is not touched; with one, it is in use from the first moment.
        let unfinished = directory.path().join("unfinished");
        let lock = File::create_new(&unfinished)?;
        lock.lock()?;
        fs::rename(unfinished, directory.path().join(LOCK))?;
        remove_abandoned(place, directory.path());
        Ok(Self { _lock: lock, directory })
    }

    pub(super) fn path(&self) -> &Path {
        self.directory.path()
    }

    /// Writes a new file into it that only the user may read.
    pub(super) fn write(&self, name: &str, text: &str) -> io::Result<PathBuf> {
        let path = self.path().join(name);
        let mut options = File::options();
        options.write(true).create_new(true);
        #[cfg(unix)]
        std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
        options.open(&path)?.write_all(text.as_bytes())?;
        Ok(path)
    }
}

/// Removes the directories that nobody uses any more. What cannot be removed is the next one's to try.
fn remove_abandoned(place: &Path, ours: &Path) {
    for entry in fs::read_dir(place).into_iter().flatten().flatten() {
        let path = entry.path();
        if path != ours && entry.file_name().to_string_lossy().starts_with(PREFIX) && is_abandoned(&path, ours) {
            let _ = remove(&path);
        }
    }
}

/// Removes a directory, its lock last: what is left half-way is found again.
fn remove(path: &Path) -> io::Result<()> {
    for entry in fs::read_dir(path)? {
        let entry = entry?;
        if entry.file_type()?.is_dir() {
            fs::remove_dir_all(entry.path())?;
        } else if entry.file_name() != LOCK {
            fs::remove_file(entry.path())?;
        }
    }
    fs::remove_dir_all(path)
}

fn is_abandoned(path: &Path, ours: &Path) -> bool {
    let is_own = match (fs::symlink_metadata(path), fs::symlink_metadata(ours)) {
        (Ok(theirs), Ok(ours)) => theirs.is_dir() && have_one_owner(&theirs, &ours),
        _ => false,
    };
    is_own && File::open(path.join(LOCK)).is_ok_and(|lock| lock.try_lock().is_ok())
}

#[cfg(unix)]
fn have_one_owner(one: &fs::Metadata, other: &fs::Metadata) -> bool {
    use std::os::unix::fs::MetadataExt;
    one.uid() == other.uid()
}

/// Elsewhere, each user has a directory for temporary files.
#[cfg(not(unix))]
fn have_one_owner(_: &fs::Metadata, _: &fs::Metadata) -> bool {
    true
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_a_killed_process_left_behind_is_removed() {
        let place = tempfile::tempdir().unwrap();
        let in_use = Temporary::inside(place.path()).unwrap();
        let Temporary { _lock: lock, directory } = Temporary::inside(place.path()).unwrap();
        let abandoned = directory.keep();
        fs::write(abandoned.join("values.yaml"), "password: fake-password").unwrap();
        drop(lock);
        for other in ["carvelflux-by-hand", "something-else"] {
            fs::create_dir(place.path().join(other)).unwrap();
        }
        fs::write(place.path().join("something-else").join(LOCK), "").unwrap();

        let new = Temporary::inside(place.path()).unwrap();
        assert!(!abandoned.exists());
        assert!(in_use.path().exists() && new.path().exists());
        assert!(place.path().join("carvelflux-by-hand").exists() && place.path().join("something-else").exists());
        drop((in_use, new));
        assert_eq!(fs::read_dir(place.path()).unwrap().count(), 2);
    }

    #[cfg(unix)]
    #[test]
    fn a_link_is_not_followed() {
        let (place, elsewhere) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
        fs::write(elsewhere.path().join(LOCK), "").unwrap();
        std::os::unix::fs::symlink(elsewhere.path(), place.path().join("carvelflux-link")).unwrap();
        let _new = Temporary::inside(place.path()).unwrap();
        assert!(elsewhere.path().join(LOCK).exists());
    }
}
