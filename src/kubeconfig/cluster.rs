//! What Flux takes from the cluster entry, by client-go's rules (v0.36 `clientcmd/validation.go`,
//! `validateClusterInfo`, and `clientcmd/client_config.go`, `ClientConfig`). Pure.

use super::Disk;
use super::certificate;
use super::document::Entry;
use super::finding::Report;
use super::url::Url;
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

/// Reads the cluster entry of the current context; `disk` is the controller's, or `None` where file references are
/// refused already.
pub(super) fn read(entry: &Entry<'_>, disk: Option<Disk<'_>>, report: &mut Report<'_>) -> Server {
    let fields = entry.fields;
    let mut server = Server { disable_compression: fields.flag("disable-compression"), ..Server::default() };
    read_address(fields.text("server"), &mut server, report);
    read_proxy(fields.text("proxy-url"), &mut server, report);
    read_authority(entry, disk, &mut server, report);
    if fields.flag("insecure-skip-tls-verify") {
        let effect = if server.certificate_authority.is_empty() {
            "Flux ignores it and refuses the server's certificate, unless a certificate authority of its system signed it"
        } else {
            "Flux ignores it and verifies the server's certificate with the given certificate authority"
        };
        report.dropped("insecure-skip-tls-verify", effect, format!("{}, then remove this field", embed(entry.name)));
    }
    server
}

fn read_address(address: &str, server: &mut Server, report: &mut Report<'_>) {
    if address.is_empty() {
        let effect = "Flux refuses the kubeconfig, because the cluster has no server";
        report.refused("server", effect, "set `server: https://HOST:PORT`");
        return;
    }
    server.host = Url::normalised_server(address);
    let usable =
        Url::of_server(&server.host).filter(|url| url.has_host() && matches!(url.scheme.as_str(), "http" | "https"));
    let Some(url) = usable else {
        let effect = "Flux refuses the kubeconfig, because this is no URL of a server";
        report.refused("server", effect, "write it as https://HOST:PORT");
        return;
    };
    server.is_secure = url.scheme == "https";
    if !server.is_secure {
        let effect =
            "Flux connects without encryption and sends no credential, because the URL does not begin with https://";
        report.dropped("server", effect, "write it as https://HOST:PORT");
    }
    if url.has_user() {
        // Go's HTTP client sets it (`net/http`, client.go, send), and client-go's bearer token then gives way.
        server.has_login = true;
        let effect = "Flux logs in with the user name in the URL instead of the token or password of the user entry";
        report.warning("server", effect, "remove it from the URL and put the credential into the user entry");
    }
}

fn read_proxy(proxy: &str, server: &mut Server, report: &mut Report<'_>) {
    if proxy.is_empty() {
        return;
    }
    let Some(url) = Url::parse(proxy).filter(|url| matches!(url.scheme.as_str(), "http" | "https" | "socks5")) else {
        // The message of client-go quotes the URL with its password.
        let effect =
            "Flux refuses the kubeconfig, because this is no URL with http, https or socks5, and shows it in its error";
        report.refused("proxy-url", effect, "write it as http://HOST:PORT, https://HOST:PORT or socks5://HOST:PORT");
        return;
    };
    if !url.has_host() {
        let effect = "Flux accepts it and then cannot connect, because it names no host";
        report.warning("proxy-url", effect, "write it as http://HOST:PORT");
    }
    server.proxy_url = url.to_text();
}

fn read_authority(entry: &Entry<'_>, disk: Option<Disk<'_>>, server: &mut Server, report: &mut Report<'_>) {
    let fields = entry.fields;
    let file = fields.text("certificate-authority");
    let data = fields.data("certificate-authority-data");
    if !file.is_empty() && !data.is_empty() {
        let effect = "Flux refuses the kubeconfig, because certificate-authority-data is given too";
        report.refused("certificate-authority", effect, "remove certificate-authority");
    } else if let Some(disk) = disk.filter(|_| !file.is_empty()) {
        match disk(file) {
            Ok(_) => report.dropped(
                "certificate-authority",
                "Flux opens the file on the controller's disk, then ignores it and trusts the authorities of its system",
                embed(entry.name),
            ),
            Err(_) => report.refused(
                "certificate-authority",
                "Flux refuses the kubeconfig, because the file is not on the controller's disk",
                embed(entry.name),
            ),
        }
    }
    if !server.is_secure {
        return;
    }
    fields.text("tls-server-name").clone_into(&mut server.tls_server_name);
    if !data.is_empty() && !certificate::has_authority(&data) {
        let effect = "Flux refuses the kubeconfig, because this holds no PEM certificate";
        report.refused("certificate-authority-data", effect, embed(entry.name));
    }
    server.certificate_authority = data;
}

fn embed(cluster: &str) -> String {
    format!(
        "take the certificate in: kubectl config set-cluster {cluster} --certificate-authority=FILE --embed-certs",
        cluster = quoted(cluster)
    )
}
