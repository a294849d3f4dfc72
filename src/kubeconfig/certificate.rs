//! Whether certificates and keys are such, for Go and for us, and when they expire. Pure.
//!
//! Go's decision is in client-go `transport/transport.go` (`TLSConfigFor`): at least one certificate authority, and a
//! client certificate that fits its key (`crypto/tls`, `X509KeyPair`). The cryptography is that of kube's TLS library,
//! whose PEM reader is used here too; what it cannot read, Go perhaps can.

use jiff::Timestamp;
use kube::client::ConfigExt;
use rustls_pki_types::CertificateDer;
use rustls_pki_types::pem::PemObject;
use x509_parser::parse_x509_certificate;

use super::encoding::base64;

/// What keeps a certificate, or a certificate and its key, from being used.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Problem {
    /// Flux refuses it, for this reason.
    Refused(&'static str),
    /// It cannot be used here, for this reason; Flux perhaps can use it.
    Undecided(&'static str),
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
        return Err(Problem::Refused("the key is encrypted"));
    }
    let unusable = Problem::Undecided("this plugin cannot use this kind of certificate or key");
    let Some(mut config) = "https://kubernetes.invalid".parse().ok().map(kube::Config::new) else {
        return Err(unusable);
    };
    config.root_cert = Some(Vec::new());
    config.auth_info.client_certificate_data = Some(base64(certificate));
    config.auth_info.client_key_data = Some(base64(key).into());
    match config.rustls_client_config() {
        Ok(_) if is_simple(certificate) && is_simple(key) => Ok(()),
        // The library's own error type is not among our dependencies.
        Err(error) if error.to_string().contains("KeyMismatch") && is_simple(certificate) && is_simple(key) => {
            Err(Problem::Refused("the key is not that of the certificate"))
        }
        _ => Err(unusable),
    }
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
