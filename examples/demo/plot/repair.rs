//! A writer process is killed between COMMIT and main message; the delayer repairs it.

use std::time::{Duration, Instant};

use anyhow::{Context as _, ensure};
use redstream_seaorm::{MessageId, Start};
use sea_orm::EntityTrait as _;

use super::{Play, eventually, time};
use crate::children::{Job, Report};
use crate::city;
use crate::site::{DELAY, STREAM};

/// While it is registered, the trimmer keeps the messages, so that they can be read.
const WITNESS: &str = "witness";
/// The delayer comes this much late at the most.
const LATE: Duration = Duration::from_secs(15);

impl Play<'_> {
    pub(super) async fn kill_a_writer(&mut self, new: &city::Model) -> anyhow::Result<()> {
        self.quiet().await?;
        self.stage.stream.register(WITNESS, Start::Latest).await?;
        let before = self.stage.stream.last_id().await?;

        let writer = self.crew.hire(&Job::Writer(self.stage.site.clone(), new.id.try_into()?)).await?;
        self.crew.hear(writer, Report::Committed, "a writer process that has committed").await?;
        let pid = self.crew.pid(writer);
        let killed = self.crew.kill(writer)?;
        self.crew.hear(writer, Report::Gone, "a writer process that is dead").await?;
        self.only_insured(new, before).await?;
        let line = format!("process {pid} inserted “{}”, killed between COMMIT and main message", new.name);
        self.tell("SIGKILL", line);
        self.tell("", "the row is in the database; no main message was sent, the search does not find it");

        self.brought_by_the_delayer(new, before, killed).await?;
        let line =
            format!("the delayer brought it after {} (delay messages wait {})", time(killed.elapsed()), time(DELAY));
        self.tell("", line);
        self.stage.stream.forget(WITNESS).await?;
        Ok(())
    }

    /// The row is committed and insured, and not announced.
    async fn only_insured(&self, new: &city::Model, before: MessageId) -> anyhow::Result<()> {
        let (last, delayed) = (self.stage.stream.last_id().await?, self.stage.stream.delay_len().await?);
        ensure!(last == before, "a main message was sent, though the writer was killed before");
        ensure!(delayed == 1, "{delayed} delay messages wait, where the one of the killed writer should");
        let row = city::Entity::find_by_id(new.id).one(&self.stage.database).await?;
        ensure!(row.as_ref() == Some(new), "the row of the killed writer is not in the database");
        ensure!(self.found(new.id).await?.is_none(), "the search finds the city before its change was announced");
        Ok(())
    }

    async fn brought_by_the_delayer(
        &self,
        new: &city::Model,
        before: MessageId,
        killed: Instant,
    ) -> anyhow::Result<()> {
        let bar = self.screen.spinner("the delayer waits until the delay message is due");
        eventually("the delayer queues the delay message", DELAY + LATE, async || {
            let last = self.stage.stream.last_id().await?;
            Ok((last > before).then_some(()))
        })
        .await?;
        ensure!(killed.elapsed() > DELAY / 2, "the main message came long before its delay message was due");
        let payloads = self.payloads_after(before).await?;
        let expected = format!(r#"{{"id":{}}}"#, new.id);
        ensure!(payloads == [expected.clone()], "the delayer queued {payloads:?} instead of {expected} alone");
        eventually("the search finds what the delayer brought", LATE, async || {
            Ok(self.found(new.id).await?.filter(|city| city == new))
        })
        .await?;
        drop(bar);
        Ok(())
    }

    /// The main messages after an id, as they are in Redis.
    async fn payloads_after(&self, id: MessageId) -> anyhow::Result<Vec<String>> {
        let site = &self.stage.site;
        let stream = format!("{}:redstream:stream:{STREAM}", site.namespace);
        let mut redis = redis::Client::open(site.redis_url.as_str())?.get_multiplexed_async_connection().await?;
        let entries: Vec<(String, Vec<String>)> = redis::cmd("XRANGE")
            .arg(stream)
            .arg(format!("({id}"))
            .arg("+")
            .query_async(&mut redis)
            .await
            .context("cannot read the stream")?;
        // An entry of several messages has one per line.
        Ok(entries.iter().flat_map(|(_, fields)| fields[1].lines().map(str::to_owned)).collect())
    }
}
