//! `db.bulk(…)`: the classic form, on the connection or transaction itself.

use sea_orm::{ConnectionTrait, DbErr, ModelTrait, TransactionTrait};

use super::write_in_transaction;
use crate::connection::StreamedConnection;
use crate::connection::transaction::StreamedTransaction;
use crate::entity::key::Key;
use crate::entity::streamed::Streamed;

macro_rules! bulk {
    ($type:ident) => {
        impl<C> $type<C>
        where
            Self: ConnectionTrait + TransactionTrait,
        {
            /// [`producer.bulk(&db, records, write)`](crate::BulkExt::bulk), with the producer of this connection.
            ///
            /// # Errors
            ///
            /// As that method.
            pub fn bulk<M, F, R, X>(&self, records: &[M], write: F) -> impl Future<Output = Result<R, X>>
            where
                M: ModelTrait,
                M::Entity: Streamed,
                F: AsyncFnOnce(&<Self as TransactionTrait>::Transaction) -> Result<R, X>,
                X: From<DbErr>,
            {
                // Built outside the future, so that the future is `Send` whatever the records are.
                let keys = records.iter().map(Key::of).collect();
                write_in_transaction::<M::Entity, _, _, _, _>(self, keys, write)
            }

            /// [`producer.bulk_keys(&db, keys, write)`](crate::BulkExt::bulk_keys), with the producer of this
            /// connection.
            ///
            /// # Errors
            ///
            /// As that method.
            pub fn bulk_keys<E, F, R, X>(
                &self,
                keys: impl IntoIterator<Item = Key<E>>,
                write: F,
            ) -> impl Future<Output = Result<R, X>>
            where
                E: Streamed,
                F: AsyncFnOnce(&<Self as TransactionTrait>::Transaction) -> Result<R, X>,
                X: From<DbErr>,
            {
                let keys = keys.into_iter().collect();
                write_in_transaction::<E, _, _, _, _>(self, keys, write)
            }
        }
    };
}

bulk!(StreamedConnection);
bulk!(StreamedTransaction);
