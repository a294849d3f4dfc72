//! The service account that Flux impersonates on the run cluster, where it shall: the guide's `serviceAccountName`.
//!
//! Flux takes the account from the namespace that is called like the Kustomization's, also on the run cluster; it need not
//! exist there (fluxcd/pkg `runtime/client/impersonator.go`, v0.110).

use super::answers::Answers;
use super::authentication::Authentication;
use super::proof::Proof;
use crate::authentication::Method;
use crate::check::{self, Checks, privileges_of};
use crate::error::{Error, Result};
use crate::flux::{FluxVersions, Kustomization, impersonated_user, kustomization_resource};
use crate::names;

/// Whom Flux impersonates.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Impersonated {
    /// The name of the service account.
    pub(super) account: String,
    /// The user that the run cluster sees.
    pub(super) user: String,
    /// Whether Flux's own user has yet to be allowed to impersonate it.
    pub(super) needs_grant: bool,
}

/// Finds out which account Flux is to impersonate: the one of the flag, else the one that the delivery has already.
///
/// What was set up by hand stays as it is. Another account than the delivery has is refused: its roles would stay behind.
pub(super) async fn account(
    answers: &Answers,
    versions: FluxVersions,
    authentication: &Authentication,
) -> Result<Option<String>> {
    let name = names::package_installs_kustomization(&answers.package, &answers.run_cluster);
    let existing: Option<Kustomization> =
        answers.build.read(&kustomization_resource(versions.kustomization), &answers.namespace, &name).await?;
    match (&answers.impersonated, existing.and_then(|kustomization| kustomization.spec.service_account_name)) {
        (Some(asked), Some(existing)) if *asked != existing => Err(Error::new(format!(
            "Kustomization {}/{name} exists and has another spec.serviceAccountName: `{existing}`, not `{asked}`",
            answers.namespace
        ))
        .because("the roles of the one would stay behind")
        .hint("leave --impersonate out to keep it")),
        (Some(asked), _) => Ok(Some(asked.clone())),
        (None, Some(_)) if matches!(authentication, Authentication::Stored(Method::ByHand)) => Ok(None),
        (None, existing) => Ok(existing),
    }
}

/// Finds out what it takes that Flux may impersonate an account.
pub(super) async fn prepare(
    answers: &Answers,
    checks: &mut Checks,
    account: String,
    proof: &Proof,
) -> Result<Impersonated> {
    let user = impersonated_user(&answers.namespace, &account);
    if proof.may_impersonate == Some(true) {
        return Ok(Impersonated { account, user, needs_grant: false });
    }
    check::namespace(&answers.run, &answers.namespace).await.map_err(|error| {
        error.because(format!(
            "Flux impersonates `{user}`; only a Role in the namespace of that name allows this account and no other"
        ))
    })?;
    if proof.may_impersonate == Some(false) && proof.user.is_none() {
        return Err(Error::new(format!("the user of the kubeconfig may not impersonate `{user}`"))
            .because("it cannot be granted from here: the API server does not tell whom it takes the credential for")
            .hint(format!(
                "let it impersonate the service account {account} with a Role in namespace {} of the run cluster",
                answers.namespace
            )));
    }
    refuse_powerful(answers, checks, &account).await?;
    Ok(Impersonated { account, user, needs_grant: true })
}

/// Refuses an account that may do everything already: whoever holds Flux's credential could act as it.
async fn refuse_powerful(answers: &Answers, checks: &mut Checks, account: &str) -> Result<()> {
    let (run, namespace) = (&answers.run, &answers.namespace);
    let privileges = privileges_of(run, namespace, account).await;
    if let Some(privilege) = privileges.found.first() {
        return Err(Error::new(format!(
            "ServiceAccount {namespace}/{account} may do everything {} on {}",
            privilege.place,
            run.display()
        ))
        .because(&privilege.binding)
        .because("Flux's credential would be allowed to impersonate it, and so to do the same")
        .hint("name an account that nobody has given permissions to: --impersonate NAME"));
    }
    if let Some(unknown) = privileges.unknown() {
        checks.warn(
            "account to impersonate",
            Error::new(format!(
                "it is not known what ServiceAccount {namespace}/{account} may do already on {}",
                run.display()
            ))
            .because(format!("with your credential, {unknown}"))
            .hint("Flux's credential will be allowed to impersonate it: make sure that nobody has given it more"),
        );
    }
    Ok(())
}
