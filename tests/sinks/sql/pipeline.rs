//! From a saved row to a row of the other database.

use sea_orm::{ActiveModelTrait, ModelTrait, TransactionTrait};

use super::*;
use crate::sinks::city::city;
use crate::sinks::flow::Flow;
use crate::support::Logs;

on_each_database! {
    async fn rows_become_rows_and_deleted_rows_leave_none(test: TestDb) {
        let flow = Flow::new(sink_on(&test).await).await;
        let txn = flow.db.begin().await.unwrap();
        let ulm = city("Ulm").insert(&txn).await.unwrap();
        let bonn = city("Bonn").insert(&txn).await.unwrap();
        txn.commit().await.unwrap();
        flow.run().await;
        assert_eq!(places(&test).await, named(&[(ulm.id, "Ulm"), (bonn.id, "Bonn")]));

        flow.rename(&bonn, "Bonna").await;
        ulm.delete(&flow.db).await.unwrap();
        flow.run().await;
        assert_eq!(places(&test).await, named(&[(bonn.id, "Bonna")]));
    }

    async fn a_clock_that_stepped_back_loses_no_change(test: TestDb) {
        let sink = sink_on(&test).await;
        // In a hundred years, as a clock that was wrong said once.
        sink.write(changes(4_900_000_000_000_000, [(1, "once")], &[2])).await.unwrap();
        let flow = Flow::new(sink).await;
        let txn = flow.db.begin().await.unwrap();
        for name in ["Ulm", "Bonn"] {
            city(name).insert(&txn).await.unwrap();
        }
        txn.commit().await.unwrap();
        let logs = Logs::capture();
        flow.run().await;
        assert_eq!(places(&test).await, named(&[(1, "Ulm"), (2, "Bonn")]));
        assert!(!logs.has(&["WARN", "higher version"]), "{}", logs.text());
    }

    async fn a_row_that_is_refused_is_set_aside_and_the_rest_goes_on(test: TestDb) {
        let flow = Flow::new(sink_on(&test).await).await;
        let txn = flow.db.begin().await.unwrap();
        for name in ["Ulm", "!", "Bonn"] {
            city(name).insert(&txn).await.unwrap();
        }
        txn.commit().await.unwrap();
        let error = flow.consumer.run_once().await.unwrap_err();
        assert!(format!("{error:?}").contains("exclamation mark"), "{error:?}");
        assert_eq!(places(&test).await, named(&[(1, "Ulm"), (3, "Bonn")]));
    }
}
