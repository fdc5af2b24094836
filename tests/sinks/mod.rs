//! The sinks, by the files of `redstream-sinks`.

mod cache;
mod elasticsearch;
mod http;
mod redisearch;
mod sql;
mod tantivy;
mod webhook;
