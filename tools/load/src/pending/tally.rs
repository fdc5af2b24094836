//! The changes that a consumer has seen.

use std::fmt;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use redstream_seaorm::{Batch, Handler, Stream, Supervisor};
use serde::{Deserialize, Serialize};

#[derive(Debug, Clone, Copy, Serialize, Deserialize)]
pub(super) struct Change {
    pub(super) id: u64,
}

/// The longest that the consumer may wait for the next messages.
const PATIENCE: Duration = Duration::from_secs(60);

/// Changes are numbered: the main messages come in this order, and then the moved delay messages in the same.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(super) struct Tally {
    rounds: u64,
    /// Of the round that has begun.
    next: u64,
    /// Changes that did not come when it was their turn.
    disorder: u64,
}

impl Tally {
    /// Each change came twice.
    pub(super) fn complete() -> Self {
        Self { rounds: 2, next: 0, disorder: 0 }
    }

    fn add(&mut self, id: u64, changes: u64) {
        self.disorder += u64::from(id != self.next);
        self.next = id + 1;
        if self.next == changes {
            (self.rounds, self.next) = (self.rounds + 1, 0);
        }
    }
}

impl fmt::Display for Tally {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { rounds, next, disorder } = self;
        write!(f, "all changes were consumed {rounds} times, and {next} once more; out of order: {disorder}")
    }
}

/// Has all messages of so many changes consumed: the main messages first, then the delay messages.
pub(super) async fn consume(items: &Stream, consumer: &str, changes: u64) -> anyhow::Result<Tally> {
    let tally = Arc::new(Mutex::new(Tally::default()));
    for rounds in 1..=2 {
        let consumer = items.consumer(consumer, handler(tally.clone(), changes)).batch_size(10_000);
        let mut workers = Supervisor::new().with(consumer).with(items.trimmer());
        if rounds == 2 {
            workers = workers.with(items.delayer(Duration::from_millis(1)).batch_size(10_000));
        }
        workers.run_until(complete(&tally, rounds)).await?;
    }
    Ok(now(&tally))
}

fn handler(tally: Arc<Mutex<Tally>>, changes: u64) -> impl Handler {
    move |batch: Batch| {
        let ids: Result<Vec<Change>, _> = batch.payloads().collect();
        let mut tally = tally.lock().unwrap_or_else(PoisonError::into_inner);
        let is_read = ids.map(|ids| ids.into_iter().for_each(|Change { id }| tally.add(id, changes)));
        async move { Ok(is_read?) }
    }
}

/// Returns once so many rounds are complete, or nothing comes any more.
async fn complete(tally: &Mutex<Tally>, rounds: u64) {
    let (mut last, mut since) = (now(tally), Instant::now());
    while last.rounds < rounds && since.elapsed() < PATIENCE {
        tokio::time::sleep(Duration::from_millis(20)).await;
        let next = now(tally);
        if next != last {
            (last, since) = (next, Instant::now());
        }
    }
}

fn now(tally: &Mutex<Tally>) -> Tally {
    *tally.lock().unwrap_or_else(PoisonError::into_inner)
}
