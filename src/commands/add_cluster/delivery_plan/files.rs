//! What is written to Git: the PackageInstall and its values, in one commit.

use crate::commands::add_cluster::answers::Answers;
use crate::commands::add_cluster::gather::Facts;
use crate::error::{Error, Result};
use crate::gitops::install::{PackageInstallSpec, package_install, update_package_install};
use crate::gitops::values::{values_secret, values_secret_name};
use crate::plan::Commit;

/// Computes the files of the delivery: the PackageInstall, and the values where there are new ones.
pub(super) fn commit(answers: &Answers, facts: &Facts) -> Result<Commit> {
    let existing = facts.directory.install.as_ref();
    let secret = match &answers.values {
        Some(values) => {
            if let Some(encrypted) = facts.directory.secrets.iter().find(|secret| secret.encrypted) {
                return Err(Error::new(format!(
                    "{} is encrypted, and would be replaced by plain text",
                    encrypted.file
                ))
                .hint("change the values with sops, and leave --values out"));
            }
            let name = values_secret_name(&facts.package.name, values)?;
            Some((name.clone(), values_secret(&name, values)))
        }
        None => None,
    };
    let spec = PackageInstallSpec {
        name: existing.map_or_else(|| facts.package.name.clone(), |install| install.name.clone()),
        service_account: facts.installer.account(&facts.package.name),
        ref_name: facts.package.ref_name.clone(),
        constraints: facts.constraints.clone(),
        values_secret: secret
            .as_ref()
            .map(|(name, _)| name.clone())
            .or_else(|| existing.and_then(|install| install.values_secrets.last().cloned())),
        fetch_secret: answers.registry_secret.clone().map(|secret| (secret, facts.package.registry_fetches())),
        prereleases: existing.is_some_and(|install| install.prereleases),
    };
    let install =
        existing.map_or_else(|| package_install(&spec), |existing| update_package_install(&existing.document, &spec));
    Ok(Commit {
        changes: facts.directory.with_delivery(&install, secret.as_ref().map(|(_, secret)| secret))?,
        message: format!("Deliver {} to {}", facts.package.name, answers.run_cluster),
        repository: facts.checkout.display(),
    })
}
