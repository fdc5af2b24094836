//! How many keys are queued at once, and which of them the consumers have not passed.

use std::collections::{BTreeMap, VecDeque};
use std::time::{Duration, Instant};

use crate::message::{MessageId, StreamName};

/// A change that is written during a walk waits for at most so many chunks.
const MOST_OUTSTANDING: usize = 2;

/// The size of the first chunk, and of the largest.
const FIRST: u64 = 100;
const LARGEST: u64 = 10_000;

/// Two sizes differ by this factor at least if their times are to say what a key costs.
const APART: f64 = 1.5;

/// After so many measurements of about one size, the next chunk has another size.
const PROBE_AFTER: u32 = 16;

/// The size of a chunk, such that the slowest consumer needs about the target time more for it than for a single key.
///
/// A consumer has costs for a batch and costs for a key, such as those of a request and of a document. Only the latter
/// depend on the size: a small chunk for a slow request would make the walk slow, and changes no faster.
#[derive(Debug)]
pub(super) struct ChunkSize {
    keys: u64,
    target: Duration,
    /// What a batch costs in seconds, whatever its size.
    batch: f64,
    /// How many measurements ago that was found out; `None` if it is unknown.
    age: Option<u32>,
    /// The last measurement: keys, and seconds.
    last: Option<(f64, f64)>,
}

impl ChunkSize {
    pub(super) fn new(target: Duration) -> Self {
        Self { keys: FIRST, target, batch: 0.0, age: None, last: None }
    }

    pub(super) fn keys(&self) -> u64 {
        self.keys
    }

    /// Adapts the size to the time that the consumers took for a chunk: to half or to the double of it at most, since a
    /// single measurement can be wrong.
    #[expect(clippy::cast_precision_loss, reason = "of up to 20,000 keys")]
    #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "between 1 and the largest size")]
    fn measured(&mut self, keys: u64, took: Duration) {
        let (keys, took) = (keys.max(1) as f64, took.as_secs_f64());
        let last = self.last.replace((keys, took));
        let apart = last.filter(|(other, _)| keys / other >= APART || other / keys >= APART);
        let each = if let Some((other, other_took)) = apart {
            let each = ((took - other_took) / (keys - other)).max(0.0);
            (self.batch, self.age) = ((took - each * keys).max(0.0), Some(0));
            each
        } else {
            self.age = self.age.map(|age| age + 1);
            (took - self.batch).max(0.0) / keys
        };
        let target = self.target.as_secs_f64();
        let wanted = match self.age {
            Some(age) if age < PROBE_AFTER => (target / each.max(1e-9)).min(LARGEST as f64).round() as u64,
            _ if self.keys == 1 || took < target => self.keys * 2,
            _ => self.keys / 2,
        };
        self.keys = wanted.clamp(self.keys / 2, self.keys * 2).clamp(1, LARGEST);
    }
}

/// Keys that were queued together.
#[derive(Debug)]
pub(super) struct Chunk {
    /// Zero for what stood in the streams when this process took over.
    pub(super) keys: u64,
    /// The last id in each stream.
    pub(super) last: BTreeMap<StreamName, MessageId>,
    pub(super) queued_at: Instant,
}

/// The chunks that some consumer has not passed.
#[derive(Debug)]
pub(super) struct Outstanding {
    chunks: VecDeque<Chunk>,
    /// When the last one was passed, or began to wait.
    progressed: Instant,
}

impl Outstanding {
    /// `inherited`: what stands in the streams, which may be chunks of a process that ended.
    pub(super) fn new(inherited: BTreeMap<StreamName, MessageId>) -> Self {
        let now = Instant::now();
        let inherited = Chunk { keys: 0, last: inherited, queued_at: now };
        Self { chunks: [inherited].into(), progressed: now }
    }

    pub(super) fn is_empty(&self) -> bool {
        self.chunks.is_empty()
    }

    /// Whether another chunk may be queued.
    pub(super) fn has_room(&self) -> bool {
        self.chunks.len() < MOST_OUTSTANDING && self.chunks.front().is_none_or(|chunk| chunk.keys > 0)
    }

    pub(super) fn keys(&self) -> u64 {
        self.chunks.iter().map(|chunk| chunk.keys).sum()
    }

    pub(super) fn oldest(&self) -> Option<&Chunk> {
        self.chunks.front()
    }

    pub(super) fn push(&mut self, chunk: Chunk) {
        if self.chunks.is_empty() {
            self.progressed = chunk.queued_at;
        }
        self.chunks.push_back(chunk);
    }

    /// Removes the chunks that are passed, and adapts the size of the next ones. Returns whether there were any.
    pub(super) fn pass(&mut self, size: &mut ChunkSize, is_passed: impl Fn(&StreamName, MessageId) -> bool) -> bool {
        let (mut keys, begun, now) = (0, self.progressed, Instant::now());
        let mut any = false;
        while let Some(chunk) = self.chunks.front()
            && chunk.last.iter().all(|(stream, id)| is_passed(stream, *id))
        {
            any = true;
            keys += chunk.keys;
            self.progressed = now;
            self.chunks.pop_front();
        }
        if keys > 0 {
            size.measured(keys, now - begun);
        }
        any
    }

    /// For how long no chunk was passed while one is outstanding.
    pub(super) fn waits(&self) -> Duration {
        if self.chunks.is_empty() { Duration::ZERO } else { self.progressed.elapsed() }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const TARGET: Duration = Duration::from_millis(20);

    fn chunk(keys: u64, last: u64) -> Chunk {
        let stream = StreamName::new("products").unwrap();
        Chunk { keys, last: [(stream, MessageId::new(last, 0))].into(), queued_at: Instant::now() }
    }

    /// Chunks for a consumer that takes so many microseconds for a batch, and so many for a key. Returns the usual size in
    /// the end.
    fn adapt(size: &mut ChunkSize, batch: u64, key: u64) -> u64 {
        let mut sizes = Vec::new();
        for _ in 0..60 {
            let keys = size.keys();
            size.measured(keys, Duration::from_micros(batch + key * keys));
            sizes.push(size.keys());
        }
        let mut last = sizes.split_off(45);
        last.sort_unstable();
        last[last.len() / 2]
    }

    #[test]
    fn a_chunk_comes_to_take_the_target_time_more_than_a_single_key() {
        for batch in [0, 300, 20_000, 500_000] {
            for (key, expected) in [(1, LARGEST), (40, 500), (1000, 20), (50_000, 1)] {
                let mut size = ChunkSize::new(TARGET);
                let keys = adapt(&mut size, batch, key);
                assert!(keys.abs_diff(expected) <= expected / 50, "{batch} a batch, {key} a key: {keys} keys");
            }
        }
    }

    #[test]
    fn the_size_follows_a_consumer_that_becomes_slower_or_faster() {
        let mut size = ChunkSize::new(TARGET);
        for (batch, key, expected) in [(1000, 40, 500), (1000, 400, 50), (200_000, 400, 50), (0, 10, 2000)] {
            let keys = adapt(&mut size, batch, key);
            assert!(keys.abs_diff(expected) <= expected / 50, "{batch} a batch, {key} a key: {keys} keys");
        }
    }

    #[test]
    fn the_size_changes_by_a_factor_of_two_at_most_and_has_bounds() {
        let mut size = ChunkSize::new(TARGET);
        size.measured(100, Duration::ZERO);
        assert_eq!(size.keys(), 200);
        size.measured(200, Duration::from_secs(60));
        assert_eq!(size.keys(), 100);
        assert_eq!(adapt(&mut size, 0, 0), LARGEST);
        assert_eq!(adapt(&mut size, 0, 1_000_000), 1);
    }

    #[test]
    fn there_is_room_for_two_chunks_and_for_none_beside_what_was_found() {
        let mut outstanding = Outstanding::new(chunk(0, 5).last);
        let mut size = ChunkSize::new(TARGET);
        assert!(!outstanding.has_room());
        assert!(!outstanding.pass(&mut size, |_, id| id.ms < 5));
        assert!(outstanding.pass(&mut size, |_, id| id.ms <= 5));
        assert!(outstanding.is_empty() && outstanding.has_room());
        assert_eq!(size.keys(), FIRST, "nothing was measured");
        outstanding.push(chunk(10, 6));
        assert!(outstanding.has_room());
        outstanding.push(chunk(20, 7));
        assert!(!outstanding.has_room());
        assert_eq!(outstanding.keys(), 30);
        assert!(outstanding.pass(&mut size, |_, id| id.ms <= 6));
        assert_eq!(outstanding.keys(), 20);
    }
}
