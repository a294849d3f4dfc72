//! Is it installed everywhere? What is offered, what is selected, and what is installed since when. Pure.

use jiff::Timestamp;
use kube::ResourceExt;

use crate::carvel::PACKAGE_VERSION_ANNOTATION;
use crate::carvel::selection::select;
use crate::carvel::version::Version;
use crate::observe::target::Target;

/// Which versions of a package there are, and which one is installed.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Versions {
    /// What the revision that Flux has applied offers, the highest first.
    pub offered: Vec<String>,
    /// The constraints.
    pub constraints: String,
    /// What they select now.
    pub selected: Option<String>,
    /// What was installed at the last reconcile.
    pub installed: Option<String>,
    /// When the last reconcile ended: how it is now is not claimed.
    pub reconciled: Option<Timestamp>,
}

/// Says which versions of an install's package there are.
pub(super) fn versions(target: &Target, name: &str) -> Option<Versions> {
    let reference = &target.install(name)?.spec.package_ref;
    let mut offered: Vec<Version> = target
        .packages
        .iter()
        .filter(|package| package.ref_name == reference.ref_name)
        .filter_map(|package| package.version.parse().ok())
        .collect();
    offered.sort();
    let app = target.app(name);
    let status = app.and_then(|app| app.status.as_ref());
    let deploy = status.and_then(|status| status.deploy.as_ref());
    let is_deployed = deploy.is_some_and(|deploy| deploy.finished && deploy.exit_code == 0);
    Some(Versions {
        constraints: reference.version_selection.constraints.clone(),
        selected: select(&offered, &reference.version_selection).ok().map(|version| version.to_string()),
        offered: offered.iter().rev().map(ToString::to_string).collect(),
        installed: app
            .filter(|_| is_deployed)
            .and_then(|app| app.annotations().get(PACKAGE_VERSION_ANNOTATION).cloned()),
        reconciled: deploy.and_then(|deploy| deploy.updated_at),
    })
}
