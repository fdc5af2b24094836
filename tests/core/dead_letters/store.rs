//! The tools of the tests of failures: a datastore that fails, and a consumer that does not wait for long.

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use async_trait::async_trait;
use redstream_core::{Batch, CancellationToken, Consumer, Handler, HandlerError, MessageId, Redstream, Result, Stream};
use tokio::task::JoinHandle;

use super::super::SOON;

/// A datastore of numbers that refuses some, and can be down.
#[derive(Clone, Default)]
pub(super) struct Store {
    pub(super) poison: Arc<Mutex<Vec<i64>>>,
    pub(super) down: Arc<AtomicBool>,
    pub(super) calls: Arc<AtomicUsize>,
    /// Each number with how often it was stored.
    pub(super) stored: Arc<Mutex<BTreeMap<i64, usize>>>,
    /// Tells which messages it refused.
    pub(super) names_them: bool,
}

impl Store {
    pub(super) fn refusing(poison: impl Into<Vec<i64>>) -> Self {
        Self { poison: Arc::new(Mutex::new(poison.into())), ..Self::default() }
    }

    pub(super) fn numbers(&self) -> Vec<i64> {
        self.stored.lock().unwrap().keys().copied().collect()
    }

    pub(super) fn calls(&self) -> usize {
        self.calls.load(Ordering::SeqCst)
    }
}

#[async_trait]
impl Handler for Store {
    async fn handle(&self, batch: Batch) -> Result<(), HandlerError> {
        self.calls.fetch_add(1, Ordering::SeqCst);
        if self.down.load(Ordering::SeqCst) {
            return Err("connection refused".into());
        }
        let numbers = batch.payloads().collect::<Result<Vec<i64>, _>>()?;
        let poison = self.poison.lock().unwrap().clone();
        let refused = |number: &i64| poison.contains(number);
        if !self.names_them && numbers.iter().any(refused) {
            return Err("one of them is not to my taste".into());
        }
        let mut stored = self.stored.lock().unwrap();
        for number in numbers.iter().filter(|number| !refused(number)) {
            *stored.entry(*number).or_default() += 1;
        }
        let failed: Vec<MessageId> =
            batch.messages().iter().zip(&numbers).filter(|(_, number)| refused(number)).map(|(m, _)| m.id()).collect();
        if failed.is_empty() { Ok(()) } else { Err(HandlerError::only(failed, "these are not to my taste")) }
    }
}

pub(super) async fn add(redstream: &Redstream, stream: &Stream, numbers: impl IntoIterator<Item = i64>) {
    for number in numbers {
        redstream.producer().queue(stream.name(), &number).await.unwrap();
    }
}

pub(super) fn quick(consumer: Consumer) -> Consumer {
    consumer.attempts(2).backoff(Duration::from_millis(5), Duration::from_millis(20))
}

pub(super) type Running = (CancellationToken, JoinHandle<Result<()>>);

pub(super) fn start(consumer: Consumer) -> Running {
    start_as_it_is(quick(consumer))
}

pub(super) fn start_as_it_is(consumer: Consumer) -> Running {
    let shutdown = CancellationToken::new();
    let token = shutdown.clone();
    (shutdown, tokio::spawn(async move { consumer.run(token).await }))
}

pub(super) async fn stop((shutdown, running): Running) {
    shutdown.cancel();
    tokio::time::timeout(SOON, running).await.expect("it stops").unwrap().unwrap();
}
