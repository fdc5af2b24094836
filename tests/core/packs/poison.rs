//! A bad message in an entry with others: it alone is retried, given up, and put back.

use std::sync::{Arc, Mutex};

use redstream_core::{Batch, HandlerError, Message, MessageId, Progress};

use super::super::SOON;
use super::super::recorder::Recorder;
use super::{Stage, lines, quick, start, stop};
use crate::support::eventually;

/// Handles all numbers but one, of which it says nothing.
#[derive(Clone, Default)]
struct Picky {
    handled: Arc<Mutex<Vec<u64>>>,
    poison: Arc<Mutex<Option<u64>>>,
}

impl Picky {
    fn refusing(number: u64) -> Self {
        Self { poison: Arc::new(Mutex::new(Some(number))), ..Self::default() }
    }

    fn handler(&self) -> impl Fn(Batch) -> std::future::Ready<Result<(), HandlerError>> + Send + Sync + 'static {
        let Self { handled, poison } = self.clone();
        move |batch| {
            let numbers: Vec<u64> = batch.payloads().map(Result::unwrap).collect();
            if poison.lock().unwrap().is_some_and(|poison| numbers.contains(&poison)) {
                return std::future::ready(Err("one of them is bad".into()));
            }
            handled.lock().unwrap().extend(numbers);
            std::future::ready(Ok(()))
        }
    }

    fn numbers(&self) -> Vec<u64> {
        let mut numbers = self.handled.lock().unwrap().clone();
        numbers.sort_unstable();
        numbers.dedup();
        numbers
    }
}

#[tokio::test]
async fn it_alone_becomes_a_dead_letter_and_comes_back_alone() {
    let mut stage = Stage::new().await;
    stage.add("7-0", "payloads", &lines(0..100)).await;
    stage.add("7-1", "payload", "100").await;
    let store = Picky::refusing(37);
    let running = start(stage.products.consumer("search", store.handler()));
    eventually(SOON, "the whole stream", async || stage.products.lag("search").await.unwrap() == 0).await;
    stop(running).await;

    assert_eq!(store.numbers(), (0..=100).filter(|number| *number != 37).collect::<Vec<_>>());
    let letters = stage.products.dead_letters("search").unwrap();
    let all = letters.list(MessageId::MIN, 10).await.unwrap();
    assert_eq!(all.len(), 1);
    assert_eq!((&*all[0].payload, all[0].message_id.to_string()), (&b"37"[..], "7-0-37".to_owned()));
    assert_eq!(letters.of_message("7-0-37".parse().unwrap()).await.unwrap().as_ref(), Some(&all[0]));
    assert_eq!(letters.of_message("7-0".parse().unwrap()).await.unwrap(), None, "that is the last of the entry");

    store.poison.lock().unwrap().take();
    assert!(letters.redrive(all[0].id).await.unwrap());
    let last = stage.products.messages(MessageId::new(7, 1), 10).await.unwrap();
    assert_eq!(last.iter().map(Message::raw).collect::<Vec<_>>(), [b"37"]);
    let (search, cache) = (Picky::default(), Recorder::default());
    assert_eq!(stage.products.consumer("search", search.handler()).run_once().await.unwrap(), Progress::Handled(1));
    stage.products.consumer("cache", cache.clone()).run_once().await.unwrap();
    assert_eq!((search.numbers(), cache.len()), (vec![37], 101));
}

#[tokio::test]
async fn the_fields_of_a_dead_letter_are_those_of_its_entry_and_its_position() {
    let mut stage = Stage::new().await;
    stage.add("7-0", "payloads", "\"a\"\n1\n\"b\"").await;
    let handler = async |batch: Batch| {
        batch.payloads::<u64>().collect::<Result<Vec<_>, _>>()?;
        Ok(())
    };
    let running = start(stage.products.consumer("search", handler));
    eventually(SOON, "the commit", async || stage.offset().await == Some(MessageId::new(7, 0))).await;
    stop(running).await;
    let xrange = redis::cmd("XRANGE").arg(stage.key("products.dead.search")).arg("-").arg("+").to_owned();
    let letters: Vec<(String, Vec<String>)> = xrange.query_async(&mut stage.raw).await.unwrap();
    // An earlier version lists them by their entry, and ignores the field that it does not know.
    let head = |letter: usize| [&letters[letter].1[1..4], &letters[letter].1[8..]].concat();
    assert_eq!(head(0), ["\"a\"", "message_id", "7-0", "index", "0"]);
    assert_eq!(head(1), ["\"b\"", "message_id", "7-0"], "the last of an entry has its id");
}

#[tokio::test]
async fn messages_that_the_handler_names_are_those_of_the_entry_and_no_other() {
    let mut stage = Stage::new().await;
    stage.add("7-0", "payloads", &lines(0..10)).await;
    let calls: Arc<Mutex<Vec<Vec<u64>>>> = Arc::default();
    let handler = {
        let calls = calls.clone();
        move |batch: Batch| {
            let numbers: Vec<u64> = batch.payloads().map(Result::unwrap).collect();
            calls.lock().unwrap().push(numbers.clone());
            let outcome = match (numbers.contains(&8), numbers.contains(&3)) {
                (true, _) => Err(HandlerError::permanent("7-0-8".parse().unwrap(), "never")),
                (false, true) if numbers.len() > 1 => Err(HandlerError::only(["7-0-3".parse().unwrap()], "not now")),
                _ => Ok(()),
            };
            std::future::ready(outcome)
        }
    };
    let running = start(quick(stage.products.consumer("search", handler)));
    eventually(SOON, "the commit", async || stage.offset().await == Some(MessageId::new(7, 0))).await;
    stop(running).await;
    let without_eight: Vec<u64> = (0..10).filter(|number| *number != 8).collect();
    let calls = calls.lock().unwrap().clone();
    assert_eq!(calls[..2], [(0..10).collect(), without_eight]);
    assert_eq!(calls.last(), Some(&vec![3]), "{calls:?}");
    assert!(
        calls[2..].iter().all(|numbers| numbers.len() == 1),
        "others are only tried to see whether it answers: {calls:?}"
    );
    let letters = stage.products.dead_letters("search").unwrap().list(MessageId::MIN, 10).await.unwrap();
    assert_eq!(letters.iter().map(|letter| &*letter.payload).collect::<Vec<_>>(), [b"8"]);
}
