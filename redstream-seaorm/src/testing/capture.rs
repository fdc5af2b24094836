//! What was written to a stream since a given point of a test.

use redstream_core::{DecodeError, Message, MessageId, Redstream, Shards, Stream};
use sea_orm::ModelTrait;
use serde_json::Value as Json;

use super::difference::Difference;
use crate::entity::key::Key;
use crate::entity::streamed::{Streamed, message};
use crate::error::Error;
use crate::redstream_ext::RedstreamExt;

/// How many messages are read per call.
const PAGE: usize = 1000;

/// The position of a stream, to compare what was written since: with [`assert_streamed!`](super::assert_streamed),
/// [`assert_insured!`](super::assert_insured) and [`assert_nothing_streamed!`](super::assert_nothing_streamed).
///
/// It reads the stream in Redis and changes nothing. It sees the messages of every writer in the namespace. It does not
/// see what a trimmer removed, nor delay messages that a delayer moved: compare before you run them.
#[derive(Clone, Debug)]
pub struct Capture {
    streams: Vec<Captured>,
}

#[derive(Clone, Debug)]
struct Captured {
    stream: Stream,
    main: MessageId,
    delay: MessageId,
}

impl Capture {
    /// For an entity's stream, or all its shards, from now on.
    ///
    /// # Errors
    ///
    /// If Redis does not answer, or the entity has no usable stream.
    pub async fn of<E: Streamed>(redstream: &Redstream) -> redstream_core::Result<Self> {
        Self::each(redstream.of::<E>()?.streams()).await
    }

    /// For a stream, from now on.
    ///
    /// # Errors
    ///
    /// If Redis does not answer.
    pub async fn start(stream: &Stream) -> redstream_core::Result<Self> {
        Self::each(std::slice::from_ref(stream)).await
    }

    /// For all shards, from now on.
    ///
    /// # Errors
    ///
    /// If Redis does not answer.
    pub async fn shards(shards: &Shards) -> redstream_core::Result<Self> {
        Self::each(shards.streams()).await
    }

    async fn each(streams: &[Stream]) -> redstream_core::Result<Self> {
        let mut captured = Vec::with_capacity(streams.len());
        for stream in streams {
            let (main, delay) = (stream.last_id().await?, stream.last_delay_id().await?);
            captured.push(Captured { stream: stream.clone(), main, delay });
        }
        Ok(Self { streams: captured })
    }

    /// Starts again: what was written until now is ignored.
    ///
    /// # Errors
    ///
    /// If Redis does not answer.
    pub async fn restart(&mut self) -> redstream_core::Result<()> {
        for captured in &mut self.streams {
            captured.main = captured.stream.last_id().await?;
            captured.delay = captured.stream.last_delay_id().await?;
        }
        Ok(())
    }

    /// The payloads of the main messages, in the order of the stream.
    ///
    /// # Errors
    ///
    /// If Redis does not answer, or a message is no JSON.
    pub async fn main(&self) -> Result<Vec<Json>, CaptureError> {
        let mut payloads = Vec::new();
        for Captured { stream, main, .. } in &self.streams {
            payloads.extend(all(*main, async |after| stream.messages(after, PAGE).await).await?);
        }
        Ok(payloads)
    }

    /// The payloads of the delay messages, in the order of the stream.
    ///
    /// # Errors
    ///
    /// If Redis does not answer, or a message is no JSON.
    pub async fn delayed(&self) -> Result<Vec<Json>, CaptureError> {
        let mut payloads = Vec::new();
        for Captured { stream, delay, .. } in &self.streams {
            payloads.extend(all(*delay, async |after| stream.delay_messages(after, PAGE).await).await?);
        }
        Ok(payloads)
    }

    /// What [`assert_streamed!`](super::assert_streamed) panics with, as a value; `None` if the main messages are
    /// these.
    ///
    /// # Errors
    ///
    /// As [`main`](Self::main).
    pub async fn streamed(&self, expected: Vec<Json>) -> Result<Option<Difference>, CaptureError> {
        Ok(Difference::between(self.title("main messages"), expected, self.main().await?))
    }

    /// What [`assert_insured!`](super::assert_insured) panics with, as a value; `None` if the delay messages are these.
    ///
    /// # Errors
    ///
    /// As [`delayed`](Self::delayed).
    pub async fn insured(&self, expected: Vec<Json>) -> Result<Option<Difference>, CaptureError> {
        Ok(Difference::between(self.title("delay messages"), expected, self.delayed().await?))
    }

    fn title(&self, what: &str) -> String {
        let names: Vec<_> = self.streams.iter().map(|captured| captured.stream.name().as_str()).collect();
        format!("the {what} of {}", names.join(", "))
    }
}

async fn all(
    mut after: MessageId,
    page: impl AsyncFn(MessageId) -> redstream_core::Result<Vec<Message>>,
) -> Result<Vec<Json>, CaptureError> {
    let mut payloads = Vec::new();
    loop {
        let messages = page(after).await?;
        let Some(last) = messages.last() else { return Ok(payloads) };
        after = last.id();
        for message in messages {
            payloads.push(message.payload()?);
        }
    }
}

/// Why the messages are not known. An error type, so that `?` converts it into `anyhow::Error`, `Box<dyn Error>` and
/// the like.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum CaptureError {
    /// Redis did not answer, or refused.
    #[error("the messages of a stream could not be read")]
    Redis(#[from] redstream_core::Error),

    /// A message in the stream is no JSON.
    #[error("a message of the stream could not be read")]
    Payload(#[from] DecodeError),

    /// An expected record has no message.
    #[error("what is expected has no message")]
    Expected(#[from] Error),

    /// The message of an expected record is no JSON.
    #[error("the message of what is expected could not be read")]
    Json(#[from] serde_json::Error),
}

/// What a test expects to be streamed: a row, a [`Key`], or a payload as JSON.
pub trait Expected {
    /// The payload.
    fn payload(self) -> Result<Json, CaptureError>;
}

impl Expected for Json {
    fn payload(self) -> Result<Json, CaptureError> {
        Ok(self)
    }
}

impl<E: Streamed> Expected for Key<E> {
    fn payload(self) -> Result<Json, CaptureError> {
        Ok(serde_json::from_str(message::<E>(self.values().clone())?.payload.as_str())?)
    }
}

impl<M> Expected for &M
where
    M: ModelTrait<Entity: Streamed>,
{
    fn payload(self) -> Result<Json, CaptureError> {
        Key::of(self).payload()
    }
}

/// Asserts that exactly these records were announced since the [`Capture`](crate::testing::Capture) began, in any
/// order.
///
/// Takes rows (`&ulm`), [`Key`](crate::Key)s, and payloads as JSON; the items of a list in brackets may be of different
/// kinds. Anything else that can be iterated works too: `assert_streamed!(capture, &rows)`. A duplicate message counts
/// once. Use it in an async context.
///
/// # Panics
///
/// With the missing and the unexpected records, and if Redis does not answer.
#[macro_export]
macro_rules! assert_streamed {
    ($capture:expr, $expected:tt) => {
        $crate::__compare!($capture, streamed, $expected)
    };
    ($capture:expr, $expected:expr) => {
        $crate::__compare!($capture, streamed, ($expected))
    };
}

/// Asserts that exactly these records were insured by a delay message since the [`Capture`](crate::testing::Capture)
/// began.
///
/// As [`assert_streamed!`](crate::assert_streamed), which looks at the main messages.
#[macro_export]
macro_rules! assert_insured {
    ($capture:expr, $expected:tt) => {
        $crate::__compare!($capture, insured, $expected)
    };
    ($capture:expr, $expected:expr) => {
        $crate::__compare!($capture, insured, ($expected))
    };
}

/// Asserts that nothing was announced since the [`Capture`](crate::testing::Capture) began.
///
/// Delay messages do not count: what is rolled back may leave some, which make consumers read unchanged rows.
#[macro_export]
macro_rules! assert_nothing_streamed {
    ($capture:expr) => {
        $crate::assert_streamed!($capture, [])
    };
}

/// Not a public interface: it changes without notice.
#[doc(hidden)]
#[macro_export]
macro_rules! __compare {
    ($capture:expr, $what:ident, [$($expected:expr),* $(,)?]) => {
        $crate::__compare!($capture, $what, expected: ::std::vec![
            $($crate::testing::Expected::payload($expected)),*
        ])
    };
    ($capture:expr, $what:ident, $expected:expr) => {
        $crate::__compare!($capture, $what, expected: ::std::iter::IntoIterator::into_iter($expected)
            .map($crate::testing::Expected::payload)
            .collect::<::std::vec::Vec<_>>())
    };
    ($capture:expr, $what:ident, expected: $payloads:expr) => {{
        // A macro and not a function, so that the panic names the test's own line.
        let payloads: ::std::result::Result<::std::vec::Vec<_>, $crate::testing::CaptureError> =
            ::std::iter::Iterator::collect(::std::iter::IntoIterator::into_iter($payloads));
        let outcome = match payloads {
            ::std::result::Result::Ok(payloads) => $capture.$what(payloads).await,
            ::std::result::Result::Err(error) => ::std::result::Result::Err(error),
        };
        match outcome {
            ::std::result::Result::Ok(::std::option::Option::None) => {}
            ::std::result::Result::Ok(::std::option::Option::Some(difference)) => ::std::panic!("{difference}"),
            ::std::result::Result::Err(error) => ::std::panic!("could not compare what was streamed: {error:?}"),
        }
    }};
}
