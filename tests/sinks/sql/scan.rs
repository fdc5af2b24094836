//! What is read back.

use redstream_seaorm::{KeyRange, Scan as _};

use super::*;

mod line {
    use redstream_seaorm::Streamed;
    use sea_orm::entity::prelude::*;

    #[derive(Clone, Debug, PartialEq, DeriveEntityModel, Streamed)]
    #[sea_orm(table_name = "lines")]
    pub(super) struct Model {
        #[sea_orm(primary_key, auto_increment = false)]
        pub(super) order_id: i32,
        #[sea_orm(primary_key, auto_increment = false)]
        pub(super) nth: i64,
        pub(super) amount: i32,
    }

    #[derive(Copy, Clone, Debug, EnumIter, DeriveRelation)]
    pub(super) enum Relation {}
}

on_each_database! {
    async fn pages_have_all_rows_in_the_order_of_their_keys(test: TestDb) {
        let db = test.connection();
        create(&db, line::Entity).await;
        sql::create_table(&db).await.unwrap();
        let sink = SqlSink::<line::Entity>::copy(db);
        let keys: Vec<(i32, i64)> = (-2..3).flat_map(|order| [-7, 0, 5].map(|nth| (order, nth))).collect();
        let rows = keys.iter().map(|(order_id, nth)| line::Model { order_id: *order_id, nth: *nth, amount: 1 });
        let upserts: Vec<_> = rows.map(|row| (Key::of(&row), row)).collect();
        let deletes = vec![Key::new((0, 1))];
        sink.write(Changes { upserts, deletes, respelled: vec![], version: 1 }).await.unwrap();
        for (after, until) in [(None, None), (Some(3), Some(10)), (Some(2), Some(2)), (None, Some(4))] {
            for limit in [1, 4, 100] {
                let first = after.map(|nth: usize| Key::new(keys[nth]));
                let last = until.map(|nth: usize| Key::new(keys[nth]));
                let mut found: Vec<Key<line::Entity>> = Vec::new();
                loop {
                    let range = KeyRange { after: found.last().or(first.as_ref()), until: last.as_ref() };
                    let page = sink.scan(range, limit).await.unwrap();
                    let is_last = page.len() < limit;
                    found.extend(page.into_iter().map(|(key, _)| key));
                    if is_last {
                        break;
                    }
                }
                let range = after.map_or(0, |nth| nth + 1)..until.map_or(keys.len(), |nth| nth + 1);
                assert_eq!(found.iter().map(Key::value).collect::<Vec<_>>(), keys[range].to_vec(), "{limit}");
            }
        }
    }

    async fn a_row_is_current_until_its_record_changes(test: TestDb) {
        let sink = sink_on(&test).await;
        sink.write(changes(7, [(1, "Ulm"), (2, "Bonn")], &[])).await.unwrap();
        sink.write(changes(8, [], &[2])).await.unwrap();
        test.connection().execute_raw(raw(&test, "UPDATE places SET note = 'not ours'")).await.unwrap();
        let found = sink.find(&[1, 2, 3].map(Key::new)).await.unwrap().unwrap();
        let [(key, row)] = &found[..] else { panic!("{found:?}") };
        assert_eq!(key.value(), 1);
        let record = |name: &str| city::Model { id: 1, name: name.to_owned() };
        assert!(sink.is_current(key, &record("Ulm"), row).unwrap());
        assert!(!sink.is_current(key, &record("ulm"), row).unwrap());
        assert!(sink.is_current(key, &record("!"), row).is_err());
    }
}
