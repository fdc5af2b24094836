//! Which records of a write failed, as a sink reports them to its indexer.

use std::error::Error;
use std::fmt;

use redstream_core::{BoxError, HandlerError};
use sea_orm::EntityTrait;

use crate::entity::key::Key;
use crate::entity::streamed::Streamed;

/// The records of one write that were not written, for a [`Sink`](crate::Sink) that knows them; all others count as
/// written.
///
/// Return it from [`Sink::write`](crate::Sink::write), by `?` or by [`into_result`](Self::into_result), and only the
/// messages that name these records are retried.
///
/// ```
/// # mod city {
/// #     use redstream_seaorm::Streamed;
/// #     use sea_orm::entity::prelude::*;
/// #     #[derive(Clone, Debug, PartialEq, DeriveEntityModel, Streamed)]
/// #     #[sea_orm(table_name = "cities")]
/// #     pub struct Model { #[sea_orm(primary_key)] pub id: i64, pub name: String }
/// #     #[derive(Copy, Clone, Debug, EnumIter, DeriveRelation)]
/// #     pub enum Relation {}
/// # }
/// use redstream_seaorm::{Failures, HandlerError, Key};
///
/// /// What a search engine answers to a bulk request, record by record.
/// struct Answer { id: i64, status: u16, reason: String }
///
/// fn outcome(answers: Vec<Answer>) -> Result<(), HandlerError> {
///     let mut failures = Failures::<city::Entity>::new();
///     for Answer { id, status, reason } in answers {
///         match status {
///             200..300 => {}
///             409 => failures.outdated(Key::new(id)), // it has the record by a higher version
///             _ => failures.failed(Key::new(id), reason),
///         }
///     }
///     failures.into_result()
/// }
/// ```
pub struct Failures<E> {
    pub(crate) failed: Vec<(Key<E>, BoxError)>,
    pub(crate) outdated: Vec<Key<E>>,
    /// The highest version that the datastore is known to have.
    pub(crate) highest: u64,
}

impl<E> Failures<E> {
    /// No failures yet.
    pub fn new() -> Self {
        Self { failed: Vec::new(), outdated: Vec::new(), highest: 0 }
    }

    /// This record was not written, for this reason.
    pub fn failed(&mut self, key: Key<E>, error: impl Into<BoxError>) {
        self.failed.push((key, error.into()));
    }

    /// This record was refused because the datastore has it with a higher version.
    ///
    /// Either another process now owns the consumer, and the batch ends here; or this process was given a version that
    /// is too low, for example because a clock stepped back: the indexer then asks for a newer one, reads the record
    /// again and writes it again.
    ///
    /// A record that the datastore has with an *equal* version was written by an earlier attempt of this same write: do
    /// not name it.
    pub fn outdated(&mut self, key: Key<E>) {
        self.outdated.push(key);
    }

    /// The same, for a datastore that reports the version it has: the newer version will be above that.
    pub fn outdated_by(&mut self, key: Key<E>, version: u64) {
        self.highest = self.highest.max(version);
        self.outdated.push(key);
    }

    /// Whether nothing failed.
    pub fn is_empty(&self) -> bool {
        self.failed.is_empty() && self.outdated.is_empty()
    }
}

impl<E: Streamed> Failures<E> {
    /// `Ok` if nothing failed.
    ///
    /// # Errors
    ///
    /// These failures, if there are any.
    pub fn into_result(self) -> Result<(), HandlerError> {
        if self.is_empty() { Ok(()) } else { Err(self.into()) }
    }
}

impl<E> Default for Failures<E> {
    fn default() -> Self {
        Self::new()
    }
}

impl<E: EntityTrait> fmt::Debug for Failures<E> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Failures")
            .field("failed", &self.failed)
            .field("outdated", &self.outdated)
            .finish_non_exhaustive()
    }
}

impl<E: Streamed> fmt::Display for Failures<E> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let count = self.failed.len() + self.outdated.len();
        let first = self.failed.first().map(|(key, _)| key).or(self.outdated.first());
        match first {
            Some(key) if count == 1 => write!(f, "the record {key} was not written")?,
            Some(key) => write!(f, "{count} records were not written, the first of them {key}")?,
            None => f.write_str("no record failed")?,
        }
        if self.failed.is_empty() && !self.outdated.is_empty() {
            f.write_str(": the datastore has a higher version")?;
        }
        Ok(())
    }
}

impl<E: Streamed> Error for Failures<E> {
    /// The error of the first failed record.
    fn source(&self) -> Option<&(dyn Error + 'static)> {
        self.failed.first().map(|(_, error)| &**error as _)
    }
}
