//! Versions, and what is remembered of deleted rows.

use std::collections::BTreeMap;

use sea_orm_migration::{MigrationTrait, MigratorTrait};

use super::*;

on_each_database! {
    async fn an_equal_version_is_taken_and_an_older_one_is_superseded(test: TestDb) {
        let sink = sink_on(&test).await;
        sink.write(changes(5, [(1, "Ulm"), (2, "Bonn")], &[])).await.unwrap();
        sink.write(changes(5, [(1, "Ulm again")], &[])).await.unwrap();
        let (failed, _) = failures_of(sink.write(changes(4, [(1, "late"), (3, "new")], &[2])).await);
        assert_eq!(failed, "2 records were not written, the first of them {\"id\":2}: the datastore has a higher version");
        assert_eq!(places(&test).await, named(&[(1, "Ulm again"), (2, "Bonn"), (3, "new")]), "the others are written");
    }

    async fn a_deleted_row_is_remembered_also_if_there_was_none(test: TestDb) {
        let sink = sink_on(&test).await;
        sink.write(changes(1, [(1, "Ulm"), (2, "Bonn")], &[])).await.unwrap();
        sink.write(changes(3, [], &[1, 7])).await.unwrap();
        let (failed, _) = failures_of(sink.write(changes(2, [(1, "late"), (7, "late")], &[])).await);
        assert!(failed.starts_with("2 records were not written"), "{failed}");
        assert_eq!(places(&test).await, named(&[(2, "Bonn")]));
        sink.write(changes(3, [(1, "Ulm anew")], &[])).await.unwrap();
        assert_eq!(places(&test).await, named(&[(1, "Ulm anew"), (2, "Bonn")]));
        let deleted = "SELECT COUNT(*) FROM redstream_versions WHERE deleted_at IS NOT NULL";
        assert_eq!(number(&test, deleted).await, 1);
    }

    async fn versions_of_rows_that_were_deleted_long_ago_are_forgotten(test: TestDb) {
        let sink = sink_on(&test).await;
        sink.write(changes(5, [(1, "Ulm")], &[2, 3])).await.unwrap();
        assert_eq!(number(&test, "SELECT COUNT(*) FROM redstream_versions").await, 3);
        let id = if test.backend() == crate::support::Backend::Postgres { "'2'::bytea" } else { "'2'" };
        // SQLite has a blob here, which is no text.
        let id = if test.backend() == crate::support::Backend::Sqlite { "x'32'" } else { id };
        let aged = format!("UPDATE redstream_versions SET deleted_at = 1000 WHERE id = {id}");
        test.connection().execute_raw(raw(&test, &aged)).await.unwrap();
        // It looks for old ones at its first write.
        let restarted = sink_in(test.connection());
        restarted.write(changes(6, [(1, "Ulm")], &[])).await.unwrap();
        assert_eq!(number(&test, "SELECT COUNT(*) FROM redstream_versions").await, 2);
        restarted.write(changes(4, [(2, "late")], &[])).await.unwrap();
        failures_of(restarted.write(changes(4, [(3, "late")], &[])).await);
    }

    async fn columns_that_the_sink_does_not_set_stay(test: TestDb) {
        let sink = sink_on(&test).await;
        sink.write(changes(1, [(1, "Ulm")], &[])).await.unwrap();
        test.connection().execute_raw(raw(&test, "UPDATE places SET note = 'old'")).await.unwrap();
        sink.write(changes(2, [(1, "Neu-Ulm")], &[])).await.unwrap();
        let place = place::Entity::find().one(&test.connection()).await.unwrap().unwrap();
        assert_eq!((&*place.label, place.note.as_deref()), ("Neu-Ulm", Some("old")));
    }

    async fn of_writes_at_the_same_time_the_highest_version_stays(test: TestDb) {
        let sink = sink_on(&test).await;
        let mut expected = BTreeMap::new();
        for round in 0..5_u64 {
            let versions: Vec<u64> = (1..=6).map(|n| round * 10 + n).collect();
            let writes: Vec<_> = versions
                .iter()
                .map(|&version| {
                    let sink = sink.clone();
                    // The ids overlap, and come in different orders.
                    let mut ids: Vec<i64> = (0..4).map(|n| (n + i64::try_from(version).unwrap()) % 6).collect();
                    if version % 2 == 0 {
                        ids.reverse();
                    }
                    for id in &ids {
                        let newest = expected.entry(*id).or_insert(version);
                        *newest = version.max(*newest);
                    }
                    tokio::spawn(async move {
                        let names: Vec<_> = ids.iter().map(|id| (*id, format!("{id} by {version}"))).collect();
                        let upserts = names.iter().map(|(id, name)| (*id, name.as_str()));
                        sink.write(changes(version, upserts, &[])).await
                    })
                })
                .collect();
            for write in writes {
                if let Err(error) = write.await.unwrap() {
                    failures_of(Err(error));
                }
            }
            let all: Vec<_> = expected.iter().map(|(id, version)| (*id, format!("{id} by {version}"))).collect();
            assert_eq!(places(&test).await, all);
        }
    }

    async fn large_batches_are_written_and_deleted(test: TestDb) {
        let sink = sink_on(&test).await;
        let names: Vec<_> = (0..3000).map(|id| format!("{id}")).collect();
        let all = (0..).zip(names.iter().map(String::as_str));
        sink.write(changes(1, all.clone(), &[])).await.unwrap();
        sink.write(changes(2, all.skip(2900), &(0..2900).collect::<Vec<_>>())).await.unwrap();
        assert_eq!(number(&test, "SELECT COUNT(*) FROM places").await, 100);
    }

    async fn the_migration_makes_the_same_table(test: TestDb) {
        struct Migrator;

        impl MigratorTrait for Migrator {
            fn migrations() -> Vec<Box<dyn MigrationTrait>> {
                vec![Box::new(sql::Migration)]
            }
        }

        let db = test.connection();
        create(&db, place::Entity).await;
        Migrator::up(&db, None).await.unwrap();
        let sink = sink_in(db.clone());
        sink.write(changes(2, [(1, "Ulm")], &[2])).await.unwrap();
        failures_of(sink.write(changes(1, [(1, "late")], &[])).await);
        // Running the statements is harmless if the table is there.
        for statement in sql::create_table_sql(ConnectionTrait::get_database_backend(&db)) {
            db.execute_raw(raw(&test, &statement)).await.unwrap();
        }
        Migrator::down(&db, None).await.unwrap();
        assert!(matches!(error_of(sink.write(changes(3, [(1, "Ulm")], &[])).await), Error::Database { .. }));
    }
}
