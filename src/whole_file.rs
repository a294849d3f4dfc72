//! Files that are written whole or not at all.

use std::io::{self, Write as _};
use std::path::Path;

/// What everybody may do with a file, as far as the user's umask allows it. On Windows a file has the rights of its directory.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Mode {
    /// Only its owner may read it.
    Private,
    /// It may be read.
    Readable,
    /// It may be read and run.
    Executable,
}

impl Mode {
    #[cfg(unix)]
    fn permissions(self) -> std::fs::Permissions {
        std::os::unix::fs::PermissionsExt::from_mode(match self {
            Self::Private => 0o600,
            Self::Readable => 0o666,
            Self::Executable => 0o777,
        })
    }
}

/// Writes a file in place of the one that may be there.
pub(crate) fn write(file: &Path, content: &[u8], mode: Mode) -> io::Result<()> {
    let directory = file.parent().filter(|parent| !parent.as_os_str().is_empty()).unwrap_or(Path::new("."));
    let mut temporary = builder(mode).tempfile_in(directory)?;
    temporary.write_all(content)?;
    temporary.persist(file)?;
    Ok(())
}

#[cfg(unix)]
fn builder(mode: Mode) -> tempfile::Builder<'static, 'static> {
    let mut builder = tempfile::Builder::new();
    builder.permissions(mode.permissions());
    builder
}

#[cfg(not(unix))]
fn builder(_: Mode) -> tempfile::Builder<'static, 'static> {
    tempfile::Builder::new()
}

#[cfg(test)]
mod tests {
    use std::fs;

    use super::*;

    #[test]
    fn a_file_takes_the_place_of_another_and_its_mode_is_its_own() {
        let directory = tempfile::tempdir().unwrap();
        let file = directory.path().join("values.yaml");
        write(&file, b"before", Mode::Readable).unwrap();
        write(&file, b"after", Mode::Private).unwrap();
        assert_eq!(fs::read(&file).unwrap(), b"after");
        assert_eq!(fs::read_dir(directory.path()).unwrap().count(), 1, "nothing is left beside it");
        #[cfg(unix)]
        assert_eq!(std::os::unix::fs::PermissionsExt::mode(&fs::metadata(&file).unwrap().permissions()) & 0o777, 0o600);
    }

    #[test]
    fn a_file_that_cannot_be_written_is_an_error_and_leaves_nothing() {
        let directory = tempfile::tempdir().unwrap();
        fs::create_dir(directory.path().join("taken")).unwrap();
        assert!(write(&directory.path().join("taken"), b"", Mode::Executable).is_err());
        assert_eq!(fs::read_dir(directory.path()).unwrap().count(), 1);
    }
}
