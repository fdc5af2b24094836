//! The connection from a consumer to the datastore: a [`Sink`] that writes to the harness over TCP.

use std::marker::PhantomData;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use anyhow::{Context as _, Result};
use redstream_seaorm::{Changes, Failures, HandlerError, Key, MessageId, Sink};
use serde::{Deserialize, Serialize};
use tokio::io::{AsyncBufReadExt as _, AsyncWriteExt as _, BufReader};
use tokio::net::TcpStream;

use crate::item::Item;

/// Longer than the longest delay of the datastore.
const PATIENCE: Duration = Duration::from_secs(5);

/// One write to the datastore.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(crate) struct Write {
    pub(crate) consumer: String,
    pub(crate) process: u32,
    pub(crate) version: u64,
    /// The newest message of the batch.
    pub(crate) last: String,
    /// Keys as they are spelled, and values.
    pub(crate) upserts: Vec<(String, String)>,
    pub(crate) deletes: Vec<String>,
    /// Keys whose row lives under another spelling.
    pub(crate) respelled: Vec<String>,
}

/// The answer of the datastore.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
pub(crate) struct Answer {
    /// Nothing was written, or not all; which is unknown.
    pub(crate) outage: bool,
    pub(crate) failed: Vec<String>,
    /// Keys that it has with a higher version, and that version.
    pub(crate) outdated: Vec<(String, u64)>,
}

pub(crate) struct Carrier<E> {
    consumer: &'static str,
    port: u16,
    last: Arc<Mutex<MessageId>>,
    connection: tokio::sync::Mutex<Option<BufReader<TcpStream>>>,
    entity: PhantomData<fn() -> E>,
}

impl<E> Carrier<E> {
    pub(crate) fn new(consumer: &'static str, port: u16) -> Self {
        let last = Arc::new(Mutex::new(MessageId::MIN));
        Self { consumer, port, last, connection: tokio::sync::Mutex::default(), entity: PhantomData }
    }

    /// The connection on which it reads which message is the newest of the batch.
    pub(crate) fn last(&self) -> Arc<Mutex<MessageId>> {
        self.last.clone()
    }

    async fn ask(&self, write: &Write) -> Result<Answer> {
        let mut slot = self.connection.lock().await;
        // Taken out: a call that is interrupted or fails must not leave a connection on which a reply is still pending.
        let mut connection = match slot.take() {
            Some(connection) => connection,
            None => BufReader::new(TcpStream::connect(("127.0.0.1", self.port)).await?),
        };
        let mut line = serde_json::to_string(write)?;
        line.push('\n');
        connection.get_mut().write_all(line.as_bytes()).await?;
        line.clear();
        tokio::time::timeout(PATIENCE, connection.read_line(&mut line)).await.context("the datastore is silent")??;
        *slot = Some(connection);
        Ok(serde_json::from_str(&line)?)
    }
}

impl<E: Item> Sink<E> for Carrier<E> {
    async fn write(&self, changes: Changes<E>) -> Result<(), HandlerError> {
        let write = Write {
            consumer: self.consumer.to_owned(),
            process: std::process::id(),
            version: changes.version,
            last: self.last.lock().unwrap_or_else(PoisonError::into_inner).to_string(),
            upserts: changes.upserts.into_iter().map(|(_, item)| E::parts(item)).collect(),
            deletes: changes.deletes.iter().map(E::spelling).collect(),
            respelled: changes.respelled.iter().map(E::spelling).collect(),
        };
        let answer = self.ask(&write).await.map_err(|error| format!("{error:#}"))?;
        if answer.outage {
            return Err("the datastore is down".into());
        }
        let mut failures = Failures::<E>::new();
        for id in answer.failed {
            failures.failed(Key::new(E::id(&id)), "the datastore refuses this record");
        }
        for (id, version) in answer.outdated {
            failures.outdated_by(Key::new(E::id(&id)), version);
        }
        failures.into_result()
    }
}
