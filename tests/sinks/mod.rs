//! The sinks, by the files of `redstream-sinks`.

mod elasticsearch;
mod http;
mod sql;
mod tantivy;
mod webhook;
