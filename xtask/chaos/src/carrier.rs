//! The way from a consumer to the datastore: a [`Sink`] that writes to the harness over TCP.

use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use anyhow::{Context as _, Result};
use async_trait::async_trait;
use redstream_seaorm::{Changes, Failures, HandlerError, Key, MessageId, Sink};
use serde::{Deserialize, Serialize};
use tokio::io::{AsyncBufReadExt as _, AsyncWriteExt as _, BufReader};
use tokio::net::TcpStream;

use crate::item::{Entity, Model};

/// Longer than the datastore is ever slow.
const PATIENCE: Duration = Duration::from_secs(5);

/// One write to the datastore.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(crate) struct Write {
    pub(crate) consumer: String,
    pub(crate) process: u32,
    pub(crate) version: u64,
    /// The newest message of the batch.
    pub(crate) last: String,
    pub(crate) upserts: Vec<(i64, String)>,
    pub(crate) deletes: Vec<i64>,
}

/// What the datastore answers.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
pub(crate) struct Answer {
    /// Nothing was written, or not all; nobody knows.
    pub(crate) outage: bool,
    pub(crate) failed: Vec<i64>,
    /// Keys that it has by a higher version, and that one.
    pub(crate) outdated: Vec<(i64, u64)>,
}

pub(crate) struct Carrier {
    consumer: &'static str,
    port: u16,
    last: Arc<Mutex<MessageId>>,
    connection: tokio::sync::Mutex<Option<BufReader<TcpStream>>>,
}

impl Carrier {
    pub(crate) fn new(consumer: &'static str, port: u16) -> Self {
        let last = Arc::new(Mutex::new(MessageId::MIN));
        Self { consumer, port, last, connection: tokio::sync::Mutex::default() }
    }

    /// Where it reads which message is the newest of the batch.
    pub(crate) fn last(&self) -> Arc<Mutex<MessageId>> {
        self.last.clone()
    }

    async fn ask(&self, write: &Write) -> Result<Answer> {
        let mut slot = self.connection.lock().await;
        // Taken out: a call that is cut off or fails leaves no connection behind, on which an answer is still to come.
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

#[async_trait]
impl Sink<Entity> for Carrier {
    async fn write(&self, changes: Changes<Entity>) -> Result<(), HandlerError> {
        let write = Write {
            consumer: self.consumer.to_owned(),
            process: std::process::id(),
            version: changes.version,
            last: self.last.lock().unwrap_or_else(PoisonError::into_inner).to_string(),
            upserts: changes.upserts.into_iter().map(|Model { id, value }| (id, value)).collect(),
            deletes: changes.deletes.iter().map(Key::value).collect(),
        };
        let answer = self.ask(&write).await.map_err(|error| format!("{error:#}"))?;
        if answer.outage {
            return Err("the datastore is down".into());
        }
        let mut failures = Failures::<Entity>::new();
        for id in answer.failed {
            failures.failed(Key::new(id), "the datastore refuses this record");
        }
        for (id, version) in answer.outdated {
            failures.outdated_by(Key::new(id), version);
        }
        failures.into_result()
    }
}
