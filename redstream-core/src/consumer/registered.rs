//! Which consumers a stream has, according to its registry.

use serde::Deserialize;

use super::offsets::OffsetStore;
use crate::error::{Error, Result};
use crate::message::StreamName;
use crate::redstream::Redstream;

/// The names of the registered consumers, in no order.
pub(crate) async fn names(redstream: &Redstream, stream: &StreamName) -> Result<Vec<String>> {
    let mut hkeys = redis::cmd("HKEYS");
    hkeys.arg(redstream.keys().registry(stream));
    redstream.link().command("read the registry", &hkeys).await
}

/// When it was registered, in ms; `None` if it is not, or if it has no note of ours.
pub(crate) async fn at(redstream: &Redstream, stream: &StreamName, consumer: &str) -> Result<Option<u64>> {
    #[derive(Deserialize)]
    struct Note {
        registered_at: Option<f64>,
    }
    let mut hget = redis::cmd("HGET");
    hget.arg(redstream.keys().registry(stream)).arg(consumer);
    let note: Option<String> = redstream.link().command("read the registry", &hget).await?;
    let note = note.and_then(|note| serde_json::from_str::<Note>(&note).ok());
    // A script writes it, as a float of up to 2^53.
    #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "a time after 1970")]
    Ok(note.and_then(|note| note.registered_at).map(|ms| ms as u64))
}

/// Whether a consumer of that name is registered, or at least has an offset, as a consumer of the Ruby gem has.
pub(super) async fn has(redstream: &Redstream, stream: &StreamName, consumer: &str) -> Result<bool> {
    let mut hget = redis::cmd("HGET");
    hget.arg(redstream.keys().registry(stream)).arg(consumer);
    let note: Option<String> = redstream.link().command("read the registry", &hget).await?;
    let offsets = OffsetStore::new(redstream.clone(), stream.clone());
    Ok(note.is_some() || offsets.get(consumer).await?.is_some())
}

/// The error of an operation on a consumer that does not exist.
pub(crate) async fn no_such(redstream: &Redstream, stream: &StreamName, consumer: &str) -> Result<Error> {
    let mut known = names(redstream, stream).await?;
    known.sort_unstable();
    Ok(Error::NoSuchConsumer { stream: stream.clone(), consumer: consumer.to_owned(), known })
}
