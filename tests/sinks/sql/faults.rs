//! Rows that are refused, transactions that fail, and writes that are dropped.

use sea_orm::TransactionTrait;

use super::*;
use crate::support::cut;

on_each_database! {
    async fn a_row_that_the_database_refuses_fails_alone_and_leaves_no_version(test: TestDb) {
        let sink = sink_on(&test).await;
        sink.write(changes(1, [(1, "Ulm"), (2, "Bonn")], &[])).await.unwrap();
        // Another row has this label.
        let batch = [(3, "Trier"), (4, "Bonn"), (5, "Mainz"), (6, "Worms"), (1, "Ulm 2")];
        let (failed, first) = failures_of(sink.write(changes(2, batch, &[])).await);
        assert_eq!(failed, "the record {\"id\":4} was not written");
        assert!(first.starts_with("the row `4` of `places` was refused"), "{first}");
        let expected = named(&[(1, "Ulm 2"), (2, "Bonn"), (3, "Trier"), (5, "Mainz"), (6, "Worms")]);
        assert_eq!(places(&test).await, expected, "no other row has changed");
        // Corrected, it is written by the same version.
        sink.write(changes(2, [(4, "Koblenz")], &[])).await.unwrap();
        assert_eq!(places(&test).await.len(), 6);
    }

    async fn a_deleted_row_makes_room_for_its_unique_value(test: TestDb) {
        let sink = sink_on(&test).await;
        sink.write(changes(1, [(1, "Ulm"), (2, "Bonn")], &[])).await.unwrap();
        sink.write(changes(2, [(3, "Ulm")], &[1])).await.unwrap();
        assert_eq!(places(&test).await, named(&[(2, "Bonn"), (3, "Ulm")]));
    }

    async fn a_record_without_a_row_fails_alone(test: TestDb) {
        let sink = sink_on(&test).await;
        let (failed, first) = failures_of(sink.write(changes(1, [(1, "Ulm"), (2, "!"), (3, "?")], &[])).await);
        assert_eq!(failed, "2 records were not written, the first of them {\"id\":2}");
        assert_eq!(first, "no row could be made of the record `2`");
        let (_, first) = failures_of(sink.write(changes(1, [(3, "?")], &[])).await);
        assert_eq!(first, "the row that was made of the record `3` must have the record's key, and has {\"id\":4}");
        assert_eq!(places(&test).await, named(&[(1, "Ulm")]));
    }

    async fn a_missing_table_is_no_fault_of_a_record(test: TestDb) {
        let db = test.connection();
        sql::create_table(&db).await.unwrap();
        let sink = sink_in(db.clone());
        let batch = || changes(1, [(1, "Ulm"), (2, "Bonn")], &[3]);
        assert!(matches!(error_of(sink.write(batch()).await), Error::Database { .. }));
        create(&db, place::Entity).await;
        sink.write(batch()).await.unwrap();
        assert_eq!(places(&test).await.len(), 2);
    }

    async fn a_lock_that_is_held_too_long_fails_the_batch(test: TestDb) {
        let sink = sink_on(&test).await.timeout(Duration::from_millis(300));
        sink.write(changes(1, [(1, "Ulm")], &[])).await.unwrap();
        let other = test.connection().begin().await.unwrap();
        other.execute_raw(raw(&test, "UPDATE redstream_versions SET version = version")).await.unwrap();
        let error = error_of(sink.write(changes(2, [(1, "Bonn")], &[])).await);
        assert!(matches!(error, Error::Timeout { .. }), "{error:?}");
        other.rollback().await.unwrap();
        let sink = sink.timeout(SOON);
        sink.write(changes(2, [(1, "Bonn")], &[])).await.unwrap();
        assert_eq!(places(&test).await, named(&[(1, "Bonn")]));
    }

    async fn a_write_that_is_dropped_at_any_point_is_done_or_undone(test: TestDb) {
        let sink = sink_on(&test).await;
        sink.write(changes(1, [(1, "0"), (2, "second")], &[])).await.unwrap();
        for pending in 1..25_usize {
            let before = places(&test).await;
            let name = format!("{pending}");
            let version = 1 + pending as u64;
            let batch = || changes(version, [(1, name.as_str()), (3, "third")], &[2]);
            let after = named(&[(1, name.as_str()), (3, "third")]);
            if cut(sink.write(batch()), pending).await.is_none() {
                let now = places(&test).await;
                assert!(now == before || now == after, "{pending}: {now:?}");
            }
            sink.write(batch()).await.unwrap();
            assert_eq!(places(&test).await, after, "{pending}");
        }
    }
}

#[tokio::test]
async fn a_version_beyond_63_bits_fails_the_batch() {
    let test = TestDb::sqlite().await;
    let sink = sink_on(&test).await;
    let error = error_of(sink.write(changes(1 << 63, [(1, "Ulm")], &[])).await);
    assert!(matches!(error, Error::Version { .. }), "{error:?}");
}
