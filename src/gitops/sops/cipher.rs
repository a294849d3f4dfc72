//! A value as SOPS encrypts it: `ENC[AES256_GCM,data:…,iv:…,tag:…,type:…]` (getsops/sops v3.13.2, `aes/cipher.go`).

use aes_gcm::aead::consts::U32;
use aes_gcm::aead::rand_core::RngCore;
use aes_gcm::aead::{Aead, KeyInit, OsRng, Payload};
use aes_gcm::aes::Aes256;
use aes_gcm::{AesGcm, Key, Nonce};
use base64::prelude::{BASE64_STANDARD, Engine};
use secrecy::ExposeSecret;
use serde_json::Value;

use super::SecretBytes;

/// SOPS uses a nonce of 32 bytes, where others use 12.
type Cipher = AesGcm<Aes256, U32>;

const NONCE_LENGTH: usize = 32;
const TAG_LENGTH: usize = 16;
const KEY_LENGTH: usize = 32;

/// The key that all values of a file are encrypted with.
pub(super) struct DataKey(SecretBytes);

impl DataKey {
    pub(super) fn generate() -> Self {
        let mut key = vec![0; KEY_LENGTH];
        OsRng.fill_bytes(&mut key);
        Self(key.into())
    }

    pub(super) fn new(key: SecretBytes) -> Result<Self, String> {
        match key.expose_secret().len() {
            KEY_LENGTH => Ok(Self(key)),
            other => Err(format!("the key of the file has {other} bytes instead of {KEY_LENGTH}")),
        }
    }

    pub(super) fn bytes(&self) -> &[u8] {
        self.0.expose_secret()
    }

    fn cipher(&self) -> Cipher {
        Cipher::new(Key::<Cipher>::from_slice(self.bytes()))
    }

    /// Encrypts a value of a type that SOPS knows; an empty one stays as it is.
    pub(super) fn encrypt(&self, plain: &[u8], kind: &str, additional_data: &str) -> String {
        let mut nonce = [0; NONCE_LENGTH];
        OsRng.fill_bytes(&mut nonce);
        let payload = Payload { msg: plain, aad: additional_data.as_bytes() };
        match self.cipher().encrypt(Nonce::from_slice(&nonce), payload) {
            Ok(sealed) if !plain.is_empty() => {
                let (data, tag) = sealed.split_at(sealed.len() - TAG_LENGTH);
                let [data, nonce, tag] = [data, &nonce, tag].map(|bytes| BASE64_STANDARD.encode(bytes));
                format!("ENC[AES256_GCM,data:{data},iv:{nonce},tag:{tag},type:{kind}]")
            }
            // The only error there is, is of a value of more than 64 GiB.
            _ => String::new(),
        }
    }

    /// Decrypts a value, which comes back with its type.
    pub(super) fn decrypt(&self, encrypted: &str, additional_data: &str) -> Result<Value, String> {
        if encrypted.is_empty() {
            return Ok(Value::from(""));
        }
        let Sealed { data, nonce, kind } = Sealed::parse(encrypted).ok_or("it is not in the form of SOPS")?;
        let payload = Payload { msg: &data, aad: additional_data.as_bytes() };
        let plain = self.cipher().decrypt(Nonce::from_slice(&nonce), payload);
        let plain = plain.map_err(|_| "it was changed, or moved from another place")?;
        let text = String::from_utf8(plain).map_err(|_| "it is no text")?;
        let unreadable = || format!("it is not of its type {kind:?}");
        match kind {
            "str" | "bytes" => Ok(Value::from(text)),
            "int" => text.parse::<i64>().map(Value::from).map_err(|_| unreadable()),
            "float" => text.parse::<f64>().map(Value::from).map_err(|_| unreadable()),
            "bool" => match text.as_str() {
                "True" | "true" => Ok(Value::from(true)),
                "False" | "false" => Ok(Value::from(false)),
                _ => Err(unreadable()),
            },
            _ => Err(unreadable()),
        }
    }
}

/// Returns whether a value looks like one that is encrypted.
pub(super) fn is_encrypted(value: &str) -> bool {
    value.starts_with("ENC[AES256_GCM,")
}

struct Sealed<'text> {
    /// The ciphertext and its tag.
    data: Vec<u8>,
    nonce: Vec<u8>,
    kind: &'text str,
}

impl<'text> Sealed<'text> {
    fn parse(text: &'text str) -> Option<Self> {
        let parts = text.strip_prefix("ENC[AES256_GCM,data:")?.strip_suffix(']')?;
        let (data, parts) = parts.split_once(",iv:")?;
        let (nonce, parts) = parts.split_once(",tag:")?;
        let (tag, kind) = parts.split_once(",type:")?;
        let [mut data, nonce, tag] = [data, nonce, tag].map(|part| BASE64_STANDARD.decode(part));
        let (nonce, tag) = (nonce.ok()?, tag.ok()?);
        if nonce.len() != NONCE_LENGTH || tag.len() != TAG_LENGTH {
            return None;
        }
        data.as_mut().ok()?.extend(tag);
        Some(Self { data: data.ok()?, nonce, kind })
    }
}
