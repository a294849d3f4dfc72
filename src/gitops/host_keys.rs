//! The keys by which an SSH server is known, as lines of `known_hosts`. Pure.

use std::fmt;

use base64::prelude::{BASE64_STANDARD, BASE64_STANDARD_NO_PAD, Engine};
use sha2::{Digest, Sha256};

use super::url::GitUrl;

/// A key of an SSH server.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct HostKey {
    /// Its type, such as `ssh-ed25519`.
    algorithm: String,
    key: Vec<u8>,
}

impl fmt::Display for HostKey {
    /// Writes the fingerprint as `ssh` does, behind the type of the key.
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "{} SHA256:{}", self.algorithm, BASE64_STANDARD_NO_PAD.encode(Sha256::digest(&self.key)))
    }
}

/// Returns the keys that lines of `known_hosts` may name for the server of a URL: a hashed name and a pattern may be for any.
#[must_use]
pub fn keys_of(known_hosts: &str, url: &GitUrl) -> Vec<HostKey> {
    let name = url.known_hosts_name();
    let may_be = |names: &str| {
        names
            .split(',')
            .any(|one| one.starts_with("|1|") || one.contains(['*', '?']) || one.eq_ignore_ascii_case(&name))
    };
    let keys = lines(known_hosts).filter(|(names, ..)| may_be(names)).filter_map(|(_, algorithm, key)| {
        Some(HostKey { algorithm: algorithm.to_owned(), key: BASE64_STANDARD.decode(key).ok()? })
    });
    keys.collect()
}

/// Lists fingerprints.
#[must_use]
pub fn fingerprints(keys: &[HostKey]) -> String {
    keys.iter().map(ToString::to_string).collect::<Vec<_>>().join(", ")
}

/// Sorts what `ssh-keyscan` prints: source-controller takes the first type that the server has, too, and its library prefers
/// ECDSA (fluxcd/flux2#5385).
#[must_use]
pub(super) fn sorted(scanned: &str) -> String {
    let mut lines: Vec<_> = lines(scanned).collect();
    lines.sort_by_key(|(_, algorithm, _)| (!algorithm.starts_with("ecdsa-"), *algorithm));
    lines.iter().flat_map(|(names, algorithm, key)| [*names, " ", *algorithm, " ", *key, "\n"]).collect()
}

/// Takes the lines apart that name a key: the host's names, the type and the key. Lines with a marker are about authorities and
/// revoked keys.
fn lines(text: &str) -> impl Iterator<Item = (&str, &str, &str)> {
    text.lines().filter_map(|line| {
        let mut words = line.split_whitespace();
        let names = words.next().filter(|names| !names.starts_with(['#', '@']))?;
        Some((names, words.next()?, words.next()?))
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A key of nobody; its fingerprint is the one that `ssh-keygen -l` tells.
    const KEY: &str = "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIDAwMDAwMDAwMDAwMDAwMDAwMDAwMDAwMDAwMDAwMDAw";

    #[test]
    fn a_host_has_the_keys_of_its_name_and_port() {
        let keys =
            |names: &str, url: &str| keys_of(&format!("# comment\n{names} {KEY} comment\n"), &GitUrl::parse(url));
        let with_port = "ssh://git@git.example.com:2222/a";
        assert_eq!(keys("[git.example.com]:2222", with_port).len(), 1);
        assert_eq!(keys("git.example.com", with_port), []);
        assert_eq!(keys("@revoked git.example.com", "ssh://git@git.example.com/a"), []);
        for names in ["other,Git.example.com", "|1|fake|fake", "*.example.com"] {
            assert_eq!(keys(names, "ssh://git@git.example.com:22/a").len(), 1, "{names}");
        }
        assert_eq!(keys("[::1]:2222", "ssh://git@[::1]:2222/a").len(), 1);
        assert_eq!(keys("::1", "ssh://git@[::1]/a").len(), 1);
    }

    #[test]
    fn a_fingerprint_is_that_of_ssh() {
        let keys = keys_of(&format!("host {KEY}\n"), &GitUrl::parse("ssh://host/a"));
        let mut child = std::process::Command::new("ssh-keygen")
            .args(["-l", "-f", "-"])
            .stdin(std::process::Stdio::piped())
            .stdout(std::process::Stdio::piped())
            .spawn()
            .expect("ssh-keygen");
        std::io::Write::write_all(&mut child.stdin.take().expect("its input"), KEY.as_bytes()).expect("it is written");
        let told = String::from_utf8(child.wait_with_output().expect("ssh-keygen").stdout).expect("UTF-8");
        let fingerprint = told.split_whitespace().nth(1).expect("a fingerprint");
        assert_eq!(fingerprints(&keys), format!("ssh-ed25519 {fingerprint}"));
    }

    #[test]
    fn what_was_scanned_is_sorted() {
        let scanned = "# host:22 SSH-2.0\nhost ssh-rsa c\nhost ssh-ed25519 b\nhost ecdsa-sha2-nistp256 a\n";
        assert_eq!(sorted(scanned), "host ecdsa-sha2-nistp256 a\nhost ssh-ed25519 b\nhost ssh-rsa c\n");
    }
}
