//! A host of workers: both consumers, those of the search indices, the delayer and the trimmer, all with a standby on
//! another host.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, OnceLock, PoisonError};
use std::time::{Duration, Instant};

use anyhow::Result;
use async_trait::async_trait;
use redstream_seaorm::{
    Batch, CancellationToken, Consumer, Handler, HandlerError, Indexer, MessageId, Stream, Supervisor, Worker, core,
};

use crate::calm::is_calm;
use crate::carrier::Carrier;
use crate::item::Item;
use crate::search::index;
use crate::site::{CONSUMERS, LOCK_TTL, Site};
use crate::words::{Mood, Word, say};

/// The text of an intended panic of a handler.
pub(crate) const WANTED_PANIC: &str = "the handler panics, as it was told to";

/// How long a handler that has begun may take when the host is stopped.
const GRACE: Duration = Duration::from_secs(2);

/// Works until told to stop. The second consumer starts `late_ms` later.
pub(crate) async fn work<E: Item>(
    site: &Site,
    seed: u64,
    mood: Mood,
    late_ms: u64,
    end: CancellationToken,
) -> Result<()> {
    let Some(places) =
        end.run_until_cancelled(async { anyhow::Ok((site.stream().await?, site.primary().await?)) }).await
    else {
        return Ok(());
    };
    let (stream, primary) = places?;
    let end = or_by_signal(&end)?;
    let stopped = Stopped::default();
    tokio::spawn(stopped.clone().note(end.clone()));
    let moody = Mooded { stream: &stream, seed, mood, stopped: &stopped };
    let [prompt, late] = CONSUMERS.map(|name| {
        let carrier = Carrier::<E>::new(name, site.sink);
        moody.consumer(name, carrier.last(), Indexer::new(primary.clone(), carrier))
    });
    let late = Late { consumer: late, after: Duration::from_millis(late_ms) };
    let mut supervisor = Supervisor::new();
    if let Some(search) = &site.search {
        for &nth in search.written() {
            let name = index::consumer(nth);
            let sink = index::sink::<E>(search.port, site.keys, &search.alias, nth, search.plan.max_documents)?;
            let consumer =
                moody.consumer(name, Arc::new(Mutex::new(MessageId::MIN)), Indexer::new(primary.clone(), sink));
            supervisor = supervisor.with(consumer.skip_repeats(search.plan.skips_repeats));
        }
    }
    supervisor
        .with(prompt)
        .with(late)
        .with(stream.delayer(site.delay()).lock_ttl(LOCK_TTL))
        .with(stream.trimmer().interval(Duration::from_millis(50)).lock_ttl(LOCK_TTL))
        .grace(GRACE)
        .run_until(end.cancelled())
        .await?;
    Ok(())
}

/// Cancelled with `end`, or by SIGTERM.
fn or_by_signal(end: &CancellationToken) -> Result<CancellationToken> {
    let (told, signal) = (end.child_token(), core::stop_signal()?);
    let by_signal = told.clone();
    tokio::spawn(async move {
        signal.await;
        by_signal.cancel();
    });
    Ok(told)
}

/// What all consumers of a host have in common.
struct Mooded<'h> {
    stream: &'h Stream,
    seed: u64,
    mood: Mood,
    stopped: &'h Stopped,
}

impl Mooded<'_> {
    /// `last`: where the handler notes the newest message of its batch.
    fn consumer(&self, name: &'static str, last: Arc<Mutex<MessageId>>, indexer: impl Handler) -> Consumer {
        let moody = Moody {
            name,
            mood: self.mood,
            last,
            chance: Mutex::new(fastrand::Rng::with_seed(self.seed ^ name.len() as u64)),
            tried: Mutex::default(),
            stopped: self.stopped.clone(),
            indexer,
        };
        let consumer = self.stream.consumer(name, moody).lock_ttl(LOCK_TTL).batch_size(self.mood.batch);
        consumer.backoff(Duration::from_millis(20), Duration::from_millis(150))
    }
}

/// A handler that sometimes fails, panics or is slow, and reports when it begins and ends.
struct Moody<H> {
    name: &'static str,
    mood: Mood,
    last: Arc<Mutex<MessageId>>,
    chance: Mutex<fastrand::Rng>,
    /// How often each message was tried, and how often it failed on purpose.
    tried: Mutex<HashMap<MessageId, (u32, u32)>>,
    stopped: Stopped,
    indexer: H,
}

#[async_trait]
impl<H: Handler> Handler for Moody<H> {
    async fn handle(&self, batch: Batch) -> Result<(), HandlerError> {
        let (first, last, len) = (batch.first_id().to_string(), batch.last_id().to_string(), batch.len());
        say(&Word::Handling { consumer: self.name.to_owned(), first, last, len });
        let told = Told { consumer: self.name, outcome: None, stopped: self.stopped.clone() };
        let outcome = self.carry(batch).await;
        told.end(&outcome);
        outcome
    }
}

impl<H: Handler> Moody<H> {
    async fn carry(&self, batch: Batch) -> Result<(), HandlerError> {
        *self.last.lock().unwrap_or_else(PoisonError::into_inner) = batch.last_id();
        let roll = self.chance.lock().unwrap_or_else(PoisonError::into_inner).u8(0..100);
        let Mood { errors, panics, slow, blocking, .. } = if is_calm() { Mood::default() } else { self.mood };
        if roll >= 100 - slow {
            tokio::time::sleep(Duration::from_millis(u64::from(roll) * 3)).await;
        } else if roll >= 100 - slow - blocking {
            // Both consumers of this host, and whatever else runs on its only thread.
            std::thread::sleep(LOCK_TTL * 2);
        }
        if self.fails(&batch, roll < errors + panics) {
            assert!(roll >= panics, "{WANTED_PANIC}");
            return Err("the handler fails, as it was told to".into());
        }
        self.indexer.handle(batch).await
    }

    /// Not so often that it looks like poison: at most three times in a row, and only if no other failure came before.
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

/// Reports the end of a call in any case.
struct Told {
    consumer: &'static str,
    outcome: Option<String>,
    stopped: Stopped,
}

impl Told {
    fn end(mut self, outcome: &Result<(), HandlerError>) {
        self.outcome = Some(match outcome {
            Ok(()) => "done".to_owned(),
            Err(error) => format!("failed: {}", error.source()),
        });
    }
}

impl Drop for Told {
    fn drop(&mut self) {
        let is_cut = self.outcome.is_none() && !std::thread::panicking();
        let outcome = self.outcome.take().unwrap_or_else(|| "cut off".to_owned());
        let too_soon = is_cut && !self.stopped.is_long_ago();
        say(&Word::Handled { consumer: self.consumer.to_owned(), outcome, too_soon });
    }
}

/// When the host was stopped.
#[derive(Clone, Default)]
struct Stopped(Arc<OnceLock<Instant>>);

impl Stopped {
    async fn note(self, end: CancellationToken) {
        end.cancelled().await;
        self.0.get_or_init(Instant::now);
    }

    /// Whether the grace period may have passed.
    fn is_long_ago(&self) -> bool {
        self.0.get().is_some_and(|at| at.elapsed() + Duration::from_millis(500) > GRACE)
    }
}

/// A consumer that starts later than the others.
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
