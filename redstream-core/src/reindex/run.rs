//! The work of the process that holds the lock: read a page, queue a chunk, record it, wait for the consumers.

mod begin;
mod stored;

use std::collections::{BTreeMap, VecDeque};
use std::pin::Pin;
use std::time::{Duration, Instant};

use futures_util::StreamExt;
use futures_util::stream::FuturesUnordered;
use tokio_util::sync::CancellationToken;

use super::chunk::{Chunk, ChunkSize, Outstanding};
use super::progress::Meter;
use super::record::{ReindexRange, ReindexRecord, ReindexState};
use super::source::KeySource;
use super::standing::{Standings, Watched};
use super::walk::Walk;
use crate::error::{BoxError, Error, Result};
use crate::failpoint::failpoint;
use crate::message::MessageId;
use crate::metrics;
use crate::worker::LockGuard;

/// The longest pause between two looks at the consumers, and between two looks at the record.
const LONGEST_PAUSE: Duration = Duration::from_millis(250);

/// Without progress for so long, the walk counts as waiting.
const WAITS: Duration = Duration::from_secs(1);

/// And for so long, a warning says so.
const WARNS: Duration = Duration::from_secs(60);

/// The walk in one process.
pub(super) struct Run<'a, S: KeySource> {
    walk: &'a Walk<S>,
    guard: &'a LockGuard,
    record: ReindexRecord,
    /// The record as Redis has it.
    stored: String,
    /// When that was known.
    seen: Instant,
    ranges: Vec<Range<S::Key>>,
    watched: Watched,
    outstanding: Outstanding,
    size: ChunkSize,
    meter: Meter,
    is_warned: bool,
}

struct Range<K> {
    until: K,
    /// The last key read.
    after: Option<K>,
    /// Read, and not queued yet.
    ready: VecDeque<K>,
    is_reading: bool,
    is_read: bool,
}

/// Pages that are being read: the range's number, the limit, the keys.
type Reads<'a, K> = FuturesUnordered<Pin<Box<dyn Future<Output = (usize, u64, Result<Vec<K>, BoxError>)> + Send + 'a>>>;

impl<'a, S: KeySource> Run<'a, S> {
    /// Works until the walk is done, aborted or shut down; `None` if Redis has lost messages, so that it must begin
    /// again.
    pub(super) async fn until_done(mut self, shutdown: &CancellationToken) -> Result<Option<ReindexRecord>> {
        let mut reads = Reads::new();
        let mut pause = LONGEST_PAUSE;
        loop {
            if self.record.state != ReindexState::Paused {
                self.queue_what_fits(&mut reads).await?;
            }
            self.report();
            pause = self.pause(pause);
            if self.record.state.is_finished() {
                let Self { walk, record, .. } = self;
                tracing::info!(
                    stream = %walk.name, id = walk.id, queued = record.queued, dead_letters = record.dead_letters,
                    state = %record.state, "a reindex has ended"
                );
                return Ok(Some(record));
            }
            tokio::select! {
                biased;
                () = shutdown.cancelled() => return Ok(Some(self.record)),
                () = self.guard.lost() => return Err(self.guard.ownership().loss()),
                Some((nth, limit, page)) = reads.next(), if !reads.is_empty() => {
                    self.take(nth, limit, page.map_err(self.walk.failed("read keys"))?);
                    if self.outstanding.has_room() {
                        continue;
                    }
                }
                () = tokio::time::sleep(pause) => {}
            }
            let Some(standings) = self.look().await? else { continue };
            if self.has_lost(&standings) {
                return Ok(None);
            }
            self.pass(&standings).await?;
        }
    }

    /// The pause before the next look at the consumers: short, for a good measurement, while they are in time. Longer
    /// if there are many shards, each of which is looked at.
    fn pause(&self, last: Duration) -> Duration {
        let shards = u32::try_from(self.walk.streams.len()).unwrap_or(u32::MAX);
        let fastest = Duration::from_millis(1).max(Duration::from_micros(250).saturating_mul(shards));
        let shortest = (self.walk.target / 8).max(fastest).min(LONGEST_PAUSE);
        if self.outstanding.is_empty() {
            LONGEST_PAUSE
        } else if self.outstanding.waits() < self.walk.target * 2 {
            shortest
        } else {
            (last * 2).clamp(shortest, LONGEST_PAUSE)
        }
    }

    /// Queues as many chunks as may be outstanding, and has the next pages read. Finishes the walk if nothing is left.
    async fn queue_what_fits(&mut self, reads: &mut Reads<'a, S::Key>) -> Result<()> {
        loop {
            self.read_ahead(reads);
            let fullest = self.ranges.iter().enumerate().max_by_key(|(_, range)| range.ready.len());
            let Some((nth, _)) = fullest.filter(|(_, range)| !range.ready.is_empty()) else { break };
            if !self.outstanding.has_room() || !self.may_queue() {
                return Ok(());
            }
            self.queue(nth).await?;
        }
        let is_read = self.ranges.iter().all(|range| range.is_read);
        if is_read && self.outstanding.is_empty() && self.may_queue() { self.finish().await } else { Ok(()) }
    }

    fn may_queue(&self) -> bool {
        !(self.record.state.is_finished() || self.record.state == ReindexState::Paused)
    }

    fn read_ahead(&mut self, reads: &mut Reads<'a, S::Key>) {
        let (limit, source) = (self.size.keys(), &self.walk.source);
        for (nth, range) in self.ranges.iter_mut().enumerate() {
            if range.is_reading || range.is_read || range.ready.len() as u64 >= limit {
                continue;
            }
            range.is_reading = true;
            let (after, until) = (range.after.clone(), range.until.clone());
            reads.push(Box::pin(async move { (nth, limit, source.page(after.as_ref(), &until, limit).await) }));
        }
    }

    fn take(&mut self, nth: usize, limit: u64, mut keys: Vec<S::Key>) {
        let range = &mut self.ranges[nth];
        range.is_reading = false;
        range.is_read = (keys.len() as u64) < limit || keys.last() == Some(&range.until);
        // A selection that joins other tables may have a key several times.
        keys.dedup();
        if let Some(last) = keys.last() {
            range.after = Some(last.clone());
        }
        range.ready.extend(keys);
    }

    /// Queues the next chunk of a range, and records it once it is acknowledged.
    async fn queue(&mut self, nth: usize) -> Result<()> {
        let source = &self.walk.source;
        let range = &mut self.ranges[nth];
        let most = usize::try_from(self.size.keys()).unwrap_or(usize::MAX);
        let keys: Vec<S::Key> = range.ready.drain(..most.min(range.ready.len())).collect();
        let Some(last) = keys.last() else { return Ok(()) };
        let after = source.encode(last).map_err(self.walk.failed("record a key"))?;
        let messages = keys.iter().map(|key| source.message(key)).collect::<Result<Vec<_>, _>>();
        let messages = messages.map_err(self.walk.failed("make a message of a key"))?;
        if let Some(message) = messages.iter().find(|message| !self.walk.streams.contains(&message.stream)) {
            let reason = format!("a message is for stream {}, and {} is walked", message.stream, self.walk.name);
            return Err(Error::InvalidOption { option: "source", reason });
        }
        let queued_at = Instant::now();
        let ids = self.walk.redstream.producer().queue_all(&messages).await?;
        failpoint!("reindex: queued");
        let mut chunk = Chunk { keys: ids.len() as u64, last: BTreeMap::new(), queued_at };
        for (message, id) in messages.into_iter().zip(ids) {
            let last = chunk.last.entry(message.stream).or_insert(MessageId::MIN);
            *last = id.max(*last);
        }
        tracing::debug!(stream = %self.walk.name, id = self.walk.id, keys = chunk.keys, "keys of a reindex are queued");
        ::metrics::counter!(metrics::REINDEXED, "stream" => self.walk.name.to_string()).increment(chunk.keys);
        self.record.queued += chunk.keys;
        self.record.last.extend(chunk.last.clone());
        self.record.ranges[nth] =
            ReindexRange { after, done: range.is_read && range.ready.is_empty(), ..self.record.ranges[nth].clone() };
        self.outstanding.push(chunk);
        self.write().await?;
        failpoint!("reindex: recorded");
        Ok(())
    }

    /// Looks at the record from time to time, and at the consumers; `None` if nothing is outstanding.
    async fn look(&mut self) -> Result<Option<Standings>> {
        if self.seen.elapsed() >= LONGEST_PAUSE {
            let now = self.walk.records().text(&self.walk.id).await?;
            self.adopt(now)?;
        }
        if self.outstanding.is_empty() { Ok(None) } else { self.watched.look().await.map(Some) }
    }

    fn has_lost(&self, standings: &Standings) -> bool {
        self.outstanding
            .oldest()
            .is_some_and(|chunk| chunk.last.iter().any(|(stream, id)| standings.is_lost(stream, *id)))
    }

    /// Drops the chunks that all watched consumers have passed, and tells if there are none for long.
    async fn pass(&mut self, standings: &Standings) -> Result<()> {
        let has_passed = self.outstanding.pass(&mut self.size, |stream, id| standings.is_passed(stream, id));
        let waits = self.outstanding.waits();
        if has_passed {
            self.is_warned = false;
        } else if waits >= WARNS && !self.is_warned {
            self.is_warned = true;
            let behind = self.outstanding.oldest().and_then(|chunk| standings.behind(&chunk.last));
            if let Some((stream, consumer, is_paused)) = behind {
                tracing::warn!(
                    %stream, consumer, is_paused, id = self.walk.id, ?waits,
                    "a reindex waits for a consumer that makes no progress: is it running?"
                );
            }
        }
        let state = match self.record.state {
            ReindexState::Running if waits >= WAITS => ReindexState::WaitingForLag,
            ReindexState::WaitingForLag if has_passed => ReindexState::Running,
            state => state,
        };
        if state != self.record.state {
            self.record.state = state;
            self.write().await?;
            failpoint!("reindex: waiting");
        }
        Ok(())
    }

    async fn finish(&mut self) -> Result<()> {
        let dead = self.watched.dead_letters().await?;
        self.record.dead_letters = dead.saturating_sub(self.record.dead_before);
        for range in &mut self.record.ranges {
            range.done = true;
        }
        self.record.state = ReindexState::CaughtUp;
        failpoint!("reindex: finishing");
        self.write().await?;
        failpoint!("reindex: finished");
        Ok(())
    }

    fn report(&mut self) {
        let Some(report) = &self.walk.on_progress else { return };
        if let Some(progress) = self.meter.due(&self.record, self.outstanding.keys()) {
            report(&progress);
        }
    }
}

impl<K> Range<K> {
    fn new(after: Option<K>, until: K, is_read: bool) -> Self {
        Self { until, after, ready: VecDeque::new(), is_reading: false, is_read }
    }
}
