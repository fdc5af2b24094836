//! The indexer: keys in, rows and deletes out.

mod ahead;
mod failing;
mod loading;

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex};

use redstream_seaorm::{
    Changes, HandlerError, Indexer, MessageId, Progress, Redstream, SaveInTransaction, Sink, Streamed,
    StreamedConnection,
};
use sea_orm::{
    ActiveModelTrait, ColumnTrait, ConnectionTrait, EntityTrait, IntoActiveModel, ModelTrait, QueryFilter, Schema, Set,
    TransactionTrait,
};
use serde_json::{Value, json};

use crate::support::*;

mod city {
    use redstream_seaorm::Streamed;
    use sea_orm::entity::prelude::*;

    #[derive(Clone, Debug, PartialEq, DeriveEntityModel, Streamed)]
    #[sea_orm(table_name = "cities")]
    pub(crate) struct Model {
        #[sea_orm(primary_key)]
        pub(crate) id: i64,
        pub(crate) name: String,
    }

    #[derive(Copy, Clone, Debug, EnumIter, DeriveRelation)]
    pub(crate) enum Relation {}
}

mod line {
    use redstream_seaorm::Streamed;
    use sea_orm::entity::prelude::*;

    #[derive(Clone, Debug, PartialEq, DeriveEntityModel, Streamed)]
    #[sea_orm(table_name = "order_lines")]
    pub(crate) struct Model {
        #[sea_orm(primary_key, auto_increment = false)]
        pub(crate) order_number: i32,
        #[sea_orm(primary_key, auto_increment = false)]
        pub(crate) article: String,
        pub(crate) amount: i32,
    }

    #[derive(Copy, Clone, Debug, EnumIter, DeriveRelation)]
    pub(crate) enum Relation {}
}

/// A datastore in memory, by key; stores the last writes.
#[derive(Clone, Default)]
struct Store {
    documents: Arc<Mutex<BTreeMap<String, Value>>>,
    writes: Arc<Mutex<Vec<(usize, usize, u64)>>>,
}

impl Store {
    fn documents(&self) -> BTreeMap<String, Value> {
        self.documents.lock().unwrap().clone()
    }

    /// Upserts, deletes and version of each write.
    fn writes(&self) -> Vec<(usize, usize, u64)> {
        self.writes.lock().unwrap().clone()
    }

    fn take<E: Streamed>(&self, changes: &Changes<E>, document: impl Fn(&E::Model) -> (String, Value)) {
        self.writes.lock().unwrap().push((changes.upserts.len(), changes.deletes.len(), changes.version));
        let mut documents = self.documents.lock().unwrap();
        documents.extend(changes.upserts.iter().map(|(_, row)| document(row)));
        for key in &changes.deletes {
            documents.remove(&key.to_json().to_string());
        }
    }
}

impl Sink<city::Entity> for Store {
    async fn write(&self, changes: Changes<city::Entity>) -> Result<(), HandlerError> {
        self.take(&changes, |city| (json!({ "id": city.id }).to_string(), json!(city.name)));
        Ok(())
    }
}

impl Sink<line::Entity> for Store {
    async fn write(&self, changes: Changes<line::Entity>) -> Result<(), HandlerError> {
        self.take(&changes, |line| {
            (json!({ "order_number": line.order_number, "article": line.article }).to_string(), json!(line.amount))
        });
        Ok(())
    }
}

async fn create<E: EntityTrait>(db: &TestDb, redstream: &Redstream, entity: E) -> StreamedConnection {
    let inner = db.connection();
    let backend = ConnectionTrait::get_database_backend(&inner);
    inner.execute(&Schema::new(backend).create_table_from_entity(entity)).await.unwrap();
    StreamedConnection::new(inner, redstream.producer())
}

fn named(name: &str) -> city::ActiveModel {
    city::ActiveModel { name: Set(name.to_owned()), ..Default::default() }
}

on_each_database! {
    async fn rows_that_exist_are_upserts_and_those_that_are_gone_deletes(test: TestDb) {
        let redstream = redstream().await;
        let db = create(&test, &redstream, city::Entity).await;
        let store = Store::default();
        let consumer = redstream.stream("cities").unwrap().consumer("search", Indexer::<city::Entity, _, _>::new(db.clone(), store.clone()));

        let txn = db.begin().await.unwrap();
        let ulm = named("Ulm").insert(&txn).await.unwrap();
        let bonn = named("Bonn").insert(&txn).await.unwrap();
        txn.commit().await.unwrap();
        consumer.run_once().await.unwrap();
        assert_eq!(store.documents().into_values().collect::<Vec<_>>(), [json!("Ulm"), json!("Bonn")]);

        let mut renamed = bonn.clone().into_active_model();
        renamed.name = Set("Bonna".to_owned());
        renamed.update(&db).await.unwrap();
        ulm.delete(&db).await.unwrap();
        consumer.run_once().await.unwrap();

        assert_eq!(store.documents(), BTreeMap::from([(json!({ "id": bonn.id }).to_string(), json!("Bonna"))]));
        let writes = store.writes();
        assert_eq!(writes.iter().map(|w| (w.0, w.1)).collect::<Vec<_>>(), [(2, 0), (1, 1)]);
        assert!(writes[0].2 < writes[1].2, "versions grow: {writes:?}");
    }

    async fn doubles_are_read_and_written_once(test: TestDb) {
        let redstream = redstream().await;
        let db = create(&test, &redstream, city::Entity).await;
        let store = Store::default();
        let cities = redstream.stream("cities").unwrap();
        let mut city = named("0").insert_tx(&db).await.unwrap().into_active_model();
        for n in 1..5 {
            city.name = Set(n.to_string());
            city = city.update(&db).await.unwrap().into_active_model();
        }
        let consumer = cities.consumer("search", Indexer::<city::Entity, _, _>::new(db, store.clone()));
        assert_eq!(consumer.run_once().await.unwrap(), Progress::Handled(5));
        assert_eq!(store.writes().iter().map(|w| (w.0, w.1)).collect::<Vec<_>>(), [(1, 0)]);
        assert_eq!(store.documents().into_values().collect::<Vec<_>>(), [json!("4")]);
    }

    async fn composite_keys_are_found_in_any_number(test: TestDb) {
        let redstream = redstream().await;
        let db = create(&test, &redstream, line::Entity).await;
        let store = Store::default();
        let txn = db.begin().await.unwrap();
        for n in 0..1000 {
            let article = format!("a{}", n % 7);
            let line = line::ActiveModel { order_number: Set(n), article: Set(article), amount: Set(n) };
            line.insert(&txn).await.unwrap();
        }
        txn.commit().await.unwrap();
        let gone = line::Entity::find_by_id((8, "a1".to_owned())).one(&db).await.unwrap().expect("it was inserted");
        gone.delete(&db).await.unwrap();

        let consumer = redstream.stream("order_lines").unwrap().consumer("search", Indexer::<line::Entity, _, _>::new(db, store.clone()));
        while consumer.run_once().await.unwrap() != Progress::Idle {}
        let documents = store.documents();
        assert_eq!(documents.len(), 999);
        assert_eq!(documents[&json!({"order_number": 15, "article": "a1"}).to_string()], 15);
    }

    async fn a_payload_without_the_key_is_a_dead_letter_and_the_rest_goes_on(test: TestDb) {
        let redstream = redstream().await;
        let db = create(&test, &redstream, city::Entity).await;
        let cities = redstream.stream("cities").unwrap();
        let store = Store::default();
        named("Ulm").insert_tx(&db).await.unwrap();
        for payload in [json!({"id": "text"}), json!({"other": 1}), json!([1])] {
            redstream.producer().queue(cities.name(), &payload).await.unwrap();
        }
        named("Bonn").insert_tx(&db).await.unwrap();

        let shutdown = redstream_seaorm::CancellationToken::new();
        let running = tokio::spawn({
            let (consumer, shutdown) = (cities.consumer("search", Indexer::<city::Entity, _, _>::new(db, store.clone())), shutdown.clone());
            async move { consumer.run(shutdown).await }
        });
        let bound = std::time::Duration::from_secs(10);
        eventually(bound, "the whole stream", async || cities.lag("search").await.unwrap() == 0).await;
        shutdown.cancel();
        running.await.unwrap().unwrap();
        assert_eq!(store.documents().into_values().collect::<Vec<_>>(), [json!("Ulm"), json!("Bonn")]);
        let letters = cities.dead_letters("search").unwrap();
        assert_eq!(letters.list(MessageId::MIN, 10).await.unwrap().len(), 3);
    }
}
