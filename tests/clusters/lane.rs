//! The disruptive tests: one at a time, but beside the ordinary ones. Among these, each would have another thread wait for it.

use std::any::Any;
use std::panic::{AssertUnwindSafe, catch_unwind, resume_unwind};
use std::sync::mpsc::{Sender, channel};

use libtest_mimic::{Arguments, Trial};
use testbed::{Options, Testbed};

/// How a test ended: what it panicked with, if it did.
type Ended = Result<(), Box<dyn Any + Send>>;

struct Job {
    test: Box<dyn FnOnce(&mut Own) + Send>,
    ended: Sender<Ended>,
}

/// The tests of the lane that are to be run, in order.
pub(crate) struct Lane<'a> {
    arguments: &'a Arguments,
    is_ignored: bool,
    jobs: Vec<Job>,
}

impl<'a> Lane<'a> {
    /// With `is_ignored`, all tests are skipped that are not asked for.
    pub(crate) fn new(arguments: &'a Arguments, is_ignored: bool) -> Self {
        Self { arguments, is_ignored, jobs: Vec::new() }
    }

    /// Adds a test, and returns the trial that waits for its end.
    pub(crate) fn trial(&mut self, name: &str, test: impl FnOnce(&mut Own) + Send + 'static) -> Trial {
        let (sender, receiver) = channel::<Ended>();
        let trial = Trial::test(name, move || match receiver.recv() {
            Ok(Ok(())) => Ok(()),
            Ok(Err(panic)) => resume_unwind(panic),
            Err(_) => Err("it was not run".into()),
        });
        let trial = trial.with_kind("disruptive").with_ignored_flag(self.is_ignored);
        if !self.arguments.list && !self.arguments.is_filtered_out(&trial) && !self.arguments.is_ignored(&trial) {
            self.jobs.push(Job { test: Box::new(test), ended: sender });
        }
        trial
    }

    /// Runs the tests.
    pub(crate) fn run(self) {
        let mut own = Own(None);
        for Job { test, ended } in self.jobs {
            let end = catch_unwind(AssertUnwindSafe(|| test(&mut own)));
            // Nobody waits for it any more where the ordinary tests have come to grief.
            let _ = ended.send(end);
        }
    }
}

/// The testbed of the disruptive tests.
pub(crate) struct Own(Option<Testbed>);

impl Own {
    /// Runs a test on it. One that fails leaves it in pieces: the next one gets a new one.
    pub(crate) fn disrupt(&mut self, test: impl FnOnce(&Testbed)) {
        let testbed = self.0.take().unwrap_or_else(|| {
            Testbed::start(&Options { run_clusters: 1, ..Options::default() })
                .unwrap_or_else(|error| panic!("the testbed does not start: {error}"))
        });
        test(&testbed);
        self.0 = Some(testbed);
    }
}
