use std::io::Cursor;

use kube::config::AuthInfo;
use rcgen::{BasicConstraints, CertificateParams, DnType, ExtendedKeyUsagePurpose, IsCa, Issuer, KeyPair};
use rustls::pki_types::PrivateKeyDer;
use rustls::{ClientConnection, ServerConfig, ServerConnection};

use super::*;

/// A certificate of `server.example` with its key.
struct Server {
    certificate: Vec<u8>,
    key: KeyPair,
}

fn parameters(subject: &str) -> CertificateParams {
    let mut parameters = CertificateParams::new(vec!["server.example".to_owned()]).expect("a name");
    parameters.distinguished_name.push(DnType::CommonName, subject);
    parameters
}

/// Makes what `openssl req -x509` does: a certificate that is its own CA.
fn self_signed(change: impl Fn(&mut CertificateParams)) -> Server {
    let mut parameters = parameters("self-signed");
    parameters.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
    change(&mut parameters);
    let key = KeyPair::generate().expect("a key");
    Server { certificate: parameters.self_signed(&key).expect("a certificate").der().to_vec(), key }
}

/// Makes a CA and a certificate that it has signed; the first is the CA's.
fn signed() -> (Vec<u8>, Server) {
    let mut authority = CertificateParams::new(Vec::new()).expect("no names");
    authority.distinguished_name.push(DnType::CommonName, "company");
    authority.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
    let authority_key = KeyPair::generate().expect("a key");
    let root = authority.self_signed(&authority_key).expect("a certificate").der().to_vec();
    let issuer = Issuer::from_params(&authority, &authority_key);
    let key = KeyPair::generate().expect("a key");
    let certificate = parameters("signed").signed_by(&key, &issuer).expect("a certificate").der().to_vec();
    (root, Server { certificate, key })
}

/// Lets a client with these authorities and a server shake hands; returns why the client refuses.
fn handshake(authorities: Vec<Vec<u8>>, server: &Server, name: &str) -> std::result::Result<(), rustls::Error> {
    let mut config = Config::new("https://server.example".parse().expect("a URL"));
    config.root_cert = Some(authorities);
    config.auth_info = AuthInfo::default();
    let client = tls(&config, None).expect("a configuration");
    let mut client =
        ClientConnection::new(Arc::new(client), name.to_owned().try_into().expect("a name")).expect("a client");
    let key = PrivateKeyDer::try_from(server.key.serialize_der()).expect("a key");
    let server = ServerConfig::builder_with_provider(Arc::new(crypto::ring::default_provider()))
        .with_safe_default_protocol_versions()
        .expect("versions")
        .with_no_client_auth()
        .with_single_cert(vec![server.certificate.clone().into()], key)
        .expect("a server");
    let mut server = ServerConnection::new(Arc::new(server)).expect("a server");
    while client.is_handshaking() {
        let mut sent = Vec::new();
        client.write_tls(&mut sent).expect("memory");
        server.read_tls(&mut Cursor::new(sent)).expect("memory");
        server.process_new_packets().expect("a client hello");
        let mut sent = Vec::new();
        server.write_tls(&mut sent).expect("memory");
        client.read_tls(&mut Cursor::new(sent)).expect("memory");
        client.process_new_packets()?;
    }
    Ok(())
}

fn distrust(error: rustls::Error) -> String {
    match error {
        rustls::Error::InvalidCertificate(CertificateError::Other(other)) => {
            let distrust = other.0.downcast_ref::<Distrust>().expect("our own");
            format!("{} {} {:?}", distrust.subject, distrust.issuer, distrust.error)
        }
        error => error.to_string(),
    }
}

#[test]
fn a_server_is_trusted_where_go_trusts_it() {
    let (root, server) = signed();
    handshake(vec![root.clone()], &server, "server.example").expect("it is signed by an authority that is trusted");
    // Go leaves out of a bundle what it cannot read.
    handshake(vec![b"fake".to_vec(), root], &server, "server.example").expect("one of the authorities has signed it");
    let own = self_signed(|_| {});
    handshake(vec![own.certificate.clone()], &own, "server.example").expect("it is trusted itself");
    let leaf = self_signed(|parameters| parameters.is_ca = IsCa::NoCa);
    handshake(vec![leaf.certificate.clone()], &leaf, "server.example").expect("it is trusted itself");
}

#[test]
fn a_server_is_refused_where_go_refuses_it() {
    let (root, server) = signed();
    let refused =
        |authorities, server: &Server, name| distrust(handshake(authorities, server, name).expect_err("it is refused"));
    assert_eq!(
        refused(vec![self_signed(|_| {}).certificate], &server, "server.example"),
        "CN=signed CN=company UnknownIssuer"
    );
    assert!(refused(vec![root], &server, "other.example").contains("NotValidForName"));
    let own = self_signed(|_| {});
    refused(vec![own.certificate.clone()], &own, "other.example");
    let expired = self_signed(|parameters| {
        parameters.not_before = rcgen::date_time_ymd(2020, 1, 1);
        parameters.not_after = rcgen::date_time_ymd(2021, 1, 1);
    });
    refused(vec![expired.certificate.clone()], &expired, "server.example");
    let of_a_client = self_signed(|parameters| {
        parameters.extended_key_usages = vec![ExtendedKeyUsagePurpose::ClientAuth];
    });
    refused(vec![of_a_client.certificate.clone()], &of_a_client, "server.example");
    // Trusting one says nothing about another of the same name.
    refused(vec![own.certificate], &self_signed(|_| {}), "server.example");
}

#[test]
fn a_bundle_without_a_certificate_is_refused_at_once() {
    let mut config = Config::new("https://server.example".parse().expect("a URL"));
    config.root_cert = Some(vec![b"fake".to_vec()]);
    assert!(tls(&config, None).expect_err("nothing can be read").message().contains("certificate authority"));
}
