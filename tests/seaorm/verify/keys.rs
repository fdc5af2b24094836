//! Keys of several types, on each database.

use redstream_seaorm::DifferenceKind::{Extra, Missing, Stale};
use redstream_seaorm::{Key, RedstreamExt, Streamed};
use sea_orm::EntityTrait;
use uuid::Uuid;

use super::{Memory, consume, ended, found};
use crate::seaorm::world::World;
use crate::support::Backend;

mod parcel {
    use redstream_seaorm::Streamed;
    use sea_orm::entity::prelude::*;

    #[derive(Clone, Debug, PartialEq, DeriveEntityModel, Streamed)]
    #[sea_orm(table_name = "parcels")]
    pub(super) struct Model {
        #[sea_orm(primary_key, auto_increment = false)]
        pub(super) id: Uuid,
        pub(super) size: i32,
    }
    #[derive(Copy, Clone, Debug, EnumIter, DeriveRelation)]
    pub(super) enum Relation {}
}

mod line {
    use redstream_seaorm::Streamed;
    use sea_orm::entity::prelude::*;

    #[derive(Clone, Debug, PartialEq, DeriveEntityModel, Streamed)]
    #[sea_orm(table_name = "order_lines")]
    pub(super) struct Model {
        #[sea_orm(primary_key, auto_increment = false)]
        pub(super) order_id: i64,
        #[sea_orm(primary_key, auto_increment = false)]
        pub(super) line: i32,
        pub(super) size: i32,
    }
    #[derive(Copy, Clone, Debug, EnumIter, DeriveRelation)]
    pub(super) enum Relation {}
}

pub(super) mod name {
    use redstream_seaorm::Streamed;
    use sea_orm::entity::prelude::*;

    #[derive(Clone, Debug, PartialEq, DeriveEntityModel, Streamed)]
    #[sea_orm(table_name = "names")]
    pub(crate) struct Model {
        #[sea_orm(primary_key, auto_increment = false)]
        pub(crate) name: String,
        pub(crate) size: i32,
    }
    #[derive(Copy, Clone, Debug, EnumIter, DeriveRelation)]
    pub(crate) enum Relation {}
}

/// Spoils the index at every fifth row in turn, and checks that this is found and repaired.
async fn spoiled<E>(world: &World, rows: Vec<E::Model>, extra: Vec<super::KeyOf<E>>, page_size: usize)
where
    E: Streamed<Model: std::fmt::Debug + Sync>,
    super::KeyOf<E>:
        Ord + Clone + Send + 'static + sea_orm::sea_query::FromValueTuple + sea_orm::sea_query::IntoValueTuple,
{
    let index = Memory::<E>::of(&rows, true);
    let _search = consume::<E, _>(world, index.clone()).await;
    let mut expected = Vec::new();
    for (nth, row) in rows.iter().enumerate() {
        let key = Key::<E>::of(row);
        match nth % 10 {
            3 => {
                index.remove(&key.value());
                expected.push((Missing, key.to_json().to_string()));
            }
            7 => {
                index.put(key.value(), "old".to_owned());
                expected.push((Stale, key.to_json().to_string()));
            }
            _ => {}
        }
    }
    for key in extra {
        index.put(key.clone(), "gone".to_owned());
        expected.push((Extra, Key::<E>::new(key).to_json().to_string()));
    }
    expected.sort();
    let verify = world.redstream.verify::<E>(&world.plain, &index).page_size(page_size).list(1000).repair(true);
    let report = ended(verify).await;
    assert_eq!(found(&report), expected);
    assert!(report.is_clean(), "{report:?}");
    assert_eq!(index.all().len(), rows.len());
}

on_each_database! {
    async fn uuids(db: TestDb) {
        let world = World::new(&db).await;
        world.create(parcel::Entity).await;
        let of = |nth: u128| Uuid::from_u128(nth.wrapping_mul(0x9e37_79b9_7f4a_7c15_f39c_c060_5ced_c835));
        let rows: Vec<_> = (1..=150).map(|nth| parcel::Model { id: of(nth), size: 1 }).collect();
        let models = rows.iter().cloned().map(parcel::ActiveModel::from).map(sea_orm::ActiveModelTrait::reset_all);
        parcel::Entity::insert_many(models).exec_without_returning(&world.plain).await.unwrap();
        let extra = vec![Uuid::nil(), Uuid::max(), of(1000), of(1001), of(1002)];
        spoiled::<parcel::Entity>(&world, rows, extra, 16).await;
    }

    async fn composite_keys(db: TestDb) {
        let world = World::new(&db).await;
        world.create(line::Entity).await;
        let rows: Vec<_> = (-6..6).flat_map(|order_id| (-5..5).map(move |line| line::Model { order_id, line, size: 1 })).collect();
        let models = rows.iter().cloned().map(line::ActiveModel::from).map(sea_orm::ActiveModelTrait::reset_all);
        line::Entity::insert_many(models).exec_without_returning(&world.plain).await.unwrap();
        let extra = vec![(i64::MIN, i32::MAX), (-7, 0), (0, 5), (0, i32::MAX), (5, 5), (6, i32::MIN)];
        spoiled::<line::Entity>(&world, rows, extra, 7).await;
    }

    async fn texts_that_the_database_compares_without_regard_to_case(db: TestDb) {
        let world = World::new(&db).await;
        let sql = match db.backend() {
            Backend::Sqlite => "CREATE TABLE names (name TEXT COLLATE NOCASE PRIMARY KEY, size INT NOT NULL)",
            Backend::Postgres => {
                "CREATE COLLATION loose (provider = icu, locale = 'und-u-ks-level2', deterministic = false); \
                 CREATE TABLE names (name TEXT COLLATE loose PRIMARY KEY, size INT NOT NULL)"
            }
            Backend::MariaDb => {
                "CREATE TABLE names (name VARCHAR(50) COLLATE utf8mb4_general_ci PRIMARY KEY, size INT NOT NULL)"
            }
        };
        sea_orm::ConnectionTrait::execute_unprepared(&world.plain, sql).await.unwrap();
        let words = ["Ada", "bea", "Cleo", "dora", "Émile", "emile x", "Zoe", "zoë y", "ulm", "Ulm 2", "a-b", "a b", "10", "9"];
        let rows: Vec<_> = words.iter().map(|name| name::Model { name: (*name).to_owned(), size: 1 }).collect();
        let models = rows.iter().cloned().map(name::ActiveModel::from).map(sea_orm::ActiveModelTrait::reset_all);
        name::Entity::insert_many(models).exec_without_returning(&world.plain).await.unwrap();
        // Of other spellings, which this datastore distinguishes, and of no row.
        let extra = ["ADA", "Bea", "zoe z", "", "~"].map(str::to_owned).to_vec();
        spoiled::<name::Entity>(&world, rows, extra, 3).await;
    }
}
