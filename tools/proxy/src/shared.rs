//! The settings of a proxy, shared by its connections.

use crate::Fault;
use std::{
    sync::{
        Arc, Mutex, MutexGuard, PoisonError,
        atomic::{AtomicBool, AtomicU16, AtomicUsize, Ordering},
    },
    time::Duration,
};
use tokio::sync::{Notify, watch};

#[derive(Debug)]
pub(crate) struct Shared {
    pub(crate) redis: AtomicU16,
    /// Every second connection leads there, unless it is 0.
    pub(crate) rival: AtomicU16,
    /// The port of Redis as written in replies, and its replacement.
    pub(crate) renamed: Option<(u16, u16)>,
    pub(crate) open: Arc<AtomicBool>,
    pub(crate) accepted: AtomicUsize,
    pub(crate) struck: AtomicUsize,
    pub(crate) cuts: watch::Sender<u64>,
    pub(crate) let_go: Notify,
    plan: Mutex<Option<Plan>>,
    slowness: Mutex<Duration>,
}

/// Requests that meet a fault.
#[derive(Debug)]
pub(crate) struct Plan {
    pub(crate) needle: Vec<u8>,
    pub(crate) fault: Fault,
    pub(crate) times: usize,
}

impl Shared {
    pub(crate) fn new(redis: u16, renamed: Option<(u16, u16)>, open: Arc<AtomicBool>) -> Self {
        Self {
            redis: AtomicU16::new(redis),
            rival: AtomicU16::new(0),
            renamed,
            open,
            accepted: AtomicUsize::new(0),
            struck: AtomicUsize::new(0),
            cuts: watch::Sender::new(0),
            let_go: Notify::new(),
            plan: Mutex::default(),
            slowness: Mutex::default(),
        }
    }

    pub(crate) fn plan(&self) -> MutexGuard<'_, Option<Plan>> {
        self.plan.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(crate) fn slowness(&self) -> MutexGuard<'_, Duration> {
        self.slowness.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The Redis that the next connection leads to.
    pub(crate) fn destination(&self) -> u16 {
        let second = self.accepted.fetch_add(1, Ordering::SeqCst) % 2 == 1;
        match self.rival.load(Ordering::SeqCst) {
            rival if second && rival != 0 => rival,
            _ => self.redis.load(Ordering::SeqCst),
        }
    }

    /// The fault that this request meets.
    pub(crate) fn fault_of(&self, request: &[u8]) -> Option<Fault> {
        let mut plan = self.plan();
        let due = plan.as_mut().filter(|plan| plan.times > 0 && contains(request, &plan.needle))?;
        due.times -= 1;
        self.struck.fetch_add(1, Ordering::SeqCst);
        Some(due.fault)
    }
}

fn contains(hay: &[u8], needle: &[u8]) -> bool {
    needle.is_empty() || hay.windows(needle.len()).any(|window| window == needle)
}
