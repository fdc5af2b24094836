//! The identity of a consumer is recorded: two applications that share a consumer's name get a warning, or are refused.

use redstream_core::{Batch, CancellationToken, Error, Handler, HandlerError, Progress, Worker};

use super::recorder::Recorder;
use crate::support::{Logs, redstream};

struct Told(&'static str);

#[async_trait::async_trait]
impl Handler for Told {
    async fn handle(&self, _: Batch) -> Result<(), HandlerError> {
        Ok(())
    }

    fn identity(&self) -> Option<String> {
        Some(self.0.to_owned())
    }
}

#[tokio::test]
async fn another_application_under_the_same_name_is_refused_before_it_handles_anything() {
    let redstream = redstream().await;
    let products = redstream.stream("products").unwrap();
    redstream.producer().queue(products.name(), &1).await.unwrap();
    let shop = products.consumer("search", Recorder::default()).identity("shop, index products");
    assert_eq!(shop.run_once().await.unwrap(), Progress::Handled(1));

    redstream.producer().queue(products.name(), &2).await.unwrap();
    let seen = Recorder::default();
    let other = products.consumer("search", seen.clone()).identity("billing, index invoices");
    let error = other.run_once().await.unwrap_err();
    let Error::OtherIdentity { stream, consumer, own, registered } = &error else { panic!("{error:?}") };
    assert_eq!((stream.as_str(), consumer.as_str()), ("products", "search"));
    assert_eq!((own.as_str(), registered.as_str()), ("billing, index invoices", "shop, index products"));
    for piece in
        ["search", "products", "shop, index products", "billing, index invoices", "namespace", "clear_identity"]
    {
        assert!(error.to_string().contains(piece), "{piece}: {error}");
    }
    let error = other.run(CancellationToken::new()).await.unwrap_err();
    assert!(matches!(&error, Error::OtherIdentity { .. }), "{error:?}");
    let error = products.consumer("search", Told("a third one")).run_once().await.unwrap_err();
    assert!(matches!(&error, Error::OtherIdentity { .. }), "by its handler: {error:?}");
    assert_eq!(seen.len(), 0);
    assert_eq!(shop.run_once().await.unwrap(), Progress::Handled(1), "the first one goes on");

    products.clear_identity("search").await.unwrap();
    assert_eq!(other.run_once().await.unwrap(), Progress::Idle, "it may be something else now");
    let error = products.clear_identity("serach").await.unwrap_err();
    assert!(matches!(error, Error::NoSuchConsumer { .. }), "{error:?}");
}

#[tokio::test]
async fn one_that_does_not_say_what_it_is_is_warned_of() {
    let products = redstream().await.stream("products").unwrap();
    products.consumer("search", Recorder::default()).run_once().await.unwrap();
    let logs = Logs::capture();
    products.consumer("search", Recorder::default()).run_once().await.unwrap();
    assert!(!logs.has(&["run by something else"]), "the same program and handler: {}", logs.text());
    products.consumer("search", async |_: Batch| Ok(())).run_once().await.unwrap();
    assert!(logs.has(&["WARN", "run by something else", "search", "products", "Recorder"]), "{}", logs.text());
}

#[tokio::test]
async fn shards_are_asked_too() {
    let redstream = redstream().await;
    let shards = redstream.shards("products", 2).unwrap();
    for stream in shards.streams() {
        stream.consumer("search", Recorder::default()).identity("shop").run_once().await.unwrap();
    }
    let billing = shards.consumer("search", Told("billing"));
    let running = billing.run(CancellationToken::new());
    let error = tokio::time::timeout(super::SOON, running).await.expect("it ends").unwrap_err();
    assert!(matches!(&error, Error::OtherIdentity { .. }), "{error:?}");
}
