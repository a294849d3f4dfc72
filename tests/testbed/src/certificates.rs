//! The keys and certificates of one cluster.

mod version_one;

use std::path::{Path, PathBuf};

use rcgen::{
    BasicConstraints, CertificateParams, DistinguishedName, DnType, ExtendedKeyUsagePurpose, IsCa, Issuer, KeyPair,
    KeyUsagePurpose,
};

use crate::cache::{create_directory, write};
use crate::error::{Error, Result};

/// A certificate and its key, as PEM.
#[derive(Debug, Clone)]
pub struct Identity {
    /// The certificate.
    pub certificate: String,
    /// Its key.
    pub key: String,
}

/// The files that the processes of one cluster read, and the identities that clients use.
#[derive(Debug)]
pub(crate) struct Certificates {
    directory: PathBuf,
    /// Signs for the API server and its clients.
    pub(crate) authority: Authority,
    pub(crate) admin: Identity,
}

impl Certificates {
    /// Generates everything and writes it below `directory`.
    pub(crate) fn generate(directory: &Path) -> Result<Self> {
        create_directory(directory)?;
        let made = Self::generate_all(directory);
        made.map_err(|error| match error {
            Failure::Certificate(source) => Error::failed(format!("cannot make the cluster's certificates: {source}")),
            Failure::File(error) => error,
        })
    }

    fn generate_all(directory: &Path) -> Result<Self, Failure> {
        let cluster = Authority::generate("testbed-cluster")?;
        let front_proxy = Authority::generate("testbed-front-proxy")?;
        let names = ["localhost", "127.0.0.1", "kubernetes", "kubernetes.default", "kubernetes.default.svc"];
        let server = cluster.sign("kube-apiserver", None, &names)?;
        let proxy_client = front_proxy.sign("front-proxy", None, &[])?;
        let admin = cluster.sign("testbed-admin", Some("system:masters"), &[])?;
        let accounts = KeyPair::generate()?;
        let files = [
            ("ca.crt", &cluster.certificate),
            ("front-proxy-ca.crt", &front_proxy.certificate),
            ("kube-apiserver.crt", &server.certificate),
            ("kube-apiserver.key", &server.key),
            ("front-proxy.crt", &proxy_client.certificate),
            ("front-proxy.key", &proxy_client.key),
            ("service-accounts.key", &accounts.serialize_pem()),
            ("service-accounts.pub", &accounts.public_key_pem()),
        ];
        for (name, content) in files {
            write(&directory.join(name), content)?;
        }
        Ok(Self { directory: directory.to_path_buf(), authority: cluster, admin })
    }

    /// Returns a command line argument that names one of the files.
    pub(crate) fn argument(&self, flag: &str, file: &str) -> String {
        format!("--{flag}={}", self.directory.join(file).display())
    }
}

#[derive(Debug)]
enum Failure {
    Certificate(rcgen::Error),
    File(Error),
}

impl From<rcgen::Error> for Failure {
    fn from(error: rcgen::Error) -> Self {
        Self::Certificate(error)
    }
}

impl From<Error> for Failure {
    fn from(error: Error) -> Self {
        Self::File(error)
    }
}

#[derive(Debug)]
pub(crate) struct Authority {
    pub(crate) certificate: String,
    issuer: Issuer<'static, KeyPair>,
}

impl Authority {
    pub(crate) fn generate(name: &str) -> Result<Self, rcgen::Error> {
        let mut parameters = parameters(name, None, &[])?;
        parameters.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        parameters.key_usages = vec![KeyUsagePurpose::KeyCertSign, KeyUsagePurpose::DigitalSignature];
        let key = KeyPair::generate()?;
        let certificate = parameters.self_signed(&key)?.pem();
        Ok(Self { certificate, issuer: Issuer::new(parameters, key) })
    }

    /// Signs a client certificate of X.509 version 1.
    pub(crate) fn sign_version_one(&self, name: &str) -> crate::error::Result<Identity> {
        let failed = || Error::failed(format!("cannot make a certificate of version 1 for {name}"));
        let (certificate, key) = self.client(name).map_err(|_| failed())?;
        let certificate = version_one::from_version_three(&certificate, self.issuer.key()).ok_or_else(failed)?;
        Ok(Identity { certificate, key: key.serialize_pem() })
    }

    fn client(&self, name: &str) -> Result<(Vec<u8>, KeyPair), rcgen::Error> {
        let key = KeyPair::generate()?;
        let certificate = parameters(name, None, &[])?.signed_by(&key, &self.issuer)?;
        Ok((certificate.der().to_vec(), key))
    }

    pub(crate) fn sign(
        &self,
        name: &str,
        organization: Option<&str>,
        hosts: &[&str],
    ) -> Result<Identity, rcgen::Error> {
        let mut parameters = parameters(name, organization, hosts)?;
        parameters.use_authority_key_identifier_extension = true;
        parameters.key_usages = vec![KeyUsagePurpose::DigitalSignature];
        parameters.extended_key_usages = vec![ExtendedKeyUsagePurpose::ServerAuth, ExtendedKeyUsagePurpose::ClientAuth];
        let key = KeyPair::generate()?;
        let certificate = parameters.signed_by(&key, &self.issuer)?.pem();
        Ok(Identity { certificate, key: key.serialize_pem() })
    }
}

fn parameters(name: &str, organization: Option<&str>, hosts: &[&str]) -> Result<CertificateParams, rcgen::Error> {
    let mut parameters = CertificateParams::new(hosts.iter().map(|&host| host.to_owned()).collect::<Vec<_>>())?;
    let mut subject = DistinguishedName::new();
    subject.push(DnType::CommonName, name);
    if let Some(organization) = organization {
        subject.push(DnType::OrganizationName, organization);
    }
    parameters.distinguished_name = subject;
    Ok(parameters)
}
