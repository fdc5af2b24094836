//! A stand-in for a process that runs the Ruby gem redstream 0.6: it only sends the gem's commands.

use std::time::Duration;

use redis::aio::MultiplexedConnection;
use redis::{AsyncConnectionConfig, Client};
use redstream_core::{CancellationToken, MessageId};
use serde_json::Value;

use super::Seen;

/// The gem's locks have this TTL, and it waits that long for a wake-up.
pub(super) const TTL: Duration = Duration::from_secs(5);

/// How long it waits for a message before it checks whether it should stop.
const NEWS: Duration = Duration::from_millis(500);

/// The gem's batch.
const BATCH: usize = 1000;

type Entry = (String, Vec<(String, String)>);

pub(super) struct Gem {
    redis: MultiplexedConnection,
    /// For blocking commands.
    waiting: MultiplexedConnection,
    base: String,
    token: String,
}

impl Gem {
    pub(super) async fn new(url: &str, namespace: &str) -> Self {
        let client = Client::open(url).unwrap();
        let endless = AsyncConnectionConfig::new().set_response_timeout(None);
        Self {
            redis: client.get_multiplexed_async_connection().await.unwrap(),
            waiting: client.get_multiplexed_async_connection_with_config(&endless).await.unwrap(),
            base: format!("{namespace}:redstream"),
            token: uuid::Uuid::new_v4().simple().to_string(),
        }
    }

    pub(super) async fn delay(&mut self, stream: &str, payload: &Value) -> MessageId {
        self.add(&format!("{stream}.delay"), payload.to_string()).await
    }

    pub(super) async fn queue(&mut self, stream: &str, payload: &Value) -> MessageId {
        self.add(stream, payload.to_string()).await
    }

    async fn add(&mut self, stream: &str, payload: String) -> MessageId {
        let key = format!("{}:stream:{stream}", self.base);
        let xadd = redis::cmd("XADD").arg(key).arg("*").arg("payload").arg(payload).to_owned();
        xadd.query_async::<String>(&mut self.redis).await.unwrap().parse().unwrap()
    }

    pub(super) fn consumer_lock(&self, stream: &str, consumer: &str) -> String {
        format!("{}:lock:consumer:{stream}:{consumer}", self.base)
    }

    pub(super) async fn acquire(&mut self, lock: &str) -> bool {
        let ttl = TTL.as_millis().to_string();
        let set = redis::cmd("SET").arg(lock).arg(&self.token).arg("NX").arg("PX").arg(ttl).to_owned();
        set.query_async::<Option<String>>(&mut self.redis).await.unwrap().is_some()
    }

    /// Regardless of the owner: the gem does not check it.
    pub(super) async fn extend(&mut self, lock: &str) {
        redis::cmd("PEXPIRE").arg(lock).arg(TTL.as_millis().to_string()).exec_async(&mut self.redis).await.unwrap();
    }

    pub(super) async fn release(&mut self, lock: &str) {
        let script = "if redis.call('get', KEYS[1]) == ARGV[1] then redis.call('del', KEYS[1], KEYS[2]) \
                      redis.call('rpush', KEYS[2], '1') redis.call('pexpire', KEYS[2], 5000) end";
        let release = redis::cmd("EVAL").arg(script).arg(2).arg(lock).arg(format!("{lock}.notify")).to_owned();
        release.clone().arg(&self.token).exec_async(&mut self.redis).await.unwrap();
    }

    /// Until a release wakes it, or the time is over.
    pub(super) async fn wait(&mut self, lock: &str) {
        let brpop = redis::cmd("BRPOP").arg(format!("{lock}.notify")).arg(TTL.as_secs()).to_owned();
        let _woken: Option<(String, String)> = brpop.query_async(&mut self.waiting).await.unwrap();
    }

    pub(super) async fn offset(&mut self, stream: &str, consumer: &str) -> Option<String> {
        redis::cmd("GET")
            .arg(format!("{}:offset:{stream}:{consumer}", self.base))
            .query_async(&mut self.redis)
            .await
            .unwrap()
    }

    /// Unfenced, in either direction.
    pub(super) async fn commit(&mut self, stream: &str, consumer: &str, id: &str) {
        let key = format!("{}:offset:{stream}:{consumer}", self.base);
        redis::cmd("SET").arg(key).arg(id).exec_async(&mut self.redis).await.unwrap();
    }

    pub(super) async fn read(&mut self, stream: &str, consumer: &str) -> Vec<(String, Value)> {
        let offset = self.offset(stream, consumer).await.unwrap_or_else(|| "0-0".to_owned());
        let key = format!("{}:stream:{stream}", self.base);
        let xread = redis::cmd("XREAD").arg("COUNT").arg(BATCH).arg("STREAMS").arg(key).arg(offset).to_owned();
        let streams: Option<Vec<(String, Vec<Entry>)>> = xread.query_async(&mut self.redis).await.unwrap();
        let entries = streams.into_iter().flatten().flat_map(|(_, entries)| entries);
        entries.map(|(id, fields)| (id, serde_json::from_str(&fields[0].1).unwrap())).collect()
    }

    /// One batch, and how many messages it had; `None` if another process holds the lock.
    pub(super) async fn consume_once(&mut self, stream: &str, consumer: &str, seen: &Seen) -> Option<usize> {
        let lock = self.consumer_lock(stream, consumer);
        if !self.acquire(&lock).await {
            return None;
        }
        let messages = self.read(stream, consumer).await;
        self.extend(&lock).await;
        seen.add(messages.iter().map(|(_, payload)| payload.clone()));
        if let Some((last, _)) = messages.last() {
            self.commit(stream, consumer, last).await;
        }
        self.release(&lock).await;
        Some(messages.len())
    }

    /// Batch after batch; waits for the lock while another holds it.
    pub(super) async fn consume(mut self, stream: &str, consumer: &str, seen: &Seen, shutdown: &CancellationToken) {
        let lock = self.consumer_lock(stream, consumer);
        while !shutdown.is_cancelled() {
            match self.consume_once(stream, consumer, seen).await {
                None => self.wait(&lock).await,
                Some(0) => self.wait_for_news(stream, consumer).await,
                Some(_) => {}
            }
        }
    }

    /// Until there is a message, or a while has passed. The gem would hold the lock meanwhile.
    async fn wait_for_news(&mut self, stream: &str, consumer: &str) {
        let offset = self.offset(stream, consumer).await.unwrap_or_else(|| "0-0".to_owned());
        let key = format!("{}:stream:{stream}", self.base);
        let mut xread = redis::cmd("XREAD");
        xread.arg("COUNT").arg(1).arg("BLOCK").arg(NEWS.as_millis().to_string()).arg("STREAMS").arg(key).arg(offset);
        xread.exec_async(&mut self.waiting).await.unwrap();
    }

    /// Moves what is due by the gem's own clock. `None` if another process holds the lock.
    pub(super) async fn move_due(&mut self, stream: &str, delay: Duration) -> Option<usize> {
        let delayed = format!("{stream}.delay");
        let lock = self.consumer_lock(&delayed, "delayer");
        if !self.acquire(&lock).await {
            return None;
        }
        let now = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH).unwrap();
        let due = u64::try_from((now.checked_sub(delay).unwrap()).as_millis()).unwrap();
        let mut moved = Vec::new();
        for (id, payload) in self.read(&delayed, "delayer").await {
            if id.parse::<MessageId>().unwrap().ms <= due {
                self.add(stream, payload.to_string()).await;
                moved.push(id);
            }
        }
        if let Some(last) = moved.last() {
            let key = format!("{}:stream:{delayed}", self.base);
            redis::cmd("XDEL").arg(key).arg(&moved).exec_async(&mut self.redis).await.unwrap();
            self.commit(&delayed, "delayer", last).await;
        }
        self.release(&lock).await;
        Some(moved.len())
    }

    /// Removes what these consumers have committed. `None` if another process holds the lock.
    pub(super) async fn trim(&mut self, stream: &str, consumers: &[&str]) -> Option<u64> {
        let lock = format!("{}:lock:trimmer:{stream}", self.base);
        if !self.acquire(&lock).await {
            return None;
        }
        let mut offsets = Vec::new();
        for consumer in consumers {
            offsets.extend(self.offset(stream, consumer).await);
        }
        let mut trimmed = 0;
        if let Some(lowest) = offsets.iter().min() {
            let key = format!("{}:stream:{stream}", self.base);
            let range = redis::cmd("XRANGE").arg(&key).arg("-").arg(lowest).arg("COUNT").arg(BATCH).to_owned();
            let entries: Vec<Entry> = range.query_async(&mut self.redis).await.unwrap();
            let ids: Vec<String> = entries.into_iter().map(|(id, _)| id).collect();
            if !ids.is_empty() {
                trimmed = redis::cmd("XDEL").arg(key).arg(ids).query_async(&mut self.redis).await.unwrap();
            }
        }
        self.release(&lock).await;
        Some(trimmed)
    }
}
