//! The values of a package as ytt v0.51 reads and merges them, each with the place where it was set. Pure.
//!
//! ytt reads YAML 1.1 with a few corners of its own (`pkg/yamlmeta/internal/yaml.v2/resolve.go`), so that neither `kubectl`'s
//! reading nor YAML 1.2 would do. Values may be secret: nothing here prints one, and errors name places and keys only. What a
//! schema says about values is judged in [`validate`], single values are set in [`set`], what is shown instead of values in
//! [`template`].

mod node;
mod reader;
mod scalar;
pub mod set;
pub mod template;
pub mod validate;
pub mod words;

pub use node::{Content, Entry, Node, Place};
pub use reader::read;
