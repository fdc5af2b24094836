//! The sinks, by the files of `redstream-sinks`.

mod cache;
mod city;
mod elasticsearch;
mod flow;
mod http;
mod outcome;
mod redisearch;
mod sql;
mod tantivy;
mod webhook;
