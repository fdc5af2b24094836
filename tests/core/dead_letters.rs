//! What a failing handler leads to: retries, dead letters, waiting.

mod outages;
mod store;

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use redstream_core::{Batch, Error, Handler, HandlerError, MessageId, OnPoison};

use self::store::{Store, add, quick, start, start_as_it_is, stop};
use super::SOON;
use crate::support::{eventually, namespace, raw_redis, redis_url, redstream, redstream_at};

#[tokio::test]
async fn a_poison_message_is_found_and_set_aside_and_the_rest_goes_on() {
    let redstream = redstream().await;
    let products = redstream.stream("products").unwrap();
    let store = Store::refusing([37, 62]);
    add(&redstream, &products, 0..100).await;
    let running = start(products.consumer("search", store.clone()));
    eventually(SOON, "the whole stream", async || products.lag("search").await.unwrap() == 0).await;
    stop(running).await;

    assert_eq!(store.numbers(), (0..100).filter(|n| ![37, 62].contains(n)).collect::<Vec<_>>());
    let letters = products.dead_letters("search").unwrap();
    assert_eq!(letters.count().await.unwrap(), 2);
    let letters = letters.list(MessageId::MIN, 10).await.unwrap();
    assert_eq!(letters.iter().map(|letter| &letter.payload[..]).collect::<Vec<_>>(), [b"37", b"62"]);
    assert!(letters.iter().all(|letter| letter.error == "one of them is not to my taste" && letter.attempts >= 2));
    assert!(letters[0].message_id < letters[1].message_id);
    // By the id in the log.
    let dead = products.dead_letters("search").unwrap();
    assert_eq!(dead.of_message(letters[1].message_id).await.unwrap().as_ref(), Some(&letters[1]));
    assert_eq!(dead.of_message(MessageId::new(1, 1)).await.unwrap(), None);
    assert!(!dead.redrive(letters[1].message_id).await.unwrap(), "it is the id of the letter that is wanted");
}

#[tokio::test]
async fn a_message_that_the_handler_calls_hopeless_is_set_aside_at_its_first_failure() {
    let redstream = redstream().await;
    let products = redstream.stream("products").unwrap();
    add(&redstream, &products, 0..5).await;
    let handled = Arc::new(std::sync::Mutex::new(Vec::new()));
    let handler = {
        let handled = handled.clone();
        move |batch: Batch| {
            let handled = handled.clone();
            async move {
                let hopeless = batch.messages().iter().find(|message| message.payload::<u64>().unwrap() == 3);
                if let Some(message) = hopeless {
                    return Err(HandlerError::permanent(message.id(), "three is no number"));
                }
                handled.lock().unwrap().extend(batch.payloads::<u64>().map(Result::unwrap));
                Ok(())
            }
        }
    };
    let running = start(products.consumer("search", handler));
    eventually(SOON, "the whole stream", async || products.lag("search").await.unwrap() == 0).await;
    stop(running).await;
    assert_eq!(*handled.lock().unwrap(), [0, 1, 2, 4]);
    let letters = products.dead_letters("search").unwrap().list(MessageId::MIN, 10).await.unwrap();
    assert_eq!(letters.len(), 1);
    assert_eq!((&*letters[0].payload, &*letters[0].error, letters[0].attempts), (&b"3"[..], "three is no number", 1));
}

#[tokio::test]
async fn other_consumers_and_their_dead_letters_are_not_concerned() {
    let redstream = redstream().await;
    let products = redstream.stream("products").unwrap();
    let (picky, easy) = (Store::refusing([1]), Store::default());
    add(&redstream, &products, 0..3).await;
    let running = [start(products.consumer("picky", picky)), start(products.consumer("easy", easy.clone()))];
    eventually(SOON, "both", async || {
        products.lag("picky").await.unwrap() == 0 && products.lag("easy").await.unwrap() == 0
    })
    .await;
    for consumer in running {
        stop(consumer).await;
    }
    assert_eq!(easy.numbers(), [0, 1, 2]);
    assert_eq!(products.dead_letters("easy").unwrap().count().await.unwrap(), 0);
    assert_eq!(products.dead_letters("picky").unwrap().count().await.unwrap(), 1);
}

#[tokio::test]
async fn only_the_messages_that_the_handler_names_are_tried_again() {
    let redstream = redstream().await;
    let products = redstream.stream("products").unwrap();
    let store = Store { names_them: true, ..Store::refusing([3]) };
    add(&redstream, &products, 0..6).await;
    let running = start_as_it_is(quick(products.consumer("search", store.clone())).attempts(1000));
    eventually(SOON, "several attempts", async || store.calls() > 3).await;
    assert_eq!(products.lag("search").await.unwrap(), 6, "the offset waits");
    store.poison.lock().unwrap().clear();
    eventually(SOON, "the commit", async || products.lag("search").await.unwrap() == 0).await;
    stop(running).await;
    assert!(store.stored.lock().unwrap().values().all(|times| *times <= 2), "{:?}", store.stored);
    assert_eq!(store.numbers(), (0..6).collect::<Vec<_>>());
}

#[tokio::test]
async fn poison_that_is_alone_at_first_does_not_stop_what_comes_later() {
    let redstream = redstream().await;
    let products = redstream.stream("products").unwrap();
    let store = Store::refusing([0]);
    add(&redstream, &products, 0..1).await;
    let running = start(products.consumer("search", store.clone()));
    eventually(SOON, "many attempts", async || store.calls() > 10).await;
    // All that is known suggests that the datastore is down. Then it turns out that it is not.
    add(&redstream, &products, 1..3).await;
    eventually(SOON, "the messages behind it", async || products.lag("search").await.unwrap() == 0).await;
    stop(running).await;
    assert_eq!(store.numbers(), [1, 2]);
    assert_eq!(products.dead_letters("search").unwrap().count().await.unwrap(), 1);
}

#[tokio::test]
async fn a_payload_that_does_not_decode_is_a_dead_letter_at_once() {
    let namespace = namespace();
    let redstream = redstream_at(&redis_url(), &namespace).await;
    let products = redstream.stream("products").unwrap();
    let mut raw = raw_redis(&redis_url()).await;
    add(&redstream, &products, 0..2).await;
    let key = format!("{namespace}:redstream:stream:products");
    for (field, value) in [("payload", &b"\xff{broken"[..]), ("payload", b"\"text\""), ("other", b"1")] {
        let _: String =
            redis::cmd("XADD").arg(&key).arg("*").arg(field).arg(value).query_async(&mut raw).await.unwrap();
    }
    add(&redstream, &products, 2..4).await;

    let store = Store::default();
    // Pauses and attempts without end: they do not apply to messages that can never succeed.
    let consumer = products.consumer("search", store.clone()).attempts(1000).backoff(SOON * 100, SOON * 100);
    let running = start_as_it_is(consumer);
    eventually(SOON, "the whole stream", async || products.lag("search").await.unwrap() == 0).await;
    stop(running).await;
    assert_eq!(store.numbers(), [0, 1, 2, 3]);
    let letters = products.dead_letters("search").unwrap().list(MessageId::MIN, 10).await.unwrap();
    let payloads: Vec<&[u8]> = letters.iter().map(|letter| &letter.payload[..]).collect();
    assert_eq!(payloads, [&b"\xff{broken"[..], b"\"text\"", b""]);
    assert!(letters.iter().all(|letter| letter.error.contains(&letter.message_id.to_string())), "{letters:?}");
}

#[tokio::test]
async fn dead_letters_are_redriven_or_discarded_one_or_all() {
    let redstream = redstream().await;
    let products = redstream.stream("products").unwrap();
    let store = Store::refusing([1, 2, 3, 4, 5]);
    add(&redstream, &products, 0..7).await;
    let running = start(products.consumer("search", store.clone()));
    eventually(SOON, "the whole stream", async || products.lag("search").await.unwrap() == 0).await;
    let letters = products.dead_letters("search").unwrap();
    let listed = letters.list(MessageId::MIN, 2).await.unwrap();
    assert_eq!((letters.count().await.unwrap(), listed.len()), (5, 2));
    assert_eq!(letters.list(listed[1].id, 10).await.unwrap().len(), 3, "the next page");

    store.poison.lock().unwrap().clear();
    assert!(letters.redrive(listed[0].id).await.unwrap());
    assert!(!letters.redrive(listed[0].id).await.unwrap(), "it is gone");
    assert!(letters.discard(listed[1].id).await.unwrap());
    assert!(!letters.discard(listed[1].id).await.unwrap());
    assert_eq!(letters.redrive_all().await.unwrap(), 3);
    assert_eq!((letters.count().await.unwrap(), letters.discard_all().await.unwrap()), (0, 0));
    eventually(SOON, "what was redriven", async || store.numbers() == [0, 1, 3, 4, 5, 6]).await;
    stop(running).await;
}

/// Through each way of reading: `run` and `run_once` read by different commands.
#[tokio::test]
async fn a_redriven_message_is_for_its_consumer_alone() {
    let redstream = redstream().await;
    let products = redstream.stream("products").unwrap();
    let (picky, easy, late) = (Store::refusing([1]), Store::default(), Store::default());
    add(&redstream, &products, 0..3).await;
    let running = [start(products.consumer("picky", picky.clone())), start(products.consumer("easy", easy.clone()))];
    products.register("late", redstream_core::Start::Earliest).await.unwrap();
    products.consumer("late", late.clone()).run_once().await.unwrap();
    let letters = products.dead_letters("picky").unwrap();
    eventually(SOON, "the dead letter", async || letters.count().await.unwrap() == 1).await;
    picky.poison.lock().unwrap().clear();
    assert_eq!(letters.redrive_all().await.unwrap(), 1);
    eventually(SOON, "what was redriven", async || picky.numbers() == [0, 1, 2]).await;
    add(&redstream, &products, 3..4).await;
    eventually(SOON, "the next message", async || easy.numbers() == [0, 1, 2, 3]).await;
    for consumer in running {
        stop(consumer).await;
    }
    products.consumer("late", late.clone()).run_once().await.unwrap();
    for other in [easy, late] {
        assert_eq!(*other.stored.lock().unwrap().get(&1).unwrap(), 1, "it was handled again");
    }
    for consumer in ["picky", "easy", "late"] {
        assert_eq!(products.lag(consumer).await.unwrap(), 0, "{consumer} passed it");
    }
}

#[tokio::test]
async fn blocking_holds_the_offset_until_the_message_succeeds() {
    let redstream = redstream().await;
    let products = redstream.stream("products").unwrap();
    let store = Store::refusing([1]);
    add(&redstream, &products, 0..3).await;
    let running = start(products.consumer("search", store.clone()).on_poison(OnPoison::Block));
    eventually(SOON, "many attempts", async || store.calls() > 30).await;
    assert_eq!(products.lag("search").await.unwrap(), 3);
    assert_eq!(store.numbers(), [0, 2], "the others of its batch are done");
    store.poison.lock().unwrap().clear();
    eventually(SOON, "the commit", async || products.lag("search").await.unwrap() == 0).await;
    stop(running).await;
    assert_eq!(products.dead_letters("search").unwrap().count().await.unwrap(), 0);
}

#[tokio::test]
async fn stopping_names_the_message_and_commits_nothing() {
    let redstream = redstream().await;
    let products = redstream.stream("products").unwrap();
    let store = Store::refusing([1]);
    add(&redstream, &products, 0..3).await;
    let (_shutdown, running) = start(products.consumer("search", store).on_poison(OnPoison::Stop));
    let error = tokio::time::timeout(SOON, running).await.expect("it stops").unwrap().unwrap_err();
    assert!(matches!(error, Error::Poison { attempts: 2.., .. }), "{error:?}");
    assert_eq!(products.lag("search").await.unwrap(), 3);
}

#[tokio::test]
async fn a_stopped_consumer_is_not_restarted() {
    let redstream = redstream().await;
    let products = redstream.stream("products").unwrap();
    let store = Store::refusing([1]);
    add(&redstream, &products, 0..3).await;
    let consumer = quick(products.consumer("search", store.clone()).on_poison(OnPoison::Stop));
    let logs = crate::support::Logs::capture();
    redstream_core::Supervisor::new()
        .with(consumer)
        .run_until(eventually(SOON, "the end", async || logs.has(&["stopped for good", "consumer search"])))
        .await
        .unwrap();
}

#[tokio::test]
async fn a_dead_letter_and_its_commit_are_one() {
    let redstream = redstream().await;
    let products = redstream.stream("products").unwrap();
    let store = Store::refusing([1]);
    add(&redstream, &products, 0..3).await;
    let lock = products.lock("search", Duration::from_secs(60)).unwrap();
    // A host that acquires the lock at the last moment gets the message, too, and no dead letter is left behind.
    let handler = {
        let (store, lock) = (store.clone(), lock.clone());
        let taken = Arc::new(AtomicBool::new(false));
        move |batch: Batch| {
            let (store, lock, taken) = (store.clone(), lock.clone(), taken.clone());
            async move {
                let outcome = store.handle(batch).await;
                if store.calls() > 6 && !taken.swap(true, Ordering::SeqCst) {
                    let mut raw = raw_redis(&redis_url()).await;
                    let taken = redis::cmd("SET").arg(lock.key()).arg("f".repeat(32)).arg("PX").arg(50).to_owned();
                    taken.exec_async(&mut raw).await?;
                }
                outcome
            }
        }
    };
    let running = start(products.consumer("search", handler).lock_ttl(Duration::from_secs(60)));
    eventually(SOON, "the whole stream", async || products.lag("search").await.unwrap() == 0).await;
    stop(running).await;
    assert_eq!(store.numbers(), [0, 2]);
    assert_eq!(products.dead_letters("search").unwrap().count().await.unwrap(), 1, "not two");
}

#[tokio::test]
async fn attempts_of_zero_are_refused() {
    let products = redstream().await.stream("products").unwrap();
    let error = products.consumer("search", Store::default()).attempts(0).run_once().await.unwrap_err();
    assert!(matches!(error, Error::InvalidOption { option: "attempts", .. }), "{error}");
}
