//! An archive that depends on its content alone: not on who packs it, when, where, or in which order.

use std::io::{self, Write as _};
use std::path::Path;

use flate2::{Compression, GzBuilder};
use sha2::{Digest as _, Sha256};
use tar::{Builder, EntryType, Header};

use crate::error::{Error, Result, read};
use crate::platform::Platform;

/// What is packed beside the program, by its path in the repository, and whether it is run; an archive has no directories.
const OTHERS: [(&str, bool); 3] =
    [("LICENSE", false), ("README.md", false), ("completion/kubectl_complete-carvelflux", true)];

/// The owner and the system of gzip's header that says "unknown".
const UNKNOWN_SYSTEM: u8 = 255;

/// A file of an archive.
#[derive(Debug, Clone)]
struct Entry {
    name: String,
    content: Vec<u8>,
    executable: bool,
}

/// Packs a program with what belongs to it of the repository in `root`; `modified` is the time of all files, in seconds since 1970.
pub fn pack(program: &Path, platform: Platform, root: &Path, modified: u64) -> Result<Vec<u8>> {
    let mut entries = vec![Entry { name: platform.program(), content: read(program)?, executable: true }];
    for (path, executable) in OTHERS {
        let name = path.rsplit('/').next().unwrap_or(path).to_owned();
        entries.push(Entry { name, content: read(&root.join(path))?, executable });
    }
    compress(entries, modified).map_err(Error::file("pack", program))
}

fn compress(mut entries: Vec<Entry>, modified: u64) -> io::Result<Vec<u8>> {
    entries.sort_by(|one, other| one.name.cmp(&other.name));
    let encoder = GzBuilder::new().mtime(0).operating_system(UNKNOWN_SYSTEM).write(Vec::new(), Compression::best());
    let mut archive = Builder::new(encoder);
    for entry in entries {
        let mut header = Header::new_ustar();
        header.set_uid(0);
        header.set_gid(0);
        header.set_entry_type(EntryType::Regular);
        header.set_mode(if entry.executable { 0o755 } else { 0o644 });
        header.set_mtime(modified);
        header.set_size(entry.content.len() as u64);
        archive.append_data(&mut header, entry.name, entry.content.as_slice())?;
    }
    let mut encoder = archive.into_inner()?;
    encoder.flush()?;
    encoder.finish()
}

/// Returns the SHA-256 of an archive, as krew and `sha256sum` write it.
#[must_use]
pub fn digest(archive: &[u8]) -> String {
    let digits = Sha256::digest(archive).into_iter().flat_map(|byte| [byte >> 4, byte & 15]);
    digits.filter_map(|digit| char::from_digit(digit.into(), 16)).collect()
}

#[cfg(test)]
mod tests {
    use flate2::read::GzDecoder;

    use super::*;

    fn entry(name: &str, executable: bool) -> Entry {
        Entry { name: name.to_owned(), content: format!("content of {name}").into_bytes(), executable }
    }

    #[test]
    fn a_digest_is_what_sha256sum_prints() {
        assert_eq!(digest(b"abc"), "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad");
    }

    #[test]
    fn order_makes_no_difference_and_time_does() {
        let (one, other) = (entry("kubectl-carvelflux", true), entry("LICENSE", false));
        let first = compress(vec![one.clone(), other.clone()], 1_000).unwrap();
        assert_eq!(digest(&first), digest(&compress(vec![other.clone(), one.clone()], 1_000).unwrap()));
        assert_ne!(digest(&first), digest(&compress(vec![one, other], 2_000).unwrap()));
    }

    #[test]
    fn nothing_of_this_machine_is_in_it() {
        let packed = compress(vec![entry("kubectl-carvelflux", true), entry("LICENSE", false)], 1_000).unwrap();
        assert_eq!(packed[4..8], [0; 4], "gzip's own time");
        let mut archive = tar::Archive::new(GzDecoder::new(packed.as_slice()));
        let mut found = Vec::new();
        for entry in archive.entries().unwrap() {
            let header = entry.unwrap().header().clone();
            assert_eq!((header.uid().unwrap(), header.gid().unwrap(), header.mtime().unwrap()), (0, 0, 1_000));
            assert_eq!((header.username().unwrap(), header.groupname().unwrap()), (Some(""), Some("")));
            found.push((header.path().unwrap().display().to_string(), header.mode().unwrap()));
        }
        assert_eq!(found, [("LICENSE".to_owned(), 0o644), ("kubectl-carvelflux".to_owned(), 0o755)]);
    }
}
