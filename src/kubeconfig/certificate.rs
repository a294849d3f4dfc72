//! Whether certificates and keys are such, for Go and for us. Pure.
//!
//! Go's decision is in client-go `transport/transport.go` (`TLSConfigFor`): at least one certificate authority, and a
//! client certificate that fits its key (`crypto/tls`, `X509KeyPair`). The cryptography is that of kube's TLS library.

use kube::client::ConfigExt;
use secrecy::ExposeSecret;

use super::base64;

/// What is wrong with a client certificate and its key.
pub(super) enum PairProblem {
    /// Flux refuses it, for this reason.
    Refused(&'static str),
    /// kube's TLS library cannot use it; Go's may.
    Unusable,
}

/// Returns whether at least one of the PEM blocks is a certificate authority; headers make Go pass over a block.
pub(super) fn has_authority(pem: &[u8]) -> bool {
    blocks(pem)
        .iter()
        .any(|block| block.label == "CERTIFICATE" && !block.has_headers && is_authority(block.content.expose_secret()))
}

/// Checks a client certificate against its key.
pub(super) fn check_pair(certificate: &[u8], key: &[u8]) -> Result<(), PairProblem> {
    let certificates = blocks(certificate);
    if !certificates.iter().any(|block| block.label == "CERTIFICATE") {
        let is_key = certificates.iter().any(|block| block.label.ends_with("PRIVATE KEY"));
        let problem = if is_key { "the certificate is a private key" } else { "the certificate is not PEM" };
        return Err(PairProblem::Refused(problem));
    }
    let is_key = |label: &str| label == "PRIVATE KEY" || label.ends_with(" PRIVATE KEY");
    let keys = blocks(key);
    let Some(key_block) = keys.iter().find(|block| is_key(&block.label)) else {
        return Err(PairProblem::Refused("the key is not PEM"));
    };
    if key_block.label == "ENCRYPTED PRIVATE KEY" {
        return Err(PairProblem::Refused("the key is encrypted"));
    }
    if !is_sequence(key_block.content.expose_secret()) {
        let problem = if key_block.has_headers { "the key is encrypted" } else { "the key cannot be read" };
        return Err(PairProblem::Refused(problem));
    }
    let Some(mut config) = config() else { return Err(PairProblem::Unusable) };
    config.root_cert = Some(Vec::new());
    config.auth_info.client_certificate_data = Some(base64::encode(certificate));
    config.auth_info.client_key_data = Some(base64::encode(key).into());
    match config.rustls_client_config() {
        Ok(_) => Ok(()),
        // The library's own error type is not among our dependencies.
        Err(error) => Err(match error.to_string() {
            text if text.contains("KeyMismatch") => PairProblem::Refused("the key is not that of the certificate"),
            text if text.contains("BadEncoding") => PairProblem::Refused("the certificate cannot be read"),
            _ => PairProblem::Unusable,
        }),
    }
}

fn is_authority(der: &[u8]) -> bool {
    config().is_some_and(|mut config| {
        config.root_cert = Some(vec![der.to_vec()]);
        config.rustls_client_config().is_ok()
    })
}

fn config() -> Option<kube::Config> {
    Some(kube::Config::new("https://kubernetes.invalid".parse().ok()?))
}

/// Returns whether it is one DER sequence, as every certificate and key is.
fn is_sequence(der: &[u8]) -> bool {
    let (length, rest) = match der {
        [0x30, 0x82, high, low, rest @ ..] => (usize::from(*high) << 8 | usize::from(*low), rest),
        [0x30, 0x81, length, rest @ ..] | [0x30, length @ ..=0x7f, rest @ ..] => (usize::from(*length), rest),
        _ => return false,
    };
    length > 0 && rest.len() == length
}

pub(super) struct Block {
    pub(super) label: String,
    has_headers: bool,
    pub(super) content: secrecy::SecretSlice<u8>,
}

/// Finds the PEM blocks that Go's `encoding/pem` finds.
pub(super) fn blocks(pem: &[u8]) -> Vec<Block> {
    let text = String::from_utf8_lossy(pem);
    let mut blocks = Vec::new();
    let mut lines = text.lines();
    while let Some(line) = lines.next() {
        let Some(label) = line.trim_end().strip_prefix("-----BEGIN ").and_then(|rest| rest.strip_suffix("-----"))
        else {
            continue;
        };
        let end = format!("-----END {label}-----");
        let body: Vec<&str> = lines.by_ref().map(str::trim).take_while(|line| *line != end).collect();
        let (headers, body): (Vec<&str>, Vec<&str>) = body.into_iter().partition(|line| line.contains(':'));
        let body: String = body.concat().split_whitespace().collect();
        if let Some(content) = base64::decode(&body) {
            blocks.push(Block { label: label.to_owned(), has_headers: !headers.is_empty(), content: content.into() });
        }
    }
    blocks
}
