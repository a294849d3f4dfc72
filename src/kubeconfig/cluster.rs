//! What Flux takes from the cluster entry, by client-go's rules (v0.36 `clientcmd/validation.go`,
//! `validateClusterInfo`, and `clientcmd/client_config.go`, `ClientConfig`). Pure.

use super::certificate::{self, Problem};
use super::document::{Cluster, Entry};
use super::finding::{ReadFile, Report};
use super::url::{has_login, plain_url};
use crate::shell::quoted;

/// The server as Flux reaches it.
#[derive(Default)]
pub(super) struct Server {
    pub(super) host: String,
    /// Whether the connection is encrypted; client-go looks at credentials only then.
    pub(super) is_secure: bool,
    /// Whether the URL holds a login of its own.
    pub(super) has_login: bool,
    pub(super) certificate_authority: Vec<u8>,
    pub(super) tls_server_name: String,
    pub(super) proxy_url: String,
    pub(super) disable_compression: bool,
}

/// Reads the cluster entry of the current context; `read_file` reads on the controller's disk, or is `None` where file references are
/// refused already.
pub(super) fn read(entry: &Entry<Cluster>, read_file: Option<ReadFile<'_>>, report: &mut Report<'_>) -> Server {
    let fields = &entry.fields;
    let mut server = Server { disable_compression: fields.disable_compression, ..Server::default() };
    read_address(&fields.server, &mut server, report);
    read_proxy(&fields.proxy_url, &mut server, report);
    read_authority(entry, read_file, &mut server, report);
    if fields.insecure_skip_tls_verify {
        let effect = if server.certificate_authority.is_empty() {
            "Flux ignores it and refuses the server's certificate, unless a certificate authority of its system signed it"
        } else {
            "Flux ignores it and verifies the server's certificate with the given certificate authority"
        };
        report.dropped("insecure-skip-tls-verify", effect, format!("{}, then remove this field", embed(&entry.name)));
    }
    server
}

fn read_address(address: &str, server: &mut Server, report: &mut Report<'_>) {
    let hint = "write it as https://HOST:PORT";
    if address.is_empty() {
        let effect = "Flux refuses the kubeconfig, because the cluster has no server";
        report.refused("server", effect, "set `server: https://HOST:PORT`");
        return;
    }
    address.clone_into(&mut server.host);
    let Some(url) = plain_url(address) else {
        server.is_secure = address.to_ascii_lowercase().starts_with("https://");
        report.undecided("server", "it is not simply the URL of a server", hint);
        return;
    };
    match url.scheme_str() {
        Some("https") => server.is_secure = true,
        // Without a scheme that is plain HTTP (client-go `rest/url_utils.go`, `DefaultServerURL`).
        Some("http") | None => {
            let effect = "Flux connects without encryption and sends no credential, because the URL does not begin with \
                          https://";
            report.dropped("server", effect, hint);
        }
        Some(_) => {
            report.refused("server", "Flux refuses the kubeconfig, because this is not the URL of a server", hint);
            return;
        }
    }
    if has_login(&url) {
        // Go's HTTP client sets it (`net/http`, client.go, send), and client-go's bearer token then gives way.
        server.has_login = true;
        let effect = "Flux logs in with the user name in the URL instead of the token or password of the user entry";
        report.warning("server", effect, "remove it from the URL and put the credential into the user entry");
    }
}

fn read_proxy(proxy: &str, server: &mut Server, report: &mut Report<'_>) {
    let hint = "write it as http://HOST:PORT, https://HOST:PORT or socks5://HOST:PORT";
    if proxy.is_empty() {
        return;
    }
    proxy.clone_into(&mut server.proxy_url);
    let Some(url) = plain_url(proxy) else {
        return report.undecided("proxy-url", "it is not simply the URL of a proxy", hint);
    };
    if !matches!(url.scheme_str(), Some("http" | "https" | "socks5")) {
        // The message of client-go quotes the URL with its password.
        let effect = "Flux refuses the kubeconfig, because this is not a URL with http, https or socks5, and shows it in its error";
        report.refused("proxy-url", effect, hint);
    }
}

fn read_authority(
    entry: &Entry<Cluster>,
    read_file: Option<ReadFile<'_>>,
    server: &mut Server,
    report: &mut Report<'_>,
) {
    let file = &entry.fields.certificate_authority;
    let data = &entry.fields.certificate_authority_data.0;
    if !file.is_empty() && !data.is_empty() {
        let effect = "Flux refuses the kubeconfig, because certificate-authority-data is given too";
        report.refused("certificate-authority", effect, "remove certificate-authority");
    } else if let Some(read_file) = read_file.filter(|_| !file.is_empty()) {
        match read_file(file) {
            Ok(_) => report.dropped(
                "certificate-authority",
                "Flux opens the file on the controller's disk, then ignores it and trusts the CAs of its system",
                embed(&entry.name),
            ),
            Err(_) => report.refused(
                "certificate-authority",
                "Flux refuses the kubeconfig, because the file is not on the controller's disk",
                embed(&entry.name),
            ),
        }
    }
    if !server.is_secure {
        return;
    }
    entry.fields.tls_server_name.clone_into(&mut server.tls_server_name);
    if !data.is_empty() {
        let field = "certificate-authority-data";
        match certificate::check_authority(data) {
            Ok(()) => {}
            Err(Problem::Refused(why)) => {
                report.refused(field, format!("Flux refuses the kubeconfig, because {why}"), embed(&entry.name));
            }
            Err(Problem::Undecided(why)) => report.undecided(field, why, embed(&entry.name)),
        }
    }
    data.clone_into(&mut server.certificate_authority);
}

fn embed(cluster: &str) -> String {
    format!(
        "inline the certificate: kubectl config set-cluster {cluster} --certificate-authority=FILE --embed-certs",
        cluster = quoted(cluster)
    )
}
