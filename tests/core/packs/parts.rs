//! Entries with more messages than a batch may have: handled in parts, committed as a whole.

use std::sync::{Arc, Mutex};

use async_trait::async_trait;
use redstream_core::{Batch, Handler, HandlerError, MessageId, Progress, Stream};

use super::super::SOON;
use super::super::recorder::Recorder;
use super::super::waiting_handler::Held;
use super::{Stage, quick, start, stop};
use crate::support::eventually;

/// Records, and notes the stored offset at the begin of each batch.
#[derive(Clone)]
struct Watching {
    products: Stream,
    seen: Recorder,
    offsets: Arc<Mutex<Vec<Option<MessageId>>>>,
}

#[async_trait]
impl Handler for Watching {
    async fn handle(&self, batch: Batch) -> Result<(), HandlerError> {
        // The greatest version of its own, so that it is known when each part was handled.
        batch.version().await?;
        let offset = self.products.offsets().get("search").await?;
        self.offsets.lock().unwrap().push(offset);
        self.seen.handle(batch).await
    }
}

impl Watching {
    fn new(stage: &Stage) -> Self {
        Self { products: stage.products.clone(), seen: Recorder::default(), offsets: Arc::default() }
    }
}

#[tokio::test]
async fn the_offset_passes_an_entry_with_its_last_part() {
    let mut stage = Stage::new().await;
    let first = stage.pack(0..3).await;
    let second = stage.pack(3..23).await;
    let last = stage.pack(23..25).await;
    let watching = Watching::new(&stage);
    let running = start(stage.products.consumer("search", watching.clone()).batch_size(8));
    eventually(SOON, "all of them", async || stage.offset().await == Some(last)).await;
    stop(running).await;

    assert_eq!(watching.seen.payloads(), (0..25).collect::<Vec<_>>());
    let sizes: Vec<_> = watching.seen.batches().iter().map(Vec::len).collect();
    assert_eq!(sizes, [3, 8, 8, 6]);
    // A commit may come later than the next batch, but none comes in the midst of the second entry.
    let offsets = watching.offsets.lock().unwrap();
    assert!(offsets.iter().all(|offset| [None, Some(first)].contains(offset)), "{offsets:?}, {second}");
}

#[tokio::test]
async fn one_batch_at_a_time_is_as_many_as_the_entry_needs() {
    let mut stage = Stage::new().await;
    stage.pack(0..20).await;
    let last = stage.pack(20..21).await;
    let seen = Recorder::default();
    let consumer = stage.products.consumer("search", seen.clone()).batch_size(8);
    assert_eq!(consumer.run_once().await.unwrap(), Progress::Handled(20));
    assert_eq!(seen.batches().iter().map(Vec::len).collect::<Vec<_>>(), [8, 8, 4]);
    assert_eq!(consumer.run_once().await.unwrap(), Progress::Handled(1));
    assert_eq!(stage.offset().await, Some(last));
    assert_eq!(consumer.run_once().await.unwrap(), Progress::Idle);
}

#[tokio::test]
async fn an_entry_that_is_interrupted_is_repeated_from_its_first_message() {
    let mut stage = Stage::new().await;
    stage.pack(0..5).await;
    let held = Held::default();
    let running = start(stage.products.consumer("search", held.clone()).batch_size(2));
    held.begun().await;
    held.go_on();
    held.begun().await;
    // The second part is handled to its end, and nothing is committed.
    running.0.cancel();
    held.go_on();
    stop(running).await;
    assert_eq!(held.seen.payloads(), [0, 1, 2, 3]);
    assert_eq!(stage.offset().await, None);

    let again = Recorder::default();
    let consumer = stage.products.consumer("search", again.clone()).batch_size(2);
    assert_eq!(consumer.run_once().await.unwrap(), Progress::Handled(5));
    assert_eq!(again.payloads(), (0..5).collect::<Vec<_>>());
}

#[tokio::test]
async fn a_dead_letter_of_an_early_part_is_written_once_with_the_commit_of_the_entry() {
    let mut stage = Stage::new().await;
    stage.add("7-0", "payloads", "1\n\"broken\"\n3\n4\n5").await;
    let held = Held::default();
    let handler = {
        let held = held.clone();
        move |batch: Batch| {
            let held = held.clone();
            async move {
                batch.payloads::<u64>().collect::<Result<Vec<_>, _>>()?;
                held.handle(batch).await
            }
        }
    };
    let letters = stage.products.dead_letters("search").unwrap();
    let running = start(stage.products.consumer("search", handler.clone()).batch_size(2));
    held.begun().await;
    held.go_on();
    held.begun().await;
    running.0.cancel();
    held.go_on();
    stop(running).await;
    assert_eq!(letters.count().await.unwrap(), 0, "its entry is repeated");

    let running = start(quick(stage.products.consumer("search", handler)).batch_size(2));
    for _ in 0..3 {
        held.begun().await;
        held.go_on();
    }
    eventually(SOON, "the commit", async || stage.offset().await == Some(MessageId::new(7, 0))).await;
    stop(running).await;
    let letters = letters.list(MessageId::MIN, 10).await.unwrap();
    assert_eq!(letters.len(), 1);
    assert_eq!((&*letters[0].payload, letters[0].message_id.to_string()), (&b"\"broken\""[..], "7-0-1".to_owned()));
}
