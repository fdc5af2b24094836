//! Keys that the database stores differently from how it was given them, or compares more loosely than Rust does: the
//! stored key is announced, and no document is deleted while its row exists.

mod exact;
mod loose;
mod moved;
mod order;
mod padded;
mod raced;
mod rewritten;
mod spellings;
mod zones;

use std::sync::{Arc, Mutex};

use redstream_seaorm::{Changes, HandlerError, Indexer, Progress, Sink, Streamed};
use sea_orm::{ConnectionTrait, EntityTrait};
use serde_json::{Value, json};

use super::world::World;
use crate::support::{Backend, TestDb};

mod town {
    use redstream_seaorm::Streamed;
    use sea_orm::Set;
    use sea_orm::entity::prelude::*;

    #[derive(Clone, Debug, PartialEq, Eq, DeriveEntityModel, Streamed)]
    #[sea_orm(table_name = "towns")]
    pub(super) struct Model {
        #[sea_orm(primary_key, auto_increment = false)]
        pub(super) name: String,
        pub(super) size: i32,
    }

    #[derive(Copy, Clone, Debug, EnumIter, DeriveRelation)]
    pub(super) enum Relation {}

    pub(super) fn of(name: &str, size: i32) -> ActiveModel {
        ActiveModel { name: Set(name.to_owned()), size: Set(size) }
    }
}

/// The names that an indexer gave its sink.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
struct Written {
    upserts: Vec<String>,
    deletes: Vec<String>,
    respelled: Vec<String>,
}

#[derive(Clone, Default)]
struct Taken(Arc<Mutex<Written>>);

impl Sink<town::Entity> for Taken {
    async fn write(&self, changes: Changes<town::Entity>) -> Result<(), HandlerError> {
        let mut taken = self.0.lock().unwrap();
        taken.upserts.extend(changes.upserts.into_iter().map(|(_, town)| town.name));
        taken.deletes.extend(changes.deletes.iter().map(redstream_seaorm::Key::value));
        taken.respelled.extend(changes.respelled.iter().map(redstream_seaorm::Key::value));
        Ok(())
    }
}

/// Indexes all main messages of towns.
async fn index(world: &World) -> Written {
    let sink = Taken::default();
    let indexer = Indexer::<town::Entity, _, _>::new(world.plain.clone(), sink.clone());
    let consumer = world.redstream.stream(town::Entity::stream()).unwrap().consumer("search", indexer);
    while consumer.run_once().await.unwrap() != Progress::Idle {}
    let mut written = sink.0.lock().unwrap().clone();
    for names in [&mut written.upserts, &mut written.deletes, &mut written.respelled] {
        names.sort();
    }
    written
}

fn names(names: &[&str]) -> Vec<String> {
    names.iter().map(|name| (*name).to_owned()).collect()
}

/// The payloads of these towns.
fn towns(names: &[&str]) -> Vec<Value> {
    names.iter().map(|name| json!({ "name": name })).collect()
}

impl World {
    /// With a table of towns whose names the database compares without regard to case.
    async fn of_towns(db: &TestDb) -> Self {
        let world = Self::new(db).await;
        let statements = match db.backend() {
            Backend::Sqlite => "CREATE TABLE towns (name TEXT COLLATE NOCASE PRIMARY KEY, size INT NOT NULL)",
            Backend::Postgres => {
                "CREATE COLLATION loose (provider = icu, locale = 'und-u-ks-level2', deterministic = false); \
                 CREATE TABLE towns (name TEXT COLLATE loose PRIMARY KEY, size INT NOT NULL)"
            }
            Backend::MariaDb => {
                "CREATE TABLE towns (name VARCHAR(50) COLLATE utf8mb4_general_ci PRIMARY KEY, size INT NOT NULL)"
            }
        };
        world.run(statements).await;
        world
    }

    /// Runs SQL without Redstream.
    async fn run(&self, sql: &str) {
        let done = self.plain.execute_unprepared(sql).await;
        done.unwrap_or_else(|error| panic!("{sql}: {error}"));
    }

    /// A town that existed before the test.
    async fn town(&self, name: &str) {
        self.run(&format!("INSERT INTO towns (name, size) VALUES ('{name}', 1)")).await;
    }

    async fn town_names(&self) -> Vec<String> {
        let mut names: Vec<_> =
            town::Entity::find().all(&self.plain).await.unwrap().into_iter().map(|town| town.name).collect();
        names.sort();
        names
    }
}
