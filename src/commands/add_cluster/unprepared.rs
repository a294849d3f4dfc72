//! What becomes of deliveries to run clusters on which something could not be written, where others go on. Pure.

use super::clusters::Target;
use super::request::Request;
use crate::error::{Error, ErrorKind, Result};
use crate::flux::{KubeConfigReference, RunCredential};
use crate::names;
use crate::observe::wait::Outcome;
use crate::observe::{Cause, Delivery, Failure, GracePeriod, RunAccess, Stage, Verdict};

/// Returns the deliveries that cannot be waited for, each with why; `failed` is what went wrong for each run cluster.
pub(super) fn outcomes(targets: &[Target], failed: &[Option<Error>]) -> Vec<(Delivery, Outcome)> {
    let failures = targets.iter().zip(failed).filter_map(|(target, failed)| Some((target, failed.as_ref()?)));
    failures.flat_map(|(target, error)| target.deliveries().map(move |request| outcome(request, error))).collect()
}

/// Fails where something could not be written, for those who do not wait.
pub(super) fn refuse(failed: &[Option<Error>]) -> Result<()> {
    let failures: Vec<Error> = failed.iter().flatten().cloned().collect();
    if failures.is_empty() {
        return Ok(());
    }
    let message = format!("{} of {} run clusters are not set up", failures.len(), failed.len());
    Err(Error::several(ErrorKind::of_all(&failures), message, failures))
}

fn outcome(request: &Request, error: &Error) -> (Delivery, Outcome) {
    let package = request.package_name();
    let delivery = Delivery {
        package: package.to_owned(),
        run_cluster: request.run_cluster.clone(),
        namespace: request.namespace.clone(),
        source: (request.namespace.clone(), names::git_repository(package)),
        packages_kustomization: names::packages_kustomization(package, &request.run_cluster),
        installs_kustomization: names::package_installs_kustomization(package, &request.run_cluster),
        target_namespace: request.target_namespace.clone(),
        access: RunAccess::Kubeconfig { secret: KubeConfigReference::default(), impersonate: None },
    };
    let failure = Failure {
        cause: Cause::NoCredential,
        stage: Stage::Packages,
        object: request.credential_reference(RunCredential::Secret).display(),
        message: error.to_string(),
        hint: error.hints().join("; "),
        grace_period: GracePeriod::None,
        attempt: None,
    };
    (delivery, Outcome::Decided(Verdict::Failed(failure)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn why_is_said_of_each_delivery() {
        let error = Error::new("the token does not work").because("refused").hint("look at the address");
        let (delivery, outcome) = outcome(&Request::example(), &error);
        assert_eq!(delivery.display(), "hello.default.tap on prod1");
        let Verdict::Failed(failure) = outcome.verdict() else { panic!("{outcome:?}") };
        assert_eq!(failure.message, "the token does not work: refused");
        assert_eq!(failure.hint, "look at the address");
    }

    #[test]
    fn who_does_not_wait_hears_of_it_as_well() {
        assert!(refuse(&[None, None]).is_ok());
        let error = refuse(&[None, Some(Error::new("the token does not work"))]).expect_err("one is not set up");
        assert!(error.to_string().contains("1 of 2 run clusters"), "{error}");
    }
}
