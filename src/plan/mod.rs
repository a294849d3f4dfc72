//! What a command will do: typed, ordered steps, shown, confirmed and executed by one piece of code.
//!
//! A plan is computed without asking anybody: what its steps would change is asked of the API servers afterwards, in dry
//! runs. From the lowest file to the highest: the steps as plain data ([`steps`], [`mint`], `proofs`) and when a wait is over
//! (`awaits`); what each step changes ([`preview`], of single objects `dry_run`) and what is refused (`refusals`); how both
//! are shown ([`show`]); what differs as text ([`difference`], without secrets: `mask`) and as YAML ([`export`]); how the plan
//! is carried out ([`execute`]), with one file for each kind of step that takes more than one call.

mod awaits;
pub(crate) mod difference;
mod dry_run;
pub(crate) mod execute;
mod executor;
pub(crate) mod export;
mod live;
mod mask;
pub(crate) mod mint;
#[cfg(test)]
pub(crate) mod outline;
mod preview;
mod proofs;
mod refusals;
pub(crate) mod show;
mod steps;

#[cfg(test)]
pub(crate) use executor::Headings;
pub(crate) use live::LiveObjects;
pub(crate) use mint::{Mint, TokenSource};
pub(crate) use preview::{Preview, read_others};
pub(crate) use proofs::{CredentialUnchanged, IdentityKnown, NoOrphans, TokensRevoked};
pub(crate) use steps::{Apply, AwaitedDeletion, Change, Commit, Delete, Freshness, Place, Plan, Prove, Step};
