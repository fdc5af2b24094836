//! Story to be told.
mod connector;
mod error;
mod id;
mod keys;
mod link;
mod message;
pub mod metrics;
mod names;
mod options;
mod payload;
mod producer;
mod redstream;
mod stream;

pub use error::{BoxError, Error, Result};
pub use id::{InvalidMessageId, MessageId};
pub use message::{Message, NewMessage};
pub use names::StreamName;
pub use options::ConnectOptions;
pub use payload::{DecodeError, Payload, PayloadError};
pub use producer::Producer;
pub use redstream::Redstream;
pub use stream::Stream;
