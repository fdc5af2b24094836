//! Keys that one database distinguishes and another does not.

use super::*;
use crate::support::Backend;

mod name {
    use redstream_seaorm::Streamed;
    use sea_orm::entity::prelude::*;

    #[derive(Clone, Debug, PartialEq, DeriveEntityModel, Streamed)]
    #[sea_orm(table_name = "names")]
    pub(super) struct Model {
        #[sea_orm(primary_key, auto_increment = false)]
        pub(super) name: String,
        pub(super) size: i32,
    }

    #[derive(Copy, Clone, Debug, EnumIter, DeriveRelation)]
    pub(super) enum Relation {}
}

async fn names(test: &TestDb) -> Vec<(String, i32)> {
    let mut names: Vec<_> = name::Entity::find().all(&test.connection()).await.unwrap();
    names.sort_by(|one, other| one.name.cmp(&other.name));
    names.into_iter().map(|row| (row.name, row.size)).collect()
}

fn batch(version: u64, upserts: &[(&str, i32)], deletes: &[&str], respelled: &[&str]) -> Changes<name::Entity> {
    let row = |(name, size): &(&str, i32)| {
        (Key::new((*name).to_owned()), name::Model { name: (*name).to_owned(), size: *size })
    };
    let keys = |names: &[&str]| names.iter().map(|name| Key::new((*name).to_owned())).collect();
    Changes { upserts: upserts.iter().map(row).collect(), deletes: keys(deletes), respelled: keys(respelled), version }
}

on_each_database! {
    async fn a_row_is_kept_under_its_new_spelling_and_not_under_the_old_one(test: TestDb) {
        let db = test.connection();
        create(&db, name::Entity).await;
        sql::create_table(&db).await.unwrap();
        let sink = SqlSink::<name::Entity>::copy(db);
        sink.write(batch(1, &[("ulm", 1), ("bonn", 1)], &[], &[])).await.unwrap();
        // The primary database takes both for one key.
        sink.write(batch(2, &[("Ulm", 2)], &[], &["ulm"])).await.unwrap();
        let found = names(&test).await;
        assert_eq!(found.len(), 2, "{found:?}");
        assert!(found.iter().any(|(name, size)| name.eq_ignore_ascii_case("ulm") && *size == 2), "{found:?}");
        // MariaDB's default collation does not distinguish them either, and its row keeps the old spelling.
        let spelling = if test.backend() == Backend::MariaDb { "ulm" } else { "Ulm" };
        assert!(found.iter().any(|(name, _)| name == spelling), "{found:?}");
    }

    async fn an_id_is_compared_exactly_and_up_to_512_bytes(test: TestDb) {
        let db = test.connection();
        create(&db, name::Entity).await;
        sql::create_table(&db).await.unwrap();
        let sink = SqlSink::<name::Entity>::copy(db);
        sink.write(batch(5, &[], &["a", "A", "a ", "ä"], &[])).await.unwrap();
        assert_eq!(number(&test, "SELECT COUNT(*) FROM redstream_versions").await, 4);
        let long = "x".repeat(513);
        let error = sink.write(batch(6, &[("b", 1)], &[&long], &[])).await.unwrap_err();
        assert!(format!("{error:?}").contains("KeyTooLong"), "{error:?}");
        assert_eq!(names(&test).await, [("b".to_owned(), 1)]);
    }
}
