//! How a hook finds the streamed connection behind the `&impl ConnectionTrait` that SeaORM passes to it.
//!
//! The hook arms a thread-local, calls `get_database_backend`, and a streamed connection or transaction answers by
//! leaving itself there. That method is synchronous, takes no argument and must be forwarded by every wrapper, so the
//! probe also works through wrappers of other crates. A task-local would not do: it attributes writes that do not
//! belong to the transaction, and is lost in a spawned task.

use std::cell::RefCell;
use std::sync::Arc;

use sea_orm::{ConnectionTrait, EntityTrait};

use crate::entity::streamed::table;
use crate::error::Error;
use crate::guard::permits::Permits;
use crate::hooks::task_scope::{self, TaskScope};
use crate::unit_of_work::UnitOfWork;
use crate::unit_of_work::hook_calls::Calls;
use crate::unit_of_work::shared::Shared;

/// The target of a tracked write.
#[derive(Clone, Debug)]
pub(crate) enum Target {
    /// The connection itself: each statement commits by itself.
    Autocommit(Arc<Shared>),
    /// A transaction or savepoint.
    Transaction(Arc<UnitOfWork>),
    /// SeaORM's own connection, within [`StreamedConnection::scope`](crate::StreamedConnection::scope).
    TaskScope(Arc<TaskScope>),
}

impl Target {
    pub(crate) fn shared(&self) -> &Arc<Shared> {
        match self {
            Self::Autocommit(shared) => shared,
            Self::Transaction(unit) => &unit.shared,
            Self::TaskScope(task_scope) => &task_scope.shared,
        }
    }

    /// Where a hook before a write records its call for the hook after it.
    pub(crate) fn calls(&self) -> &Calls {
        match self {
            Self::Autocommit(shared) => &shared.calls,
            Self::Transaction(unit) => &unit.calls,
            Self::TaskScope(task_scope) => &task_scope.calls,
        }
    }

    /// Where a hook leaves permits for the statement that follows it; `None` if that statement is not seen.
    pub(crate) fn permits(&self) -> Option<&Permits> {
        match self {
            Self::Autocommit(shared) => Some(&shared.permits),
            Self::Transaction(unit) => Some(&unit.permits),
            Self::TaskScope(_) => None,
        }
    }
}

enum Probe {
    Idle,
    Armed,
    Answered(Target),
}

thread_local!(static PROBE: RefCell<Probe> = const { RefCell::new(Probe::Idle) });

/// The streamed connection or transaction that `db` is or wraps; else the scope that this runs in.
pub(crate) fn find<C: ConnectionTrait>(db: &C) -> Option<Target> {
    let _disarm = Disarm;
    PROBE.replace(Probe::Armed);
    let _ = db.get_database_backend();
    match PROBE.replace(Probe::Idle) {
        Probe::Answered(target) => Some(target),
        Probe::Idle | Probe::Armed => task_scope::current().map(Target::TaskScope),
    }
}

/// The same, for a write of `E`; errors if there is none.
pub(crate) fn target<E: EntityTrait, C: ConnectionTrait>(db: &C) -> Result<Target, Error> {
    let target = find(db).ok_or_else(|| Error::Untracked { table: table::<E>() })?;
    target.shared().guard.learn::<E>();
    Ok(target)
}

/// Called by our wrappers whenever they are asked for their backend.
pub(crate) fn answer(target: impl FnOnce() -> Target) {
    let armed = PROBE.with_borrow(|probe| matches!(probe, Probe::Armed));
    if armed {
        PROBE.replace(Probe::Answered(target()));
    }
}

/// If the wrapped connection panics, the next answer must not be mistaken for its answer.
struct Disarm;

impl Drop for Disarm {
    fn drop(&mut self) {
        PROBE.replace(Probe::Idle);
    }
}
