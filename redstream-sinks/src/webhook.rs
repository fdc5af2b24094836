//! Webhooks: signed HTTP requests by the specification of [Standard Webhooks](https://www.standardwebhooks.com).
//!
//! # Layout
//! - `sink`: [`WebhookSink`], its options, and its `write`.
//! - `delivery`: sends the messages of one write until each change has a verdict; `answer`: what an answer says.
//! - `message`: the bodies and ids of messages; `signature`: their signatures.

mod answer;
mod builder;
mod delivery;
mod error;
mod message;
pub mod metrics;
mod signature;
mod sink;

pub use builder::Builder;
pub use error::Error;
pub use sink::WebhookSink;
