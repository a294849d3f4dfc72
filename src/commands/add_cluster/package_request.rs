//! What the user asks about the package: which versions, with which values; fields are named as the flags are.

use std::path::Path;

use secrecy::{ExposeSecret, SecretString};

use crate::carvel::values::set::{Assignment, Reading};
use crate::cli::{EncryptionArgs, PackageValuesArgs, VersionArgs};
use crate::error::{Error, Result};
use crate::gitops::sops::Recipient;
use crate::gitops::values::check_values;
use crate::names;
use crate::ui::prompt;

/// What the PackageInstall is to say beside constraints and values.
#[derive(Clone, Debug, Default)]
pub(super) struct InstallRequest {
    /// Whether prereleases are accepted, and with which identifiers; `None` keeps what the repository has.
    pub(super) prereleases: Option<Vec<String>>,
    /// Whether a lower version may be installed; `false` keeps what the repository has.
    pub(super) is_downgradable: bool,
    /// How often kapp-controller looks by itself; `None` keeps what the repository has.
    pub(super) sync_period: Option<String>,
}

impl InstallRequest {
    /// Takes the flags.
    pub(super) fn of(arguments: &VersionArgs) -> Self {
        let prereleases = arguments.prereleases.clone().map(|mut identifiers| {
            // Without identifiers, all are accepted.
            identifiers.retain(|identifier| !identifier.is_empty());
            identifiers
        });
        Self { prereleases, is_downgradable: arguments.downgradable, sync_period: arguments.sync_period.clone() }
    }
}

/// What the flags say about values; nothing keeps what the repository has.
#[derive(Clone, Debug, Default)]
pub(super) struct ValuesRequest {
    /// The files that take the place of what the repository has; later ones win.
    pub(super) files: Vec<ValuesFile>,
    /// The single values that are set, in order.
    pub(super) assignments: Vec<Assignment>,
    /// The name of the Secret; `None` for one that changes with its content.
    pub(super) secret_name: Option<String>,
}

/// What the flags say about encryption; nothing keeps it as it is in the repository.
#[derive(Clone, Debug, Default)]
pub(super) struct EncryptionRequest {
    /// Whether values that are plain become encrypted.
    pub(super) encrypts: bool,
    /// Who can decrypt; none leaves it to the rules in the repository.
    pub(super) recipients: Vec<Recipient>,
    /// Whether a key is made where Flux has none.
    pub(super) generates_key: bool,
    /// Whether values may be plain in Git without a warning.
    pub(super) allows_plain: bool,
}

impl EncryptionRequest {
    /// Reads the flags.
    pub(super) fn of(arguments: &EncryptionArgs) -> Result<Self> {
        let recipients = arguments.recipients.iter().map(|recipient| recipient.parse()).collect::<Result<_>>()?;
        Ok(Self {
            encrypts: arguments.encrypt.is_some(),
            recipients,
            generates_key: arguments.generate_age_key,
            allows_plain: arguments.allow_plain_values,
        })
    }
}

/// A file of values.
#[derive(Clone, Debug)]
pub(super) struct ValuesFile {
    /// The file, as messages name it.
    pub(super) origin: String,
    /// YAML with a mapping in every document.
    pub(super) text: SecretString,
}

impl ValuesRequest {
    /// Tells whether there are new values.
    pub(super) fn is_given(&self) -> bool {
        !self.files.is_empty() || !self.assignments.is_empty()
    }

    /// Reads the flags, and the files that they name. Values may be secret, so no error quotes one.
    pub(super) async fn of(arguments: &PackageValuesArgs) -> Result<Self> {
        let mut assignments = Vec::new();
        for (flag, texts, reading) in [
            ("--set", &arguments.set, Reading::Yaml),
            ("--set-string", &arguments.set_string, Reading::Text),
            ("--set-file", &arguments.set_file, Reading::Text),
        ] {
            for text in texts {
                let (path, value) = text.split_once('=').ok_or_else(|| {
                    Error::usage(format!("{flag} needs a path, `=` and what goes there"))
                        .hint(format!("write {flag} server.port=8080"))
                })?;
                let assignment = if flag == "--set-file" {
                    let content = prompt::file(Path::new(value)).await.map_err(|error| {
                        Error::usage(format!("cannot read the file of {flag} {path}")).because(error)
                    })?;
                    Assignment::new(flag, path, &content, reading)
                } else {
                    Assignment::new(flag, path, value, reading)
                };
                assignments.push(assignment?);
            }
        }
        if let Some(name) = &arguments.values_secret_name
            && !names::is_subdomain(name)
        {
            return Err(Error::usage(format!("{name} is not a name that Kubernetes accepts for a Secret"))
                .hint("choose another one: --values-secret-name hello-app-values"));
        }
        let mut files = Vec::new();
        for path in &arguments.values {
            files.push(ValuesFile::read(path).await?);
        }
        Ok(Self { files, assignments, secret_name: arguments.values_secret_name.clone() })
    }
}

impl ValuesFile {
    /// Reads a values file: it must be a YAML mapping.
    pub(super) async fn read(path: &Path) -> Result<Self> {
        let text = prompt::file(path).await.map_err(|error| {
            Error::usage(format!("cannot read the values file {}", path.display()))
                .because(error)
                .hint("name a file with the package's values, a YAML mapping: --values FILE")
        })?;
        // ytt takes the byte order mark of some editors for a part of the first name.
        let text = SecretString::from(text.trim_start_matches('\u{feff}'));
        let origin = path.display().to_string();
        check_values(text.expose_secret(), &origin)?;
        Ok(Self { origin, text })
    }
}

/// Takes the constraints of the flag; none at all is not the same as an empty text, which would replace what is there.
pub(super) fn version_constraints(given: Option<&String>) -> Result<Option<String>> {
    match given {
        Some(text) if text.trim().is_empty() => Err(Error::usage("--version-constraints is empty")
            .hint("leave it out to keep what the repository has, or name a range: --version-constraints '>=1.0.0'")),
        given => Ok(given.cloned()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ui::errors::assert_printed;

    #[test]
    fn empty_constraints_are_refused() {
        let error = version_constraints(Some(&" ".to_owned())).expect_err("they would replace what is there");
        assert_printed("empty_version_constraints", &error);
    }
}
