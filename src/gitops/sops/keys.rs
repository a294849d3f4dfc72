//! The keys of age: who can read a file, and the private keys that do.

use std::fmt;
use std::str::FromStr;

use age::x25519;
use secrecy::{ExposeSecret, SecretString};

use super::SecretBytes;
use crate::error::{Error, Result};

/// Somebody a file is encrypted for, as `age1…`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Recipient(x25519::Recipient);

impl Recipient {
    /// Encrypts the key of a file, in the armour that SOPS writes.
    pub(super) fn encrypt(&self, key: &[u8]) -> Result<String> {
        age::encrypt_and_armor(&self.0, key)
            .map_err(|error| Error::new(format!("cannot encrypt for the age recipient {self}")).because(error))
    }
}

impl FromStr for Recipient {
    type Err = Error;

    /// Reads a recipient; those of plugins, of SSH keys and of the post-quantum kind need the user's own `sops`.
    fn from_str(text: &str) -> Result<Self> {
        if text.starts_with("AGE-SECRET-KEY-") {
            return Err(Error::usage("an age recipient is expected, and a private key is given")
                .hint("`age-keygen -y FILE` shows the recipient; if the key has been published, make another one"));
        }
        x25519::Recipient::from_str(text).map(Self).map_err(|why| {
            Error::usage(format!("{text:?} is not an age recipient that this plugin knows"))
                .because(why)
                .hint("a recipient looks like age1…; for SSH keys and plugins of age, encrypt with your own `sops`")
        })
    }
}

impl fmt::Display for Recipient {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(formatter)
    }
}

/// Private keys, as a key file or the Secret of Flux holds them.
pub struct Identities(Vec<x25519::Identity>);

impl Identities {
    /// Makes a new private key.
    #[must_use]
    pub fn generate() -> Self {
        Self(vec![x25519::Identity::generate()])
    }

    /// Reads the lines of a key file; the error names a line and never repeats it.
    pub fn parse(text: &SecretString) -> Result<Self> {
        let lines = text.expose_secret().lines().enumerate().map(|(index, line)| (index + 1, line.trim()));
        let keys = lines.filter(|(_, line)| !line.is_empty() && !line.starts_with('#')).map(|(number, line)| {
            x25519::Identity::from_str(line)
                .map_err(|why| Error::usage(format!("line {number} is no private key of age")).because(why))
        });
        let keys: Vec<_> = keys.collect::<Result<_>>()?;
        if keys.is_empty() {
            return Err(Error::usage("there is no private key of age").hint("it looks like AGE-SECRET-KEY-1…"));
        }
        Ok(Self(keys))
    }

    /// Returns who these keys are, for encryption.
    #[must_use]
    pub fn recipients(&self) -> Vec<Recipient> {
        self.0.iter().map(|identity| Recipient(identity.to_public())).collect()
    }

    /// Returns the content of a key file.
    #[must_use]
    pub fn to_key_file(&self) -> SecretString {
        let lines = self
            .0
            .iter()
            .map(|key| format!("# public key: {}\n{}\n", key.to_public(), key.to_string().expose_secret()));
        lines.collect::<String>().into()
    }

    /// Decrypts the key of a file where one of these can.
    pub(super) fn decrypt(&self, armored: &str) -> Option<SecretBytes> {
        let mut found = self.0.iter().filter_map(|identity| age::decrypt(identity, armored.trim().as_bytes()).ok());
        found.next().map(SecretBytes::from)
    }
}
