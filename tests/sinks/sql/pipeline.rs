//! From a saved row to a row of the other database.

use redstream_seaorm::{Consumer, Indexer, Progress, StreamedConnection};
use sea_orm::{ActiveModelTrait, IntoActiveModel, ModelTrait, TransactionTrait};

use super::*;
use crate::support::{Logs, redstream};

/// A table of cities, and a consumer that writes them to the other database.
struct Place {
    db: StreamedConnection,
    consumer: Consumer,
    _primary: TestDb,
}

impl Place {
    async fn new(sink: Places) -> Self {
        let (primary, redstream) = (TestDb::sqlite().await, redstream().await);
        let plain = primary.connection();
        create(&plain, city::Entity).await;
        let consumer = redstream.stream("cities").unwrap().consumer("places", Indexer::new(plain.clone(), sink));
        Self { db: StreamedConnection::new(plain, redstream.producer()), consumer, _primary: primary }
    }

    async fn run(&self) {
        while self.consumer.run_once().await.unwrap() != Progress::Idle {}
    }
}

fn city(name: &str) -> city::ActiveModel {
    city::ActiveModel { name: Set(name.to_owned()), ..Default::default() }
}

on_each_database! {
    async fn rows_become_rows_and_deleted_rows_leave_none(test: TestDb) {
        let place = Place::new(sink_on(&test).await).await;
        let txn = place.db.begin().await.unwrap();
        let ulm = city("Ulm").insert(&txn).await.unwrap();
        let bonn = city("Bonn").insert(&txn).await.unwrap();
        txn.commit().await.unwrap();
        place.run().await;
        assert_eq!(places(&test).await, named(&[(ulm.id, "Ulm"), (bonn.id, "Bonn")]));

        let mut renamed = bonn.clone().into_active_model();
        renamed.name = Set("Bonna".to_owned());
        renamed.update(&place.db).await.unwrap();
        ulm.delete(&place.db).await.unwrap();
        place.run().await;
        assert_eq!(places(&test).await, named(&[(bonn.id, "Bonna")]));
    }

    async fn a_clock_that_stepped_back_loses_no_change(test: TestDb) {
        let sink = sink_on(&test).await;
        // In a hundred years, as a clock that was wrong said once.
        sink.write(changes(4_900_000_000_000_000, [(1, "once")], &[2])).await.unwrap();
        let place = Place::new(sink).await;
        let txn = place.db.begin().await.unwrap();
        for name in ["Ulm", "Bonn"] {
            city(name).insert(&txn).await.unwrap();
        }
        txn.commit().await.unwrap();
        let logs = Logs::capture();
        place.run().await;
        assert_eq!(places(&test).await, named(&[(1, "Ulm"), (2, "Bonn")]));
        assert!(!logs.has(&["WARN", "higher version"]), "{}", logs.text());
    }

    async fn a_row_that_is_refused_is_set_aside_and_the_rest_goes_on(test: TestDb) {
        let place = Place::new(sink_on(&test).await).await;
        let txn = place.db.begin().await.unwrap();
        for name in ["Ulm", "!", "Bonn"] {
            city(name).insert(&txn).await.unwrap();
        }
        txn.commit().await.unwrap();
        let error = place.consumer.run_once().await.unwrap_err();
        assert!(format!("{error:?}").contains("exclamation mark"), "{error:?}");
        assert_eq!(places(&test).await, named(&[(1, "Ulm"), (3, "Bonn")]));
    }
}
