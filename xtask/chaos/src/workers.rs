//! A host of workers: both consumers, the delayer and the trimmer, all with a standby elsewhere.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use anyhow::Result;
use async_trait::async_trait;
use redstream_seaorm::{
    Batch, CancellationToken, Consumer, Handler, HandlerError, Indexer, MessageId, Stream, Supervisor, Worker, core,
};
use sea_orm::DatabaseConnection;

use crate::carrier::Carrier;
use crate::child::is_calm;
use crate::site::{CONSUMERS, LOCK_TTL, Site};
use crate::words::{Mood, Word, say};

/// Works until told to stop. The second consumer comes up `late_ms` later.
pub(crate) async fn work(site: &Site, seed: u64, mood: Mood, late_ms: u64, end: CancellationToken) -> Result<()> {
    let Some(places) =
        end.run_until_cancelled(async { anyhow::Ok((site.stream().await?, site.primary().await?)) }).await
    else {
        return Ok(());
    };
    let (stream, primary) = places?;
    let [prompt, late] = CONSUMERS.map(|name| consumer(&stream, &primary, site, name, seed, mood));
    let late = Late { consumer: late, after: Duration::from_millis(late_ms) };
    Supervisor::new()
        .with(prompt)
        .with(late)
        .with(stream.delayer(site.delay()).lock_ttl(LOCK_TTL))
        .with(stream.trimmer().interval(Duration::from_millis(50)).lock_ttl(LOCK_TTL))
        .grace(Duration::from_secs(2))
        .run_until(end.cancelled())
        .await?;
    Ok(())
}

fn consumer(
    stream: &Stream,
    primary: &DatabaseConnection,
    site: &Site,
    name: &'static str,
    seed: u64,
    mood: Mood,
) -> Consumer {
    let carrier = Carrier::new(name, site.sink);
    let last = carrier.last();
    let moody = Moody {
        name,
        mood,
        last,
        chance: Mutex::new(fastrand::Rng::with_seed(seed ^ name.len() as u64)),
        tried: Mutex::default(),
        indexer: Indexer::new(primary.clone(), carrier),
    };
    stream
        .consumer(name, moody)
        .lock_ttl(LOCK_TTL)
        .batch_size(mood.batch)
        .backoff(Duration::from_millis(20), Duration::from_millis(150))
}

/// A handler that now and then fails, panics or dawdles, and tells when it begins and ends.
struct Moody<H> {
    name: &'static str,
    mood: Mood,
    last: Arc<Mutex<MessageId>>,
    chance: Mutex<fastrand::Rng>,
    /// How often each message was tried, and how often in vain for the mood's sake.
    tried: Mutex<HashMap<MessageId, (u32, u32)>>,
    indexer: H,
}

#[async_trait]
impl<H: Handler> Handler for Moody<H> {
    async fn handle(&self, batch: Batch) -> Result<(), HandlerError> {
        let (first, last, len) = (batch.first_id().to_string(), batch.last_id().to_string(), batch.len());
        say(&Word::Handling { consumer: self.name.to_owned(), first, last, len });
        let told = Told { consumer: self.name, outcome: "cut off".to_owned() };
        let outcome = self.carry(batch).await;
        told.end(&outcome);
        outcome
    }
}

impl<H: Handler> Moody<H> {
    async fn carry(&self, batch: Batch) -> Result<(), HandlerError> {
        *self.last.lock().unwrap_or_else(PoisonError::into_inner) = batch.last_id();
        let roll = self.chance.lock().unwrap_or_else(PoisonError::into_inner).u8(0..100);
        let Mood { errors, panics, slow, .. } = if is_calm() { Mood::default() } else { self.mood };
        if roll >= 100 - slow {
            tokio::time::sleep(Duration::from_millis(u64::from(roll) * 3)).await;
        }
        if self.fails(&batch, roll < errors + panics) {
            assert!(roll >= panics, "the handler panics, as it was told to");
            return Err("the handler fails, as it was told to".into());
        }
        self.indexer.handle(batch).await
    }

    /// Never so often that it looks like poison: three times in a row, and only where no other failure came before.
    fn fails(&self, batch: &Batch, wanted: bool) -> bool {
        let mut tried = self.tried.lock().unwrap_or_else(PoisonError::into_inner);
        let before: Vec<_> =
            batch.messages().iter().map(|message| tried.get(&message.id()).copied().unwrap_or_default()).collect();
        let fails = wanted && before.iter().all(|(tries, vain)| tries == vain && *vain < 3);
        for message in batch.messages() {
            let (tries, vain) = tried.entry(message.id()).or_default();
            *tries += 1;
            *vain += u32::from(fails);
        }
        fails
    }
}

/// Tells the end of a call, however it ends.
struct Told {
    consumer: &'static str,
    outcome: String,
}

impl Told {
    fn end(mut self, outcome: &Result<(), HandlerError>) {
        self.outcome = match outcome {
            Ok(()) => "done".to_owned(),
            Err(error) => format!("failed: {}", error.source()),
        };
    }
}

impl Drop for Told {
    fn drop(&mut self) {
        let outcome = std::mem::take(&mut self.outcome);
        say(&Word::Handled { consumer: self.consumer.to_owned(), outcome });
    }
}

/// A consumer that comes up later than the others.
struct Late {
    consumer: Consumer,
    after: Duration,
}

#[async_trait]
impl Worker for Late {
    fn name(&self) -> String {
        self.consumer.name()
    }

    fn check(&self) -> core::Result<()> {
        self.consumer.check()
    }

    async fn run(&self, shutdown: CancellationToken) -> core::Result<()> {
        if shutdown.run_until_cancelled(tokio::time::sleep(self.after)).await.is_none() {
            return Ok(());
        }
        self.consumer.run(shutdown).await
    }
}
