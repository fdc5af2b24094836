//! Elasticsearch and OpenSearch: a client of the bulk protocol, and a sink.
//!
//! # Layout
//! - `sink`: [`ElasticsearchSink`], its options, and its `write`.
//! - `delivery`: sends the requests of one write until each document has a verdict.
//! - `target`: checks and creates the index.
//! - `bulk`: the bodies of requests, from `addressing`; `answer`: what an answer says of each document.
//! - `pace`: how many requests are in flight.
//! - `builder`, `client`: one request to one of the `nodes`, with `auth`.

mod addressing;
mod answer;
mod auth;
mod builder;
mod bulk;
mod client;
mod delivery;
mod error;
pub mod metrics;
mod nodes;
mod pace;
mod sink;
mod target;

pub use auth::{Signature, ToSign};
pub use builder::Builder;
pub use client::Elasticsearch;
pub use error::Error;
pub use sink::{ElasticsearchSink, Refresh};
