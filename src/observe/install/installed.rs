//! What is known on a run cluster about one install, as it is judged.

use jiff::Timestamp;

use crate::carvel::{App, PackageInstall, PackageSpec};
use crate::error::Error;

/// What is known on the run cluster about one install.
#[derive(Clone, Copy, Debug, Default)]
pub struct Installed<'a> {
    /// The PackageInstall.
    pub install: Option<&'a PackageInstall>,
    /// Its App.
    pub app: Option<&'a App>,
    /// The Packages of the namespace; `None` where they have not been read.
    pub packages: Option<&'a [PackageSpec]>,
    /// The Secrets that the PackageInstall takes values from; `None` where they have not been read.
    pub values: Option<&'a [ValuesSecret]>,
    /// Whether the App has not changed for longer than a run that is due takes to show.
    pub is_settled: bool,
    /// Why the App may not be read, where it may not.
    pub app_refused: Option<&'a Error>,
}

/// When a values Secret was written, in whole seconds as the API server keeps it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ValuesSecret {
    /// The name.
    pub name: String,
    /// When it was created; `None` if it does not exist.
    pub created: Option<Timestamp>,
    /// When its content was written last.
    pub changed: Option<Timestamp>,
}
