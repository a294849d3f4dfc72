//! What Flux takes from the user entry, by client-go's rules (v0.36 `clientcmd/validation.go`, `validateAuthInfo`, and
//! `clientcmd/client_config.go`, `getUserIdentificationPartialConfig`) and its own (fluxcd/pkg `runtime/client`
//! v0.110, `kubeconfig.go`, `KubeConfig`). Pure.

use secrecy::{SecretSlice, SecretString};

use super::Disk;
use super::certificate::{self, PairProblem};
use super::cluster::Server;
use super::document::Entry;
use super::finding::Report;
use super::node::Node;

/// The credentials as Flux holds them, used or not.
#[derive(Default)]
pub(super) struct Credentials {
    pub(super) token: Option<SecretString>,
    pub(super) client_certificate: Vec<u8>,
    pub(super) client_key: Option<SecretSlice<u8>>,
    pub(super) username: String,
    pub(super) password: Option<SecretString>,
}

const USE_A_TOKEN: &str = "give Flux a token of its own: kubectl carvelflux add-cluster";
const FLATTEN: &str = "write a kubeconfig without file references: kubectl config view --raw --minify --flatten";

/// Reads the user entry of the current context; `disk` is the controller's, or `None` where file references are
/// refused already.
pub(super) fn read(entry: &Entry<'_>, server: &Server, disk: Option<Disk<'_>>, report: &mut Report<'_>) -> Credentials {
    let fields = entry.fields;
    check_certificate(fields, disk, report);
    check_plugins(fields, report);
    check_impersonation(fields, report);
    let has_password = !fields.text("username").is_empty() || !fields.text("password").is_empty();
    if !fields.text("token").is_empty() && has_password {
        let effect = "Flux refuses the kubeconfig, because it has a password as well";
        report.refused("token", effect, "keep one of both");
    }
    let mut credentials = Credentials::default();
    if server.is_secure {
        read_token(fields, server, disk, &mut credentials, report);
        read_certificate(fields, &mut credentials, report);
        read_password(fields, &mut credentials, report);
        let is_anonymous = !server.has_login
            && credentials.token.is_none()
            && credentials.username.is_empty()
            && (credentials.client_certificate.is_empty() || credentials.client_key.is_none());
        if is_anonymous {
            report.warning("", "Flux connects anonymously, because it is left with no credential", USE_A_TOKEN);
        }
    }
    credentials
}

fn read_token(
    fields: &Node,
    server: &Server,
    disk: Option<Disk<'_>>,
    credentials: &mut Credentials,
    report: &mut Report<'_>,
) {
    let (inline, file) = (fields.text("token"), fields.text("tokenFile"));
    let (field, token) = match disk {
        Some(_) if !inline.is_empty() && !file.is_empty() => {
            report.dropped("tokenFile", "Flux ignores it, because there is a token", "remove tokenFile");
            ("token", inline.to_owned())
        }
        Some(disk) if !file.is_empty() => {
            if let Ok(Ok(token)) = disk(file).map(String::from_utf8) {
                let effect = "Flux sends the token that is in this file on the controller's own disk";
                report.warning("tokenFile", effect, "put the token that you mean into `token`");
                ("tokenFile", token)
            } else {
                let effect = "Flux refuses the kubeconfig, because the file is not on the controller's disk";
                report.refused("tokenFile", effect, "put the token into `token`");
                return;
            }
        }
        _ => ("token", inline.to_owned()),
    };
    // Go's HTTP client refuses such a header (golang.org/x/net/http/httpguts, ValidHeaderFieldValue).
    if !server.has_login && token.bytes().any(|byte| (byte < b' ' && byte != b'\t') || byte == 0x7f) {
        let effect = "Flux cannot send a request, because the token has a line break or another control character";
        report.refused(field, effect, "store the token without a line break, e.g. with printf instead of echo");
    }
    credentials.token = Some(token).filter(|token| !token.is_empty()).map(SecretString::from);
}

fn read_password(fields: &Node, credentials: &mut Credentials, report: &mut Report<'_>) {
    fields.text("username").clone_into(&mut credentials.username);
    credentials.password =
        Some(fields.text("password")).filter(|password| !password.is_empty()).map(SecretString::from);
    if credentials.username.is_empty() && credentials.password.is_some() {
        report.dropped("password", "Flux does not send it, because there is no user name", "add `username`");
    }
    if !credentials.username.is_empty() && credentials.token.is_some() && fields.text("token").is_empty() {
        report.refused("username", "Flux refuses the kubeconfig, because it has a token as well", "keep one of both");
    }
}

fn read_certificate(fields: &Node, credentials: &mut Credentials, report: &mut Report<'_>) {
    let certificate = fields.data("client-certificate-data");
    if fields.text("client-certificate").is_empty() && certificate.is_empty() {
        return;
    }
    let key = fields.data("client-key-data");
    if !certificate.is_empty() && !key.is_empty() {
        match certificate::check_pair(&certificate, &key) {
            Ok(()) => {}
            Err(PairProblem::Refused(why)) => {
                let effect = format!("Flux refuses the kubeconfig, because {why}");
                report.refused("client-certificate-data", effect, "store a certificate with its own key, both as PEM");
            }
            Err(PairProblem::Unusable) => {
                let effect = "Flux may accept it, but this plugin cannot use this kind of certificate or key";
                report.warning("client-certificate-data", effect, USE_A_TOKEN);
            }
        }
    }
    credentials.client_certificate = certificate;
    credentials.client_key = Some(key).filter(|key| !key.is_empty()).map(SecretSlice::from);
}

fn check_certificate(fields: &Node, disk: Option<Disk<'_>>, report: &mut Report<'_>) {
    let has_file = |field: &str| !fields.text(field).is_empty();
    let has_data = |field: &str| !fields.data(field).is_empty();
    if !has_file("client-certificate") && !has_data("client-certificate-data") {
        let (effect, hint) = ("Flux ignores the key, because there is no certificate", "add client-certificate-data");
        if has_data("client-key-data") {
            report.dropped("client-key-data", effect, hint);
        }
        if has_file("client-key") && disk.is_some() {
            report.dropped("client-key", effect, hint);
        }
        return;
    }
    for (file, data) in [("client-certificate", "client-certificate-data"), ("client-key", "client-key-data")] {
        if has_file(file) && has_data(data) {
            let effect = format!("Flux refuses the kubeconfig, because {data} is given too");
            report.refused(file, effect, format!("remove {file}"));
        } else if let Some(disk) = disk.filter(|_| has_file(file)) {
            if disk(fields.text(file)).is_ok() {
                let effect =
                    "Flux opens the file on the controller's disk, then ignores it and does not log in with it";
                report.dropped(file, effect, FLATTEN);
            } else {
                let effect = "Flux refuses the kubeconfig, because the file is not on the controller's disk";
                report.refused(file, effect, FLATTEN);
            }
        }
    }
    if !has_file("client-key") && !has_data("client-key-data") {
        let effect = "Flux refuses the kubeconfig, because the certificate has no key";
        report.refused("client-key-data", effect, "add the key of the certificate");
    }
}

fn check_plugins(fields: &Node, report: &mut Report<'_>) {
    if fields.get("auth-provider").is_some() {
        report.dropped("auth-provider", "Flux ignores it and gets no credential from it", USE_A_TOKEN);
    }
    let Some(exec) = fields.get("exec") else { return };
    let version = exec.text("apiVersion");
    let has_default_mode =
        matches!(version, "client.authentication.k8s.io/v1beta1" | "client.authentication.k8s.io/v1alpha1");
    let is_mode_known = match exec.text("interactiveMode") {
        "" => has_default_mode,
        mode => matches!(mode, "Never" | "IfAvailable" | "Always"),
    };
    let problems = [
        (fields.get("auth-provider").is_some(), "exec", "there is an auth-provider as well"),
        (exec.text("command").is_empty(), "exec.command", "the plugin has no command"),
        (version.is_empty(), "exec.apiVersion", "the plugin has no version"),
        (exec.list("env").iter().any(|each| each.text("name").is_empty()), "exec.env", "a variable has no name"),
        (!is_mode_known, "exec.interactiveMode", "this is none of Never, IfAvailable and Always"),
    ];
    for (is_present, field, why) in problems {
        if is_present {
            report.refused(field, format!("Flux refuses the kubeconfig, because {why}"), USE_A_TOKEN);
        }
    }
    report.dropped("exec", "Flux does not run the plugin and gets no credential from it", USE_A_TOKEN);
}

fn check_impersonation(fields: &Node, report: &mut Report<'_>) {
    let has_user = !fields.text("as").is_empty();
    let others = [
        ("as-uid", !fields.text("as-uid").is_empty()),
        ("as-groups", fields.has_elements("as-groups")),
        ("as-user-extra", fields.has_elements("as-user-extra")),
    ];
    let effect = "Flux ignores it and acts as the user whose credential it is";
    let hint = "set the Kustomization's serviceAccountName, or give Flux the credential of that user";
    if has_user {
        report.dropped("as", effect, hint);
    }
    for (field, _) in others.into_iter().filter(|(_, is_present)| *is_present) {
        if has_user {
            report.dropped(field, effect, hint);
        } else {
            let effect = "Flux refuses the kubeconfig, because there is no user to impersonate";
            report.refused(field, effect, format!("remove {field}"));
        }
    }
}
