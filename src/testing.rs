//! What the project's own tests and benchmarks need of it. No API: any of it may change with any commit.

pub use crate::carvel::constraints::{Constraints, ConstraintsError};
pub use crate::carvel::schema::ValuesSchema;
pub use crate::carvel::selection::{Prereleases, SelectionError, VersionRequest, select};
pub use crate::carvel::validation::{of_package, of_package_metadata};
pub use crate::carvel::values::{read as read_values, validate::judge};
pub use crate::carvel::version::Version;
pub use crate::carvel::{app_resource, package_install_resource};
pub use crate::cluster::{Proxy, ProxyRules};
pub use crate::commands::{block_on, outcome::report};
pub use crate::error::{Error, ErrorKind};
pub use crate::flux::{
    GitRepositorySpec, KubeConfigReference, KustomizationRequest, Provider, RunCredential, WorkloadIdentity,
    kustomization, kustomization_resource,
};
pub use crate::gitops::artifact::Artifact;
pub use crate::gitops::manifest::{read_documents, write_documents};
pub use crate::gitops::sops::{CreationRule, Identities, Rule, creation_rule, decrypt, encrypt};
pub use crate::kubeconfig::{
    Effective, Finding, FluxBehaviour, Severity, base64, effective, inline_files, lint, of_secret,
};
pub use crate::object::ObjectReference;
pub use crate::observe::survey::{Surveyed, Versions};
pub use crate::observe::wait::{Outcome, Reporter};
pub use crate::observe::{Cause, Delivery, Failure, GracePeriod, RunAccess, Stage, Verdict};
pub use crate::ui::clock::Clock;
pub use crate::ui::events::{
    Body, CommandResult, Event, PreviewChange, PreviewResult, Removal, Rotation, SourceResult,
};
pub use crate::ui::extent::Extent;
pub use crate::ui::progress::{lines::Lines, reporter_with_clock};
pub use crate::ui::status::tree::lines as status_lines;
pub use crate::ui::{Format, Ui, Verbosity};
