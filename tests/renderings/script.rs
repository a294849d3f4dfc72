//! The scripted event streams that every rendering shows: what happens when, and what comes of it.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use carvelflux::testing::{
    Cause, Clock, Delivery, Error, Failure, GracePeriod, KubeConfigReference, Outcome, Reporter, RunAccess, Stage,
    Surveyed, Verdict, Versions,
};

/// Something that happens.
pub(crate) enum Happening {
    Notice(&'static str),
    Detail(&'static str),
    /// A delivery, by index, has a verdict, which may be final.
    Changed(usize, Verdict, bool),
    /// Nothing, but time has passed.
    Tick,
}

/// What happens, with the milliseconds since the beginning.
pub(crate) struct Script {
    pub(crate) deliveries: Vec<Delivery>,
    pub(crate) events: Vec<(u64, Happening)>,
}

/// A clock that the script moves.
pub(crate) fn clock() -> (Clock, Arc<AtomicU64>) {
    let milliseconds = Arc::new(AtomicU64::new(0));
    let began = "2026-11-22T10:00:00Z".parse().expect("it is a time");
    (Clock::by_hand(began, Arc::clone(&milliseconds)), milliseconds)
}

impl Script {
    /// Returns the script of that name.
    pub(crate) fn named(name: &str) -> Self {
        match name {
            "mixed" => mixed(),
            "early" => mixed().until(12_000),
            "picture" => picture(),
            "picture-early" => picture().until(12_000),
            "ready" => ready(),
            "timeout" => timeout(),
            "thirty" => thirty(),
            "thousand" => thousand(),
            other => panic!("there is no script {other}"),
        }
    }

    /// Returns the beginning, up to this millisecond.
    fn until(mut self, end: u64) -> Self {
        self.events.retain(|(at, _)| *at <= end);
        self
    }

    /// Plays the script to a reporter, as `wait` would.
    pub(crate) fn play(&self, reporter: &mut dyn Reporter, clock: &AtomicU64) -> Result<(), Error> {
        reporter.began(&self.deliveries);
        for (at, event) in &self.events {
            clock.store(*at, Ordering::Relaxed);
            match event {
                Happening::Notice(text) => reporter.notice(text),
                Happening::Detail(text) => reporter.detail(text),
                Happening::Changed(index, verdict, is_final) => reporter.changed(*index, verdict, *is_final),
                Happening::Tick => reporter.tick(),
            }
            if let Some(failure) = reporter.failure() {
                return Err(failure);
            }
        }
        Ok(())
    }

    /// Returns what became of every delivery: what was not decided has run out of time.
    pub(crate) fn outcomes(&self) -> Vec<Outcome> {
        let mut outcomes = vec![Outcome::TimedOut(Verdict::pending(Stage::Source, "reading")); self.deliveries.len()];
        for (_, event) in &self.events {
            if let Happening::Changed(index, verdict, is_final) = event {
                let verdict = verdict.clone();
                outcomes[*index] = if *is_final { Outcome::Decided(verdict) } else { Outcome::TimedOut(verdict) };
            }
        }
        outcomes
    }

    /// Returns what `status` sees at the end of the script.
    pub(crate) fn surveyed(&self) -> Vec<Surveyed> {
        let verdicts = self.outcomes().into_iter().map(|outcome| match outcome {
            Outcome::Decided(verdict) | Outcome::TimedOut(verdict) | Outcome::Stopped(verdict) => verdict,
        });
        let surveyed = |(delivery, verdict): (&Delivery, Verdict)| Surveyed {
            delivery: delivery.clone(),
            revision: Some("main@sha1:0123456789abcdef0123456789abcdef01234567".to_owned()),
            flux: ["True".to_owned(), "True".to_owned()],
            versions: Some(Versions {
                constraints: ">=1.0.0".to_owned(),
                selected: Some("1.2.0".to_owned()),
                installed: Some(if matches!(verdict, Verdict::Ready { .. }) { "1.2.0" } else { "1.1.0" }.to_owned()),
                ..Versions::default()
            }),
            verdict,
        };
        self.deliveries.iter().zip(verdicts).map(surveyed).collect()
    }
}

/// Two packages on three run clusters, as the README shows them.
fn picture() -> Script {
    use Happening::Changed;
    let deliveries = ["prod1", "prod2", "prod3"];
    let deliveries = deliveries.into_iter().flat_map(|run_cluster| {
        ["hello-app.default.tap", "shop.default.tap"].map(|package| delivery(package, run_cluster))
    });
    let deploying = "[5/6 done] waiting on deployment/shop (apps/v1) namespace: apps";
    let ytt = "ytt: Error: \n- struct field or method not found\n    app.yml:\n      12 | image: #@ data.values.imge";
    Script {
        deliveries: deliveries.collect(),
        events: vec![
            (1000, Changed(0, Verdict::pending(Stage::Deploy, "[4/6 done]"), false)),
            (1500, Changed(2, Verdict::pending(Stage::Deploy, "[3/6 done]"), false)),
            (3000, Changed(3, failed(Stage::Template, Cause::TemplateFailed, ytt), true)),
            (4000, Changed(5, Verdict::pending(Stage::Packages, "applying the revision"), false)),
            (5000, Changed(1, Verdict::pending(Stage::Deploy, deploying), false)),
            (6000, Changed(0, Verdict::Ready { version: "1.2.0".to_owned() }, true)),
            (7000, Changed(2, Verdict::Ready { version: "1.2.0".to_owned() }, true)),
            (9000, Changed(4, Verdict::pending(Stage::Fetch, "fetching the bundle"), false)),
            (12_000, Happening::Tick),
            (15_000, Changed(1, Verdict::Ready { version: "1.2.0".to_owned() }, true)),
            (17_000, Changed(4, Verdict::Ready { version: "1.2.0".to_owned() }, true)),
            (31_000, Changed(5, Verdict::Ready { version: "1.2.0".to_owned() }, true)),
        ],
    }
}

/// Five deliveries on two run clusters, one of every outcome.
fn mixed() -> Script {
    use Happening::{Changed, Detail, Notice, Tick};
    let building =
        "Building manifests for revision main@sha1:0123456789abcdef0123456789abcdef01234567 with a timeout of 2m0s";
    let deploying = "[2/3 done] waiting on deployment/hello (apps/v1) namespace: apps";
    let ytt = "ytt: Error: \n- struct field or method not found\n    app.yml:\n      12 | image: #@ data.values.imge\n\n    = found: data.values.image\u{1b}[2J";
    Script {
        deliveries: vec![
            delivery("hello-app.default.tap", "prod1"),
            delivery("broken-app.default.tap", "prod1"),
            delivery("包裹-数据库.default.tap", "prod1"),
            delivery("hello-app.default.tap", "prod2"),
            delivery("slow-app.default.tap", "prod2"),
        ],
        events: vec![
            (300, Changed(3, unknown(), true)),
            (500, Detail("asking Flux to look for new commits in GitRepository dev/hello")),
            (1000, Changed(0, Verdict::pending(Stage::Packages, building), false)),
            (1500, Changed(1, Verdict::pending(Stage::Install, building), false)),
            (1600, Changed(1, Verdict::pending(Stage::Install, building.replace('9', "8")), false)),
            (2000, Changed(2, Verdict::pending(Stage::Fetch, "fetching the bundle"), false)),
            (4000, Changed(1, failed(Stage::Template, Cause::TemplateFailed, ytt), true)),
            (5000, Changed(4, Verdict::pending(Stage::Deploy, "[0/3 done]"), false)),
            (6000, Notice("cannot watch apps on run cluster prod1: 503\u{202e}; trying again")),
            (6500, Notice("cannot watch apps on run cluster prod1: 503\u{202e}; trying again")),
            (9000, Changed(0, Verdict::Ready { version: "1.2.0".to_owned() }, true)),
            (12_000, Changed(4, Verdict::pending(Stage::Deploy, deploying), false)),
            (61_000, Tick),
            (125_000, Tick),
            (126_000, Changed(2, Verdict::Ready { version: "3.0.0+构建".to_owned() }, true)),
        ],
    }
}

fn ready() -> Script {
    Script {
        deliveries: vec![delivery("hello-app.default.tap", "prod1")],
        events: vec![(2000, Happening::Changed(0, Verdict::Ready { version: "1.2.0".to_owned() }, true))],
    }
}

fn timeout() -> Script {
    let why = "[2/3 done] waiting on deployment/hello (apps/v1) namespace: apps";
    Script {
        deliveries: vec![delivery("slow-app.default.tap", "prod1")],
        events: vec![(2000, Happening::Changed(0, Verdict::pending(Stage::Deploy, why), false))],
    }
}

/// Thirty deliveries on three run clusters: every fifth is ready, two have failed.
fn thirty() -> Script {
    let deliveries = (0..30)
        .map(|number| delivery(&format!("app-{number:02}.default.tap"), ["prod1", "prod2", "prod3"][number / 10]))
        .collect();
    let mut events = Vec::new();
    for number in 0..30 {
        let (verdict, is_final) = match number {
            17 | 25 => (failed(Stage::Fetch, Cause::FetchFailed, "registry.example: no such bundle"), true),
            _ if number % 5 == 0 => (Verdict::Ready { version: "1.0.0".to_owned() }, true),
            _ => (
                Verdict::pending(Stage::Deploy, "[1/4 done] waiting on deployment/app (apps/v1) namespace: apps"),
                false,
            ),
        };
        events.push((1000 + 100 * number as u64, Happening::Changed(number, verdict, is_final)));
    }
    events.push((30_000, Happening::Tick));
    events.push((60_000, Happening::Tick));
    Script { deliveries, events }
}

/// Ten deliveries on each of a hundred run clusters, which get ready over a minute; those of one package fail.
fn thousand() -> Script {
    let deliveries: Vec<Delivery> = (0..1000)
        .map(|number| delivery(&format!("app-{}.default.tap", number % 10), &format!("prod{}", number / 10 + 1)))
        .collect();
    let mut events = Vec::new();
    for number in 0..1000_u64 {
        let index = usize::try_from(number).unwrap_or_default();
        let installing = Verdict::pending(Stage::Install, "waiting for kapp-controller");
        events.push((1000 + number, Happening::Changed(index, installing, false)));
        let decided = if number % 10 == 3 {
            failed(Stage::Fetch, Cause::FetchFailed, "registry.example: no such bundle")
        } else {
            Verdict::Ready { version: "1.0.0".to_owned() }
        };
        events.push((4000 + 60 * number, Happening::Changed(index, decided, true)));
    }
    events.extend((0..280).map(|tick| (250 * tick, Happening::Tick)));
    events.sort_by_key(|(at, _)| *at);
    Script { deliveries, events }
}

fn delivery(package: &str, run_cluster: &str) -> Delivery {
    Delivery {
        package: package.to_owned(),
        run_cluster: run_cluster.to_owned(),
        namespace: "dev".to_owned(),
        source: ("dev".to_owned(), "hello".to_owned()),
        packages_kustomization: format!("{package}-{run_cluster}-packages"),
        installs_kustomization: format!("{package}-{run_cluster}-packageinstalls"),
        target_namespace: "apps".to_owned(),
        access: RunAccess::Kubeconfig {
            secret: KubeConfigReference { name: format!("{run_cluster}-kubeconfig"), key: None },
            impersonate: None,
        },
    }
}

fn failed(stage: Stage, cause: Cause, message: &str) -> Verdict {
    Verdict::Failed(Failure {
        cause,
        stage,
        object: "App apps/broken-app.default.tap".to_owned(),
        message: message.to_owned(),
        hint: "correct the values in params.yaml, or the package's templates, in the GitOps repository".to_owned(),
        grace_period: GracePeriod::None,
        attempt: None,
    })
}

fn unknown() -> Verdict {
    Verdict::Unknown {
        why: "cannot reach run cluster prod2: connection refused".to_owned(),
        hint: "read the run cluster with your own credential: --run-context prod2=CONTEXT".to_owned(),
    }
}
