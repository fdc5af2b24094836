//! Payloads: the content of a message, as JSON text that is checked when it is written.

mod canonical;
mod finite;
mod float;
mod lines;
mod object;

use std::fmt;
use std::hash::{Hash, Hasher};
use std::ops::Range;
use std::sync::Arc;

use serde::Serialize;
use smallvec::SmallVec;

use crate::message::entry::SEPARATOR;
use crate::message::id::MessageId;

pub use lines::PayloadLines;
pub use object::PayloadObject;

/// The JSON text of a message, usually the record's key: `{"id":1}`.
///
/// Cheap to clone; equal payloads are equal text.
#[derive(Clone)]
pub struct Payload {
    text: Arc<str>,
    /// The part of the text that is this payload; all of it if there is none. See [`PayloadLines`].
    part: Option<(u32, u32)>,
    /// The text has no line break, so an entry can hold it together with others.
    is_line: bool,
}

impl Payload {
    /// Writes `value` as compact JSON, as its `Serialize` and `serde_json` write it.
    ///
    /// The text may depend on features that other crates of the program enable: `serde_json/preserve_order` writes maps
    /// in another order, `rust_decimal/serde-float` and `time/serde-human-readable` write other values. Programs that
    /// share sharded streams must write the same text: use [`PayloadObject`] and [`canonical`](Self::canonical).
    ///
    /// # Errors
    ///
    /// If JSON cannot express it: a NaN or an infinity (which `serde_json` alone would silently turn into `null`), a
    /// map whose keys are not text, an error of the value's own `Serialize`.
    pub fn encode(value: &(impl Serialize + ?Sized)) -> Result<Self, PayloadError> {
        finite::check(value)?;
        // Most payloads are short: then the text itself is the only allocation.
        let mut json = SmallVec::<[u8; 128]>::new();
        serde_json::to_writer(&mut json, value).map_err(PayloadError::Json)?;
        let text = std::str::from_utf8(&json).map_err(|error| PayloadError::Json(serde::ser::Error::custom(error)))?;
        Ok(Self::of_json(text.into()))
    }

    /// Writes many values, each as [`encode`](Self::encode) does. They share their text: one allocation for many of
    /// them, and an entry that holds several is copied as it stands. A payload that is kept keeps up to 64 KiB beyond
    /// itself.
    ///
    /// # Errors
    ///
    /// As [`encode`](Self::encode), for the first value that cannot be written.
    ///
    /// ```
    /// # use redstream_core::Payload;
    /// # fn main() -> Result<(), redstream_core::PayloadError> {
    /// let payloads = Payload::encode_all(1..=1000)?;
    /// assert_eq!(payloads[999], Payload::encode(&1000)?);
    /// # Ok(()) }
    /// ```
    pub fn encode_all<T: Serialize>(values: impl IntoIterator<Item = T>) -> Result<Vec<Self>, PayloadError> {
        let mut lines = PayloadLines::default();
        for value in values {
            lines.encode(&value)?;
        }
        lines.finish()
    }

    /// Checks whether [`encode`](Self::encode) would succeed, without making a payload.
    ///
    /// # Errors
    ///
    /// As [`encode`](Self::encode).
    #[doc(hidden)]
    pub fn check(value: &(impl Serialize + ?Sized)) -> Result<(), PayloadError> {
        finite::check(value)?;
        serde_json::to_writer(std::io::sink(), value).map_err(PayloadError::Json)
    }

    /// Takes JSON text unchanged: a payload that was encoded before and stored elsewhere.
    ///
    /// # Errors
    ///
    /// If it is not JSON.
    pub fn from_json(json: impl Into<Arc<str>>) -> Result<Self, PayloadError> {
        let json = json.into();
        serde_json::from_str::<serde::de::IgnoredAny>(&json).map_err(PayloadError::Json)?;
        Ok(Self::of_json(json))
    }

    /// Compact JSON escapes line breaks; white space, and what a raw value brings, may be one.
    fn of_json(text: Arc<str>) -> Self {
        let is_line = memchr::memchr(SEPARATOR, text.as_bytes()).is_none();
        Self { text, part: None, is_line }
    }

    /// Compact JSON text without a line break.
    fn line(text: Arc<str>) -> Self {
        Self { text, part: None, is_line: true }
    }

    /// A part of a text in which each payload is followed by the separator.
    fn part(text: &Arc<str>, part: Range<u32>) -> Self {
        let mut payload = Self { text: text.clone(), part: Some((part.start, part.end)), is_line: false };
        payload.is_line = memchr::memchr(SEPARATOR, payload.as_str().as_bytes()).is_none();
        payload
    }

    /// These payloads, joined by the separator, if they are so in the text that they share.
    pub(crate) fn joined<'a>(payloads: impl IntoIterator<Item = &'a Self>) -> Option<&'a str> {
        let mut payloads = payloads.into_iter();
        let first = payloads.next()?;
        let Some((begin, mut end)) = first.part else { return payloads.next().is_none().then(|| first.as_str()) };
        for payload in payloads {
            let (next, last) = payload.part?;
            if next != end + 1 || !Arc::ptr_eq(&payload.text, &first.text) {
                return None;
            }
            end = last;
        }
        first.text.get(begin as usize..end as usize)
    }

    pub(crate) fn is_line(&self) -> bool {
        self.is_line
    }

    /// The JSON text.
    pub fn as_str(&self) -> &str {
        match self.part {
            None => &self.text,
            Some((begin, end)) => &self.text[begin as usize..end as usize],
        }
    }
}

impl PartialEq for Payload {
    fn eq(&self, other: &Self) -> bool {
        self.as_str() == other.as_str()
    }
}

impl Eq for Payload {}

impl Hash for Payload {
    fn hash<H: Hasher>(&self, state: &mut H) {
        self.as_str().hash(state);
    }
}

impl fmt::Display for Payload {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

impl fmt::Debug for Payload {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// A value that cannot become a payload.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum PayloadError {
    /// A number that JSON cannot express.
    #[error("the payload holds {value} at {path}, which JSON cannot express")]
    NotFinite {
        /// The path, such as `price` or `lines[2].price`.
        path: String,
        /// `NaN`, `inf` or `-inf`.
        value: f64,
    },
    /// The value cannot be written as JSON, or the text is not JSON.
    #[error("the payload cannot be written as JSON")]
    Json(#[source] serde_json::Error),
}

/// A message whose payload cannot be understood.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum DecodeError {
    /// The entry has neither a field `payload` nor a field `payloads`.
    #[error("message {id} has no field `payload`")]
    Missing {
        /// The message.
        id: MessageId,
    },
    /// The payload is not JSON, or not of the form expected.
    #[error("the payload of message {id} does not decode")]
    Json {
        /// The message.
        id: MessageId,
        /// What is wrong with it, and at which position.
        #[source]
        source: serde_json::Error,
    },
}

impl DecodeError {
    /// The message that cannot be understood.
    pub fn id(&self) -> MessageId {
        match self {
            Self::Missing { id } | Self::Json { id, .. } => *id,
        }
    }
}
