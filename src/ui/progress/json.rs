//! The wait as JSON lines on standard output.

use std::io::Write;

use crate::error::Error;
use crate::observe::wait::Reporter;
use crate::observe::{Delivery, Verdict};
use crate::ui::Verbosity;
use crate::ui::clock::Clock;
use crate::ui::closed_or_failed;
use crate::ui::events::{Body, Conclusion, DeliveryName, Event, Progress};

/// Writes one JSON object per line.
pub struct Json<W> {
    output: W,
    clock: Clock,
    verbosity: Verbosity,
    deliveries: Vec<Delivery>,
    /// Why nobody can read on.
    failure: Option<Error>,
}

impl<W: Write> Json<W> {
    /// Writes to `output`; with some verbosity, details as well.
    pub fn new(output: W, clock: Clock, verbosity: Verbosity) -> Self {
        Self { output, clock, verbosity, deliveries: Vec::new(), failure: None }
    }

    fn event(&mut self, body: Body) {
        if let Err(error) = Event::new(self.clock.now(), body).write(&mut self.output) {
            self.failure.get_or_insert_with(|| closed_or_failed(error));
        }
    }
}

impl<W: Write> Reporter for Json<W> {
    fn began(&mut self, deliveries: &[Delivery]) {
        self.deliveries = deliveries.to_vec();
        self.event(Body::Started { deliveries: deliveries.iter().map(DeliveryName::of).collect() });
    }

    fn notice(&mut self, text: &str) {
        self.event(Body::Notice { message: text.to_owned() });
    }

    fn detail(&mut self, text: &str) {
        if self.verbosity >= Verbosity::Details {
            self.event(Body::Detail { message: text.to_owned() });
        }
    }

    fn changed(&mut self, index: usize, verdict: &Verdict, is_final: bool) {
        let Some(delivery) = self.deliveries.get(index) else { return };
        let body = match verdict {
            Verdict::Pending { stage, why } if !is_final => Body::Changed {
                delivery: DeliveryName::of(delivery),
                stage: *stage,
                message: why.clone(),
                progress: Progress::of(why),
            },
            _ => Body::Decided(Box::new(Conclusion::of(delivery, verdict))),
        };
        self.event(body);
    }

    fn tick(&mut self) {}

    fn ended(&mut self) {}

    fn failure(&mut self) -> Option<Error> {
        self.failure.clone()
    }
}
