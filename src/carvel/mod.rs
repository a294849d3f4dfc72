//! What kapp-controller calls packages, installs and apps: typed resources, pure builders, version selection.

pub mod constraints;
pub mod selection;
pub mod version;
