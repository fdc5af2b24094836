//! Payloads that name no key: they become dead letters, whose errors say what is wrong.

use std::sync::Arc;

use redstream_seaorm::{CancellationToken, Indexer, MessageId, Streamed};
use serde_json::{Value, json};

use super::{Taken, chunk};
use crate::seaorm::city;
use crate::seaorm::world::{SOON, World};
use crate::support::{TestDb, eventually};

/// The errors of the dead letters that these payloads become.
async fn errors<E>(world: &World, payloads: &[Value]) -> Vec<String>
where
    E: Streamed<Model: Sync>,
{
    let stream = world.redstream.stream(E::stream()).unwrap();
    for payload in payloads {
        world.redstream.producer().queue(stream.name(), payload).await.unwrap();
    }
    let shutdown = CancellationToken::new();
    let indexer = Indexer::<E, _, _>::new(world.plain.clone(), Taken::<E>(Arc::default()));
    let consumer = stream.consumer("search", indexer);
    let running = tokio::spawn({
        let shutdown = shutdown.clone();
        async move { consumer.run(shutdown).await }
    });
    eventually(SOON, "the whole stream", async || stream.lag("search").await.unwrap() == 0).await;
    shutdown.cancel();
    running.await.unwrap().unwrap();
    let letters = stream.dead_letters("search").unwrap().list(MessageId::MIN, 100).await.unwrap();
    letters.into_iter().map(|letter| letter.error).collect()
}

#[tokio::test]
async fn a_dead_letter_names_column_and_type() {
    let db = TestDb::sqlite().await;
    let world = World::new(&db).await;
    let payloads = [json!({ "id": "a" }), json!({ "id": 1.5 }), json!({ "no": 1 }), json!(1)];
    let mut found = errors::<city::Entity>(&world, &payloads).await;
    found.extend(errors::<chunk::Entity>(&world, &[json!({ "digest": "xx", "part": 1 })]).await);
    let expected = [
        "column `id`: expected an integer of 64 bits, found \"a\"",
        "column `id`: expected an integer of 64 bits, found 1.5",
        "column `id` is missing in {\"no\":1}",
        "column `id` is missing in 1",
        "column `digest`: expected bytes in hexadecimal digits, found \"xx\"",
    ];
    assert_eq!(found.len(), expected.len(), "{found:?}");
    for (found, expected) in found.iter().zip(expected) {
        assert!(found.contains(expected), "{found}");
    }
}
