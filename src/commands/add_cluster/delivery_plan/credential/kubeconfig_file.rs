//! A kubeconfig that the user gives, stored as it is.

use secrecy::ExposeSecret;
use serde_json::{Value, json};

use super::{expect_as_found, kubeconfig_secret};
use crate::authentication::Method;
use crate::commands::add_cluster::answers::Answers;
use crate::commands::add_cluster::authentication::reference;
use crate::commands::add_cluster::gather::Facts;
use crate::commands::add_cluster::kubeconfig_file::KubeconfigFile;
use crate::error::{Error, Result};
use crate::flux::RunCredential;
use crate::kubeconfig;
use crate::plan::{Apply, Place, Plan, Step};

/// The key that Flux looks for first.
const FIRST_KEY: &str = "value";

/// Adds the Secret with the kubeconfig; one that was given before is replaced.
pub(super) fn add(plan: &mut Plan, answers: &Answers, facts: &Facts, file: &KubeconfigFile) -> Result<()> {
    let has_first_key = facts.found.as_ref().is_some_and(|found| found.object.data["data"].get(FIRST_KEY).is_some());
    if has_first_key {
        let secret = reference(answers, RunCredential::Secret).display();
        return Err(Error::new(format!("Flux would go on using the key `{FIRST_KEY}` of {secret}"))
            .because(format!("it looks for `{FIRST_KEY}`, then for `{}`", kubeconfig::SECRET_KEY))
            .hint(format!("remove the key `{FIRST_KEY}` from the Secret, then try again")));
    }
    let mut manifest: Value = kubeconfig_secret(answers, facts, Method::KubeconfigFile);
    expect_as_found(&mut manifest, facts);
    let text = file.text.expose_secret();
    manifest["data"] = json!({kubeconfig::SECRET_KEY: kubeconfig::base64(text.as_bytes())});
    plan.steps.push(Step::Apply(Apply { place: Place::Build, manifest }));
    Ok(())
}
