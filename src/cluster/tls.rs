//! What a secure connection to an API server is made with: whom it trusts, and who it says that we are.
//!
//! kube's client and its TLS library refuse some certificates that Go, and so kubectl and Flux, work with: client certificates
//! without extensions, a bundle of authorities with one that cannot be read, and a self-signed server certificate that is its
//! own authority. These are taken here, after the checks that Go makes. What is wrong with a server's certificate is said in
//! [`super::unreachable`].

use std::fmt;
use std::sync::Arc;

use kube::Config;
use kube::config::AuthInfo;
use rustls::client::danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier};
use rustls::client::{ResolvesClientCert, WebPkiServerVerifier, verify_server_name};
use rustls::crypto::{CryptoProvider, WebPkiSupportedAlgorithms};
use rustls::pki_types::{CertificateDer, ServerName, UnixTime};
use rustls::server::ParsedCertificate;
use rustls::sign::{CertifiedKey, SingleCertAndKey};
use rustls::{
    CertificateError, ClientConfig, DigitallySignedStruct, OtherError, RootCertStore, SignatureScheme, crypto,
};
use secrecy::ExposeSecret;
use x509_parser::parse_x509_certificate;

use crate::error::{Error, Result};
use crate::kubeconfig::{client_identity, decode_base64};

/// Makes the configuration of TLS for a cluster. A credential plugin's certificate comes from `plugin`.
///
/// kube's own would bring its ways to log in along, and a parser of `JSONPath` with them.
pub(super) fn tls(config: &Config, plugin: Option<Arc<dyn ResolvesClientCert>>) -> Result<ClientConfig> {
    let unusable = |error: rustls::Error| Error::new("TLS cannot be used").because(error);
    let provider = Arc::new(crypto::ring::default_provider());
    let verifier: Arc<dyn ServerCertVerifier> = match &config.root_cert {
        _ if config.accept_invalid_certs => Arc::new(Unverified(provider.signature_verification_algorithms)),
        Some(authorities) => Arc::new(Verifier::new(authorities, &provider)?),
        None => Arc::new(rustls_platform_verifier::Verifier::new(Arc::clone(&provider)).map_err(unusable)?),
    };
    let builder = ClientConfig::builder_with_provider(provider).with_safe_default_protocol_versions();
    let builder = builder.map_err(unusable)?.dangerous().with_custom_certificate_verifier(verifier);
    let identity: Option<Arc<dyn ResolvesClientCert>> = match (plugin, files(&config.auth_info)?) {
        (Some(plugin), _) => Some(plugin),
        (None, Some((certificate, key))) => Some(Arc::new(SingleCertAndKey::from(identity(&certificate, &key)?))),
        (None, None) => None,
    };
    Ok(match identity {
        Some(identity) => builder.with_client_cert_resolver(identity),
        None => builder.with_no_client_auth(),
    })
}

/// Reads a client certificate and its key, both PEM, as Go does.
pub(super) fn identity(certificate: &[u8], key: &[u8]) -> Result<CertifiedKey> {
    client_identity(certificate, key).map_err(|problem| {
        Error::usage("the client certificate cannot be used").because(problem.reason()).hint(
            "give a certificate with its own key, both as PEM: RSA of 2048 bits or more, ECDSA P-256 or P-384, or Ed25519",
        )
    })
}

/// A client certificate and its key, as PEM.
type CertificateAndKey = (Vec<u8>, Vec<u8>);

fn files(user: &AuthInfo) -> Result<Option<CertificateAndKey>> {
    let read = |what: &str, data: Option<&str>, file: Option<&str>| match (data, file) {
        (Some(data), _) if !data.is_empty() => decode_base64(data)
            .map(Some)
            .ok_or_else(|| Error::usage(format!("the {what} in the kubeconfig is not base64"))),
        (_, Some(file)) if !file.is_empty() => {
            let unreadable = |error| Error::usage(format!("cannot read the {what} {file}")).because(error);
            std::fs::read(file).map(Some).map_err(unreadable)
        }
        _ => Ok(None),
    };
    let data = user.client_certificate_data.as_deref();
    let Some(certificate) = read("client certificate", data, user.client_certificate.as_deref())? else {
        return Ok(None);
    };
    let data = user.client_key_data.as_ref().map(ExposeSecret::expose_secret);
    match read("key of the client certificate", data, user.client_key.as_deref())? {
        Some(key) => Ok(Some((certificate, key))),
        None => Err(Error::usage("the client certificate has no key")
            .hint("name it with --client-key, or in the user entry of the kubeconfig")),
    }
}

/// Why a server's certificate is not trusted, and whose it is.
#[derive(Debug)]
pub(super) struct Distrust {
    /// Whom it is for.
    pub(super) subject: String,
    /// Who signed it.
    pub(super) issuer: String,
    pub(super) error: CertificateError,
}

impl fmt::Display for Distrust {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.error.fmt(formatter)
    }
}

impl std::error::Error for Distrust {}

/// Verifies a server's certificate by the authorities of a kubeconfig.
#[derive(Debug)]
struct Verifier {
    authorities: Vec<CertificateDer<'static>>,
    inner: Arc<WebPkiServerVerifier>,
}

impl Verifier {
    fn new(authorities: &[Vec<u8>], provider: &Arc<CryptoProvider>) -> Result<Self> {
        let authorities: Vec<CertificateDer<'static>> =
            authorities.iter().map(|authority| authority.clone().into()).collect();
        let mut roots = RootCertStore::empty();
        // As Go does, it leaves out what it cannot read (`crypto/x509`, `AppendCertsFromPEM`).
        roots.add_parsable_certificates(authorities.iter().cloned());
        let builder = WebPkiServerVerifier::builder_with_provider(Arc::new(roots), Arc::clone(provider));
        let inner = builder.build().map_err(|_| {
            Error::usage("the certificate authority of the kubeconfig holds no certificate that can be read")
                .hint("name the file of the right one: kubectl config set-cluster NAME --certificate-authority=FILE --embed-certs")
        })?;
        Ok(Self { authorities, inner })
    }
}

impl ServerCertVerifier for Verifier {
    fn verify_server_cert(
        &self,
        certificate: &CertificateDer<'_>,
        intermediates: &[CertificateDer<'_>],
        name: &ServerName<'_>,
        ocsp_response: &[u8],
        now: UnixTime,
    ) -> Result<ServerCertVerified, rustls::Error> {
        let error = match self.inner.verify_server_cert(certificate, intermediates, name, ocsp_response, now) {
            Ok(verified) => return Ok(verified),
            Err(error) => error,
        };
        if self.authorities.iter().any(|authority| authority == certificate) && is_good(certificate, name, now) {
            return Ok(ServerCertVerified::assertion());
        }
        Err(match error {
            rustls::Error::InvalidCertificate(error) => {
                let (subject, issuer) = names(certificate);
                let distrust = Distrust { subject, issuer, error };
                rustls::Error::InvalidCertificate(CertificateError::Other(OtherError(Arc::new(distrust))))
            }
            error => error,
        })
    }

    fn verify_tls12_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signature: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        self.inner.verify_tls12_signature(message, certificate, signature)
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signature: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        self.inner.verify_tls13_signature(message, certificate, signature)
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        self.inner.supported_verify_schemes()
    }
}

/// Takes any certificate, as `insecure-skip-tls-verify` asks for, also one that cannot be read.
#[derive(Debug)]
struct Unverified(WebPkiSupportedAlgorithms);

impl ServerCertVerifier for Unverified {
    fn verify_server_cert(
        &self,
        _certificate: &CertificateDer<'_>,
        _intermediates: &[CertificateDer<'_>],
        _name: &ServerName<'_>,
        _ocsp_response: &[u8],
        _now: UnixTime,
    ) -> Result<ServerCertVerified, rustls::Error> {
        Ok(ServerCertVerified::assertion())
    }

    fn verify_tls12_signature(
        &self,
        _message: &[u8],
        _certificate: &CertificateDer<'_>,
        _signature: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        Ok(HandshakeSignatureValid::assertion())
    }

    fn verify_tls13_signature(
        &self,
        _message: &[u8],
        _certificate: &CertificateDer<'_>,
        _signature: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        Ok(HandshakeSignatureValid::assertion())
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        self.0.supported_schemes()
    }
}

/// Tells whether a certificate that is trusted itself is one for this server now: its name, its time and its purpose are right
/// (Go's `crypto/x509`, `Verify`, asks for no more of a certificate that is among the roots).
fn is_good(certificate: &CertificateDer<'_>, name: &ServerName<'_>, now: UnixTime) -> bool {
    let has_name =
        ParsedCertificate::try_from(certificate).is_ok_and(|parsed| verify_server_name(&parsed, name).is_ok());
    let Ok((_, parsed)) = parse_x509_certificate(certificate) else { return false };
    let Ok(now) = i64::try_from(now.as_secs()) else { return false };
    let validity = parsed.validity();
    let is_now = (validity.not_before.timestamp()..=validity.not_after.timestamp()).contains(&now);
    let is_for_servers = match parsed.extended_key_usage() {
        Ok(Some(usage)) => usage.value.server_auth || usage.value.any,
        Ok(None) => true,
        Err(_) => false,
    };
    has_name && is_now && is_for_servers
}

/// Returns whom a certificate is for and who signed it.
fn names(certificate: &CertificateDer<'_>) -> (String, String) {
    match parse_x509_certificate(certificate) {
        Ok((_, parsed)) => (parsed.subject().to_string(), parsed.issuer().to_string()),
        Err(_) => (String::new(), String::new()),
    }
}

#[cfg(test)]
#[path = "tls_tests.rs"]
mod tests;
