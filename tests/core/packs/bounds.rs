//! The memory that entries take does not depend on how many messages they hold.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use redstream_core::Batch;

use super::super::SOON;
use super::super::bounds::resident;
use super::{Stage, start, stop};
use crate::support::eventually;

#[tokio::test]
async fn an_entry_of_millions_of_messages_is_handled_in_parts_and_in_little_memory() {
    let mut stage = Stage::new().await;
    // As messages alone they would take 300 MiB.
    stage.add("*", "payloads", &"1\n".repeat(4 << 20)).await;
    let (before, handled) = (resident().await, Arc::new(AtomicUsize::new(0)));
    let handler = {
        let handled = handled.clone();
        move |batch: Batch| {
            assert!(batch.len() <= 1000);
            handled.fetch_add(batch.len(), Ordering::SeqCst);
            std::future::ready(Ok(()))
        }
    };
    let running = start(stage.products.consumer("search", handler));
    eventually(SOON, "many parts", async || handled.load(Ordering::SeqCst) > 50_000).await;
    let grown = resident().await.saturating_sub(before);
    stop(running).await;
    assert!(grown < 96 << 20, "{} MiB more", grown >> 20);
    assert_eq!(stage.offset().await, None, "the entry was not handled to its end");
}
