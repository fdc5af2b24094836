//! Elasticsearch and OpenSearch: a client of the bulk protocol, and a sink.
//!
//! # Layout
//! - `sink`: [`ElasticsearchSink`], its options, and its `write`.
//! - `alias`: an index that takes the place of another one.
//! - `delivery`: sends the requests of one write until each document has a verdict.
//! - `target`: checks and creates the index.
//! - `bulk`: the bodies of requests, from `addressing`; `answer`: what an answer says of each document.
//! - `pace`: how many requests are in flight.
//! - `older`: finds documents by their versions.
//! - `scan`: reads documents back; `key_query` is how keys stand in searches, `found` what is answered, and `same` says
//!   whether a document is the record's.
//! - `builder`, `client`: one request to one of the `nodes`, with `auth`.

mod addressing;
mod alias;
mod answer;
mod auth;
mod builder;
mod bulk;
mod client;
mod delivery;
mod error;
mod found;
mod key_query;
pub mod metrics;
mod nodes;
mod older;
mod pace;
mod same;
mod scan;
mod sink;
mod target;

pub use alias::ElasticsearchAlias;
pub use auth::{Signature, ToSign};
pub use builder::Builder;
pub use client::Elasticsearch;
pub use error::Error;
pub use sink::{ElasticsearchSink, Refresh};
