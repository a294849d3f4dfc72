//! Why a request got no answer: the network, a proxy, or that client and server do not trust each other.
//!
//! Answers that refuse a request are not here.

use std::error::Error as StdError;
use std::io;

use jiff::Timestamp;
use rustls::{AlertDescription, CertificateError, InvalidMessage};

use super::failure::root_cause;
use super::proxy::Proxy;
use super::tls::Distrust;
use super::{Cluster, Role};
use crate::error::Error;
use crate::shell::quoted;

/// What keeps client and server from a secure connection, and what may help.
#[derive(Debug, PartialEq, Eq)]
struct Explanation {
    cause: String,
    hint: String,
}

impl Cluster {
    /// Turns an error of the connection into a sentence that names this cluster.
    pub(super) fn unreachable(&self, error: &kube::Error) -> Error {
        let place = self.display();
        let server = self.server();
        if let Some(tls) = find::<rustls::Error>(error) {
            let explanation = explain(tls, &self.entry());
            return Error::new(format!("there is no secure connection to {place} at {server}"))
                .because(explanation.cause)
                .hint(explanation.hint);
        }
        let unreachable = Error::new(format!("{place} is not reachable at {server}")).because(root_cause(error));
        match &self.route.proxy {
            Some(proxy) => unreachable
                .because(format!("the connection goes through the proxy {proxy}"))
                .hint(proxy_hint(proxy, self.route.config.cluster_url.host().unwrap_or_default())),
            None => unreachable.hint(match self.role() {
                Role::Build => "check the address and the network: kubectl cluster-info",
                Role::Run(_) => "check the address in the run cluster's kubeconfig context, and the network",
            }),
        }
    }

    /// Names the cluster entry of the kubeconfig in a command.
    fn entry(&self) -> String {
        match self.role() {
            _ if self.context().is_empty() => "in its kubeconfig".to_owned(),
            _ => format!("in the cluster entry of the kubeconfig context {}", quoted(self.context())),
        }
    }
}

fn proxy_hint(proxy: &Proxy, host: &str) -> String {
    if proxy.named_by == "HTTPS_PROXY" || proxy.named_by == "HTTP_PROXY" {
        format!("check the proxy of {}, or leave it out for this server: NO_PROXY={host}", proxy.named_by)
    } else {
        format!("check the proxy, which the {} names", proxy.named_by)
    }
}

/// Finds an error of a type among the causes of another, those that an I/O error wraps included.
fn find<'a, E: StdError + 'static>(error: &'a (dyn StdError + 'static)) -> Option<&'a E> {
    let mut next = Some(error);
    while let Some(error) = next {
        if let Some(found) = error.downcast_ref() {
            return Some(found);
        }
        let wrapped = error.downcast_ref::<io::Error>().and_then(io::Error::get_ref);
        next = match wrapped {
            Some(wrapped) => Some(wrapped),
            None => error.source(),
        };
    }
    None
}

/// Explains an error of TLS; `entry` says where the server is configured.
fn explain(error: &rustls::Error, entry: &str) -> Explanation {
    let explanation = |cause: String, hint: String| Explanation { cause, hint };
    match error {
        rustls::Error::InvalidCertificate(CertificateError::Other(other)) => match other.0.downcast_ref::<Distrust>() {
            Some(distrust) => explain_certificate(&distrust.error, Some(distrust), entry),
            None => explain_certificate(&CertificateError::Other(other.clone()), None, entry),
        },
        rustls::Error::InvalidCertificate(error) => explain_certificate(error, None, entry),
        rustls::Error::AlertReceived(
            alert @ (AlertDescription::CertificateRequired
            | AlertDescription::BadCertificate
            | AlertDescription::UnsupportedCertificate
            | AlertDescription::CertificateRevoked
            | AlertDescription::CertificateExpired
            | AlertDescription::CertificateUnknown
            | AlertDescription::UnknownCA
            | AlertDescription::AccessDenied),
        ) => explanation(
            format!("the server refuses the client certificate: {alert:?}"),
            "renew the client certificate, or log in again".to_owned(),
        ),
        rustls::Error::AlertReceived(AlertDescription::HandshakeFailure | AlertDescription::ProtocolVersion)
        | rustls::Error::PeerIncompatible(_) => explanation(
            format!("the server has no version of TLS or cipher in common with this plugin: {error}"),
            "it needs TLS 1.2 with ECDHE and AES-GCM or ChaCha20, or TLS 1.3; a certificate of RSA, ECDSA P-256 or P-384, or Ed25519".to_owned(),
        ),
        rustls::Error::InvalidMessage(InvalidMessage::InvalidContentType | InvalidMessage::UnknownProtocolVersion) => {
            explanation(
                "what answers there does not speak TLS".to_owned(),
                format!("correct the address {entry}: perhaps it begins with http://, or the port is another one"),
            )
        }
        error => explanation(error.to_string(), format!("check what answers at the address {entry}")),
    }
}

fn explain_certificate(error: &CertificateError, distrust: Option<&Distrust>, entry: &str) -> Explanation {
    let whose = match distrust {
        Some(distrust) if !distrust.subject.is_empty() => {
            format!("the server's certificate (subject {}, issuer {})", distrust.subject, distrust.issuer)
        }
        _ => "the server's certificate".to_owned(),
    };
    let (why, hint) = match error {
        CertificateError::UnknownIssuer | CertificateError::BadSignature => (
            "is signed by no certificate authority that is trusted here".to_owned(),
            format!("correct certificate-authority {entry}, or give --certificate-authority for the build cluster"),
        ),
        CertificateError::NotValidForNameContext { expected, presented } => {
            let expected = expected.to_str();
            if presented.is_empty() {
                (
                    format!("is for no name at all, so not for {expected}: it has no subject alternative names"),
                    "issue one with subject alternative names; no Kubernetes client looks at the common name"
                        .to_owned(),
                )
            } else {
                let names: Vec<&str> = presented.iter().map(|name| readable(name)).collect();
                (
                    format!("is not for {expected}, but for {}", names.join(", ")),
                    format!("correct the address, or name one of these as tls-server-name, {entry}"),
                )
            }
        }
        CertificateError::NotValidForName => {
            ("is for another name".to_owned(), format!("correct the address or tls-server-name {entry}"))
        }
        CertificateError::ExpiredContext { not_after, .. } => (
            format!("expired at {}", time(not_after.as_secs())),
            "renew it on the server, and check this machine's clock".to_owned(),
        ),
        CertificateError::Expired => {
            ("is expired".to_owned(), "renew it on the server, and check this machine's clock".to_owned())
        }
        CertificateError::NotValidYetContext { not_before, .. } => (
            format!("is not valid before {}", time(not_before.as_secs())),
            "check the clocks of this machine and of the one that issued it".to_owned(),
        ),
        CertificateError::InvalidPurpose | CertificateError::InvalidPurposeContext { .. } => {
            ("is not one for servers".to_owned(), "issue one with the extended key usage serverAuth".to_owned())
        }
        CertificateError::BadEncoding => (
            "cannot be read here: perhaps it is of X.509 version 1".to_owned(),
            "issue one of version 3, with subject alternative names".to_owned(),
        ),
        CertificateError::UnsupportedSignatureAlgorithmContext { .. }
        | CertificateError::UnsupportedSignatureAlgorithmForPublicKeyContext { .. } => (
            "or that of its authority has a kind of key or signature that this plugin does not know".to_owned(),
            "issue one with RSA of 2048 bits or more, ECDSA P-256 or P-384, or Ed25519, and without SHA-1".to_owned(),
        ),
        error => (format!("is not valid: {error}"), "issue another one on the server".to_owned()),
    };
    Explanation { cause: format!("{whose} {why}"), hint }
}

/// Takes a name out of how the TLS library writes it, such as `DnsName("prod.example")`.
fn readable(name: &str) -> &str {
    name.split_once('(').map_or(name, |(_, rest)| rest.trim_end_matches(')').trim_matches('"'))
}

fn time(seconds: u64) -> String {
    let time = i64::try_from(seconds).ok().and_then(|seconds| Timestamp::from_second(seconds).ok());
    time.map_or_else(|| "a time that cannot be told".to_owned(), |time| time.to_string())
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use rustls::OtherError;

    use super::*;

    #[test]
    fn a_certificate_is_named_with_the_remedy() {
        let distrust = |error| {
            let distrust = Distrust { subject: "CN=prod".to_owned(), issuer: "CN=company".to_owned(), error };
            rustls::Error::InvalidCertificate(CertificateError::Other(OtherError(Arc::new(distrust))))
        };
        let unknown = distrust(CertificateError::UnknownIssuer);
        let wrapped = io::Error::other(io::Error::other(unknown.clone()));
        assert!(find::<rustls::Error>(&wrapped).is_some());
        let explanation = explain(&unknown, "in ~/.kube/config");
        assert!(
            explanation
                .cause
                .starts_with("the server's certificate (subject CN=prod, issuer CN=company) is signed by no")
        );
        let name = CertificateError::NotValidForNameContext {
            expected: "prod.example".try_into().expect("a name"),
            presented: vec!["DnsName(\"kubernetes\")".to_owned(), "IpAddress(10.96.0.1)".to_owned()],
        };
        let explanation = explain(&distrust(name), "in ~/.kube/config");
        assert!(
            explanation.cause.ends_with("is not for prod.example, but for kubernetes, 10.96.0.1"),
            "{explanation:?}"
        );
        for error in [
            unknown,
            rustls::Error::AlertReceived(AlertDescription::BadCertificate),
            rustls::Error::AlertReceived(AlertDescription::HandshakeFailure),
            rustls::Error::InvalidMessage(InvalidMessage::InvalidContentType),
            rustls::Error::InvalidCertificate(CertificateError::Expired),
        ] {
            let Explanation { cause, hint } = explain(&error, "in ~/.kube/config");
            assert!(!format!("{cause} {hint}").contains("network"), "{cause} {hint}");
        }
    }
}
