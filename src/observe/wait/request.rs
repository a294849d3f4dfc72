//! What a wait is asked for, how it ends for each delivery, and who is told while it lasts.

use std::collections::BTreeMap;
use std::time::Duration;

use crate::cluster::Connection;
use crate::error::Error;
use crate::observe::Verdict;
use crate::observe::delivery::Delivery;

/// What to wait for.
#[derive(Debug)]
pub struct WaitRequest {
    /// The deliveries, all of one namespace.
    pub deliveries: Vec<Delivery>,
    /// Contexts to reach run clusters through, instead of Flux's credential.
    pub run_contexts: Vec<(String, String)>,
    /// The kubeconfig flags, for these contexts.
    pub connection: Connection,
    /// The time for everything together.
    pub timeout: Duration,
    /// The commit that the sources must reach; `None` means what they have once they have looked for new commits.
    pub commit: Option<String>,
    /// Whether to ask the sources to look for new commits.
    pub requests_fetch: bool,
    /// Whether the first failure ends the wait for all.
    pub fails_fast: bool,
    /// For which run clusters Flux was just given another endpoint or credential.
    pub endpoint_changes: BTreeMap<String, EndpointChange>,
}

/// Whether the plan that was just carried out changed how Flux reaches a run cluster: its address, or the certificates there.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum EndpointChange {
    /// It worked before, so that a failure may be a restart.
    #[default]
    Unchanged,
    /// Flux was given another one: the result of its next try counts.
    Changed,
    /// Flux was given its first one: its first result counts.
    First,
}

/// How a delivery ended.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Outcome {
    /// It was decided.
    Decided(Verdict),
    /// The deadline passed; the last verdict says what it waited for, or which failure had yet to count.
    TimedOut(Verdict),
    /// Another delivery's failure ended the wait; the last verdict says how far it was.
    Stopped(Verdict),
}

impl Outcome {
    /// Returns the last verdict.
    #[must_use]
    pub fn verdict(&self) -> &Verdict {
        let (Self::Decided(verdict) | Self::TimedOut(verdict) | Self::Stopped(verdict)) = self;
        verdict
    }

    /// Tells whether the verdict is final.
    #[must_use]
    pub fn is_decided(&self) -> bool {
        matches!(self, Self::Decided(_))
    }
}

/// Shows what happens while waiting.
pub trait Reporter {
    /// Begins with these deliveries; later calls name them by index.
    fn began(&mut self, deliveries: &[Delivery]);
    /// Says something that concerns all of them.
    fn notice(&mut self, text: &str);
    /// Says something that only helps to find out why it takes so long.
    fn detail(&mut self, _text: &str) {}
    /// Shows a new verdict on a delivery; `is_final` once it is decided.
    fn changed(&mut self, index: usize, verdict: &Verdict, is_final: bool);
    /// Gives the chance to show that time passes.
    fn tick(&mut self);
    /// Ends, and leaves the screen as it was found.
    fn ended(&mut self);
    /// Returns why there is nobody left to report to, which ends the wait.
    fn failure(&mut self) -> Option<Error> {
        None
    }
}
