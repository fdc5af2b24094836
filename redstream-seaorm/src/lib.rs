//! To be told.
mod connection;
mod context;
mod error;
mod forward;
pub mod hooks;
mod insurance;
mod probe;
mod scope;
mod streamed;
mod transaction;
mod transactional;

pub use connection::StreamedConnection;
pub use error::Error;
pub use redstream_core as core;
pub use redstream_core::{
    Batch, BoxError, CancellationToken, ConnectOptions, Consumer, DeadLetter, DeadLetters, Delayer, Handler,
    HandlerError, MessageId, OnPoison, Producer, Progress, Redstream, Start, Stream, StreamName, Supervisor, SyncToken,
    Trimmed, Trimmer, Worker,
};
pub use redstream_seaorm_macros::Streamed;
pub use streamed::{Key, KeyOf, Streamed};
pub use transaction::StreamedTransaction;
pub use transactional::SaveInTransaction;

/// What derived code names. Not for anybody else: it changes without notice.
#[doc(hidden)]
pub mod __private {
    pub use ::async_trait::async_trait;
    pub use ::sea_orm::{ActiveModelBehavior, ConnectionTrait, DbErr};
    pub use ::serde_json::Value as Json;
}
