//! The consumers of the two indices.

use redstream_core::{Error, MessageId, Stream};

/// Whether the consumer has committed this message, or it is gone and so are all that it has not committed: a consumer
/// that began with an empty stream has no offset.
pub(super) async fn has_passed(stream: &Stream, consumer: &str, id: MessageId) -> Result<bool, Error> {
    let offset = stream.offsets().get(consumer).await?.unwrap_or(MessageId::MIN);
    if offset >= id {
        return Ok(true);
    }
    Ok(stream.messages(offset, 1).await?.first().is_none_or(|next| next.id() > id))
}

/// Errors if no stream knows the consumer.
pub(super) async fn must_exist(streams: &[Stream], consumer: &str) -> Result<(), Error> {
    let mut known = Vec::new();
    for stream in streams {
        known.extend(stream.consumers().await?);
    }
    if let Some(stream) = streams.first()
        && !known.iter().any(|name| name == consumer)
    {
        known.sort();
        known.dedup();
        return Err(Error::NoSuchConsumer { stream: stream.name().clone(), consumer: consumer.to_owned(), known });
    }
    Ok(())
}

/// When the consumer was registered last, in milliseconds of Redis's clock; 0 if it is not.
pub(super) async fn registered_at(streams: &[Stream], consumer: &str) -> Result<u64, Error> {
    let mut latest = 0;
    for stream in streams {
        latest = latest.max(stream.registered_at(consumer).await?.unwrap_or_default());
    }
    Ok(latest)
}

/// How many messages the consumer has given up, and that were neither put back nor discarded.
pub(super) async fn dead_letters(streams: &[Stream], consumer: &str) -> Result<u64, Error> {
    let mut count = 0;
    for stream in streams {
        count += stream.dead_letters(consumer)?.count().await?;
    }
    Ok(count)
}

/// One that is not registered counts as forgotten.
pub(super) async fn forget(stream: &Stream, consumer: &str) -> Result<(), Error> {
    match stream.forget(consumer).await {
        Err(Error::NoSuchConsumer { stream, consumer, known }) => {
            tracing::info!(%stream, consumer, ?known, "this consumer is not registered: it was forgotten before, or never was");
            Ok(())
        }
        forgotten => forgotten,
    }
}
