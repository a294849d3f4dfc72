//! The clock of an API server, as its answers tell it. The local clock may be minutes ahead or behind, and says nothing about
//! times that a cluster has written.

use std::sync::{Arc, Mutex};
use std::time::Instant;

use http::HeaderMap;
use http::header::DATE;
use jiff::fmt::rfc2822::DateTimeParser;
use jiff::{SignedDuration, Timestamp};

/// The clock of an API server; copies learn from the same answers.
#[derive(Clone, Debug, Default)]
pub(crate) struct ServerClock(Arc<Mutex<Option<Answered>>>);

/// When an API server answered, by its own clock and by how much time has passed here.
#[derive(Clone, Copy, Debug)]
struct Answered {
    date: Timestamp,
    here: Instant,
}

impl ServerClock {
    /// Takes the time from the `Date` of an answer (RFC 9110, 6.6.1); Go's HTTP server adds it to every one.
    pub(crate) fn learn(&self, headers: &HeaderMap) {
        let date = headers.get(DATE).and_then(|date| date.to_str().ok());
        let Some(date) = date.and_then(|date| DateTimeParser::new().parse_timestamp(date).ok()) else { return };
        if let Ok(mut answered) = self.0.lock() {
            *answered = Some(Answered { date, here: Instant::now() });
        }
    }

    /// Returns the server's time, a second or less behind; `None` where no answer had one.
    pub(crate) fn now(&self) -> Option<Timestamp> {
        let answered = (*self.0.lock().ok()?)?;
        answered.date.checked_add(SignedDuration::try_from(answered.here.elapsed()).ok()?).ok()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_server_tells_its_own_time_whatever_the_local_clock_says() {
        let clock = ServerClock::default();
        assert_eq!(clock.now(), None, "nobody has answered");
        for (date, time) in [
            ("Sun, 22 Nov 2026 12:00:00 GMT", "2026-11-22T12:00:00Z"),
            ("Fri, 01 Jan 2027 00:00:01 GMT", "2027-01-01T00:00:01Z"),
        ] {
            clock.clone().learn(&HeaderMap::from_iter([(DATE, date.parse().expect("a header"))]));
            let time: Timestamp = time.parse().expect("a time");
            let behind = clock.now().expect("it has answered").duration_since(time);
            assert!(behind >= SignedDuration::ZERO && behind < SignedDuration::from_mins(1), "{behind:?}");
        }
        clock.learn(&HeaderMap::from_iter([(DATE, "yesterday".parse().expect("a header"))]));
        clock.learn(&HeaderMap::new());
        assert!(clock.now().is_some(), "what is no time teaches nothing");
    }
}
