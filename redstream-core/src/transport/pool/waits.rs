//! Waits of many workers on few connections.

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError};

use redis::{ErrorKind, RedisError, RedisResult, ServerErrorKind};
use tokio::sync::oneshot;

use super::room::{Place, Room, Wait};
use crate::message::MessageId;
use crate::transport::connection::Connection;
use crate::transport::connector::Connector;
use crate::transport::pool::is_refusal;

/// What is waited for.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Wanted<'a> {
    /// A message of a stream after this one.
    Message { stream: &'a str, after: MessageId },
    /// An item of a list, which is taken.
    Item { list: &'a str },
}

/// Why a wait is over.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Woken {
    /// It is there, or the connection broke.
    LookAgain,
    /// Redis refused the wait: wait on a connection of your own, which finds out whether it refuses yours.
    Alone,
}

pub(super) struct Waits {
    connector: Arc<Connector>,
    /// By which a connection that is blocked is woken.
    commands: Connection,
    messages: Rooms,
    items: Rooms,
    is_impossible: AtomicBool,
}

type Rooms = Mutex<Vec<Room>>;

impl Waits {
    pub(super) fn new(connector: &Arc<Connector>, commands: &Connection) -> Self {
        Self {
            connector: connector.clone(),
            commands: commands.clone(),
            messages: Mutex::default(),
            items: Mutex::default(),
            is_impossible: AtomicBool::new(false),
        }
    }

    /// Whether that is known.
    pub(super) fn are_impossible(&self) -> bool {
        self.is_impossible.load(Ordering::Relaxed)
    }

    pub(super) async fn wait(&self, wanted: Wanted<'_>, run_id: &str) -> RedisResult<Woken> {
        match self.enter(wanted, run_id)?.await {
            Ok(Err(error)) if is_refusal(&error) => {
                if is_forbidden(&error) && !self.is_impossible.swap(true, Ordering::Relaxed) {
                    tracing::info!(
                        error = &error as &dyn std::error::Error,
                        "the user may not run a command by which workers wait together (CLIENT ID, CLIENT UNBLOCK, BRPOP, XREAD): \
                         each worker that waits has a connection of its own"
                    );
                }
                Ok(Woken::Alone)
            }
            Ok(ended) => ended.map(|()| Woken::LookAgain),
            // The room has ended meanwhile.
            Err(_) => Ok(Woken::LookAgain),
        }
    }

    /// Enters a room that has a place, or a new one.
    fn enter(&self, wanted: Wanted<'_>, run_id: &str) -> RedisResult<oneshot::Receiver<RedisResult<()>>> {
        let (done, over) = oneshot::channel();
        let (rooms, key, after) = match wanted {
            Wanted::Message { stream, after } => (&self.messages, stream, Some(after)),
            Wanted::Item { list } => (&self.items, list, None),
        };
        let mut wait = Wait { key: key.to_owned(), after, done };
        let mut rooms = rooms.lock().unwrap_or_else(PoisonError::into_inner);
        rooms.retain(Room::is_open);
        for room in &*rooms {
            match room.enter(wait) {
                Ok(()) => return Ok(over),
                Err(refused) => wait = refused,
            }
        }
        let place =
            Place { connector: self.connector.clone(), commands: self.commands.clone(), run_id: run_id.to_owned() };
        let room = Room::open(place)?;
        // It is empty.
        let _entered = room.enter(wait);
        rooms.push(room);
        Ok(over)
    }
}

fn is_forbidden(error: &RedisError) -> bool {
    error.kind() == ErrorKind::Server(ServerErrorKind::NoPerm)
}
