//! What users download: an archive for each platform, and the manifest by which krew finds them.

pub mod archive;
pub mod build;
mod command;
pub mod error;
pub mod manifest;
pub mod platform;

/// The program that kubectl runs as `kubectl carvelflux`.
pub const PROGRAM: &str = "kubectl-carvelflux";

/// The tag of a release of this source.
pub const TAG: &str = concat!("v", env!("CARGO_PKG_VERSION"));
