//! The credential that Flux has for a run cluster: its kind, its age, when it expires, and what is wrong with it.

use jiff::{SignedDuration, Timestamp};
use kube::ResourceExt;
use kube::api::DynamicObject;
use secrecy::ExposeSecret;

use crate::authentication::Method;
use crate::check::{self, Checks};
use crate::cluster::{Cluster, FIELD_MANAGER};
use crate::error::{Error, Result};
use crate::invocation::PROGRAM;
use crate::kubeconfig::{self, FluxBehaviour, Severity};
use crate::labels;
use crate::object::{ObjectReference, api_resource};
use crate::observe::{Delivery, RunAccess};
use crate::ui::status::age;

/// How long before a credential expires there is a warning, where nobody knows for how long it was granted.
const SOON: SignedDuration = SignedDuration::from_hours(7 * 24);

/// Which part of its life is left then, where that is known: what `add-cluster` warns about as well.
const LAST_PART: i32 = 5;

/// Checks the credential, and returns the UID of the cluster that it was made for, where it is recorded.
pub(super) async fn check(checks: &mut Checks, build: &Cluster, delivery: &Delivery) -> Option<String> {
    let (kind, name, key) = match &delivery.access {
        RunAccess::Kubeconfig { secret, .. } => ("Secret", &secret.name, secret.key.as_deref()),
        RunAccess::WorkloadIdentity { config_map, .. } => ("ConfigMap", config_map, None),
    };
    let reference = ObjectReference {
        resource: api_resource("", "v1", kind),
        namespace: Some(delivery.namespace.clone()),
        name: name.clone(),
    };
    let object = match read(build, &reference).await {
        // Whoever may only look around is told what is not known.
        Err(error) if error.status() == Some(403) => {
            checks.warn("credential", error);
            return None;
        }
        read => checks.take_silently("credential", read).ok()?,
    };
    match &delivery.access {
        RunAccess::Kubeconfig { .. } => check_kubeconfig(checks, delivery, &object, key),
        RunAccess::WorkloadIdentity { .. } => {
            checks.pass("credential", format!("{}, nothing is stored", Method::WorkloadIdentity.name()));
        }
    }
    let uid = object.annotations().get(labels::RUN_CLUSTER_UID).cloned()?;
    // What may not be read cannot be compared.
    let others = check::other_names(build, &delivery.namespace, &uid, name).await.unwrap_or_default();
    if !others.is_empty() {
        checks.warn("names of the run cluster", check::of_one_cluster(&delivery.run_cluster, &others));
    }
    Some(uid)
}

async fn read(build: &Cluster, reference: &ObjectReference) -> Result<DynamicObject> {
    build.get(reference).await?.ok_or_else(|| {
        Error::new(format!("{} does not exist, so Flux cannot reach the run cluster", reference.display()))
            .hint(format!("store a credential: {PROGRAM} add-cluster"))
    })
}

fn check_kubeconfig(checks: &mut Checks, delivery: &Delivery, secret: &DynamicObject, key: Option<&str>) {
    let Ok(text) = checks.take_silently("credential", kubeconfig::text_of_secret(&secret.data, key)) else { return };
    let now = Timestamp::now();
    let effective = kubeconfig::effective(text.expose_secret(), FluxBehaviour::ReadsFiles, |_| {
        Err(std::io::ErrorKind::NotFound.into())
    });
    let recorded = secret.annotations().get(labels::EXPIRES).and_then(|time| time.parse::<Timestamp>().ok());
    let own = effective.ok().and_then(|effective| effective.expires());
    let expires = recorded.into_iter().chain(own).min();
    let what = format!("{}, stored {} ago", Method::of(secret).name(), age(stored_at(secret).unwrap_or(now), now));
    let stored = ObjectReference::secret(&delivery.namespace, &secret.name_any());
    let renew = Method::of(secret).renewal(&delivery.run_cluster, &stored);
    let lifetime =
        secret.annotations().get(labels::TOKEN_DURATION).and_then(|text| text.parse::<SignedDuration>().ok());
    let soon = lifetime.map_or(SOON, |lifetime| lifetime / LAST_PART);
    match expires {
        None => checks.pass("credential", format!("{what}, does not expire")),
        Some(end) if end <= now => {
            let error = Error::new(format!("{what}, expired {} ago, at {end:.0}", age(end, now)));
            checks.fail("credential", error.hint(renew));
        }
        Some(end) if end.duration_since(now) <= soon => {
            let warning = Error::new(format!("{what}, expires in {}, at {end:.0}", age(now, end)));
            checks.warn("credential", warning.hint(renew));
        }
        Some(end) => checks.pass("credential", format!("{what}, expires in {}, at {end:.0}", age(now, end))),
    }
    for finding in kubeconfig::lint(text.expose_secret(), FluxBehaviour::RefusesFiles) {
        let field = if finding.field.is_empty() { String::new() } else { format!(", {}", finding.field) };
        let error = Error::new(format!("{}{field}: {}", finding.entry, finding.effect)).hint(finding.hint);
        match finding.severity {
            Severity::Refused => {
                checks.fail("kubeconfig", error);
            }
            Severity::Undecided | Severity::Dropped | Severity::Warning => checks.warn("kubeconfig", error),
        }
    }
}

/// Returns when the plugin wrote the Secret last, or when it was made.
fn stored_at(secret: &DynamicObject) -> Option<Timestamp> {
    let entries = secret.metadata.managed_fields.as_deref().unwrap_or_default();
    let ours = entries.iter().filter(|entry| entry.manager.as_deref() == Some(FIELD_MANAGER));
    let written = ours.filter_map(|entry| entry.time.as_ref()).map(|time| time.0).max();
    written.or_else(|| secret.metadata.creation_timestamp.as_ref().map(|time| time.0))
}
