//! The kubeconfig that the user gives for Flux: read, made fit on request, and judged by Flux's rules.
//!
//! Whether it works on the run cluster is found out in [`super::proof`].

use std::path::Path;

use kube::config::Kubeconfig;
use secrecy::{ExposeSecret, SecretString};

use crate::error::{Error, Result};
use crate::kubeconfig::{self, Fitness};
use crate::ui::prompt;

/// A kubeconfig that Flux can use.
#[derive(Clone, Debug)]
pub(super) struct KubeconfigFile {
    /// What Flux gets, as it was given or with the content of files taken in.
    pub(super) text: SecretString,
    /// Where it was read, as messages name it.
    pub(super) source: String,
    /// What Flux will do with it that may not be meant.
    pub(super) warnings: Vec<Error>,
}

impl KubeconfigFile {
    /// Reads a kubeconfig from a file, or from standard input for `-`, and refuses what Flux cannot use.
    ///
    /// With `takes_files_in`, only what the current context needs is kept, with the content of the files it names.
    pub(super) async fn read(path: &Path, takes_files_in: bool) -> Result<Self> {
        let is_input = path == Path::new("-");
        let source = if is_input {
            "the kubeconfig on standard input".to_owned()
        } else {
            format!("the kubeconfig {}", path.display())
        };
        let read = if is_input { prompt::standard_input().await } else { std::fs::read_to_string(path) };
        let mut text =
            SecretString::from(read.map_err(|error| Error::usage(format!("cannot read {source}")).because(error))?);
        if takes_files_in {
            // kubectl takes relative paths from the kubeconfig's directory.
            let directory = path.parent().filter(|_| !is_input).unwrap_or(Path::new(""));
            text = kubeconfig::inline_files(text.expose_secret(), |file| std::fs::read(directory.join(file)))?;
        }
        let fitness = Fitness::of(text.expose_secret());
        if let Some(refusal) = fitness.refusal(&source) {
            return Err(if fitness.names_files() && !takes_files_in {
                refusal.hint("or have the content of the files taken in: --inline-files")
            } else {
                refusal
            });
        }
        Ok(Self { text, source, warnings: fitness.warnings() })
    }

    /// Returns what Flux makes of it.
    pub(super) fn as_flux_reads_it(&self) -> Result<Kubeconfig> {
        kubeconfig::as_flux_reads_it(self.text.expose_secret())
    }
}
