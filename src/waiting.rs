//! All waiting for time to pass, but that of the client before it tries a request again; and the one loop that waits for
//! something on a cluster by looking again and again: deadline, pauses, and what an error means.
//!
//! Waiting for deliveries is fed by watches instead, see [`crate::observe::wait`].

use std::time::Duration;

use tokio::time::{Instant, Interval};

use crate::error::{Error, Result};

/// How long after the deadline a look is ended that has not answered. One that watches ends by itself at the deadline, and
/// says more; and the last look may find what has come in time.
const GRACE_PERIOD: Duration = Duration::from_secs(1);

/// What one look has found.
#[derive(Debug)]
pub(crate) enum Look<T> {
    /// What was waited for.
    Found(T),
    /// It is not there yet.
    NotYet,
}

/// How a wait ended.
#[derive(Debug)]
pub(crate) enum Waited<T> {
    /// It was found before the deadline.
    Found(T),
    /// The deadline passed; the error of the last look, if it was one that may pass by itself.
    Overdue(Option<Error>),
}

/// Looks, with `pause` between two looks, until something is found or the deadline passes; there is always one look. One that
/// never answers does not outlive the deadline.
///
/// An error that may pass by itself does not end the wait: a server that restarts, is busy or cannot be reached for a moment.
/// Every other error does, such as a refusal.
pub(crate) async fn until<T>(
    deadline: Instant,
    pause: Duration,
    mut look: impl AsyncFnMut() -> Result<Look<T>>,
) -> Result<Waited<T>> {
    let mut passing = None;
    loop {
        let limit = deadline.saturating_duration_since(Instant::now()) + GRACE_PERIOD;
        // Boxed: its size would count several times in every future that waits.
        let Some(looked) = within(limit, Box::pin(look())).await else { return Ok(Waited::Overdue(passing)) };
        passing = match looked {
            Ok(Look::Found(found)) => return Ok(Waited::Found(found)),
            Ok(Look::NotYet) => None,
            Err(error) if may_pass(&error) => Some(error),
            Err(error) => return Err(error),
        };
        if Instant::now() + pause >= deadline {
            return Ok(Waited::Overdue(passing));
        }
        self::pause(pause).await;
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

/// Tells whether a request that failed may succeed a moment later: no server answered, or one that is busy or restarting.
#[must_use]
pub(crate) fn may_pass(error: &Error) -> bool {
    matches!(error.status(), None | Some(429 | 500 | 502..=504))
}

#[cfg(test)]
mod tests {
    use super::*;

    const PAUSE: Duration = Duration::from_millis(1);

    fn block_on<T>(future: impl Future<Output = T>) -> T {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_time().build().expect("a runtime");
        runtime.block_on(future)
    }

    fn soon() -> Instant {
        Instant::now() + Duration::from_mins(1)
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
        let waited = block_on(async { until(soon(), PAUSE, async || answers.next().expect("an answer")).await });
        assert!(matches!(waited, Ok(Waited::Found(7))), "{waited:?}");
    }

    #[test]
    fn a_refusal_ends_a_wait() {
        let waited = block_on(async { until::<()>(soon(), PAUSE, async || Err(refused(403))).await });
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
            until(Instant::now() + 100 * PAUSE, PAUSE, look).await
        });
        assert!(matches!(&waited, Ok(Waited::Overdue(Some(error))) if error.status() == Some(503)), "{waited:?}");
        assert_eq!(looks, 2);
    }

    #[test]
    fn a_deadline_tells_the_last_error() {
        let waited = block_on(async { until::<()>(Instant::now(), PAUSE, async || Err(refused(503))).await });
        assert!(matches!(&waited, Ok(Waited::Overdue(Some(error))) if error.status() == Some(503)), "{waited:?}");
        let waited = block_on(async { until::<()>(Instant::now(), PAUSE, async || Ok(Look::NotYet)).await });
        assert!(matches!(waited, Ok(Waited::Overdue(None))), "{waited:?}");
    }
}
