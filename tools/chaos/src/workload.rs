//! The operations of a writer, drawn from its seed.

use crate::item::{GHOSTS, SHARED};

/// One operation of a writer, in or out of a transaction of its own.
#[derive(Clone, Debug)]
pub(crate) enum Op {
    /// A save of its own, without a transaction around it.
    Autocommit(i64),
    /// An insert whose key the database generates.
    Generated,
    /// A delete of its own.
    Delete(i64),
    /// Saves and deletes, and a commit after this many ms.
    Transaction {
        saves: Vec<i64>,
        deletes: Vec<i64>,
        linger_ms: u64,
    },
    /// The same, then a rollback; with a key that is never committed.
    Rollback {
        saves: Vec<i64>,
        ghost: i64,
    },
    /// The same, and the transaction is dropped.
    Dropped {
        saves: Vec<i64>,
        ghost: i64,
    },
    /// A save, a savepoint that is rolled back, and a commit; `again`: what the savepoint wrote is written again.
    RolledBackSavepoint {
        outer: i64,
        inner: i64,
        ghost: i64,
        again: bool,
    },
    /// A save, a savepoint that is released, and a commit or rollback.
    ReleasedSavepoint {
        outer: i64,
        inner: i64,
        ghost: Option<i64>,
    },
    /// All rows of a range of keys get one value.
    BulkUpdate(i64, i64),
    /// The same by a bulk closure with the keys.
    BulkClosure(i64, i64),
    BulkDelete(i64, i64),
    /// New rows by a bulk closure with the keys in the writer's spelling.
    BulkClosureInsert(u64),
    /// New rows in one statement.
    BulkInsert(u64),
    /// A save through a connection that is not streamed, which must be refused.
    Untracked(i64),
    /// A statement that writes the whole table, in a form that hides it, which must be refused.
    Unread(usize),
    /// Two transactions that save two keys in opposite order, so that the database ends one of them.
    Deadlock {
        keys: [i64; 2],
        retry: Retry,
        end: End,
    },
    /// Saves, a statement that may commit, another save in what may no longer be the transaction, and the end.
    ImplicitCommit {
        saves: Vec<i64>,
        statement: usize,
        after: Option<i64>,
        end: End,
    },
    /// A save, a statement that fails (and on SQLite rolls the transaction back), another save, and the end.
    Conflict {
        before: i64,
        after: i64,
        end: End,
    },
}

/// What a writer retries when one of its statements fails.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Retry {
    /// The whole transaction, which is correct.
    Transaction,
    /// The statement, in the same transaction.
    Statement,
}

/// How a writer ends a transaction.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum End {
    Commit,
    Rollback,
    Drop,
}

impl Op {
    /// `repairs`: delay messages become due before the end, so that a change may be announced only by them.
    pub(crate) fn draw(chance: &mut fastrand::Rng, poison: &[i64], repairs: bool) -> Self {
        let ghost = chance.i64(GHOSTS);
        let keys =
            |chance: &mut fastrand::Rng, most| (0..chance.usize(1..=most)).map(|_| key(chance, poison)).collect();
        let from = chance.i64(SHARED);
        let to = from + chance.i64(0..=4);
        match chance.u8(0..if repairs { 120 } else { 105 }) {
            0..16 => Self::Autocommit(key(chance, poison)),
            16..22 => Self::Generated,
            22..28 => Self::Delete(chance.i64(SHARED)),
            28..52 => Self::Transaction {
                saves: keys(chance, 4),
                deletes: if chance.u8(0..4) == 0 { vec![chance.i64(SHARED)] } else { Vec::new() },
                linger_ms: if chance.u8(0..8) == 0 { chance.u64(100..400) } else { 0 },
            },
            52..62 => Self::Rollback { saves: keys(chance, 2), ghost },
            62..66 => Self::Dropped { saves: keys(chance, 2), ghost },
            66..75 => {
                let (outer, inner) = (key(chance, poison), key(chance, poison));
                Self::RolledBackSavepoint { outer, inner, ghost, again: chance.bool() }
            }
            75..81 => {
                let (outer, inner) = (key(chance, poison), key(chance, poison));
                Self::ReleasedSavepoint { outer, inner, ghost: (chance.u8(0..3) == 0).then_some(ghost) }
            }
            81..86 => Self::BulkUpdate(from, to),
            86..89 => Self::BulkClosure(from, to),
            89..90 => Self::BulkClosureInsert(chance.u64(1..=3)),
            90..93 => Self::BulkDelete(from, to),
            93..97 => Self::BulkInsert(chance.u64(1..=15)),
            97..100 => Self::Untracked(key(chance, poison)),
            100..103 => Self::Unread(chance.usize(..)),
            103..110 => {
                let first = key(chance, poison);
                let others: Vec<i64> = SHARED.filter(|other| *other != first).collect();
                let second = chance.choice(others).unwrap_or(first);
                let by_statement = repairs && chance.bool();
                let retry = if by_statement { Retry::Statement } else { Retry::Transaction };
                Self::Deadlock { keys: [first, second], retry, end: End::draw(chance) }
            }
            110..116 => Self::ImplicitCommit {
                saves: keys(chance, 3),
                statement: chance.usize(..),
                after: chance.bool().then(|| key(chance, poison)),
                end: End::draw(chance),
            },
            _ => Self::Conflict { before: key(chance, poison), after: key(chance, poison), end: End::draw(chance) },
        }
    }
}

impl End {
    fn draw(chance: &mut fastrand::Rng) -> Self {
        chance.choice([Self::Commit, Self::Rollback, Self::Drop]).unwrap_or(Self::Commit)
    }
}

/// One of the shared keys, sometimes a poisoned one.
fn key(chance: &mut fastrand::Rng, poison: &[i64]) -> i64 {
    if chance.u8(0..10) == 0 { chance.choice(poison.iter().copied()) } else { None }
        .unwrap_or_else(|| chance.i64(SHARED))
}
