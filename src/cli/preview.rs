//! The flags with which a command shows what it would do, instead of doing it.

use std::path::{Path, PathBuf};

use clap::Args;

use super::shared::ConfirmArgs;

/// What becomes of the plan of a command that writes.
#[derive(Args, Clone, Debug, Default)]
#[command(next_help_heading = "Preview: nothing is written, pushed or asked, and no terminal is needed")]
pub struct PreviewArgs {
    /// Print what would be done; the API servers check every object in a dry run
    #[arg(long, group = "preview", conflicts_with_all = ["diff", "export"])]
    pub dry_run: bool,
    /// Print what would differ on both clusters and in Git, without secrets. Exit codes: 0 nothing differs, 1 something does, 2 usage, 3 timeout, 4 failed
    #[arg(long, group = "preview", conflicts_with = "export")]
    pub diff: bool,
    /// Print the objects of both clusters and the files of Git as YAML, or write them into a directory; credentials that the command makes are left out
    #[arg(long, group = "preview", value_name = "DIR", num_args = 0..=1, require_equals = true, default_missing_value = "-")]
    pub export: Option<PathBuf>,
    /// With --export: include the secrets that you give, such as passwords and values
    // clap does not ask for what is required where that is in conflict with another flag.
    #[arg(long, requires = "export", conflicts_with_all = ["dry_run", "diff"])]
    pub show_secrets: bool,
}

/// How a plan is previewed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum PreviewMode {
    /// As a list of what would be done.
    DryRun,
    /// As a unified diff.
    Diff,
    /// As YAML, in a directory or on standard output.
    Export {
        /// The directory.
        directory: Option<PathBuf>,
        /// Whether secrets that the user gives are included.
        shows_secrets: bool,
    },
}

impl PreviewArgs {
    /// Tells whether nobody has to be asked: the plan is confirmed, or not carried out.
    #[must_use]
    pub fn or_confirmed(&self, confirm: &ConfirmArgs) -> bool {
        confirm.yes || self.mode().is_some()
    }

    /// Returns how the plan is previewed; `None` where it is carried out.
    #[must_use]
    pub fn mode(&self) -> Option<PreviewMode> {
        if self.dry_run {
            return Some(PreviewMode::DryRun);
        }
        if self.diff {
            return Some(PreviewMode::Diff);
        }
        let directory = Some(self.export.clone()?).filter(|directory| directory != Path::new("-"));
        Some(PreviewMode::Export { directory, shows_secrets: self.show_secrets })
    }
}
