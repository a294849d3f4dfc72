//! What Flux takes from the user entry, by client-go's rules (v0.36 `clientcmd/validation.go`, `validateAuthInfo`, and
//! `clientcmd/client_config.go`, `getUserIdentificationPartialConfig`) and its own (fluxcd/pkg `runtime/client`
//! v0.110, `kubeconfig.go`, `KubeConfig`). Pure.

use secrecy::{SecretSlice, SecretString};

use super::certificate::{self, Problem};
use super::cluster::Server;
use super::document::{Entry, Object, User};
use super::finding::{ReadFile, Report};
use crate::invocation::PROGRAM;

/// The credentials as Flux holds them, used or not.
#[derive(Default)]
pub(super) struct Credentials {
    pub(super) token: Option<SecretString>,
    pub(super) client_certificate: Vec<u8>,
    pub(super) client_key: Option<SecretSlice<u8>>,
    pub(super) username: String,
    pub(super) password: Option<SecretString>,
}

const FLATTEN: &str = "write a kubeconfig without file references: kubectl config view --raw --minify --flatten";

fn use_a_token() -> String {
    format!("give Flux a token of its own: {PROGRAM} add-cluster")
}

/// Reads the user entry of the current context; `read_file` reads on the controller's disk, or is `None` where file references are
/// refused already.
pub(super) fn read(
    entry: &Entry<User>,
    server: &Server,
    read_file: Option<ReadFile<'_>>,
    report: &mut Report<'_>,
) -> Credentials {
    let fields = &entry.fields;
    check_certificate(fields, read_file, report);
    check_plugins(fields, report);
    check_impersonation(fields, report);
    let has_password = !fields.username.is_empty() || !fields.password.is_empty();
    if !fields.token.is_empty() && has_password {
        let effect = "Flux refuses the kubeconfig, because it has a password as well";
        report.refused("token", effect, "keep one of both");
    }
    let mut credentials = Credentials::default();
    if server.is_secure {
        read_token(fields, server, read_file, &mut credentials, report);
        read_certificate(fields, &mut credentials, report);
        read_password(fields, &mut credentials, report);
        let is_anonymous = !server.has_login
            && credentials.token.is_none()
            && credentials.username.is_empty()
            && (credentials.client_certificate.is_empty() || credentials.client_key.is_none());
        if is_anonymous {
            report.warning("", "Flux connects anonymously, because it is left with no credential", use_a_token());
        }
    }
    credentials
}

fn read_token(
    fields: &User,
    server: &Server,
    read_file: Option<ReadFile<'_>>,
    credentials: &mut Credentials,
    report: &mut Report<'_>,
) {
    let (inline, file) = (&fields.token, &fields.token_file);
    let (field, token) = match read_file {
        Some(_) if !inline.is_empty() && !file.is_empty() => {
            report.dropped("tokenFile", "Flux ignores it, because there is a token", "remove tokenFile");
            ("token", inline.clone())
        }
        Some(read_file) if !file.is_empty() => {
            if let Ok(Ok(token)) = read_file(file).map(String::from_utf8) {
                let effect = "Flux sends the token that is in this file on the controller's own disk";
                report.warning("tokenFile", effect, "put the token that you mean into `token`");
                ("tokenFile", token)
            } else {
                let effect = "Flux refuses the kubeconfig, because the file is not on the controller's disk";
                report.refused("tokenFile", effect, "put the token into `token`");
                return;
            }
        }
        _ => ("token", inline.clone()),
    };
    // Go's HTTP client refuses such a header (golang.org/x/net/http/httpguts, ValidHeaderFieldValue).
    if !server.has_login && token.bytes().any(|byte| (byte < b' ' && byte != b'\t') || byte == 0x7f) {
        let effect = "Flux cannot send a request, because the token has a line break or another control character";
        report.refused(field, effect, "store the token without a line break, e.g. with printf instead of echo");
    }
    credentials.token = Some(token).filter(|token| !token.is_empty()).map(SecretString::from);
}

fn read_password(fields: &User, credentials: &mut Credentials, report: &mut Report<'_>) {
    fields.username.clone_into(&mut credentials.username);
    credentials.password =
        Some(fields.password.as_str()).filter(|password| !password.is_empty()).map(SecretString::from);
    if credentials.username.is_empty() && credentials.password.is_some() {
        report.dropped("password", "Flux does not send it, because there is no user name", "add `username`");
    }
    if !credentials.username.is_empty() && credentials.token.is_some() && fields.token.is_empty() {
        report.refused("username", "Flux refuses the kubeconfig, because it has a token as well", "keep one of both");
    }
}

fn read_certificate(fields: &User, credentials: &mut Credentials, report: &mut Report<'_>) {
    let certificate = &fields.client_certificate_data.0;
    if fields.client_certificate.is_empty() && certificate.is_empty() {
        return;
    }
    let key = &fields.client_key_data.0;
    if !certificate.is_empty() && !key.is_empty() {
        match certificate::check_pair(certificate, key) {
            Ok(()) => {}
            Err(Problem::Refused(why)) => {
                let effect = format!("Flux refuses the kubeconfig, because {why}");
                report.refused("client-certificate-data", effect, "store a certificate with its own key, both as PEM");
            }
            Err(Problem::Undecided(why)) => report.undecided("client-certificate-data", why, use_a_token()),
        }
    }
    certificate.clone_into(&mut credentials.client_certificate);
    credentials.client_key = Some(key.clone()).filter(|key| !key.is_empty()).map(SecretSlice::from);
}

fn check_certificate(fields: &User, read_file: Option<ReadFile<'_>>, report: &mut Report<'_>) {
    let certificate = (&fields.client_certificate, &fields.client_certificate_data.0);
    let key = (&fields.client_key, &fields.client_key_data.0);
    if certificate.0.is_empty() && certificate.1.is_empty() {
        let (effect, hint) = ("Flux ignores the key, because there is no certificate", "add client-certificate-data");
        if !key.1.is_empty() {
            report.dropped("client-key-data", effect, hint);
        }
        if !key.0.is_empty() && read_file.is_some() {
            report.dropped("client-key", effect, hint);
        }
        return;
    }
    for (field, inline, (file, data)) in
        [("client-certificate", "client-certificate-data", certificate), ("client-key", "client-key-data", key)]
    {
        if !file.is_empty() && !data.is_empty() {
            let effect = format!("Flux refuses the kubeconfig, because {inline} is given too");
            report.refused(field, effect, format!("remove {field}"));
        } else if let Some(read_file) = read_file.filter(|_| !file.is_empty()) {
            if read_file(file).is_ok() {
                let effect =
                    "Flux opens the file on the controller's disk, then ignores it and does not log in with it";
                report.dropped(field, effect, FLATTEN);
            } else {
                let effect = "Flux refuses the kubeconfig, because the file is not on the controller's disk";
                report.refused(field, effect, FLATTEN);
            }
        }
    }
    if key.0.is_empty() && key.1.is_empty() {
        let effect = "Flux refuses the kubeconfig, because the certificate has no key";
        report.refused("client-key-data", effect, "add the key of the certificate");
    }
}

fn check_plugins(fields: &User, report: &mut Report<'_>) {
    if fields.auth_provider.is_some() {
        report.dropped("auth-provider", "Flux ignores it and gets no credential from it", use_a_token());
    }
    let Some(Object(exec)) = &fields.exec else { return };
    let version = exec.api_version.as_str();
    let has_default_mode =
        matches!(version, "client.authentication.k8s.io/v1beta1" | "client.authentication.k8s.io/v1alpha1");
    let is_mode_known = match exec.interactive_mode.as_str() {
        "" => has_default_mode,
        mode => matches!(mode, "Never" | "IfAvailable" | "Always"),
    };
    let problems = [
        (fields.auth_provider.is_some(), "exec", "there is an auth-provider as well"),
        (exec.command.is_empty(), "exec.command", "the plugin has no command"),
        (version.is_empty(), "exec.apiVersion", "the plugin has no version"),
        (exec.env.iter().any(|each| each.0.name.is_empty()), "exec.env", "a variable has no name"),
        (!is_mode_known, "exec.interactiveMode", "this is none of Never, IfAvailable and Always"),
    ];
    for (is_present, field, why) in problems {
        if is_present {
            report.refused(field, format!("Flux refuses the kubeconfig, because {why}"), use_a_token());
        }
    }
    report.dropped("exec", "Flux does not run the plugin and gets no credential from it", use_a_token());
}

fn check_impersonation(fields: &User, report: &mut Report<'_>) {
    let has_user = !fields.impersonated.is_empty();
    let others = [
        ("as-uid", !fields.as_uid.is_empty()),
        ("as-groups", !fields.as_groups.is_empty()),
        ("as-user-extra", !fields.as_user_extra.is_empty()),
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
