//! How many keys are queued at once, and which of them the consumers have not passed.

use std::collections::{BTreeMap, VecDeque};
use std::time::{Duration, Instant};

use crate::message::{MessageId, StreamName};

/// A change that is written during a walk waits for at most so many chunks.
const MOST_OUTSTANDING: usize = 2;

/// The size of the largest chunk.
const LARGEST: u64 = 10_000;

/// The size of a chunk: such that the slowest consumer needs the target time longer for it than for a single key, or
/// twice as long if that is more.
///
/// A consumer has costs for a batch and costs for a key, such as those of a request and of a document. Only the latter
/// depend on the size: with a small chunk for a slow request the walk would be slow, and changes hardly faster.
///
/// The time for a single key is measured by the first chunks, which have one key, and again whenever chunks have shrunk
/// to one key, as they do if the consumer becomes slower.
#[derive(Debug)]
pub(super) struct ChunkSize {
    keys: u64,
    target: f64,
    /// Seconds for a single key, once they are known.
    single: Option<f64>,
    /// Passed since the size was adapted.
    passed: Passed,
}

/// Chunks that all consumers have passed.
#[derive(Debug, Default)]
struct Passed {
    chunks: u32,
    keys: u64,
    took: Duration,
}

/// The size is adapted to the mean of so many chunks: one of them may have waited for a batch of changes, and the next
/// one was in the same batch.
const MEASURED: u32 = 4;

impl ChunkSize {
    pub(super) fn new(target: Duration) -> Self {
        Self { keys: 1, target: target.as_secs_f64(), single: None, passed: Passed::default() }
    }

    pub(super) fn keys(&self) -> u64 {
        self.keys
    }

    /// Counts chunks that were passed in this time, and adapts the size once there are some, or soon if they take long.
    fn passed(&mut self, chunks: u32, keys: u64, took: Duration) {
        let passed = &mut self.passed;
        (passed.chunks, passed.keys, passed.took) = (passed.chunks + chunks, passed.keys + keys, passed.took + took);
        if passed.chunks >= MEASURED || passed.took.as_secs_f64() >= 10.0 * self.target {
            let Passed { chunks, keys, took } = std::mem::take(passed);
            self.measured((keys / u64::from(chunks)).max(1), took / chunks);
        }
    }

    /// Adapts the size to the time that the consumers took for a chunk: to half or to the double of it at most, and
    /// damped, since batches of a consumer are not chunks.
    #[expect(clippy::cast_precision_loss, reason = "of up to 20,000 keys")]
    #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "between 1 and twice the largest size")]
    fn measured(&mut self, keys: u64, took: Duration) {
        let took = took.as_secs_f64();
        let single = match self.single {
            Some(single) if keys > 1 && took >= single => single,
            Some(single) if keys > 1 => f64::midpoint(single, took),
            _ => took,
        };
        self.single = Some(single);
        let goal = single + single.max(self.target);
        // While keys hardly count, twice as many do not reach the goal.
        let is_start = took <= 1.25 * single;
        let factor = if is_start { 2.0 } else { (goal / took.max(1e-6)).sqrt().clamp(0.5, 2.0) };
        // Of the size that was measured, which chunks of earlier sizes have as well.
        let rounded = (keys as f64 * factor).round() as u64;
        let wanted = if factor > 1.05 { rounded.max(keys + 1) } else { rounded };
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
        let (mut chunks, mut keys, begun, now) = (0, 0, self.progressed, Instant::now());
        let mut any = false;
        while let Some(chunk) = self.chunks.front()
            && chunk.last.iter().all(|(stream, id)| is_passed(stream, *id))
        {
            any = true;
            chunks += u32::from(chunk.keys > 0);
            keys += chunk.keys;
            self.progressed = now;
            self.chunks.pop_front();
        }
        if chunks > 0 {
            size.passed(chunks, keys, now - begun);
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

    /// A walk for a consumer that takes so many microseconds for a batch, and so many for a key: the usual size in the
    /// end.
    fn adapt(size: &mut ChunkSize, batch: u64, key: u64) -> u64 {
        let mut sizes = Vec::new();
        for _ in 0..100 {
            let keys = size.keys();
            size.measured(keys, Duration::from_micros(batch + key * keys));
            sizes.push(size.keys());
        }
        let mut last = sizes.split_off(80);
        last.sort_unstable();
        last[last.len() / 2]
    }

    #[track_caller]
    fn check(size: &mut ChunkSize, batch: u64, key: u64) {
        let keys = adapt(size, batch, key);
        let expected = (1 + 20_000.max(batch + key) / key).min(LARGEST);
        assert!(keys.abs_diff(expected) <= 1 + expected / 10, "{batch} a batch, {key} a key: {keys}, not {expected}");
    }

    #[test]
    fn a_chunk_comes_to_take_the_target_time_longer_than_a_single_key_or_twice_as_long() {
        for batch in [0, 300, 20_000, 500_000] {
            for key in [1, 40, 1000, 50_000] {
                check(&mut ChunkSize::new(TARGET), batch, key);
            }
        }
    }

    #[test]
    fn the_size_follows_a_consumer_that_becomes_slower() {
        let mut size = ChunkSize::new(TARGET);
        for (batch, key) in [(1000, 40), (1000, 400), (200_000, 400), (200_000, 10_000)] {
            check(&mut size, batch, key);
        }
    }

    #[test]
    fn a_consumer_that_becomes_faster_gets_larger_chunks() {
        let mut size = ChunkSize::new(TARGET);
        let before = adapt(&mut size, 1000, 400);
        assert!(adapt(&mut size, 1000, 40) > 9 * before);
    }

    #[test]
    fn the_size_changes_by_a_factor_of_two_at_most_and_has_bounds() {
        let mut size = ChunkSize::new(TARGET);
        for expected in [2, 4, 8] {
            size.measured(size.keys(), Duration::ZERO);
            assert_eq!(size.keys(), expected);
        }
        size.measured(8, Duration::from_secs(60));
        assert_eq!(size.keys(), 4);
        assert_eq!(adapt(&mut size, 0, 0), LARGEST);
    }

    #[test]
    fn there_is_room_for_two_chunks_and_for_none_beside_what_was_found() {
        let mut outstanding = Outstanding::new(chunk(0, 5).last);
        let mut size = ChunkSize::new(TARGET);
        assert!(!outstanding.has_room());
        assert!(!outstanding.pass(&mut size, |_, id| id.ms < 5));
        assert!(outstanding.pass(&mut size, |_, id| id.ms <= 5));
        assert!(outstanding.is_empty() && outstanding.has_room());
        assert_eq!(size.keys(), 1, "nothing was measured");
        outstanding.push(chunk(10, 6));
        assert!(outstanding.has_room());
        outstanding.push(chunk(20, 7));
        assert!(!outstanding.has_room());
        assert_eq!(outstanding.keys(), 30);
        assert!(outstanding.pass(&mut size, |_, id| id.ms <= 6));
        assert_eq!(outstanding.keys(), 20);
    }
}
