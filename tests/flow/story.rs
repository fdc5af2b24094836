//! The path of a message, without a crash.

use std::collections::BTreeMap;
use std::time::Duration;

use redstream_core::{CancellationToken, Supervisor};
use redstream_seaorm::Indexer;
use sea_orm::{ActiveModelTrait, ActiveValue::Set, IntoActiveModel, ModelTrait, TransactionTrait};

use super::SOON;
use super::place::{ActiveModel, CONSUMER, Place, city};
use crate::support::{TestDb, eventually};

on_each_database! {
    /// Inserts, updates, deletes and a rollback, in transactions; then both stores agree.
    async fn a_saved_model_reaches_a_secondary_datastore(primary: TestDb) -> anyhow::Result<()> {
        let secondary = TestDb::sqlite().await;
        let place = Place::new(&primary, &secondary).await;
        let stop = CancellationToken::new();
        let indexer = Indexer::new(place.primary().await, place.copies().await);
        let stream = place.stream().await;
        let workers = Supervisor::new()
            .with(stream.consumer(CONSUMER, indexer))
            .with(stream.delayer(Duration::from_secs(300)))
            .with(stream.trimmer())
            .run_until(stop.clone().cancelled_owned());
        let workers = tokio::spawn(workers);

        let db = place.streamed().await;
        let txn = db.begin().await?;
        let paris = city(1, "Paris").insert(&txn).await?;
        let rome = city(2, "Roma").insert(&txn).await?;
        city(3, "Oslo").insert(&txn).await?;
        txn.commit().await?;

        let txn = db.begin().await?;
        ActiveModel { name: Set("Rome".to_owned()), ..rome.into_active_model() }.update(&txn).await?;
        paris.delete(&txn).await?;
        txn.commit().await?;

        let txn = db.begin().await?;
        city(4, "Atlantis").insert(&txn).await?;
        txn.rollback().await?;

        let expected = BTreeMap::from([(2, "Rome".to_owned()), (3, "Oslo".to_owned())]);
        assert_eq!(place.cities().await, expected);
        let copies = place.copies().await;
        eventually(SOON, "the copies equal the cities", async || copies.names().await == expected).await;

        stop.cancel();
        workers.await??;
        Ok(())
    }
}
