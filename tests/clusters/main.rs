//! The real binary on real clusters.
//!
//! Ordinary tests share one testbed, each in a workspace of its own and as an ordinary user. Disruptive tests stop
//! components; they run beside, one at a time, on clusters of their own, and are skipped, visibly, where
//! `CARVELFLUX_TESTBED_KUBECONFIG` names clusters that somebody else may be using.

#![allow(clippy::expect_used, clippy::print_stderr, reason = "a test fails by panicking, and says so")]

mod adoption;
mod bad_input;
mod check;
mod completion;
mod connection;
mod corpus;
mod credentials;
mod delivery;
mod deploy_keys;
mod disruption;
mod encryption;
mod examples;
mod files;
mod gateways;
mod git;
mod git_access;
mod git_configuration;
mod impersonation;
mod interaction;
mod kubeconfig_file;
mod kubectl;
mod lane;
mod logins;
mod many;
mod preview;
mod privilege;
mod pull_requests;
mod refusals;
mod registry;
mod remove;
mod repository;
mod retarget;
mod rotate;
mod secrets;
mod sops;
mod status;
mod support;
mod terminal;
mod terminals;
mod transcript;
mod truth;
mod values;
mod workload_identity;

use std::path::Path;
use std::process::ExitCode;
use std::sync::{Mutex, OnceLock, PoisonError};
use std::time::{Duration, Instant};

use libtest_mimic::{Arguments, Trial};
use testbed::sandbox::{self, Entered};
use testbed::{Options, Testbed};

use lane::Lane;

/// Names the kubeconfig of clusters to use instead of starting a testbed.
const KUBECONFIG_VARIABLE: &str = "CARVELFLUX_TESTBED_KUBECONFIG";

/// What a test does with a testbed; it fails by panicking.
type Test = fn(&Testbed);

fn main() -> ExitCode {
    let mut arguments = Arguments::from_args();
    if !arguments.list {
        match sandbox::enter() {
            Ok(Entered::Inside(_)) => {}
            Ok(Entered::Finished(code)) => return code.into(),
            Err(error) => {
                eprintln!("error: {error}");
                return ExitCode::FAILURE;
            }
        }
    }
    // Tests mostly wait for clusters, so more of them than processors may run.
    arguments.test_threads.get_or_insert(4);
    let ordinary = [
        adoption::TESTS,
        bad_input::TESTS,
        check::TESTS,
        completion::TESTS,
        connection::TESTS,
        credentials::TESTS,
        delivery::TESTS,
        examples::TESTS,
        deploy_keys::TESTS,
        files::TESTS,
        gateways::TESTS,
        git::TESTS,
        git_access::TESTS,
        git_configuration::TESTS,
        impersonation::TESTS,
        interaction::TESTS,
        kubeconfig_file::TESTS,
        logins::TESTS,
        many::TESTS,
        preview::TESTS,
        privilege::TESTS,
        pull_requests::TESTS,
        refusals::TESTS,
        registry::TESTS,
        remove::TESTS,
        remove::identities::TESTS,
        remove::interruption::TESTS,
        repository::TESTS,
        retarget::TESTS,
        rotate::TESTS,
        secrets::TESTS,
        status::TESTS,
        terminals::TESTS,
        truth::TESTS,
        encryption::TESTS,
        values::TESTS,
        workload_identity::TESTS,
    ];
    let mut trials: Vec<Trial> =
        ordinary.into_iter().flatten().map(|&(name, test)| on_shared(name, name, test)).collect();
    trials.extend(corpus::SITUATIONS.iter().map(|situation| {
        let test = move |testbed: &Testbed| corpus::check(testbed, situation);
        on_shared(&format!("corpus::{}", situation.name), situation.name, test)
    }));
    let is_shared = std::env::var_os(KUBECONFIG_VARIABLE).is_some();
    // Only a testbed that was started here has the keys of its certificate authorities.
    let with_authorities = logins::WITH_AUTHORITIES.iter();
    trials.extend(with_authorities.map(|&(name, test)| on_shared(name, name, test).with_ignored_flag(is_shared)));
    trials.extend(
        completion::WITH_PROGRAMS
            .iter()
            .map(|&(name, test, program)| on_shared(name, name, test).with_ignored_flag(!Path::new(program).exists())),
    );
    let mut lane = Lane::new(&arguments, is_shared);
    let disruptive = [
        disruption::TESTS,
        credentials::DISRUPTIVE_TESTS,
        remove::forced::DISRUPTIVE,
        remove::identities::DISRUPTIVE,
        remove::interruption::DISRUPTIVE,
    ];
    for &(name, test) in disruptive.into_iter().flatten() {
        trials.push(lane.trial(name, move |own| timed(name, || own.disrupt(test))));
    }
    for situation in corpus::DISRUPTIVE {
        let test = move |testbed: &Testbed| corpus::check(testbed, situation);
        let name = format!("corpus::{}", situation.name);
        trials.push(lane.trial(&name, move |own| timed(situation.name, || own.disrupt(test))));
    }
    // These start testbeds of their own.
    for &(name, test) in privilege::OWN.iter().chain(workload_identity::OWN) {
        trials.push(lane.trial(name, move |_| timed(name, test)));
    }
    let conclusion = std::thread::scope(|scope| {
        scope.spawn(move || lane.run());
        libtest_mimic::run(&arguments, trials)
    });
    print_slowest();
    conclusion.exit_code()
}

/// Makes the trial of an ordinary test; `short_name` is what the list of the slowest calls it.
fn on_shared(name: &str, short_name: &'static str, test: impl FnOnce(&Testbed) + Send + 'static) -> Trial {
    Trial::test(name, move || {
        let testbed = shared();
        timed(short_name, || test(testbed));
        Ok(())
    })
}

/// How long each test took that has passed.
static DURATIONS: Mutex<Vec<(&str, Duration)>> = Mutex::new(Vec::new());

fn timed(name: &'static str, test: impl FnOnce()) {
    let began = Instant::now();
    test();
    DURATIONS.lock().unwrap_or_else(PoisonError::into_inner).push((name, began.elapsed()));
}

/// Names the tests with which making the whole faster would begin.
fn print_slowest() {
    let mut durations = DURATIONS.lock().unwrap_or_else(PoisonError::into_inner);
    durations.sort_by_key(|&(_, duration)| std::cmp::Reverse(duration));
    eprintln!("slowest tests:");
    for (name, duration) in durations.iter().take(25) {
        eprintln!("{:6.1} s  {name}", duration.as_secs_f32());
    }
}

/// Returns the testbed of the ordinary tests, which the first of them starts.
fn shared() -> &'static Testbed {
    static SHARED: OnceLock<Result<Testbed, String>> = OnceLock::new();
    let shared = SHARED.get_or_init(|| {
        match std::env::var_os(KUBECONFIG_VARIABLE) {
            Some(kubeconfig) => Testbed::connect(kubeconfig.as_ref()),
            None => Testbed::start(&Options { run_clusters: 2, ..Options::default() }),
        }
        .map_err(|error| error.to_string())
    });
    shared.as_ref().unwrap_or_else(|error| panic!("the testbed does not start: {error}"))
}
