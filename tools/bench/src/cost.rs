//! The cost of a path in this process: allocations, and CPU time.

use crate::ALLOCATOR;
use rustix::time::{ClockId, clock_gettime};
use serde::Serialize;
use std::ops::AddAssign;
use std::time::Duration;

/// The cost per message.
#[derive(Clone, Copy, Debug, Default, Serialize)]
pub(crate) struct Cost {
    pub(crate) allocations: f64,
    pub(crate) cpu_us: f64,
}

impl AddAssign for Cost {
    fn add_assign(&mut self, other: Self) {
        self.allocations += other.allocations;
        self.cpu_us += other.cpu_us;
    }
}

/// The values when it was created.
#[derive(Debug)]
pub(crate) struct Meter {
    allocations: usize,
    cpu_us: f64,
}

impl Meter {
    pub(crate) fn start() -> Self {
        Self { allocations: allocations(), cpu_us: cpu_us() }
    }

    /// The cost since then, divided by this many messages.
    pub(crate) fn per(&self, messages: usize) -> Cost {
        let messages = messages.max(1) as f64;
        Cost {
            allocations: (allocations() - self.allocations) as f64 / messages,
            cpu_us: (cpu_us() - self.cpu_us) / messages,
        }
    }
}

/// The highest number of bytes that were allocated at a time while `work` ran, as it is asked every 5 ms.
pub(crate) async fn peak<T>(work: impl Future<Output = T>) -> (T, f64) {
    let mut highest = 0;
    let watch = async {
        let mut ticks = tokio::time::interval(Duration::from_millis(5));
        loop {
            ticks.tick().await;
            highest = highest.max(in_use());
        }
    };
    let done = tokio::select! {
        done = work => done,
        () = watch => unreachable!("it watches without end"),
    };
    (done, highest as f64)
}

/// How many bytes are allocated now.
pub(crate) fn in_use() -> usize {
    let stats = ALLOCATOR.stats();
    stats.bytes_allocated.saturating_sub(stats.bytes_deallocated)
}

fn allocations() -> usize {
    let stats = ALLOCATOR.stats();
    stats.allocations + stats.reallocations
}

/// The CPU time of all threads of this process, in user and kernel mode.
fn cpu_us() -> f64 {
    let time = clock_gettime(ClockId::ProcessCPUTime);
    time.tv_sec as f64 * 1e6 + time.tv_nsec as f64 / 1e3
}
