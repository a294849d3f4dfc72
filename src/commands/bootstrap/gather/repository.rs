//! Reads the repository as Flux will: with nothing but what Flux is to have, where that is given.

use std::sync::Arc;

use super::deploy_key::DeployKey;
use crate::commands::bootstrap::request::Request;
use crate::commands::git;
use crate::error::{Error, Result};
use crate::flux::GitRepositorySpec;
use crate::gitops::artifact::Artifact;
use crate::gitops::checkout::{GitAccess, Isolated, Limits};
use crate::gitops::credentials::GitCredentials;
use crate::gitops::flux_credential::FluxCredential;
use crate::ui::Ui;

/// Checks that the repository can be read as Flux will read it, with nothing but the given credential if there is one, and holds
/// the package; returns the login that it takes.
pub(super) async fn read(
    ui: Ui,
    request: &Request,
    credential: Option<FluxCredential>,
    limits: Limits,
    has_secret: bool,
    deploy_key: Option<&DeployKey>,
    source: &GitRepositorySpec,
) -> Result<(Option<GitCredentials>, Vec<Error>)> {
    let mut access = git_access(request, request.credentials.as_ref(), limits, has_secret);
    if let Some(credential) = credential {
        access.environment.clear();
        access.credentials.clone_from(&credential.login);
        access.isolated = Some(Arc::new(Isolated::with(&credential, &request.git_url)?));
    }
    let (checkout, mut doubts) = match deploy_key {
        Some(deploy_key) => deploy_key.clone_once_granted(ui, request, &access).await?,
        None => (git::checkout(ui, &request.git_url, &request.branch, &mut access).await?, Vec::new()),
    };
    let artifact = Artifact::of(checkout.root(), source)?;
    let package = artifact.package(checkout.root(), &request.package)?;
    // A login that is in the Secret already is none that is given.
    let credentials = access.credentials.filter(|_| access.isolated.is_none()).or_else(|| request.credentials.clone());
    doubts.extend(artifact.doubts(checkout.root(), &package));
    Ok((credentials, doubts))
}

/// Returns how the repository is read with a login: with the user's own helpers only where Flux has a Secret.
pub(super) fn git_access(
    request: &Request,
    login: Option<&GitCredentials>,
    limits: Limits,
    has_secret: bool,
) -> GitAccess {
    let access = GitAccess { credentials: login.cloned(), limits, ..GitAccess::default() };
    // Flux has no credential helper: without credentials the repository must be public.
    if login.is_none() && !has_secret && request.provider.is_none() { access.without_helpers() } else { access }
}
