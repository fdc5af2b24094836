//! The part of a commit's token that belongs to one entity.

use redstream_core::SyncToken;

use crate::entity::streamed::{Streamed, written_streams};

/// `token.of::<book::Entity>()`: the part of a token that was written to one entity's stream.
///
/// Implemented only for [`SyncToken`].
pub trait TokenExt: sealed::Sealed {
    /// The part of the token for `E`, to wait for one entity of a transaction that wrote several: a consumer reads only
    /// its own streams, and the other streams may have no consumer of its name.
    ///
    /// Empty if the transaction wrote no `E`.
    ///
    /// ```no_run
    /// # mod book {
    /// #     use redstream_seaorm::Streamed;
    /// #     use sea_orm::entity::prelude::*;
    /// #     #[derive(Clone, Debug, PartialEq, DeriveEntityModel, Streamed)]
    /// #     #[sea_orm(table_name = "books")]
    /// #     pub struct Model { #[sea_orm(primary_key)] pub id: i64, pub title: String }
    /// #     #[derive(Copy, Clone, Debug, EnumIter, DeriveRelation)]
    /// #     pub enum Relation {}
    /// # }
    /// use std::time::Duration;
    ///
    /// use redstream_seaorm::{Redstream, StreamedConnection, TokenExt};
    /// use sea_orm::TransactionTrait;
    ///
    /// # async fn example(db: StreamedConnection, redstream: Redstream) -> Result<(), Box<dyn std::error::Error>> {
    /// let txn = db.begin().await?;
    /// // … saves a book and its links to categories …
    /// let written = txn.commit_with_token().await?;
    /// redstream.wait_until_synced("search", &written.of::<book::Entity>(), Duration::from_secs(5)).await?;
    /// # Ok(()) }
    /// ```
    #[must_use]
    fn of<E: Streamed>(&self) -> SyncToken;
}

impl TokenExt for SyncToken {
    fn of<E: Streamed>(&self) -> SyncToken {
        let streams = written_streams::<E>();
        self.only(|stream| streams.contains(stream))
    }
}

mod sealed {
    pub trait Sealed {}
    impl Sealed for redstream_core::SyncToken {}
}
