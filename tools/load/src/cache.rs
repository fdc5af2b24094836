//! The second datastore: a cache in a separate Redis. Each item is a hash field with its version and its value.

use std::collections::BTreeMap;
use std::time::Duration;

use anyhow::Context as _;
use redis::aio::MultiplexedConnection;
use redis::{AsyncConnectionConfig, Client, Script};
use redstream_seaorm::{BoxError, Changes, HandlerError, Sink};

use crate::item;

const KEY: &str = "items";
/// The time limit of a batch.
const PATIENCE: Duration = Duration::from_secs(10);

/// KEYS\[1\] the hash; ARGV\[1\] the version of all, then id and value of each, without a value if it was deleted.
/// Versions have the same number of digits for centuries, so text compares as numbers do.
const PUT: &str = "
    local version = ARGV[1]
    for i = 2, #ARGV, 2 do
        local there = redis.call('HGET', KEYS[1], ARGV[i])
        if not there or version >= string.match(there, '^[0-9]+') then
            redis.call('HSET', KEYS[1], ARGV[i], version .. ' ' .. ARGV[i + 1])
        end
    end";

#[derive(Clone)]
pub(crate) struct Cache(MultiplexedConnection);

impl Sink<item::Entity> for Cache {
    async fn write(&self, changes: Changes<item::Entity>) -> Result<(), HandlerError> {
        let script = Script::new(PUT);
        let mut put = script.key(KEY);
        put.arg(changes.version);
        for (_, item) in &changes.upserts {
            put.arg(item.id).arg(item.value);
        }
        for key in &changes.deletes {
            put.arg(key.value()).arg("");
        }
        put.invoke_async::<()>(&mut self.0.clone()).await.map_err(BoxError::from)?;
        Ok(())
    }
}

impl Cache {
    pub(crate) async fn connect(url: &str) -> anyhow::Result<Self> {
        let patient = AsyncConnectionConfig::new().set_response_timeout(Some(PATIENCE));
        let connection = Client::open(url)?.get_multiplexed_async_connection_with_config(&patient).await;
        Ok(Self(connection.context("cannot use the Redis of the cache")?))
    }

    /// Its content without tombstones.
    pub(crate) async fn items(&self) -> anyhow::Result<BTreeMap<i64, i64>> {
        let fields: Vec<(i64, String)> = redis::cmd("HGETALL").arg(KEY).query_async(&mut self.0.clone()).await?;
        let items = fields.iter().filter_map(|(id, field)| {
            let (_, value) = field.split_once(' ')?;
            (!value.is_empty()).then(|| Ok((*id, value.parse()?)))
        });
        items.collect()
    }
}
