//! What a failing handler leads to: retries, dead letters, patience.

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use async_trait::async_trait;
use redstream_core::{
    Batch, CancellationToken, Consumer, Error, Handler, HandlerError, MessageId, OnPoison, Redstream, Result, Stream,
};
use tokio::task::JoinHandle;

use super::SOON;
use crate::support::{eventually, namespace, raw_redis, redis_url, redstream, redstream_at};

/// A datastore of numbers that refuses some, and can be down.
#[derive(Clone, Default)]
struct Store {
    poison: Arc<Mutex<Vec<i64>>>,
    down: Arc<AtomicBool>,
    calls: Arc<AtomicUsize>,
    /// Each number with how often it was stored.
    stored: Arc<Mutex<BTreeMap<i64, usize>>>,
    /// Tells which messages it refused.
    names_them: bool,
}

impl Store {
    fn refusing(poison: impl Into<Vec<i64>>) -> Self {
        Self { poison: Arc::new(Mutex::new(poison.into())), ..Self::default() }
    }

    fn numbers(&self) -> Vec<i64> {
        self.stored.lock().unwrap().keys().copied().collect()
    }

    fn calls(&self) -> usize {
        self.calls.load(Ordering::SeqCst)
    }
}

#[async_trait]
impl Handler for Store {
    async fn handle(&self, batch: Batch) -> Result<(), HandlerError> {
        self.calls.fetch_add(1, Ordering::SeqCst);
        if self.down.load(Ordering::SeqCst) {
            return Err("connection refused".into());
        }
        let numbers = batch.payloads().collect::<Result<Vec<i64>, _>>()?;
        let poison = self.poison.lock().unwrap().clone();
        let refused = |number: &i64| poison.contains(number);
        if !self.names_them && numbers.iter().any(refused) {
            return Err("one of them is not to my taste".into());
        }
        let mut stored = self.stored.lock().unwrap();
        for number in numbers.iter().filter(|number| !refused(number)) {
            *stored.entry(*number).or_default() += 1;
        }
        let failed: Vec<MessageId> =
            batch.messages().iter().zip(&numbers).filter(|(_, number)| refused(number)).map(|(m, _)| m.id()).collect();
        if failed.is_empty() { Ok(()) } else { Err(HandlerError::only(failed, "these are not to my taste")) }
    }
}

async fn add(redstream: &Redstream, stream: &Stream, numbers: impl IntoIterator<Item = i64>) {
    for number in numbers {
        redstream.producer().queue(stream.name(), &number).await.unwrap();
    }
}

fn quick(consumer: Consumer) -> Consumer {
    consumer.attempts(2).backoff(Duration::from_millis(5), Duration::from_millis(20))
}

type Running = (CancellationToken, JoinHandle<Result<()>>);

fn start(consumer: Consumer) -> Running {
    start_as_it_is(quick(consumer))
}

fn start_as_it_is(consumer: Consumer) -> Running {
    let shutdown = CancellationToken::new();
    let token = shutdown.clone();
    (shutdown, tokio::spawn(async move { consumer.run(token).await }))
}

async fn stop((shutdown, running): Running) {
    shutdown.cancel();
    tokio::time::timeout(SOON, running).await.expect("it stops").unwrap().unwrap();
}

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
async fn an_outage_gives_nothing_up_and_work_goes_on_when_it_ends() {
    let redstream = redstream().await;
    let products = redstream.stream("products").unwrap();
    let store = Store::default();
    add(&redstream, &products, 0..10).await;
    let running = start(products.consumer("search", store.clone()).batch_size(4));
    eventually(SOON, "the first messages", async || products.lag("search").await.unwrap() == 0).await;

    store.down.store(true, Ordering::SeqCst);
    add(&redstream, &products, 10..20).await;
    let before = store.calls();
    eventually(SOON, "far more attempts than two", async || store.calls() > before + 20).await;
    assert_eq!(products.lag("search").await.unwrap(), 10, "nothing is skipped");
    store.down.store(false, Ordering::SeqCst);
    eventually(SOON, "the rest", async || products.lag("search").await.unwrap() == 0).await;
    stop(running).await;
    assert_eq!(store.numbers(), (0..20).collect::<Vec<_>>());
    assert_eq!(products.dead_letters("search").unwrap().count().await.unwrap(), 0);
}

/// A store that is down for some calls, counted from the first one with a number above zero.
fn flickering(store: &Store, down: &'static [usize]) -> impl Handler {
    let (store, calls) = (store.clone(), Arc::new(AtomicUsize::new(0)));
    move |batch: Batch| {
        let begins = batch.payloads::<i64>().any(|number| number.is_ok_and(|number| number > 0));
        let counts = begins || calls.load(Ordering::SeqCst) > 0;
        let is_down = counts && down.contains(&(calls.fetch_add(1, Ordering::SeqCst) + 1));
        let store = store.clone();
        async move { if is_down { Err("connection refused".into()) } else { store.handle(batch).await } }
    }
}

#[tokio::test]
async fn an_outage_that_ends_after_the_last_try_sets_nothing_aside() {
    let redstream = redstream().await;
    let products = redstream.stream("products").unwrap();
    let store = Store::default();
    add(&redstream, &products, [0]).await;
    let running = start(products.consumer("search", flickering(&store, &[1, 2])));
    eventually(SOON, "the first message", async || products.lag("search").await.unwrap() == 0).await;
    add(&redstream, &products, [1]).await;
    eventually(SOON, "the second", async || products.lag("search").await.unwrap() == 0).await;
    stop(running).await;
    assert_eq!(products.dead_letters("search").unwrap().count().await.unwrap(), 0);
    assert_eq!(store.numbers(), [0, 1]);
}

/// Two tries of three messages fail, one of them succeeds, and the others fail when they are tried alone.
#[tokio::test]
async fn an_outage_that_comes_and_goes_while_poison_is_looked_for_sets_nothing_aside() {
    for down in [&[1, 2, 4, 5][..], &[1, 2, 5]] {
        let redstream = redstream().await;
        let products = redstream.stream("products").unwrap();
        let store = Store::default();
        add(&redstream, &products, 1..=3).await;
        let running = start(products.consumer("search", flickering(&store, down)));
        eventually(SOON, "all messages", async || products.lag("search").await.unwrap() == 0).await;
        stop(running).await;
        assert_eq!(products.dead_letters("search").unwrap().count().await.unwrap(), 0, "down: {down:?}");
        assert_eq!(store.numbers(), [1, 2, 3], "down: {down:?}");
    }
}

#[tokio::test]
async fn a_datastore_that_was_down_from_the_start_is_an_outage_too() {
    let redstream = redstream().await;
    let products = redstream.stream("products").unwrap();
    let store = Store::default();
    store.down.store(true, Ordering::SeqCst);
    add(&redstream, &products, 0..10).await;
    let running = start(products.consumer("search", store.clone()));
    eventually(SOON, "many attempts", async || store.calls() > 30).await;
    assert_eq!(products.dead_letters("search").unwrap().count().await.unwrap(), 0);
    store.down.store(false, Ordering::SeqCst);
    eventually(SOON, "all", async || products.lag("search").await.unwrap() == 0).await;
    stop(running).await;
    assert_eq!(store.numbers(), (0..10).collect::<Vec<_>>());
}

#[tokio::test]
async fn poison_that_is_alone_at_first_does_not_stop_what_comes_later() {
    let redstream = redstream().await;
    let products = redstream.stream("products").unwrap();
    let store = Store::refusing([0]);
    add(&redstream, &products, 0..1).await;
    let running = start(products.consumer("search", store.clone()));
    eventually(SOON, "many attempts", async || store.calls() > 10).await;
    // As far as anybody can tell the datastore is down. Then it turns out that it is not.
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
    // Pauses and attempts without end: they are not for what can never succeed.
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

#[tokio::test]
async fn work_goes_on_soon_after_an_outage_however_long_the_pauses_between_attempts() {
    let redstream = redstream().await;
    let products = redstream.stream("products").unwrap();
    let (down, calls) = (Arc::new(AtomicBool::new(true)), Arc::new(AtomicUsize::new(0)));
    let handler = {
        let (down, calls) = (down.clone(), calls.clone());
        move |_: Batch| {
            calls.fetch_add(1, Ordering::SeqCst);
            let down = down.load(Ordering::SeqCst);
            std::future::ready(if down { Err("down".into()) } else { Ok(()) })
        }
    };
    add(&redstream, &products, 0..100).await;
    let logs = crate::support::Logs::capture();
    let running = start_as_it_is(products.consumer("search", handler).attempts(1).backoff(SOON * 100, SOON * 100));
    eventually(SOON, "the outage", async || logs.has(&["ERROR", "taken for an outage"])).await;
    let before = calls.load(Ordering::SeqCst);
    eventually(SOON, "a knock", async || calls.load(Ordering::SeqCst) > before).await;
    down.store(false, Ordering::SeqCst);
    eventually(SOON, "all of them", async || products.lag("search").await.unwrap() == 0).await;
    stop(running).await;
    assert_eq!(products.dead_letters("search").unwrap().count().await.unwrap(), 0);
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
    // Whoever takes the lock away in the very last moment gets the message too, and no dead letter is left behind.
    let handler = {
        let (store, lock) = (store.clone(), lock.clone());
        let taken = Arc::new(AtomicBool::new(false));
        move |batch: Batch| {
            let (store, lock, taken) = (store.clone(), lock.clone(), taken.clone());
            async move {
                let outcome = store.handle(batch).await;
                if store.calls() > 6 && !taken.swap(true, Ordering::SeqCst) {
                    let mut raw = raw_redis(&redis_url()).await;
                    let () = redis::cmd("DEL").arg(lock.key()).query_async(&mut raw).await?;
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
