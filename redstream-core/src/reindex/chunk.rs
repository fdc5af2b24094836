//! How many keys are queued at once, and which of them the consumers have not passed.

use std::collections::{BTreeMap, VecDeque};
use std::time::{Duration, Instant};

use crate::message::{MessageId, StreamName};

/// A change that is written during a walk waits for at most so many chunks.
const MOST_OUTSTANDING: usize = 2;

/// The size of the first chunk, and of the largest.
const FIRST: u64 = 100;
const LARGEST: u64 = 10_000;

/// The size of a chunk, such that the slowest consumer needs about the target time for it.
#[derive(Debug)]
pub(super) struct ChunkSize {
    keys: u64,
    target: Duration,
}

impl ChunkSize {
    pub(super) fn new(target: Duration) -> Self {
        Self { keys: FIRST, target }
    }

    pub(super) fn keys(&self) -> u64 {
        self.keys
    }

    /// Adapts the size to the time that the consumers took for a chunk: to half or to the double of it at most, since a
    /// single measurement can be wrong.
    fn measured(&mut self, keys: u64, took: Duration) {
        let each = took.as_nanos() / u128::from(keys.max(1));
        let wanted = u64::try_from(self.target.as_nanos() / each.max(1)).unwrap_or(LARGEST);
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

    #[test]
    fn a_chunk_comes_to_take_the_target_time() {
        let mut size = ChunkSize::new(TARGET);
        for _ in 0..20 {
            let keys = size.keys();
            size.measured(keys, Duration::from_micros(40) * u32::try_from(keys).unwrap());
        }
        assert_eq!(size.keys(), 500);
    }

    #[test]
    fn the_size_changes_by_a_factor_of_two_at_most_and_has_bounds() {
        let mut size = ChunkSize::new(TARGET);
        size.measured(100, Duration::ZERO);
        assert_eq!(size.keys(), 200);
        size.measured(200, Duration::from_secs(60));
        assert_eq!(size.keys(), 100);
        for _ in 0..20 {
            size.measured(1, Duration::from_secs(60));
        }
        assert_eq!(size.keys(), 1);
        for _ in 0..20 {
            size.measured(10_000, Duration::ZERO);
        }
        assert_eq!(size.keys(), LARGEST);
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
