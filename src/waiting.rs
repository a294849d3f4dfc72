//! All waiting for time to pass; which errors may pass with it; and the one loop that waits for something on a cluster by looking
//! again and again: deadline, pauses, heartbeat, and what an error means.
//!
//! Waiting for deliveries is fed by watches instead, see [`crate::observe::wait`].

use std::pin::pin;
use std::time::Duration;

use tokio::time::{Instant, Interval};

use crate::error::{Error, Result};

/// How long after the deadline a look is ended that has not answered: the last one may find what has come in time.
const GRACE_PERIOD: Duration = Duration::from_secs(1);

/// How long is waited before it is told what for.
const SILENCE: Duration = Duration::from_secs(3);

/// How long until it is told again, although nothing has changed.
const INTERVAL: Duration = Duration::from_secs(30);

/// What is waited for, how long, and who is told meanwhile.
#[derive(Clone, Copy)]
pub(crate) struct Wait<'a> {
    /// When it ends, whatever is found.
    pub(crate) deadline: Instant,
    /// The pause between two looks; none where a look itself waits for a change.
    pub(crate) pause: Duration,
    /// What is waited for, as the end of the sentence "waiting for …".
    pub(crate) what: &'a str,
    /// Is told what is waited for, and since when: after a few seconds, where it changes, and every so often.
    pub(crate) tell: &'a dyn Fn(Duration, &str),
}

/// What one look has found.
#[derive(Debug)]
pub(crate) enum Look<T> {
    /// What was waited for.
    Found(T),
    /// It is not there yet.
    NotYet,
    /// It is not there yet, and this is known of it, a sentence each.
    Still(Vec<String>),
}

/// How a wait ended.
#[derive(Debug)]
pub(crate) enum Waited<T> {
    /// It was found before the deadline.
    Found(T),
    /// The deadline passed; the error of the last look, if it was one that may pass by itself.
    Overdue(Option<Error>),
}

impl<T> Waited<T> {
    /// Returns what was found; else the error that says it was not in time, because of that of the last look.
    pub(crate) fn or(self, overdue: impl FnOnce() -> Error) -> Result<T> {
        match self {
            Self::Found(found) => Ok(found),
            Self::Overdue(None) => Err(overdue()),
            Self::Overdue(Some(error)) => Err(error.behind(overdue())),
        }
    }
}

/// Looks, with a pause between two looks, until something is found or the deadline passes; there is always one look. One that
/// never answers does not outlive the deadline.
///
/// An error that may pass by itself does not end the wait. Every other error does, such as a refusal.
pub(crate) async fn until<T>(wait: Wait<'_>, look: impl AsyncFnMut() -> Result<Look<T>>) -> Result<Waited<T>> {
    Heartbeat::of(wait).until(look).await
}

/// Tells what is waited for, while it is.
struct Heartbeat<'a> {
    wait: Wait<'a>,
    began: Instant,
    /// How long is waited before it is told what for.
    silence: Duration,
    /// How long until it is told again, although nothing has changed.
    interval: Duration,
    /// What is known of it.
    known: Vec<String>,
    /// What was told last, and when.
    told: Option<(Instant, Vec<String>)>,
}

impl<'a> Heartbeat<'a> {
    fn of(wait: Wait<'a>) -> Self {
        Self { wait, began: Instant::now(), silence: SILENCE, interval: INTERVAL, known: Vec::new(), told: None }
    }

    async fn until<T>(&mut self, mut look: impl AsyncFnMut() -> Result<Look<T>>) -> Result<Waited<T>> {
        let mut passing = None;
        loop {
            let limit = self.wait.deadline.saturating_duration_since(Instant::now()) + GRACE_PERIOD;
            // Boxed: its size would count several times in every future that waits.
            let looked = self.beside(within(limit, Box::pin(look()))).await;
            (passing, self.known) = match looked {
                None => return Ok(Waited::Overdue(passing)),
                Some(Ok(Look::Found(found))) => return Ok(Waited::Found(found)),
                Some(Ok(Look::NotYet)) => (None, Vec::new()),
                Some(Ok(Look::Still(known))) => (None, known),
                Some(Err(error)) if outlook(&error) == Outlook::MayPass => {
                    let known = format!("waiting for {}: {error}", self.wait.what);
                    (Some(error), vec![known])
                }
                Some(Err(error)) => return Err(error),
            };
            if Instant::now() + self.wait.pause >= self.wait.deadline {
                return Ok(Waited::Overdue(passing));
            }
            self.beside(pause(self.wait.pause)).await;
        }
    }

    /// Waits for something, and tells meanwhile.
    async fn beside<T>(&mut self, what: impl Future<Output = T>) -> T {
        let mut what = pin!(what);
        loop {
            let due = self.due().saturating_duration_since(Instant::now());
            if let Some(output) = within(due, what.as_mut()).await {
                return output;
            }
            let elapsed = self.began.elapsed();
            for line in &self.known {
                (self.wait.tell)(elapsed, line);
            }
            if self.known.is_empty() {
                (self.wait.tell)(elapsed, &format!("waiting for {}", self.wait.what));
            }
            self.told = Some((Instant::now(), self.known.clone()));
        }
    }

    /// Returns when to tell it next.
    fn due(&self) -> Instant {
        match &self.told {
            Some((at, known)) if *known == self.known => *at + self.interval,
            _ => self.began + self.silence,
        }
    }
}

/// Lets some time pass.
pub(crate) async fn pause(length: Duration) {
    tokio::time::sleep(length).await;
}

/// Returns what ticks, at once and then with this pause.
pub(crate) fn ticks(pause: Duration) -> Interval {
    tokio::time::interval(pause)
}

/// Waits until an instant is reached.
pub(crate) async fn reached(instant: Instant) {
    tokio::time::sleep_until(instant).await;
}

/// Waits for something no longer than `limit`; `None` where it passes first.
pub(crate) async fn within<T>(limit: Duration, what: impl Future<Output = T>) -> Option<T> {
    tokio::time::timeout(limit, what).await.ok()
}

/// Returns when the user presses Ctrl-C, or a pipeline asks the command to end.
pub(crate) async fn interrupted() {
    #[cfg(unix)]
    {
        use tokio::signal::unix::{SignalKind, signal};
        if let Ok(mut terminate) = signal(SignalKind::terminate()) {
            tokio::select! {
                _ = tokio::signal::ctrl_c() => {}
                _ = terminate.recv() => {}
            }
            return;
        }
    }
    let _ = tokio::signal::ctrl_c().await;
}

/// What becomes of a request that failed, when the same is sent again later.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Outlook {
    /// It may succeed: no server answered, or one that is busy or restarts; somebody else wrote at the same time; a list that
    /// was to be continued has expired.
    MayPass,
    /// It may succeed once there is another credential.
    Unauthenticated,
    /// What it is about does not exist.
    Missing,
    /// It is refused again, unless somebody grants a permission or changes a policy.
    Refused,
}

/// Tells what becomes of a request that failed with this error. All that look, watch or send again decide by it.
#[must_use]
pub(crate) fn outlook(error: &Error) -> Outlook {
    match error.status() {
        Some(401) => Outlook::Unauthenticated,
        Some(404) => Outlook::Missing,
        None | Some(408..=410) => Outlook::MayPass,
        Some(status) if is_busy(status) => Outlook::MayPass,
        Some(_) => Outlook::Refused,
    }
}

/// Tells whether a status says that a server, or something before it, is busy or restarts.
#[must_use]
pub(crate) fn is_busy(status: u16) -> bool {
    matches!(status, 429 | 500 | 502..=504)
}

#[cfg(test)]
mod tests {
    use std::cell::RefCell;
    use std::task::Poll;

    use super::*;

    const PAUSE: Duration = Duration::from_millis(1);

    fn block_on<T>(future: impl Future<Output = T>) -> T {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_time().build().expect("a runtime");
        runtime.block_on(future)
    }

    /// Waits for something without telling anybody.
    fn wait(deadline: Instant) -> Wait<'static> {
        Wait { deadline, pause: PAUSE, what: "it", tell: &|_, _| {} }
    }

    fn soon() -> Wait<'static> {
        wait(Instant::now() + Duration::from_mins(1))
    }

    fn refused(status: u16) -> Error {
        Error::new("refused").with_status(status)
    }

    #[test]
    fn what_may_pass_does_not_end_a_wait() {
        let mut answers = vec![
            Err(Error::new("connection reset")),
            Err(refused(503)),
            Ok(Look::NotYet),
            Err(refused(429)),
            Ok(Look::Found(7)),
        ]
        .into_iter();
        let waited = block_on(async { until(soon(), async || answers.next().expect("an answer")).await });
        assert!(matches!(waited, Ok(Waited::Found(7))), "{waited:?}");
    }

    #[test]
    fn a_refusal_ends_a_wait() {
        let waited = block_on(async { until::<()>(soon(), async || Err(refused(403))).await });
        assert_eq!(waited.expect_err("refused").status(), Some(403));
    }

    #[test]
    fn a_look_that_never_answers_does_not_outlive_the_deadline() {
        let mut looks = 0;
        let waited = block_on(async {
            let look = async || {
                looks += 1;
                if looks == 1 { Err(refused(503)) } else { std::future::pending::<Result<Look<()>>>().await }
            };
            until(wait(Instant::now() + 100 * PAUSE), look).await
        });
        assert!(matches!(&waited, Ok(Waited::Overdue(Some(error))) if error.status() == Some(503)), "{waited:?}");
        assert_eq!(looks, 2);
    }

    #[test]
    fn a_deadline_tells_the_last_error() {
        let waited = block_on(async { until::<()>(wait(Instant::now()), async || Err(refused(503))).await });
        assert!(matches!(&waited, Ok(Waited::Overdue(Some(error))) if error.status() == Some(503)), "{waited:?}");
        let waited = block_on(async { until::<()>(wait(Instant::now()), async || Ok(Look::NotYet)).await });
        assert!(matches!(waited, Ok(Waited::Overdue(None))), "{waited:?}");
    }

    #[test]
    fn what_is_waited_for_is_told_where_it_changes_and_every_so_often() {
        let told = &RefCell::new(Vec::new());
        let tell = |_: Duration, line: &str| told.borrow_mut().push(line.to_owned());
        let wait = Wait { tell: &tell, ..soon() };
        let mut heartbeat = Heartbeat { silence: PAUSE, interval: PAUSE, ..Heartbeat::of(wait) };
        let is_told = |lines: usize| {
            std::future::poll_fn(move |_| if told.borrow().len() >= lines { Poll::Ready(()) } else { Poll::Pending })
        };
        block_on(async {
            heartbeat.beside(is_told(2)).await;
            heartbeat.known = vec!["one is left".to_owned(), "another, too".to_owned()];
            heartbeat.beside(is_told(4)).await;
            heartbeat.interval = Duration::from_hours(1);
            heartbeat.beside(pause(5 * PAUSE)).await;
            heartbeat.known.pop();
            heartbeat.beside(is_told(5)).await;
        });
        let expected = ["waiting for it", "waiting for it", "one is left", "another, too", "one is left"];
        assert_eq!(*told.borrow(), expected);
    }

    #[test]
    fn an_error_that_may_pass_is_told_with_what_is_waited_for() {
        let told = RefCell::new(Vec::new());
        let tell = |_: Duration, line: &str| told.borrow_mut().push(line.to_owned());
        let mut heartbeat = Heartbeat { silence: Duration::ZERO, ..Heartbeat::of(Wait { tell: &tell, ..soon() }) };
        let is_told = std::future::poll_fn(|_| if told.borrow().is_empty() { Poll::Pending } else { Poll::Ready(()) });
        let mut answers = vec![Err(refused(503)), Ok(Look::Found(()))].into_iter();
        let mut is_told = Some(is_told);
        let waited = block_on(heartbeat.until(async || {
            let answer = answers.next().expect("an answer");
            if answer.is_ok() {
                is_told.take().expect("the first one").await;
            }
            answer
        }));
        assert!(matches!(waited, Ok(Waited::Found(()))), "{waited:?}");
        assert!(told.borrow().contains(&"waiting for it: refused".to_owned()), "{told:?}");
    }

    #[test]
    fn one_function_tells_what_becomes_of_a_request_that_failed() {
        let of = |status| outlook(&refused(status));
        for status in [408, 409, 410, 429, 500, 502, 503, 504] {
            assert_eq!(of(status), Outlook::MayPass, "{status}");
        }
        for status in [400, 403, 405, 422, 501] {
            assert_eq!(of(status), Outlook::Refused, "{status}");
        }
        assert_eq!((of(401), of(404)), (Outlook::Unauthenticated, Outlook::Missing));
        assert_eq!(outlook(&Error::new("not reachable")), Outlook::MayPass);
    }

    #[test]
    fn an_error_that_did_not_pass_is_the_cause_that_it_was_not_in_time() {
        let waited = Waited::<()>::Overdue(Some(refused(503).because("starting").hint("wait")));
        let error = waited.or(|| Error::new("it did not come").hint("is it running?")).expect_err("not in time");
        assert_eq!(error.to_string(), "it did not come: refused: starting");
        assert_eq!(error.hints(), ["is it running?", "wait"]);
    }
}
