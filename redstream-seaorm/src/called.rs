//! Which hooks have been called before a write, as the hooks after it see them.
//!
//! The derive calls both. Code that calls only the hook after the write, as some frameworks do, has insured nothing: the hook
//! after the write then has to do all of it.

use std::any::TypeId;
use std::collections::HashMap;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use foldhash::fast::RandomState;
use sea_orm::sea_query::ValueTuple;

use crate::permits::Task;

/// What a save or delete does with its row.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum WriteKind {
    Insert,
    Update,
    Delete,
}

/// What the hook after a write finds of the hook before it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Called {
    /// It was called for this key, or for one that was not known yet.
    ForThisKey,
    /// It was called for another key: the database stored the row under this one.
    ForAnother,
    /// It was not called.
    Never,
}

/// Calls that have not been followed by the hook after the write. `update_without_returning` has none, so a task keeps its
/// last ones only.
#[derive(Debug, Default)]
pub(crate) struct Calls(Mutex<HashMap<Task, Vec<Call>, RandomState>>);

#[derive(Debug)]
struct Call {
    entity: TypeId,
    kind: WriteKind,
    key: Option<ValueTuple>,
    since: Instant,
}

/// How many calls of one task are kept. One that is forgotten costs a repeated message, no more.
const KEPT: usize = 64;

/// With so many tasks remembered, old calls are looked for.
const MANY: usize = 256;

/// A hook after the write does not come so late.
const STALE: Duration = Duration::from_secs(60);

impl Calls {
    /// The hook before a write was called.
    pub(crate) fn note<E: 'static>(&self, kind: WriteKind, key: Option<ValueTuple>) {
        let call = Call { entity: TypeId::of::<E>(), kind, key, since: Instant::now() };
        let mut tasks = self.tasks();
        if tasks.len() > MANY {
            tasks.retain(|_, calls| calls.last().is_some_and(|call| call.since.elapsed() < STALE));
        }
        let calls = tasks.entry(Task::current()).or_default();
        if calls.len() == KEPT {
            calls.remove(0);
        }
        calls.push(call);
    }

    /// The hook after a write asks for the call before it, and uses it up.
    pub(crate) fn take<E: 'static>(&self, kind: WriteKind, key: &ValueTuple) -> Called {
        let (entity, task) = (TypeId::of::<E>(), Task::current());
        let mut tasks = self.tasks();
        let Some(calls) = tasks.get_mut(&task) else { return Called::Never };
        let alike = |call: &Call| call.entity == entity && call.kind == kind;
        let this = calls.iter().position(|call| alike(call) && call.key.as_ref().is_none_or(|of| of == key));
        let Some(at) = this.or_else(|| calls.iter().position(alike)) else { return Called::Never };
        calls.remove(at);
        if calls.is_empty() {
            tasks.remove(&task);
        }
        if this.is_some() { Called::ForThisKey } else { Called::ForAnother }
    }

    fn tasks(&self) -> MutexGuard<'_, HashMap<Task, Vec<Call>, RandomState>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
