//! Where the keys come from.

use crate::error::BoxError;
use crate::message::NewMessage;

/// The rows whose keys a [`Walk`](crate::Walk) queues: those of a table, or some of them.
///
/// `redstream-seaorm` implements it for its entities. A walk goes through one or several ranges of keys, each in the
/// order in which the database compares them, page by page.
pub trait KeySource: Send + Sync {
    /// The key of a row.
    type Key: Clone + PartialEq + Send + Sync;

    /// What is walked, such as the table's name. A walk is resumed only by a source of the same name and filter.
    fn entity(&self) -> String;

    /// Which of its rows, as text; empty for all.
    fn filter(&self) -> String;

    /// The last key of each range, in ascending order: the last one is that of all rows. None if there are no rows.
    ///
    /// Called once, when a walk begins: rows that get greater keys later are written, and so announced, by others.
    fn bounds(&self) -> impl Future<Output = Result<Vec<Self::Key>, BoxError>> + Send;

    /// How many rows there are about.
    fn estimate(&self) -> impl Future<Output = Result<u64, BoxError>> + Send;

    /// The first `limit` keys behind `after` (from the first key if it is `None`), up to and including `until`. Fewer
    /// mean that there are no more.
    fn page(
        &self,
        after: Option<&Self::Key>,
        until: &Self::Key,
        limit: u64,
    ) -> impl Future<Output = Result<Vec<Self::Key>, BoxError>> + Send;

    /// The message that a save of the row writes, byte for byte.
    fn message(&self, key: &Self::Key) -> Result<NewMessage, BoxError>;

    /// A key in the form in which it is recorded.
    fn encode(&self, key: &Self::Key) -> Result<serde_json::Value, BoxError>;

    /// The key back from that form.
    fn decode(&self, key: &serde_json::Value) -> Result<Self::Key, BoxError>;
}
