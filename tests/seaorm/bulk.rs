//! Bulk operations: their keys are insured before the commit and announced after it, in each form.
mod account;
mod at_once;
mod closure;
mod concurrent;
mod failing;
mod insert;
mod line;
mod million;
mod nested;
mod query;
mod renamed;
mod returning;
mod snapshot;
mod upsert;

use std::time::{Duration, Instant};

use redstream_seaorm::Error;
use sea_orm::{ColumnTrait, DbErr, EntityTrait, QueryFilter};
use serde_json::Value;

use super::city;
use super::world::World;
use crate::support::TestDb;

/// How long a bulk operation may take to notice that Redis does not answer.
const BOUND: Duration = Duration::from_secs(5);

/// No keys.
const NONE: [i64; 0] = [];

/// A world with cities of the keys from 1 to `count`, all of one name, not announced.
async fn world_of(test: &TestDb, count: i64) -> World {
    fill(World::new(test).await, count).await
}

async fn fill(world: World, count: i64) -> World {
    let keys: Vec<i64> = (1..=count).collect();
    for keys in keys.chunks(5000) {
        let cities = keys.iter().map(|key| city::with_key(*key, "old"));
        city::Entity::insert_many(cities).exec_without_returning(&world.plain).await.unwrap();
    }
    world
}

impl World {
    /// The keys of the cities of this name.
    async fn keys_of(&self, name: &str) -> Vec<i64> {
        let found = city::Entity::find().filter(city::Column::Name.eq(name)).all(&self.plain).await.unwrap();
        let mut keys: Vec<i64> = found.into_iter().map(|city| city.id).collect();
        keys.sort_unstable();
        keys
    }
}

/// Takes no longer than the bound, and the error says why Redis has not accepted the messages.
fn assert_not_insured<R: std::fmt::Debug>(started: Instant, outcome: Result<R, DbErr>) {
    assert_carries!(outcome.unwrap_err(), Error::NotInsured(_));
    assert!(started.elapsed() < BOUND, "it took {:?}", started.elapsed());
}

fn sorted(mut payloads: Vec<Value>) -> Vec<Value> {
    payloads.sort_by_key(ToString::to_string);
    payloads
}
