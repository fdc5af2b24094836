//! A transaction ends when the server says so: an ended transaction refuses all later statements, and statements that
//! would end one are refused.

mod control;
mod deadlock;
mod dropped;
mod engine;
mod failed;
mod implicit;
mod nested;
mod procedure;
mod rolled_back;

use sea_orm::{ActiveModelTrait, ConnectOptions, ConnectionTrait, Database, DbErr, EntityTrait, TransactionTrait};

use redstream_seaorm::{BypassGuard, Error, StreamedConnection, StreamedTransaction};

use super::city::{self, with_key};
use super::world::World;
use crate::support::TestDb;

/// A streamed connection to the world's table, with one underlying connection: the next transaction finds what the
/// previous one left.
async fn of_one_connection(world: &World, db: &TestDb) -> StreamedConnection {
    let mut options = ConnectOptions::new(db.url());
    options.max_connections(1).sqlx_logging(false);
    let plain = Database::connect(options).await.unwrap();
    StreamedConnection::builder(plain, world.db.producer().clone()).guard(BypassGuard::Off).build()
}

/// The error of a transaction that the database has ended.
fn is_ended(error: &DbErr) {
    assert_carries!(error, Error::TransactionEnded);
}

/// Every operation is refused.
async fn all_is_refused(transaction: &StreamedTransaction) {
    let refusals = [
        with_key(501, "retried").insert(transaction).await.map(drop),
        city::Entity::find().one(transaction).await.map(drop),
        transaction.execute_unprepared("SELECT 1").await.map(drop),
        transaction.begin().await.map(drop),
    ];
    for refusal in refusals {
        is_ended(&refusal.unwrap_err());
    }
}

/// The underlying connection can be used as if nothing had happened.
async fn works(db: &StreamedConnection, world: &World) {
    let given_up = db.begin().await.unwrap();
    with_key(601, "given up").insert(&given_up).await.unwrap();
    given_up.rollback().await.unwrap();
    with_key(602, "alone").insert(db).await.unwrap();
    let outer = db.begin().await.unwrap();
    let inner = outer.begin().await.unwrap();
    with_key(603, "inner").insert(&inner).await.unwrap();
    inner.commit().await.unwrap();
    outer.commit().await.unwrap();
    let found = [world.row(601).await.is_some(), world.row(602).await.is_some(), world.row(603).await.is_some()];
    assert_eq!(found, [false, true, true]);
}
