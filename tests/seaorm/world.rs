//! The fixture of a test of the adapter: a table, a streamed connection to it, and a view of Redis.

use std::sync::{Arc, Mutex};

use redis::aio::MultiplexedConnection;
use redis::streams::StreamRangeReply;
use redstream_core::{ConnectOptions, Redstream, Stream};
use redstream_seaorm::{BypassGuard, StreamedConnection};
use sea_orm::{ConnectionTrait, DatabaseConnection, EntityTrait, PaginatorTrait, Schema};
use serde_json::{Value, json};
use std::time::Duration;

use super::city;
use super::wrappers::{Interference, Interfering};
use crate::support::{TestDb, eventually, namespace, raw_redis, redis_url};

/// The bound on every wait that should end by itself.
pub(crate) const SOON: Duration = Duration::from_secs(10);

/// How long a call to a Redis that does not answer may take.
pub(crate) const GIVE_UP: Duration = Duration::from_millis(500);

/// A table `cities`, and what its stream holds.
pub(crate) struct World {
    pub(crate) db: StreamedConnection,
    /// The wrapped connection.
    pub(crate) plain: DatabaseConnection,
    pub(crate) redstream: Redstream,
    url: String,
    namespace: String,
    raw: Mutex<Option<MultiplexedConnection>>,
}

impl World {
    /// On the shared Redis.
    pub(crate) async fn new(db: &TestDb) -> Self {
        Self::patient_at(db, &redis_url()).await
    }

    /// On a Redis of the test's own, given up after half a second without an answer.
    pub(crate) async fn at(db: &TestDb, url: &str) -> Self {
        Self::with(db, url, |options| options.give_up_after(GIVE_UP)).await
    }

    /// On this Redis, given up after the default time.
    pub(crate) async fn patient_at(db: &TestDb, url: &str) -> Self {
        Self::with(db, url, |options| options).await
    }

    /// On a Redis that need not answer yet.
    pub(crate) async fn lazily_at(db: &TestDb, url: &str) -> Self {
        Self::with(db, url, |options| options.give_up_after(GIVE_UP).lazy()).await
    }

    async fn with(db: &TestDb, url: &str, set: impl FnOnce(ConnectOptions) -> ConnectOptions) -> Self {
        let namespace = namespace();
        let redstream = Redstream::connect(set(ConnectOptions::new(url).namespace(&namespace))).await.unwrap();
        let plain = db.connection();
        let world = Self {
            // No test bypasses the hooks unless it says so.
            db: StreamedConnection::builder(plain.clone(), redstream.producer()).guard(BypassGuard::Deny).build(),
            plain,
            redstream,
            url: url.to_owned(),
            namespace,
            raw: Mutex::default(),
        };
        world.create(city::Entity).await;
        world
    }

    /// A streamed connection to the same table, with an interference in its commits.
    pub(crate) fn interfered(
        &self,
        with: Arc<impl Interference>,
    ) -> StreamedConnection<Interfering<DatabaseConnection>> {
        let below = Interfering::new(self.plain.clone(), with);
        StreamedConnection::builder(below, self.redstream.producer()).guard(BypassGuard::Deny).build()
    }

    /// Creates the entity's table.
    pub(crate) async fn create<E: EntityTrait>(&self, entity: E) {
        let schema = Schema::new(self.plain.get_database_backend());
        self.plain.execute(&schema.create_table_from_entity(entity)).await.unwrap();
    }

    /// A city that existed before the test and was not announced.
    pub(crate) async fn existing(&self, id: i64, name: &str) -> city::Model {
        city::Entity::insert(city::with_key(id, name)).exec_without_returning(&self.plain).await.unwrap();
        city::Model { id, name: name.to_owned() }
    }

    /// The prefix of all keys.
    pub(crate) fn namespace(&self) -> &str {
        &self.namespace
    }

    pub(crate) fn cities(&self) -> Stream {
        self.redstream.stream("cities").unwrap()
    }

    /// The city of this key, as other connections see it.
    pub(crate) async fn row(&self, id: i64) -> Option<city::Model> {
        city::Entity::find_by_id(id).one(&self.plain).await.unwrap()
    }

    pub(crate) async fn count(&self) -> u64 {
        city::Entity::find().count(&self.plain).await.unwrap()
    }

    pub(crate) async fn name(&self, id: i64) -> Option<String> {
        self.row(id).await.map(|city| city.name)
    }

    /// The payloads of the main messages of cities.
    pub(crate) async fn main(&self) -> Vec<Value> {
        self.payloads("cities").await
    }

    /// The payloads of the delay messages of cities.
    pub(crate) async fn delay(&self) -> Vec<Value> {
        self.payloads("cities.delay").await
    }

    /// The payloads in a stream, in its order.
    pub(crate) async fn payloads(&self, stream: &str) -> Vec<Value> {
        let key = format!("{}:redstream:stream:{stream}", self.namespace);
        let range = redis::cmd("XRANGE").arg(key).arg("-").arg("+").to_owned();
        let mut found = range.query_async(&mut self.raw().await).await;
        if found.is_err() {
            // The server was killed since the last call.
            self.raw.lock().unwrap().take();
            found = range.query_async(&mut self.raw().await).await;
        }
        let StreamRangeReply { ids, .. } = found.unwrap();
        let texts = ids.iter().map(|entry| entry.get::<String>("payload").or_else(|| entry.get("payloads")).unwrap());
        texts
            .flat_map(|text| text.lines().map(|line| serde_json::from_str(line).unwrap()).collect::<Vec<_>>())
            .collect()
    }

    /// Waits until the main messages are these.
    pub(crate) async fn announced(&self, payloads: &[Value]) {
        eventually(SOON, &format!("the main messages {payloads:?}"), async || self.main().await == payloads).await;
    }

    /// Queues a message of its own, which follows all earlier ones, and checks that it is the only one.
    pub(crate) async fn nothing_is_announced(&self) {
        self.nothing_is_announced_but([]).await;
    }

    /// The same, with these messages, in any order, before it.
    pub(crate) async fn nothing_is_announced_but(&self, keys: impl IntoIterator<Item = i64>) {
        const LAST: i64 = 999_999;
        self.db.producer().queue(self.cities().name(), &id(LAST)).await.unwrap();
        let mut announced: Vec<i64> = self.main().await.iter().map(|payload| payload["id"].as_i64().unwrap()).collect();
        assert_eq!(announced.pop(), Some(LAST));
        announced.sort_unstable();
        assert_eq!(announced, keys.into_iter().collect::<Vec<_>>());
    }

    /// Waits until the delay messages are these.
    pub(crate) async fn insured(&self, payloads: &[Value]) {
        eventually(SOON, &format!("the delay messages {payloads:?}"), async || self.delay().await == payloads).await;
    }

    async fn raw(&self) -> MultiplexedConnection {
        let known = self.raw.lock().unwrap().clone();
        let Some(raw) = known else {
            let mut raw = raw_redis(&self.url).await;
            raw.set_response_timeout(SOON);
            return self.raw.lock().unwrap().insert(raw).clone();
        };
        raw
    }
}

/// The payload of a city's messages.
pub(crate) fn id(id: i64) -> Value {
    json!({ "id": id })
}

pub(crate) fn ids(keys: impl IntoIterator<Item = i64>) -> Vec<Value> {
    keys.into_iter().map(id).collect()
}
