//! The kubeconfig that Flux gets for a run cluster: minimal, self-contained, built and read as Flux reads it. Pure.
//!
//! Flux copies only the address, CA and credential *data*, TLS server name and proxy (fluxcd/pkg
//! `runtime/client/kubeconfig.go`, v0.110) and drops the rest in silence, so nothing else is ever written. [`lint`] says
//! what would become of any other kubeconfig, [`effective`] what is left of it, [`Fitness`] whether that
//! will do, and [`inline_files`] makes it fit. What Flux may read differently from the libraries used here is never
//! decided, but named.

mod certificate;
mod cluster;
mod document;
mod effective;
mod encoding;
mod endpoint;
mod finding;
mod fitness;
mod lint;
mod url;
mod user;
mod yaml;

pub(crate) use self::certificate::client_identity;
pub use self::effective::Effective;
pub use self::encoding::base64;
pub(crate) use self::encoding::{claims, decode as decode_base64, decoded};
pub use self::endpoint::{Endpoint, EndpointOverrides};
pub use self::finding::{Finding, Severity};
pub(crate) use self::fitness::Fitness;
pub use self::fitness::inline_files;
pub use self::lint::{FluxBehaviour, effective, lint, of_secret};
pub(crate) use self::lint::{SECRET_KEY, as_flux_reads_it, text_of_secret};
pub(crate) use self::url::has_login;
