//! The truth corpus: situations on real clusters, what `wait` says of each, and what Flux's Ready says at the same moment.
//!
//! Deliveries are as the guide makes them, `wait: true` without health check expressions: with those Flux is wrong less often,
//! and in the same ways. A green that is not true, and a red that is not, are each a failed trial `corpus::<name>`.

mod access;
mod changes;
mod deploy;
mod disruptive;
mod flux;
mod lifecycle;
mod packages;
mod source;
mod table;

use std::time::{Duration, Instant};

use serde_json::Value;
use testbed::Testbed;

use crate::support::{INSTALLS, PACKAGE, PACKAGES, User};
pub(crate) use table::{DISRUPTIVE, SITUATIONS};

/// One situation.
pub(crate) struct Situation {
    /// The name of its trial.
    pub(crate) name: &'static str,
    /// Brings it about in a workspace of its own.
    produce: for<'a> fn(&'a Testbed, &str) -> Scene<'a>,
    /// What `wait` says.
    verdict: Says,
    /// What Flux's Ready says of the Kustomizations of the Packages and of the PackageInstall.
    ready: [Ready; 2],
}

/// What `wait` says of a delivery.
#[derive(Clone, Copy)]
enum Says {
    /// Exit code 0, with this version.
    Ready(&'static str),
    /// Exit code 1, with this cause, and words of the message or the hint.
    Failed(&'static str, &'static str),
    /// Exit code 3, in this stage, with words of what it waits for.
    Pending(&'static str, &'static str),
}

/// What a `Ready` condition says, whatever revision it speaks of.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Ready {
    Green,
    Red,
    /// Red or in progress: Flux tries again and again.
    NotGreen,
    /// Green or in progress, as its one look at the old success or at the new run happens to come.
    NotRed,
}

impl Ready {
    fn is_said_by(self, ready: &str) -> bool {
        match self {
            Self::Green => ready.starts_with("True"),
            Self::Red => ready.starts_with("False"),
            Self::NotGreen => !ready.starts_with("True"),
            Self::NotRed => !ready.starts_with("False"),
        }
    }
}

/// A situation that was brought about.
pub(crate) struct Scene<'a> {
    user: User<'a>,
    /// How long to wait; a delivery that stays pending takes all of it.
    timeout: &'static str,
    /// What happens meanwhile.
    meanwhile: fn(&User<'_>),
    /// What must be so afterwards, such as that what was called ready is.
    afterwards: Box<dyn Fn(&User<'_>) + 'a>,
}

impl<'a> Scene<'a> {
    fn of(user: User<'a>) -> Self {
        Self { user, timeout: "3m", meanwhile: |_| {}, afterwards: Box::new(|_| {}) }
    }

    fn timeout(self, timeout: &'static str) -> Self {
        Self { timeout, ..self }
    }

    fn meanwhile(self, meanwhile: fn(&User<'_>)) -> Self {
        Self { meanwhile, ..self }
    }

    fn afterwards(self, afterwards: impl Fn(&User<'_>) + 'a) -> Self {
        Self { afterwards: Box::new(afterwards), ..self }
    }
}

/// Brings a situation about, and compares what is said with what is true.
pub(crate) fn check(testbed: &Testbed, situation: &Situation) {
    let scene = (situation.produce)(testbed, &situation.name.replace('_', "-"));
    let user = &scene.user;
    let arguments = ["wait", "-o", "json", "-q", "--package", PACKAGE, "--timeout", scene.timeout];
    let output = std::thread::scope(|scope| {
        let waiting = scope.spawn(|| user.run(&arguments));
        (scene.meanwhile)(user);
        waiting.join().expect("the plugin ends")
    });
    let ready = settled_ready(user, situation.ready);
    let line = output.stdout.lines().last().unwrap_or_default();
    let result: Value = serde_json::from_str(line).unwrap_or_else(|error| panic!("no result ({error}) in {output}"));
    let delivery = &result["deliveries"][0];
    let context = format!("Flux says {ready:?}; wait says {delivery:#} in {output}");
    let said = |field: &str| delivery[field].as_str().unwrap_or_default();
    let words = format!("{}\n{}", said("message"), said("hint"));
    match situation.verdict {
        Says::Ready(version) => {
            assert_eq!((said("outcome"), said("version"), output.code), ("ready", version, 0), "{context}");
        }
        Says::Failed(cause, word) => {
            assert_eq!((said("outcome"), said("cause"), output.code), ("failed", cause, 1), "{context}");
            assert!(words.contains(word), "`{word}` is missing: {context}");
            assert!(!said("hint").is_empty(), "there is no next step: {context}");
        }
        Says::Pending(stage, word) => {
            assert_eq!((said("outcome"), said("stage"), output.code), ("pending", stage, 3), "{context}");
            assert!(words.contains(word), "`{word}` is missing: {context}");
        }
    }
    for (ready, expected) in ready.iter().zip(situation.ready) {
        assert!(expected.is_said_by(ready), "Flux does not say {expected:?}: {context}");
    }
    (scene.afterwards)(user);
}

/// Reads what Flux says of the Kustomizations; a reconcile that is only just going on is given time to end.
fn settled_ready(user: &User<'_>, expected: [Ready; 2]) -> [String; 2] {
    let deadline = Instant::now() + Duration::from_mins(1);
    loop {
        let ready = [PACKAGES, INSTALLS].map(|kustomization| user.flux_ready(kustomization));
        let is_as_expected = ready.iter().zip(expected).all(|(ready, expected)| expected.is_said_by(ready));
        if is_as_expected || Instant::now() > deadline {
            return ready;
        }
        std::thread::sleep(Duration::from_millis(500));
    }
}
