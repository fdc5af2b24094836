//! The payload of most rows: `{"id":N}`.

use redstream_core::{NewMessage, Payload, StreamName};
use serde::{Deserialize, Serialize};
use std::ops::Range;

#[derive(Clone, Copy, Debug, Serialize, Deserialize)]
pub(crate) struct Id {
    pub(crate) id: u64,
}

/// As long as a typical payload, for `redis-benchmark`.
pub(crate) const SAMPLE: &str = r#"{"id":123456}"#;

/// Keys of six digits.
pub(crate) fn keys(numbers: Range<usize>) -> impl Iterator<Item = Id> {
    numbers.map(|n| Id { id: 100_000 + n as u64 % 900_000 })
}

/// Messages with the keys of [`keys`].
pub(crate) fn messages(stream: &StreamName, numbers: Range<usize>) -> redstream_core::Result<Vec<NewMessage>> {
    let payloads = Payload::encode_all(keys(numbers))
        .map_err(|source| redstream_core::Error::Encode { stream: stream.clone(), source })?;
    Ok(payloads.into_iter().map(|payload| NewMessage::new(stream.clone(), payload)).collect())
}
