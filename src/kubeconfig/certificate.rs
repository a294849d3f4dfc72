//! Whether certificates and keys are such, for Go and for us, and when they expire. Pure.
//!
//! Go's decision is in client-go `transport/transport.go` (`TLSConfigFor`): at least one certificate authority, and a
//! client certificate that fits its key (`crypto/tls`, `X509KeyPair`). The cryptography is that of kube's TLS library,
//! whose PEM reader is used here too; what it cannot read, Go perhaps can.

use jiff::Timestamp;
use rustls::crypto::ring::sign::any_supported_type;
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use rustls::sign::CertifiedKey;
use x509_parser::parse_x509_certificate;

/// What keeps a certificate, or a certificate and its key, from being used.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Problem {
    /// Flux refuses it, for this reason.
    Refused(&'static str),
    /// It cannot be used here, for this reason; Flux perhaps can use it.
    Undecided(&'static str),
}

impl Problem {
    /// Returns why.
    pub(crate) fn reason(&self) -> &'static str {
        match self {
            Self::Refused(why) | Self::Undecided(why) => why,
        }
    }
}

/// Checks that at least one of the PEM blocks is a certificate.
pub(super) fn check_authority(pem: &[u8]) -> Result<(), Problem> {
    if !has_block(pem, "CERTIFICATE") {
        return Err(Problem::Refused("this holds no PEM certificate"));
    }
    let certificates: Result<Vec<_>, _> = CertificateDer::pem_slice_iter(pem).collect();
    let is_readable = |certificate: &CertificateDer<'_>| parse_x509_certificate(certificate).is_ok();
    match certificates {
        Ok(certificates) if is_simple(pem) && certificates.iter().all(is_readable) && !certificates.is_empty() => {
            Ok(())
        }
        _ => Err(Problem::Undecided("a certificate in it cannot be read here")),
    }
}

/// Checks a client certificate against its key.
pub(super) fn check_pair(certificate: &[u8], key: &[u8]) -> Result<(), Problem> {
    if !has_block(certificate, "CERTIFICATE") {
        return Err(Problem::Refused("the certificate is not PEM"));
    }
    if !has_block(key, "PRIVATE KEY") {
        return Err(Problem::Refused("the key is not PEM"));
    }
    if is_encrypted(key) {
        return Err(ENCRYPTED);
    }
    match client_identity(certificate, key) {
        Err(problem @ Problem::Undecided(_)) => Err(problem),
        verdict if is_simple(certificate) && is_simple(key) => verdict.map(drop),
        _ => Err(UNUSABLE),
    }
}

const ENCRYPTED: Problem = Problem::Refused("the key is encrypted");

const UNUSABLE: Problem = Problem::Undecided("this plugin cannot use this kind of certificate or key");

/// Reads a client certificate and its key as Go does (`crypto/tls`, `X509KeyPair`).
///
/// The TLS library itself refuses certificates of X.509 version 1, which `openssl x509 -req` makes unless it is told
/// extensions: that is for the server to judge. It also goes by the label of a key, and not by what the key is.
pub(crate) fn client_identity(certificate: &[u8], key: &[u8]) -> Result<CertifiedKey, Problem> {
    let chain: Vec<CertificateDer<'static>> =
        CertificateDer::pem_slice_iter(certificate).filter_map(Result::ok).collect();
    let first = chain.first().ok_or(Problem::Undecided("there is no certificate in it that can be read"))?;
    if is_encrypted(key) {
        return Err(ENCRYPTED);
    }
    let key = PrivateKeyDer::from_pem_slice(key).map_err(|_| UNUSABLE)?;
    let by_content = PrivateKeyDer::try_from(key.secret_der().to_vec()).map_err(|_| UNUSABLE)?;
    let key = any_supported_type(&by_content).map_err(|_| UNUSABLE)?;
    let (_, parsed) = parse_x509_certificate(first).map_err(|_| UNUSABLE)?;
    if key.public_key().is_some_and(|public| public.as_ref() != parsed.public_key().raw) {
        return Err(Problem::Refused("the key is not that of the certificate"));
    }
    Ok(CertifiedKey::new(chain, key))
}

/// Returns when the first certificate expires.
pub(super) fn end_of_certificate(pem: &[u8]) -> Option<Timestamp> {
    let certificate = CertificateDer::from_pem_slice(pem).ok()?;
    let (_, certificate) = parse_x509_certificate(&certificate).ok()?;
    Timestamp::from_second(certificate.validity().not_after.timestamp()).ok()
}

/// Tells whether there is anything like a block whose label ends so.
fn has_block(pem: &[u8], label: &str) -> bool {
    String::from_utf8_lossy(pem).lines().any(|line| line.contains(&format!("{label}-----")))
}

/// Tells whether there is a single block, and that is an encrypted key, by its label or by its header.
fn is_encrypted(pem: &[u8]) -> bool {
    let text = String::from_utf8_lossy(pem);
    let marks = ["-----BEGIN ENCRYPTED PRIVATE KEY-----", "Proc-Type: 4,ENCRYPTED"];
    text.matches("-----BEGIN ").count() == 1 && marks.iter().any(|mark| text.contains(mark))
}

/// Tells whether all readers find the same blocks: within a block there are only lines of base64, and no headers, spaces
/// or empty lines.
fn is_simple(pem: &[u8]) -> bool {
    let is_base64 = |line: &str| line.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"+/=".contains(&byte));
    let mut label: Option<String> = None;
    for line in String::from_utf8_lossy(pem).replace("\r\n", "\n").split('\n') {
        let begun = line.strip_prefix("-----BEGIN ").and_then(|rest| rest.strip_suffix("-----"));
        let is_usual = match &label {
            Some(label) => line == format!("-----END {label}-----") || (!line.is_empty() && is_base64(line)),
            None => begun.is_some() || !line.contains("-----"),
        };
        if !is_usual {
            return false;
        }
        label = if line.starts_with("-----END ") { None } else { label.or(begun.map(str::to_owned)) };
    }
    label.is_none()
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Made by `openssl req -x509 -newkey ed25519`, and its key thrown away at once.
    const CERTIFICATE: &str = "\
-----BEGIN CERTIFICATE-----\n\
MIIBMjCB5aADAgECAhRxA9Jhkksg3Hc4bPrhPido6ZGdqjAFBgMrZXAwDzENMAsG\n\
A1UEAwwEZmFrZTAeFw0yNjExMjIxODQ5MjdaFw0zMTEwMjcxODQ5MjdaMA8xDTAL\n\
BgNVBAMMBGZha2UwKjAFBgMrZXADIQCYbZcCvUapKzyPcH1uZSpcG1Pv+azAo6JC\n\
iLNH51yr36NTMFEwHQYDVR0OBBYEFAM14zna1NFA906DwVRaAwy6fWlaMB8GA1Ud\n\
IwQYMBaAFAM14zna1NFA906DwVRaAwy6fWlaMA8GA1UdEwEB/wQFMAMBAf8wBQYD\n\
K2VwA0EAjGoRi/YdgRsgBJ+1LUTwkMre2WAYTVDhMPEx4RZ0502OZZnTn7B0SeFs\n\
YS3hliTjJalAkC8oHC5G4Lmup7gMDg==\n\
-----END CERTIFICATE-----\n";

    #[test]
    fn a_certificate_says_when_it_ends() {
        assert_eq!(end_of_certificate(CERTIFICATE.as_bytes()), "2031-10-27T18:49:27Z".parse().ok());
        for broken in ["", "-----BEGIN CERTIFICATE-----\nMIIB\n-----END CERTIFICATE-----\n"] {
            assert_eq!(end_of_certificate(broken.as_bytes()), None);
        }
    }

    #[test]
    fn an_authority_is_refused_only_where_no_reader_could_find_a_certificate() {
        assert_eq!(check_authority(CERTIFICATE.as_bytes()), Ok(()));
        assert_eq!(check_authority(format!("Subject: CN=fake\n{CERTIFICATE}{CERTIFICATE}").as_bytes()), Ok(()));
        for none in ["", "fake", "-----BEGIN PUBLIC KEY-----\nZmFrZQ==\n-----END PUBLIC KEY-----\n"] {
            assert!(matches!(check_authority(none.as_bytes()), Err(Problem::Refused(_))), "{none}");
        }
        for odd in [
            CERTIFICATE.replacen('\n', "\nNote: fake\n\n", 1),
            CERTIFICATE.replacen('\n', " \n", 2),
            CERTIFICATE.replace("-----END", " -----END"),
            "-----BEGIN CERTIFICATE-----\nMIIB\n-----END CERTIFICATE-----\n".to_owned(),
        ] {
            assert!(matches!(check_authority(odd.as_bytes()), Err(Problem::Undecided(_))), "{odd}");
        }
    }
}
