//! A wrapper that runs statements in a task of their own: the permit of a hook for the next statement of its task does
//! not apply to them.

use async_trait::async_trait;
use redstream_seaorm::{BypassGuard, Error, Insurance, StreamedConnection, outbox};
use sea_orm::{ActiveModelTrait, ConnectionTrait, DbBackend, DbErr, ExecResult, ModelTrait, QueryResult, Statement};
use serde_json::Value;

use super::city::{named, renamed, with_key};
use super::world::{World, id, ids};
use crate::support::{Logs, private_redis};

/// Runs every statement in a new task.
#[derive(Clone, Debug)]
struct Elsewhere(StreamedConnection);

/// Runs the same call of a clone in a new task.
macro_rules! elsewhere {
    ($self:ident.$method:ident($argument:expr)) => {{
        let (inner, argument) = ($self.0.clone(), $argument);
        tokio::spawn(async move { inner.$method(argument).await }).await.unwrap()
    }};
}

#[async_trait]
impl ConnectionTrait for Elsewhere {
    fn get_database_backend(&self) -> DbBackend {
        self.0.get_database_backend()
    }

    async fn execute_raw(&self, stmt: Statement) -> Result<ExecResult, DbErr> {
        elsewhere!(self.execute_raw(stmt))
    }

    async fn execute_unprepared(&self, sql: &str) -> Result<ExecResult, DbErr> {
        let (inner, sql) = (self.0.clone(), sql.to_owned());
        tokio::spawn(async move { inner.execute_unprepared(&sql).await }).await.unwrap()
    }

    async fn query_one_raw(&self, stmt: Statement) -> Result<Option<QueryResult>, DbErr> {
        elsewhere!(self.query_one_raw(stmt))
    }

    async fn query_all_raw(&self, stmt: Statement) -> Result<Vec<QueryResult>, DbErr> {
        elsewhere!(self.query_all_raw(stmt))
    }

    fn support_returning(&self) -> bool {
        self.0.support_returning()
    }
}

/// The payloads in the outbox, in its order.
async fn in_the_outbox(world: &World) -> Vec<Value> {
    let select = "SELECT payload FROM redstream_outbox ORDER BY id";
    let rows = world.plain.query_all_raw(Statement::from_string(world.plain.get_database_backend(), select)).await;
    let payload = |row: &QueryResult| row.try_get::<String>("", "payload").unwrap();
    rows.unwrap().iter().map(|row| serde_json::from_str(&payload(row)).unwrap()).collect()
}

on_each_database! {
    async fn saves_are_insured_late_and_said_to_be(db: TestDb) {
        let logs = Logs::capture();
        let world = World::new(&db).await;
        let db = Elsewhere(world.db.to_builder().guard(BypassGuard::Off).build());
        let rome = named("Rom").insert(&db).await.unwrap();
        renamed(&rome, "Rome").update(&db).await.unwrap();
        with_key(2, "Oslo").insert(&db).await.unwrap();
        rome.delete(&db).await.unwrap();
        assert_eq!((world.delay().await, world.main().await), (ids([1, 1, 2, 1]), ids([1, 1, 2, 1])));
        assert!(logs.has(&["WARN", "cities", "in another task than its hook"]), "{}", logs.text());
        assert_eq!(logs.text().matches("in another task than its hook").count(), 1, "once: {}", logs.text());
    }

    async fn with_the_outbox_they_are_rows_of_it(db: TestDb) {
        let world = World::new(&db).await;
        outbox::create_table(&world.plain).await.unwrap();
        let streamed = world.db.to_builder().guard(BypassGuard::Off).insurance(Insurance::Outbox).build();
        let rome = named("Rom").insert(&Elsewhere(streamed.clone())).await.unwrap();
        rome.delete(&Elsewhere(streamed.clone())).await.unwrap();
        assert_eq!((world.delay().await, world.main().await), (ids([]), ids([])));
        assert_eq!(in_the_outbox(&world).await, ids([1, 1]));
        streamed.relay().run_once().await.unwrap();
        assert_eq!(world.main().await, [id(1)]);
    }

    async fn without_redis_they_are_rows_of_the_outbox_where_that_is_the_choice(db: TestDb) {
        let mut server = private_redis().await;
        let world = World::at(&db, &server.url()).await;
        outbox::create_table(&world.plain).await.unwrap();
        let streamed = world.db.to_builder().guard(BypassGuard::Off).insurance(Insurance::RedisElseOutbox).build();
        named("Rome").insert(&Elsewhere(streamed.clone())).await.unwrap();
        assert_eq!((world.main().await, in_the_outbox(&world).await), (ids([1]), ids([])));
        server.kill().unwrap();
        named("Oslo").insert(&Elsewhere(streamed)).await.unwrap();
        assert_eq!(in_the_outbox(&world).await, [id(2)]);
    }

    async fn where_bypasses_are_denied_they_are_refused(db: TestDb) {
        let world = World::new(&db).await;
        let refused = named("Rome").insert(&Elsewhere(world.db.clone())).await.unwrap_err();
        assert_carries!(refused, Error::Bypass { table, verb: "INSERT", view: None } if table == "cities");
        assert_eq!(world.count().await, 0);
        world.nothing_is_announced().await;
    }
}
