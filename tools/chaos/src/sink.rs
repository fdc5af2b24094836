//! The secondary datastore: documents by consumer and key, each with an external version. An equal version is accepted,
//! an older one refused; deletes leave tombstones, and are applied last.
//!
//! The first consumer's documents are distinguished by the spelling of their keys. The second's are not: there, keys
//! that are equal for the primary database have one document.

use std::collections::{BTreeMap, HashMap};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use serde::{Deserialize, Serialize};
use tokio::io::{AsyncBufReadExt as _, AsyncWriteExt as _, BufReader};
use tokio::net::{TcpListener, TcpStream};
use tokio_util::task::AbortOnDropHandle;

use crate::carrier::{Answer, Write};
use crate::keys::{Keys, number};
use crate::log::Log;
use crate::site::CONSUMERS;

/// The condition of the datastore.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) enum Weather {
    #[default]
    Fair,
    /// Each write takes this many ms longer.
    Slow(u64),
    /// Nothing is written.
    Outage,
    /// The first half of each write is done, and then it fails.
    HalfOutage,
}

/// Dropping it closes it.
pub(crate) struct Datastore {
    pub(crate) port: u16,
    shared: Arc<Shared>,
    _accepting: AbortOnDropHandle<()>,
}

struct Shared {
    keys: Keys,
    poison: Vec<i64>,
    weather: Mutex<Weather>,
    content: Mutex<Content>,
    log: Arc<Log>,
}

#[derive(Default)]
struct Content {
    documents: HashMap<(String, String), Document>,
    history: Vec<Accepted>,
}

/// A document, or the tombstone of one.
struct Document {
    version: u64,
    value: Option<String>,
}

/// One record that was accepted.
#[derive(Clone, Debug)]
pub(crate) struct Accepted {
    pub(crate) consumer: String,
    pub(crate) process: u32,
    pub(crate) id: String,
    pub(crate) version: u64,
    /// The newest message of the batch that brought it.
    pub(crate) last: String,
    pub(crate) value: Option<String>,
}

impl Datastore {
    pub(crate) async fn open(keys: Keys, poison: Vec<i64>, log: Arc<Log>) -> std::io::Result<Self> {
        let listener = TcpListener::bind("127.0.0.1:0").await?;
        let port = listener.local_addr()?.port();
        let shared = Arc::new(Shared { keys, poison, weather: Mutex::default(), content: Mutex::default(), log });
        let accepting = AbortOnDropHandle::new(tokio::spawn(accept(listener, shared.clone())));
        Ok(Self { port, shared, _accepting: accepting })
    }

    pub(crate) fn set(&self, weather: Weather) {
        *self.shared.weather.lock().unwrap_or_else(PoisonError::into_inner) = weather;
    }

    /// What one consumer has written: value by key.
    pub(crate) fn documents(&self, consumer: &str) -> BTreeMap<String, String> {
        let content = self.shared.content.lock().unwrap_or_else(PoisonError::into_inner);
        let of_it = content.documents.iter().filter(|((of, _), _)| of == consumer);
        of_it.filter_map(|((_, id), document)| Some((id.clone(), document.value.clone()?))).collect()
    }

    /// All records ever accepted, in that order.
    pub(crate) fn history(&self) -> Vec<Accepted> {
        self.shared.content.lock().unwrap_or_else(PoisonError::into_inner).history.clone()
    }
}

async fn accept(listener: TcpListener, shared: Arc<Shared>) {
    let mut connections = tokio::task::JoinSet::new();
    while let Ok((client, _)) = listener.accept().await {
        while connections.try_join_next().is_some() {}
        let shared = shared.clone();
        connections.spawn(async move { serve(client, &shared).await });
    }
}

async fn serve(client: TcpStream, shared: &Shared) -> std::io::Result<()> {
    client.set_nodelay(true)?;
    let mut client = BufReader::new(client);
    let mut line = String::new();
    while client.read_line(&mut line).await? > 0 {
        let write: Write = serde_json::from_str(&line).map_err(std::io::Error::other)?;
        line.clear();
        let weather = *shared.weather.lock().unwrap_or_else(PoisonError::into_inner);
        if let Weather::Slow(ms) = weather {
            tokio::time::sleep(Duration::from_millis(ms)).await;
        }
        let answer = shared.take(&write, weather);
        let mut answer = serde_json::to_string(&answer).map_err(std::io::Error::other)?;
        answer.push('\n');
        client.get_mut().write_all(answer.as_bytes()).await?;
    }
    Ok(())
}

impl Shared {
    fn take(&self, write: &Write, weather: Weather) -> Answer {
        let mut answer = Answer::default();
        let records: Vec<(&String, Option<&String>)> = {
            let upserts = write.upserts.iter().map(|(id, value)| (id, Some(value)));
            let deletes = write.deletes.iter().map(|id| (id, None));
            // For a store that does not distinguish spellings, the row is its document.
            let respelled = write.respelled.iter().map(|id| (id, None)).filter(|_| is_exact(&write.consumer));
            upserts.chain(deletes).chain(respelled).collect()
        };
        let done = match weather {
            Weather::Fair | Weather::Slow(_) => records.len(),
            Weather::HalfOutage => records.len() / 2,
            Weather::Outage => 0,
        };
        answer.outage = matches!(weather, Weather::Outage | Weather::HalfOutage);
        let mut content = self.content.lock().unwrap_or_else(PoisonError::into_inner);
        for (given, value) in records.into_iter().take(done) {
            if self.poison.contains(&number(given)) {
                answer.failed.push(given.clone());
                continue;
            }
            let (id, value) = (stored(&write.consumer, self.keys, given), value.cloned());
            let document = content.documents.get(&(write.consumer.clone(), id.clone()));
            if let Some(newer) = document.filter(|document| document.version > write.version) {
                answer.outdated.push((given.clone(), newer.version));
                continue;
            }
            let document = Document { version: write.version, value: value.clone() };
            content.documents.insert((write.consumer.clone(), id.clone()), document);
            let Write { consumer, process, version, last, .. } = write;
            let (consumer, last) = (consumer.clone(), last.clone());
            content.history.push(Accepted { consumer, process: *process, id, version: *version, last, value });
        }
        self.log.add("datastore", &format!("{weather:?} {write:?} -> {answer:?}"));
        answer
    }
}

/// Whether that consumer's store distinguishes spellings.
fn is_exact(consumer: &str) -> bool {
    consumer == CONSUMERS[0]
}

/// The form of a key in a consumer's store.
pub(crate) fn stored(consumer: &str, keys: Keys, spelling: &str) -> String {
    if is_exact(consumer) { spelling.to_owned() } else { keys.fold(spelling) }
}
