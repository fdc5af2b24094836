//! One connection on which many workers wait together.

use std::collections::HashSet;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use redis::{Cmd, FromRedisValue, RedisResult, Value};
use tokio::sync::{mpsc, oneshot};

use crate::message::MessageId;
use crate::time::within;
use crate::transport::connection::Connection;
use crate::transport::connector::Connector;
use crate::transport::pool::{WATCHDOG, another_server, is_refusal, reaches};

/// Each wait that begins or ends sends the keys of all again, so that a room is not larger.
const MOST: usize = 128;

/// How long Redis blocks if nothing comes.
const BLOCK: Duration = Duration::from_secs(2);

/// A connection that was not blocked yet when it was to be woken is woken again after this.
const WAKE_AGAIN: Duration = Duration::from_millis(2);

/// A room that is empty for so long is closed.
const EMPTY: Duration = Duration::from_secs(10);

pub(super) struct Room {
    door: mpsc::UnboundedSender<Wait>,
    inside: Arc<AtomicUsize>,
}

pub(super) struct Wait {
    pub(super) key: String,
    /// For a stream.
    pub(super) after: Option<MessageId>,
    pub(super) done: oneshot::Sender<RedisResult<()>>,
}

/// Where the room's connection leads.
pub(super) struct Place {
    pub(super) connector: Arc<Connector>,
    pub(super) commands: Connection,
    pub(super) run_id: String,
}

impl Room {
    /// Opens its connection on the thread that renews locks, since a handler may block any other. Errors if the system
    /// refuses that thread.
    pub(super) fn open(place: Place) -> RedisResult<Self> {
        let (door, entering) = mpsc::unbounded_channel();
        let inside = Arc::<AtomicUsize>::default();
        let keeper = place.connector.keeper().runtime()?;
        let waiting = Waiting { entering, all: Vec::new(), inside: inside.clone() };
        keeper.spawn(waiting.until_empty(place));
        Ok(Self { door, inside })
    }

    pub(super) fn is_open(&self) -> bool {
        !self.door.is_closed()
    }

    /// Gives it back if the room is full or closed.
    pub(super) fn enter(&self, wait: Wait) -> Result<(), Wait> {
        if self.inside.load(Ordering::Relaxed) >= MOST {
            return Err(wait);
        }
        self.inside.fetch_add(1, Ordering::Relaxed);
        self.door.send(wait).map_err(|refused| refused.0)
    }
}

/// Those who are inside.
struct Waiting {
    entering: mpsc::UnboundedReceiver<Wait>,
    all: Vec<Wait>,
    inside: Arc<AtomicUsize>,
}

/// How to wake the room's own connection.
struct Bell {
    commands: Connection,
    client: i64,
}

impl Waiting {
    async fn until_empty(mut self, place: Place) {
        let opened = open(place).await;
        let (mut connection, bell) = match opened {
            Ok(opened) => opened,
            Err(error) => return self.fail(&error),
        };
        while self.come_in().await {
            match self.block(&mut connection, &bell).await {
                Ok(woken) => self.wake(&woken),
                Err(error) if is_refusal(&error) => return self.fail(&error),
                // They look for themselves, and find out whether the server is gone. Those who wait again enter another
                // room.
                Err(_) => return,
            }
        }
    }

    /// Lets in all who wait at the door, and forgets those who left; if it is empty, waits for a first one. Returns
    /// whether there are any.
    async fn come_in(&mut self) -> bool {
        self.all.retain(|wait| !wait.done.is_closed());
        while let Ok(wait) = self.entering.try_recv() {
            self.all.push(wait);
        }
        if self.all.is_empty() {
            let first = tokio::time::timeout(EMPTY, self.entering.recv()).await;
            self.all.extend(first.ok().flatten());
            if self.all.is_empty() {
                // One may have come in at the last moment.
                self.entering.close();
                self.all.extend(self.entering.try_recv());
            }
        }
        self.inside.store(self.all.len() + self.entering.len(), Ordering::Relaxed);
        !self.all.is_empty()
    }

    /// Blocks until something comes for one of them, or another one enters. Returns the keys that have something.
    async fn block(&mut self, connection: &mut Connection, bell: &Bell) -> RedisResult<HashSet<String>> {
        let command = command(&self.all);
        let mut reply = std::pin::pin!(within(BLOCK + WATCHDOG, command.query_async::<Value>(connection)));
        let mut is_wanted = false;
        loop {
            tokio::select! {
                biased;
                reply = &mut reply => return keys(reply?),
                Some(wait) = self.entering.recv(), if !self.entering.is_closed() => {
                    self.all.push(wait);
                    is_wanted = true;
                }
                // It may not be blocked yet.
                () = tokio::time::sleep(WAKE_AGAIN), if is_wanted => {}
            }
            if is_wanted {
                is_wanted = !bell.ring().await?;
            }
        }
    }

    fn wake(&mut self, keys: &HashSet<String>) {
        if keys.is_empty() {
            return;
        }
        for wait in std::mem::take(&mut self.all) {
            if keys.contains(&wait.key) {
                let _left = wait.done.send(Ok(()));
            } else {
                self.all.push(wait);
            }
        }
    }

    fn fail(mut self, error: &redis::RedisError) {
        self.entering.close();
        while let Ok(wait) = self.entering.try_recv() {
            self.all.push(wait);
        }
        for wait in self.all {
            let _left = wait.done.send(Err(error.clone()));
        }
    }
}

impl Bell {
    /// Returns whether the connection was blocked.
    async fn ring(&self) -> RedisResult<bool> {
        let mut unblock = redis::cmd("CLIENT");
        unblock.arg("UNBLOCK").arg(self.client);
        unblock.query_async(&mut self.commands.clone()).await
    }
}

/// Opens the room's connection, and finds out whether it can be woken.
async fn open(place: Place) -> RedisResult<(Connection, Bell)> {
    let mut connection = place.connector.open_blocking().await?;
    if !reaches(&mut connection, &place.run_id, &place.connector).await? {
        return Err(another_server());
    }
    let (mut id, bound) = (redis::cmd("CLIENT"), place.connector.options().response_timeout);
    let client = within(bound, id.arg("ID").query_async(&mut connection)).await?;
    let bell = Bell { commands: place.commands, client };
    bell.ring().await?;
    Ok((connection, bell))
}

/// All of them wait for the same kind of thing.
fn command(waits: &[Wait]) -> Cmd {
    let streams = waits.iter().any(|wait| wait.after.is_some());
    let mut command = redis::cmd(if streams { "XREAD" } else { "BRPOP" });
    if streams {
        command.arg("COUNT").arg(1).arg("BLOCK").arg(u64::try_from(BLOCK.as_millis()).unwrap_or(u64::MAX));
        command.arg("STREAMS");
    }
    for wait in waits {
        command.arg(&wait.key);
    }
    for after in waits.iter().filter_map(|wait| wait.after) {
        command.arg(after.offset().to_string());
    }
    if !streams {
        command.arg(BLOCK.as_secs());
    }
    command
}

/// The keys of a reply to `XREAD` or `BRPOP`.
fn keys(reply: Value) -> RedisResult<HashSet<String>> {
    let keys: RedisResult<Vec<String>> = match reply {
        Value::Nil => Ok(Vec::new()),
        // RESP3
        Value::Map(streams) => streams.into_iter().map(|(key, _)| Ok(String::from_redis_value(key)?)).collect(),
        Value::Array(parts) => match &parts[..] {
            // A list, and its item.
            [Value::BulkString(_), _] => {
                parts.into_iter().take(1).map(|key| Ok(String::from_redis_value(key)?)).collect()
            }
            _ => parts.into_iter().map(|stream| Ok(<(String, Value)>::from_redis_value(stream)?.0)).collect(),
        },
        other => String::from_redis_value(other).map(|key| vec![key]).map_err(Into::into),
    };
    keys.map(HashSet::from_iter)
}
