//! The namespace that the commands of a page find: a stream `products` with a consumer `search`, which does not run and
//! has dead letters, a retired consumer `search-old`, and a reindex that is recorded; and a stream `books`, as that of
//! the bookshop among the examples.

use std::time::{Duration, Instant};

use redstream_core::{
    Batch, BoxError, CancellationToken, ConnectOptions, HandlerError, NewMessage, Payload, Redstream, ReindexState,
    Start, Stream, Supervisor,
};
use redstream_rows::Rows;
use serde_json::{Value, json};

/// How long a step may take.
const SOON: Duration = Duration::from_secs(20);

pub(super) struct Shop {
    url: String,
    namespace: String,
}

impl Shop {
    pub(super) async fn open() -> Self {
        let start = || redstream_servers::shared_url(redstream_servers::REDIS_URL);
        let url = tokio::task::spawn_blocking(start).await.expect("it does not panic").expect("there is a Redis");
        let namespace = format!("book-{}", uuid::Uuid::new_v4().simple());
        let options = ConnectOptions::new(&url).namespace(&namespace);
        let redstream = Redstream::connect(options).await.expect("Redis answers");
        prepare(&redstream).await.expect("it can be prepared");
        Self { url, namespace }
    }

    pub(super) fn environment(&self) -> [(&'static str, &str); 2] {
        [("REDIS_URL", &self.url), ("REDSTREAM_NAMESPACE", &self.namespace)]
    }
}

async fn prepare(redstream: &Redstream) -> Result<(), BoxError> {
    let products = redstream.stream("products")?;
    products.register("search-old", Start::Earliest).await?;
    add(redstream, &products, 1..=6).await?;
    let picky = async |batch: Batch| {
        let first = &batch.messages()[0];
        let id: u64 = first.payload::<Value>()?["id"].as_u64().unwrap_or_default();
        let error = format!("mapper_parsing_exception: failed to parse field [price] of product {id}");
        Err::<(), _>(HandlerError::permanent(first.id(), error))
    };
    let letters = products.dead_letters("search")?;
    let failed = eventually(async || letters.count().await.unwrap_or(0) == 6);
    Supervisor::new().with(products.consumer("search", picky)).run_until(failed).await?;
    add(redstream, &products, 7..=1240).await?;
    let books = redstream.stream("books")?;
    books.register("search", Start::Earliest).await?;
    add(redstream, &books, 1..=3).await?;

    // Its consumer does not run, so it waits, and is left there.
    let walk = products.reindex(Rows::new(products.name(), 1240)).id("products");
    let waits = eventually(async || {
        let records = products.reindexes().list().await.unwrap_or_default();
        records.iter().any(|record| record.state == ReindexState::WaitingForLag)
    });
    tokio::select! {
        ended = walk.run(CancellationToken::new()) => { _ = ended?; }
        () = waits => {}
    }
    Ok(())
}

async fn add(redstream: &Redstream, stream: &Stream, ids: impl Iterator<Item = u64>) -> Result<(), BoxError> {
    let payloads = Payload::encode_all(ids.map(|id| json!({ "id": id })))?;
    let messages: Vec<_> =
        payloads.into_iter().map(|payload| NewMessage::new(stream.name().clone(), payload)).collect();
    redstream.producer().queue_all(&messages).await?;
    Ok(())
}

/// Waits until the condition holds.
async fn eventually(mut condition: impl AsyncFnMut() -> bool) {
    let begun = Instant::now();
    while !condition().await {
        assert!(begun.elapsed() < SOON, "the condition does not come to hold");
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
}
