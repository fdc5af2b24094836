//! Which hooks have been called before a write, for the hooks after it.
//!
//! The derive calls both. Code that calls only the hook after the write, as some frameworks do, has insured nothing:
//! that hook then has to do all of it.

use std::any::TypeId;
use std::collections::VecDeque;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use sea_orm::sea_query::ValueTuple;

use crate::guard::permits::{Task, WriteKind};

/// How the hook before a write was called, as the hook after it finds it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Called {
    /// It was called for this key, or for one that was not known yet.
    ForThisKey,
    /// It was called for another key: the database stored the row under this one.
    ForAnother,
    /// It was not called.
    Never,
}

/// Calls that have not been followed by the hook after the write. Calls before an `update_without_returning` never are,
/// so old calls are removed.
#[derive(Debug, Default)]
pub(crate) struct Calls(Mutex<VecDeque<Call>>);

#[derive(Debug)]
struct Call {
    task: Task,
    entity: TypeId,
    kind: WriteKind,
    key: Option<ValueTuple>,
    since: Instant,
}

/// At this number of calls, stale ones are removed.
const MANY: usize = 256;

/// The maximum of recorded calls. Removing one costs a repeated message, no more.
const MOST: usize = 1 << 16;

/// A hook after the write does not come later than this.
const STALE: Duration = Duration::from_secs(60);

impl Calls {
    /// Records a call of the hook before a write.
    pub(crate) fn note<E: 'static>(&self, kind: WriteKind, key: Option<ValueTuple>) {
        let call = Call { task: Task::current(), entity: TypeId::of::<E>(), kind, key, since: Instant::now() };
        let mut calls = self.calls();
        while calls.len() > MANY {
            let is_stale = calls.front().is_some_and(|first| call.since.duration_since(first.since) > STALE);
            if !is_stale && calls.len() < MOST {
                break;
            }
            calls.pop_front();
        }
        calls.push_back(call);
    }

    /// Consumes the call before a write; called by the hook after it.
    pub(crate) fn take<E: 'static>(&self, kind: WriteKind, key: &ValueTuple) -> Called {
        let (entity, task) = (TypeId::of::<E>(), Task::current());
        let mut calls = self.calls();
        let (mut this, mut another) = (None, None);
        // The matching call is mostly the last one.
        for (at, call) in calls.iter().enumerate().rev() {
            if call.task != task || call.entity != entity || call.kind != kind {
                continue;
            }
            if call.key.as_ref().is_none_or(|of| of == key) {
                this = Some(at);
                break;
            }
            another = Some(at);
        }
        match this.or(another) {
            Some(at) => _ = calls.remove(at),
            None => return Called::Never,
        }
        if this.is_some() { Called::ForThisKey } else { Called::ForAnother }
    }

    fn calls(&self) -> MutexGuard<'_, VecDeque<Call>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
