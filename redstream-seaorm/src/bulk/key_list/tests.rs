//! The keys that SQLite passes as a list are those that it has, and make the same payloads.

use proptest::collection::vec;
use proptest::prelude::*;
use sea_orm::{ConnectOptions, Database, DatabaseConnection, QueryFilter, QueryTrait};
use tokio::runtime::{Builder, Runtime};

use super::*;
use crate::entity::key_query::{keys_of, next_keys};

macro_rules! entity {
    ($name:ident: $type:ty) => {
        mod $name {
            use sea_orm::entity::prelude::*;

            #[derive(Clone, Debug, PartialEq, DeriveEntityModel)]
            #[sea_orm(table_name = "t")]
            pub(super) struct Model {
                #[sea_orm(primary_key, auto_increment = false)]
                pub(super) id: $type,
            }
            #[derive(Copy, Clone, Debug, EnumIter, DeriveRelation)]
            pub(super) enum Relation {}
            impl ActiveModelBehavior for ActiveModel {}
        }
    };
}

entity!(longs: i64);
entity!(integers: i32);
entity!(shorts: i16);
entity!(bytes: i8);
entity!(unsigned: u32);
entity!(texts: String);
entity!(booleans: bool);
entity!(floats: f64);

fn runtime() -> Runtime {
    Builder::new_current_thread().enable_all().build().unwrap()
}

async fn empty() -> DatabaseConnection {
    // Each connection has a database of its own.
    Database::connect(ConnectOptions::new("sqlite::memory:").max_connections(1).to_owned()).await.unwrap()
}

/// A table with rows of these keys, as literals. The column has no type, so that it takes any value.
async fn table(keys: &[String]) -> DatabaseConnection {
    let db = empty().await;
    db.execute_unprepared("CREATE TABLE t (id PRIMARY KEY)").await.unwrap();
    if !keys.is_empty() {
        let rows = format!("INSERT OR IGNORE INTO t VALUES ({})", keys.join("), ("));
        db.execute_unprepared(&rows).await.unwrap();
    }
    db
}

async fn list<E: EntityTrait>(db: &DatabaseConnection) -> Option<Vec<Key<E>>> {
    let query = next_keys(E::find(), None, 1000).into_query();
    KeyList::<E>::new(DbBackend::Sqlite).unwrap().read(db, &query).await
}

/// The list, after a comparison with the keys as rows.
async fn listed<E: EntityTrait>(db: &DatabaseConnection) -> Vec<Key<E>> {
    let listed = list::<E>(db).await.unwrap();
    assert_eq!(listed, keys_of(next_keys(E::find(), None, 1000), db).await.unwrap());
    listed
}

fn payloads<E: EntityTrait>(keys: &[Key<E>]) -> Vec<String> {
    keys.iter().map(|key| key.payload().unwrap().as_str().to_owned()).collect()
}

/// As serde writes it; integers beyond what a float of 64 bits tells apart are texts.
fn by_serde(key: i64) -> String {
    let exact = (1_i64 << 53) - 1;
    let value = if (-exact..=exact).contains(&key) { key.into() } else { serde_json::Value::from(key.to_string()) };
    serde_json::to_string(&serde_json::json!({ "id": value })).unwrap()
}

macro_rules! integers_are_listed {
    ($($name:ident, $module:ident: $type:ty;)+) => {
        proptest! {
            #![proptest_config(ProptestConfig::with_cases(24))]
            $(
                #[test]
                fn $name(keys in vec(prop_oneof![any::<$type>(), Just(<$type>::MIN), Just(<$type>::MAX), Just(0)], 0..60)) {
                    runtime().block_on(async {
                        let db = table(&keys.iter().map(ToString::to_string).collect::<Vec<_>>()).await;
                        let mut keys = keys;
                        keys.sort_unstable();
                        keys.dedup();
                        let listed = listed::<$module::Entity>(&db).await;
                        let expected: Vec<_> = keys.into_iter().map(|key| by_serde(key.into())).collect();
                        assert_eq!(payloads(&listed), expected);
                    });
                }
            )+
        }
    };
}

integers_are_listed! {
    keys_of_64_bits_make_the_payloads_that_serde_makes, longs: i64;
    keys_of_32_bits_make_the_payloads_that_serde_makes, integers: i32;
    keys_of_16_bits_make_the_payloads_that_serde_makes, shorts: i16;
    keys_of_8_bits_make_the_payloads_that_serde_makes, bytes: i8;
    unsigned_keys_make_the_payloads_that_serde_makes, unsigned: u32;
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(48))]
    #[test]
    fn texts_are_listed_as_they_are(keys in vec(prop_oneof!["\\PC*", ".*", "[\u{0}-\u{1f}\"\\\\/]*"], 0..30)) {
        runtime().block_on(async {
            let literal = |key: &String| {
                let bytes: Vec<_> = key.bytes().map(|byte| format!("{byte:02x}")).collect();
                format!("CAST(x'{}' AS TEXT)", bytes.concat())
            };
            let db = table(&keys.iter().map(literal).collect::<Vec<_>>()).await;
            let listed = listed::<texts::Entity>(&db).await;
            let mut keys = keys;
            keys.sort_unstable();
            keys.dedup();
            assert_eq!(listed, keys.into_iter().map(Key::new).collect::<Vec<_>>());
        });
    }
}

#[tokio::test]
async fn values_of_another_type_are_not_listed() {
    for value in ["'1'", "1.5", "NULL", "x'31'", "9e18", "'a'"] {
        let db = table(&["1".to_owned(), value.to_owned()]).await;
        assert_eq!(list::<longs::Entity>(&db).await, None, "{value}");
    }
    for value in ["1", "1.5", "NULL", "x'31'"] {
        let db = table(&["'a'".to_owned(), value.to_owned()]).await;
        assert_eq!(list::<texts::Entity>(&db).await, None, "{value}");
    }
    let db = table(&["2147483648".to_owned()]).await;
    assert_eq!(list::<integers::Entity>(&db).await, None, "out of range");
}

#[tokio::test]
async fn a_text_is_the_last_by_the_columns_collation() {
    let db = empty().await;
    db.execute_unprepared("CREATE TABLE t (id TEXT PRIMARY KEY COLLATE NOCASE)").await.unwrap();
    db.execute_unprepared("INSERT INTO t VALUES ('a'), ('B'), ('c')").await.unwrap();
    assert_eq!(listed::<texts::Entity>(&db).await, ["a", "B", "c"].map(|key| Key::new(key.to_owned())));
}

#[test]
fn other_keys_are_read_as_rows() {
    assert!(KeyList::<booleans::Entity>::new(DbBackend::Sqlite).is_none());
    assert!(KeyList::<floats::Entity>::new(DbBackend::Sqlite).is_none());
    assert!(KeyList::<longs::Entity>::new(DbBackend::Postgres).is_none());
}

#[tokio::test]
async fn a_query_that_fails_lists_nothing() {
    let db = table(&[]).await;
    let query = next_keys(longs::Entity::find().filter(Expr::cust("no_such_function()")), None, 1).into_query();
    assert_eq!(KeyList::<longs::Entity>::new(DbBackend::Sqlite).unwrap().read(&db, &query).await, None);
    assert_eq!(list::<longs::Entity>(&db).await, Some(Vec::new()));
}
