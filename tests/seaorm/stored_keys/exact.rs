//! Keys that the database stores as given: they are not read back.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering::SeqCst};

use async_trait::async_trait;
use redstream_seaorm::StreamedConnection;
use sea_orm::{ActiveModelTrait, ActiveValue, ModelTrait, Set, TransactionTrait};

use super::{town, towns};
use crate::seaorm::city::{renamed, with_key};
use crate::seaorm::world::World;
use crate::seaorm::wrappers::{Interference, Interfering};
use crate::support::Backend;

mod village {
    use redstream_seaorm::Streamed;
    use sea_orm::entity::prelude::*;

    #[derive(Clone, Debug, PartialEq, Eq, DeriveEntityModel, Streamed)]
    #[sea_orm(table_name = "towns")]
    #[streamed(exact_key)]
    pub(super) struct Model {
        #[sea_orm(primary_key, auto_increment = false)]
        pub(super) name: String,
        pub(super) size: i32,
    }

    #[derive(Copy, Clone, Debug, EnumIter, DeriveRelation)]
    pub(super) enum Relation {}
}

/// Counts statements in transactions, including those of saves' own transactions.
#[derive(Debug, Default)]
struct Counted(AtomicUsize);

#[async_trait]
impl Interference for Counted {
    async fn after_statement_within(&self) {
        self.0.fetch_add(1, SeqCst);
    }
}

type Db = StreamedConnection<Interfering<sea_orm::DatabaseConnection>>;

/// How many statements each save takes: an insert, an update, a delete; each on the connection and in a transaction.
async fn statements(counted: &Counted, db: &Db) -> Vec<usize> {
    let mut statements = Vec::new();
    let mut next = || statements.push(counted.0.swap(0, SeqCst));
    let model = with_key(1, "Rome").insert(db).await.unwrap();
    next();
    renamed(&model, "Roma").update_without_returning(db).await.unwrap();
    next();
    model.delete(db).await.unwrap();
    next();
    let txn = db.begin().await.unwrap();
    let model = with_key(2, "Rome").insert(&txn).await.unwrap();
    next();
    renamed(&model, "Roma").update_without_returning(&txn).await.unwrap();
    next();
    model.delete(&txn).await.unwrap();
    next();
    txn.commit().await.unwrap();
    statements
}

on_each_database! {
    async fn a_save_of_an_integer_key_takes_its_own_statement_and_no_other(test: TestDb) {
        let world = World::new(&test).await;
        let counted = Arc::new(Counted::default());
        let db = world.interfered(counted.clone());
        // MariaDB has SeaORM read the inserted row again: outside the save's own transaction, and within that of the
        // caller.
        let insert = if test.backend() == Backend::MariaDb { 2 } else { 1 };
        assert_eq!(statements(&counted, &db).await, [1, 1, 1, insert, 1, 1]);
    }

    async fn a_text_key_costs_a_look_before_a_write_and_one_after_it_where_no_row_comes_back(test: TestDb) {
        let world = World::of_towns(&test).await;
        let counted = Arc::new(Counted::default());
        let db = world.interfered(counted.clone());
        town::of("Ada", 1).insert(&db).await.unwrap();
        // SQLite's RETURNING does not include changes by triggers, MariaDB has none.
        assert_eq!(counted.0.swap(0, SeqCst), if test.backend() == Backend::Postgres { 1 } else { 2 });
        let update = town::ActiveModel { name: ActiveValue::Unchanged("Ada".to_owned()), size: Set(2) };
        update.update(&db).await.unwrap();
        let lock = usize::from(test.backend() == Backend::Sqlite);
        assert_eq!(counted.0.swap(0, SeqCst), lock + if test.backend() == Backend::Postgres { 2 } else { 3 });
        town::Model { name: "Ada".to_owned(), size: 2 }.delete(&db).await.unwrap();
        assert_eq!(counted.0.swap(0, SeqCst), lock + 2);
    }

    async fn a_text_key_that_is_declared_exact_costs_nothing_and_is_announced_as_it_was_given(test: TestDb) {
        let world = World::of_towns(&test).await;
        let counted = Arc::new(Counted::default());
        let db = world.interfered(counted.clone());
        world.town("Ada").await;
        let update = village::ActiveModel { name: ActiveValue::Unchanged("ADA".to_owned()), size: Set(2) };
        update.update_without_returning(&db).await.unwrap();
        village::Model { name: "ADA".to_owned(), size: 2 }.delete(&db).await.unwrap();
        assert_eq!(counted.0.load(SeqCst), 2);
        assert_eq!(world.payloads("towns").await, towns(&["ADA", "ADA"]));
    }
}
