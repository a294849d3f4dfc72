//! Real components as local processes: etcd, Kubernetes, Flux, kapp-controller, an OCI registry, a Git server.
//!
//! A program that uses it calls [`sandbox::enter`] first in `main`, then [`Testbed::start`].

mod basic_authentication;
pub mod cache;
mod certificates;
mod cluster;
mod command;
mod error;
mod file_server;
mod flux;
mod gateway;
mod git_server;
mod kapp_controller;
mod kubeconfig;
mod kubectl;
pub mod package;
mod ports;
mod private_registry;
mod process;
mod proxy;
mod registry;
pub mod sandbox;
mod service;
mod testbed;
mod tools;
mod trust;
mod webhook;
mod workspace;

pub use certificates::Identity;
pub use error::{Error, Result};
pub use file_server::FileServer;
pub use gateway::{Behaviour, Gateway, Others};
pub use git_server::{GitServer, HttpsGitServer, Repository, SshGitServer, generate_key};
pub use package::{PackageVersion, Variant};
pub use private_registry::PrivateRegistry;
pub use process::Process;
pub use proxy::Proxy;
pub use registry::Registry;
pub use testbed::{BUILD, Options, Testbed};
pub use tools::Tools;
pub use trust::USER_PREFIX;
pub use webhook::Webhook;
pub use workspace::{KEEP_VARIABLE, USER, Workspace};
