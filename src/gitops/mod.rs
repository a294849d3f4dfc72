//! Deliveries as files of a Git repository: what a package's directory holds, what a delivery adds, and how it gets there.
//!
//! Only [`checkout`] and [`sops_program`] run programs and only [`tree`] reads files; everything else is pure. What the Flux and Carvel objects
//! mean lives in `crate::flux` and `crate::carvel`; who decides what to write lives in the commands.

pub mod artifact;
pub mod checkout;
pub mod credentials;
mod decryption;
pub mod delivery;
mod edit;
mod existing;
pub mod flux_credential;
pub mod host_keys;
mod ignore;
pub mod install;
pub mod layout;
pub mod manifest;
pub mod message;
pub mod sops;
pub mod sops_program;
pub mod tree;
pub mod url;
pub mod values;
