//! The sink.

use std::fmt;
use std::marker::PhantomData;
use std::sync::Arc;
use std::sync::atomic::Ordering::Relaxed;
use std::time::SystemTime;

use redstream_seaorm::{Changes, Failures, HandlerError, Sink, Streamed};
use sea_orm::EntityTrait;
use serde::Serialize;

use crate::webhook::builder::{Builder, Receiver};
use crate::webhook::delivery::Delivery;
use crate::webhook::error::Error;
use crate::webhook::message::{Common, changes, timestamp};

/// Sends the records of `E` to a receiver, as signed messages of [Standard Webhooks](https://www.standardwebhooks.com).
///
/// - Each change is a request:
///   `{"type":"product.upserted","timestamp":…,"data":{"key":…,"version":…,"record":…}}`, or `product.deleted`
///   without a record.
/// - The header `webhook-id` is the same in all attempts of a message. The receiver can get a message several times,
///   and an older one after a newer one if a process was paused: it keeps the highest `version` of each key.
/// - A write returns when all messages were accepted by a status of 2xx. One that is refused fails alone.
/// - Redirects are not followed.
///
/// Cloning it is cheap; clones share their connections. The crate's guide, `docs/sinks.md`, has tables of all options
/// and of what follows from each answer.
///
/// ```no_run
/// # mod product {
/// #     use redstream_seaorm::Streamed;
/// #     use sea_orm::entity::prelude::*;
/// #     #[derive(Clone, Debug, PartialEq, DeriveEntityModel, Streamed, serde::Serialize)]
/// #     #[sea_orm(table_name = "products")]
/// #     pub struct Model { #[sea_orm(primary_key)] pub id: i64, pub name: String }
/// #     #[derive(Copy, Clone, Debug, EnumIter, DeriveRelation)]
/// #     pub enum Relation {}
/// # }
/// use redstream_seaorm::{Indexer, Stream};
/// use redstream_sinks::webhook::WebhookSink;
///
/// # fn example(products: Stream, primary: sea_orm::DatabaseConnection) -> Result<(), Box<dyn std::error::Error>> {
/// let sink = WebhookSink::<product::Entity>::builder("https://partner.example/hooks/products")
///     .secret(std::env::var("WEBHOOK_SECRET")?) // whsec_…
///     .name("product")
///     .build()?;
/// let consumer = products.consumer("partner", Indexer::new(primary, sink)).skip_repeats(true);
/// # Ok(()) }
/// ```
pub struct WebhookSink<E> {
    receiver: Arc<Receiver>,
    entity: PhantomData<fn() -> E>,
}

impl<E: EntityTrait> WebhookSink<E> {
    /// Sends to this URL. It is requested as it is: do not take it from a tenant without an egress proxy that refuses
    /// internal addresses.
    pub fn builder(url: impl Into<String>) -> Builder<E> {
        Builder::new(url.into())
    }

    pub(crate) fn new(receiver: Arc<Receiver>) -> Self {
        Self { receiver, entity: PhantomData }
    }

    /// Sends messages again after the receiver has answered 410.
    pub fn enable(&self) {
        self.receiver.is_gone.store(false, Relaxed);
    }
}

impl<E, R> Sink<E, R> for WebhookSink<E>
where
    E: Streamed,
    R: Serialize + Send + Sync + 'static,
{
    async fn write(&self, all: Changes<E, R>) -> Result<(), HandlerError> {
        let Receiver { name, batch, host, is_gone, .. } = &*self.receiver;
        if is_gone.load(Relaxed) {
            return Err(Error::Gone { host: host.clone() }.into());
        }
        let timestamp = timestamp(SystemTime::now());
        let common = Common { name, version: all.version, timestamp, is_batched: *batch > 0 };
        let mut failures = Failures::new();
        let changes = changes(&all, &mut failures);
        let delivery = Delivery { receiver: &self.receiver, common };
        if let Err(error) = delivery.run(&changes, &mut failures).await {
            if matches!(error, Error::Gone { .. }) {
                is_gone.store(true, Relaxed);
            }
            return Err(error.into());
        }
        failures.into_result()
    }
}

impl<E> Clone for WebhookSink<E> {
    fn clone(&self) -> Self {
        Self { receiver: Arc::clone(&self.receiver), entity: PhantomData }
    }
}

impl<E> fmt::Debug for WebhookSink<E> {
    /// Without secrets, headers and the URL, whose path may be one.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("WebhookSink").field("host", &self.receiver.host).finish_non_exhaustive()
    }
}
