//! The keys that a batch names, for handlers that use no [`Indexer`](crate::Indexer).

use redstream_core::{Batch, DecodeError};

use crate::entity::decode::Decoder;
use crate::entity::key::Key;
use crate::entity::streamed::Streamed;

/// `batch.keys::<city::Entity>()`: the keys that a batch's messages name.
///
/// Implemented for [`Batch`] alone.
pub trait BatchExt: sealed::Sealed {
    /// The key of each message, in the order of the stream; a key that several messages name is repeated.
    ///
    /// Messages of another [kind](Streamed::kind) are skipped, if `E` has one.
    ///
    /// Each error names its message, which becomes a dead letter if the handler returns it.
    ///
    /// ```no_run
    /// # mod city {
    /// #     use redstream_seaorm::Streamed;
    /// #     use sea_orm::entity::prelude::*;
    /// #     #[derive(Clone, Debug, PartialEq, DeriveEntityModel, Streamed)]
    /// #     #[sea_orm(table_name = "cities")]
    /// #     pub struct Model { #[sea_orm(primary_key)] pub id: i64, pub name: String }
    /// #     #[derive(Copy, Clone, Debug, EnumIter, DeriveRelation)]
    /// #     pub enum Relation {}
    /// # }
    /// use std::collections::HashSet;
    ///
    /// use redstream_seaorm::{Batch, BatchExt, HandlerError, Key, find_by_keys};
    ///
    /// async fn print(batch: Batch, db: sea_orm::DatabaseConnection) -> Result<(), HandlerError> {
    ///     let keys: HashSet<Key<city::Entity>> = batch.keys::<city::Entity>().collect::<Result<_, _>>()?;
    ///     for city in find_by_keys(city::Entity, &keys.into_iter().collect::<Vec<_>>(), &db).await? {
    ///         println!("{} is {}", city.id, city.name);
    ///     }
    ///     Ok(())
    /// }
    /// ```
    fn keys<E: Streamed>(&self) -> impl Iterator<Item = Result<Key<E>, DecodeError>>;
}

impl BatchExt for Batch {
    fn keys<E: Streamed>(&self) -> impl Iterator<Item = Result<Key<E>, DecodeError>> {
        let decoder = Decoder::<E>::columns();
        self.messages().iter().filter_map(move |message| decoder.key_of(message).transpose())
    }
}

mod sealed {
    pub trait Sealed {}
    impl Sealed for redstream_core::Batch {}
}
