//! A checkout of a Git repository, made and written with the user's own `git`.
//!
//! Their credential helpers, SSH keys, signing and hooks all work. What to write is computed elsewhere; this only brings it to
//! the branch, whole or not at all.

mod branches;
mod clone;
mod failure;
mod git;
mod isolated;
mod limit;
mod own;
mod push;
mod refusal;
mod rewritten;
mod side_branch;
mod snapshot;
mod ssh_key;
mod temporary;
#[cfg(test)]
mod tests;
mod trust;

pub use self::branches::branches;
pub use self::clone::{Attempt, Checkout};
pub use self::git::{GitAccess, is_ancestor};
pub use self::isolated::Isolated;
pub use self::limit::Limits;
pub use self::own::Publication;
pub use self::push::PushOutcome;
pub use self::rewritten::{Reads, Rewritten, rewritten};
pub use self::snapshot::Snapshot;
pub use self::ssh_key::{KeyType, generate, public_key, scan};
pub use self::trust::{Trust, trust};
