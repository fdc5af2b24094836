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

/// One that is not registered counts as forgotten.
pub(super) async fn forget(stream: &Stream, consumer: &str) -> Result<(), Error> {
    match stream.forget(consumer).await {
        Err(Error::NoSuchConsumer { .. }) => Ok(()),
        forgotten => forgotten,
    }
}
