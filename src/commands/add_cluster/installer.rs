//! As whom the package is installed: as the flags ask for it, or as it is already.

use kube::ResourceExt;
use kube::api::DynamicObject;
use secrecy::ExposeSecret;
use serde_json::Value;

use super::answers::Answers;
use crate::cli::InstallerArgs;
use crate::error::{Error, Result};
use crate::gitops::delivery::RunClusterDirectory;
use crate::identities::{Preset, asks_for_http_route, role_file};
use crate::labels;
use crate::names;
use crate::object::{ObjectReference, api_resource};

/// The word for rules from a file, in the annotation of the Role.
const FROM_FILE: &str = "file";

/// What the flags ask for.
#[derive(Clone, Debug, PartialEq)]
pub(super) enum Asked {
    Preset(Preset),
    Rules(Value),
    Account(String),
}

/// As whom the package is installed.
#[derive(Clone, Debug, PartialEq)]
pub(super) enum Installer {
    /// As an account that the plugin makes, with these rules; the word says where they come from.
    Own { rules: Value, origin: &'static str },
    /// As an account that somebody else looks after.
    Existing(String),
}

impl Asked {
    /// Reads the flags, and a file that they name; the texts are warnings. `None` where they leave it open.
    pub(super) fn of(arguments: &InstallerArgs) -> Result<(Option<Self>, Vec<String>)> {
        if let Some(preset) = arguments.installer {
            return Ok((Some(Self::Preset(preset)), Vec::new()));
        }
        if let Some(path) = &arguments.installer_role_file {
            let text = std::fs::read_to_string(path).map_err(|error| {
                Error::usage(format!("cannot read the role file {}", path.display()))
                    .because(error)
                    .hint("name a file with a list of RBAC rules: --installer-role-file FILE")
            })?;
            let role = role_file::read(&text, &path.display().to_string())?;
            return Ok((Some(Self::Rules(role.rules)), role.warnings));
        }
        Ok((arguments.installer_service_account.clone().map(Self::Account), Vec::new()))
    }
}

impl Installer {
    /// Returns what counts: what is asked for, else the account that Git names, else what the installer's Role was made with.
    pub(super) async fn in_effect(
        answers: &Answers,
        directory: &RunClusterDirectory,
        makes_namespace: bool,
    ) -> Result<Self> {
        let own = names::installer(&answers.package);
        let in_git = directory.install.as_ref().and_then(|install| install.service_account.as_ref());
        let own_rules =
            |preset: Preset, with_http_route| Self::Own { rules: preset.rules(with_http_route), origin: preset.name() };
        let with_http_route = asks_for_route(answers, directory);
        Ok(match (&answers.installer, in_git) {
            (Some(Asked::Account(account)), _) => {
                Self::exists(answers, account).await?;
                Self::Existing(account.clone())
            }
            (Some(Asked::Preset(asked)), _) => own_rules(*asked, with_http_route),
            (Some(Asked::Rules(rules)), _) => Self::Own { rules: rules.clone(), origin: FROM_FILE },
            (None, Some(account)) if *account != own => Self::Existing(account.clone()),
            (None, _) if makes_namespace => own_rules(Preset::default(), with_http_route),
            (None, _) => {
                let role = answers.run.get(&reference(answers, "rbac.authorization.k8s.io", "Role", &own)).await?;
                match role.as_ref().and_then(kept) {
                    Some(rules) => Self::Own { rules, origin: FROM_FILE },
                    // Values that are encrypted in Git do not say what they ask for.
                    None => own_rules(
                        role.as_ref().and_then(made_with).unwrap_or_default(),
                        with_http_route || role.as_ref().is_some_and(grants_http_routes),
                    ),
                }
            }
        })
    }

    async fn exists(answers: &Answers, account: &str) -> Result<()> {
        let reference = reference(answers, "", "ServiceAccount", account);
        if answers.run.get(&reference).await?.is_some() {
            return Ok(());
        }
        Err(Error::new(format!("{} does not exist on {}", reference.display(), answers.run.display()))
            .hint("name an existing one with --installer-service-account, or leave the flag out and one is made"))
    }

    /// Returns the account that the PackageInstall names.
    pub(super) fn account(&self, package: &str) -> String {
        match self {
            Self::Own { .. } => names::installer(package),
            Self::Existing(account) => account.clone(),
        }
    }
}

fn reference(answers: &Answers, group: &str, kind: &str, name: &str) -> ObjectReference {
    ObjectReference {
        resource: api_resource(group, "v1", kind),
        namespace: Some(answers.target_namespace.clone()),
        name: name.to_owned(),
    }
}

/// Returns the rules of a Role that were read from a file, which is not at hand any more.
fn kept(role: &DynamicObject) -> Option<Value> {
    let origin = role.annotations().get(labels::INSTALLER)?;
    (origin == FROM_FILE).then(|| role.data["rules"].clone())
}

fn made_with(role: &DynamicObject) -> Option<Preset> {
    role.annotations().get(labels::INSTALLER).and_then(|name| Preset::named(name))
}

fn grants_http_routes(role: &DynamicObject) -> bool {
    role.data["rules"].to_string().contains("\"httproutes\"")
}

/// Tells whether the values, the new ones or those in the repository, ask for an `HTTPRoute`.
fn asks_for_route(answers: &Answers, directory: &RunClusterDirectory) -> bool {
    match &answers.values {
        Some(values) => asks_for_http_route(values.expose_secret()),
        None => directory
            .secrets
            .iter()
            .flat_map(|secret| secret.contents.values())
            .any(|content| asks_for_http_route(content.expose_secret())),
    }
}
