//! What a command will do: typed, ordered steps, shown, confirmed and executed by one piece of code.
//!
//! A plan is computed without asking anybody: what its steps would change is asked of the API servers afterwards, in dry
//! runs. From the lowest file to the highest: the steps as plain data ([`steps`], [`mint`], `proofs`) and when a wait is over
//! (`awaits`); what each step changes ([`preview`]); how both are shown ([`show`]); how the plan is carried out
//! ([`execute`]), with one file for each kind of step that takes more than one call.

mod awaits;
pub mod execute;
mod executor;
mod live;
pub mod mint;
pub mod preview;
mod proofs;
pub mod show;
pub mod steps;

pub use live::LiveObjects;
pub use mint::{Mint, TokenSource};
pub use preview::Preview;
pub use proofs::{CredentialUnchanged, IdentityKnown, NoOrphans, TokensRevoked};
pub use steps::{Apply, Await, AwaitedDeletion, Change, Commit, Delete, Place, Plan, Step};
