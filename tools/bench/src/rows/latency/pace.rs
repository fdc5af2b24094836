//! When messages are added: evenly, and whether or not the last one has arrived.

use crate::place::Place;
use std::time::{Duration, Instant};
use tokio::sync::mpsc;

#[derive(Clone, Copy, Debug)]
pub(super) struct Pace {
    pub(super) every: Duration,
    pub(super) messages: usize,
}

impl Pace {
    /// Fewer messages if the run is to be quick.
    pub(super) fn scaled(self, place: &Place) -> Self {
        Self { messages: place.scaled(self.messages).max(100), ..self }
    }

    /// A tick for each message. From a thread, since tokio's timer counts in milliseconds.
    pub(super) fn ticks(self) -> mpsc::UnboundedReceiver<()> {
        let (tick, ticks) = mpsc::unbounded_channel();
        std::thread::spawn(move || {
            let begun = Instant::now();
            for n in 0..u32::try_from(self.messages).unwrap_or(u32::MAX) {
                std::thread::sleep((begun + self.every * n).saturating_duration_since(Instant::now()));
                if tick.send(()).is_err() {
                    return;
                }
            }
        });
        ticks
    }
}
