//! From the stream through the rows to a search index within the process.

use crate::city::streamed;
use crate::cost::Meter;
use crate::database::{Backend, Database};
use crate::fill;
use crate::index::{Tantivy, batch};
use crate::place::Place;
use crate::rounds::in_turns;
use crate::row::{Measure, Question, Row};
use anyhow::{Result, ensure};
use async_trait::async_trait;
use redstream_core::{Batch, CancellationToken, Handler, HandlerError, Prepared, Redstream};
use redstream_seaorm::{Indexer, Key, RedstreamExt, Sink as _};
use std::sync::atomic::{AtomicUsize, Ordering::Relaxed};
use std::time::Instant;

const QUESTION: Question = Question {
    name: "indexing",
    path: "stream → rows → tantivy, PostgreSQL, batches of 5000",
    yardstick: "the slower of: the rows read plainly, by pages; the documents indexed by the sink alone",
    unit: "changes/s",
    measure: Measure::Rate,
    floor: 0.6,
    aim: 0.8,
};

const BATCH: usize = 5000;

pub(crate) async fn rows(place: &Place) -> Result<Vec<Row>> {
    let redstream = place.fresh().await?;
    fill::readers(&redstream.stream("cities")?).await?;
    let database = Database::new(place, Backend::Postgres, &redstream).await?;
    let count = place.scaled(200_000);
    database.fill(count).await?;
    redstream.reindex_keys::<streamed::Entity>((1..).map(Key::new).take(count)).await?;
    let limit = async || {
        let begun = Instant::now();
        ensure!(database.read(BATCH).await? == count, "not all rows were read");
        let reading = begun.elapsed();
        Ok(count as f64 / reading.max(indexing(&database).await?).as_secs_f64())
    };
    let mut round = 0;
    let ours = async || {
        round += 1;
        let index = Tantivy::new()?;
        let (meter, begun) = (Meter::start(), Instant::now());
        follow(&redstream, &database, &index, &format!("search-{round}"), count).await?;
        let (took, cost) = (begun.elapsed(), meter.per(count));
        ensure!(index.sink.reader().searcher().num_docs() == count as u64, "not all rows were indexed");
        Ok((count as f64 / took.as_secs_f64(), Some(cost)))
    };
    Ok(vec![QUESTION.answer(&in_turns(place.rounds(), limit, ours).await?)])
}

/// The time that the sink takes for all rows, batch after batch, as merges of its segments take place meanwhile.
async fn indexing(database: &Database) -> Result<std::time::Duration> {
    let index = Tantivy::new()?;
    let (mut batches, mut after) = (Vec::new(), None);
    for version in 1.. {
        let page = database.page(after, BATCH).await?;
        let Some(last) = page.last() else { break };
        after = Some(last.id);
        batches.push(batch(page, version));
    }
    let begun = Instant::now();
    for batch in batches {
        index.sink.write(batch).await.map_err(|error| anyhow::anyhow!("{error:?}"))?;
    }
    Ok(begun.elapsed())
}

/// A consumer of that name handles all messages of the stream.
async fn follow(redstream: &Redstream, database: &Database, index: &Tantivy, name: &str, count: usize) -> Result<()> {
    let done = CancellationToken::new();
    let indexer = Indexer::new(database.plain.clone(), index.sink.clone());
    let handler = Counting { handler: indexer, left: AtomicUsize::new(count), done: done.clone() };
    let consumer = redstream.stream("cities")?.consumer(name, handler).batch_size(BATCH);
    Ok(consumer.run(done).await?)
}

/// A handler that ends its consumer when all is handled.
struct Counting<H> {
    handler: H,
    left: AtomicUsize,
    done: CancellationToken,
}

#[async_trait]
impl<H: Handler> Handler for Counting<H> {
    async fn handle(&self, batch: Batch) -> Result<(), HandlerError> {
        let messages = batch.len();
        self.handler.handle(batch).await?;
        if self.left.fetch_sub(messages, Relaxed) <= messages {
            self.done.cancel();
        }
        Ok(())
    }

    fn prepares(&self) -> bool {
        self.handler.prepares()
    }

    async fn prepare(&self, batch: &Batch) -> Option<Prepared> {
        self.handler.prepare(batch).await
    }
}
