//! The tools of the tests: servers, unique names, and bounded waits.

// The tools of many tests: an unused one may be used again.
#![allow(dead_code, unused_imports, unused_macros)]

mod cut;
#[macro_use]
mod database;
#[macro_use]
mod errors;
mod eventually;
mod logs;
pub(crate) mod nodes;
pub(crate) mod recorder;
mod redis;

pub(crate) use cut::cut;
pub(crate) use database::{Backend, TestDb};
pub(crate) use errors::{assert_of_the_database, cause, redis_code};
pub(crate) use eventually::eventually;
pub(crate) use logs::Logs;
pub(crate) use redis::{namespace, private_redis, raw_redis, redis_url, redstream, redstream_at};

/// The address of a server that all tests share: see `redstream_servers::shared_url`.
fn server_url(variable: &str) -> String {
    redstream_servers::shared_url(variable).unwrap_or_else(|error| panic!("{}", error.in_words()))
}
