//! What kapp-controller calls packages, installs and apps: typed resources and version selection.

pub mod constraints;
mod resources;
pub mod schema;
pub mod selection;
pub mod validation;
pub mod values;
pub mod version;

pub use resources::{
    App, AppSpec, AppStatus, CARVEL_VERSION, DATA_PACKAGING_GROUP, KAPP_CONTROLLER_GROUP,
    MANUALLY_CONTROLLED_ANNOTATION, PACKAGE_VERSION_ANNOTATION, PACKAGING_GROUP, Package, PackageInstall,
    PackageInstallStatus, PackageSpec, Stage, app_resource, package_install_resource, package_resource,
};
