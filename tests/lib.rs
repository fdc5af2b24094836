//! Redstream's tests, against real servers. Run them with `cargo xtask test`, or `cargo test -p redstream-tests`.
//!
//! `core`, `seaorm` and `sinks` mirror the sources of the three crates, file by file; `flow` has whole scenarios, from
//! a saved row to a secondary datastore. Each test has its own namespace on the shared Redis, and its own databases, so
//! that all run concurrently.

/// The code in the project's README, compiled and run as doctests.
#[cfg(doctest)]
#[doc = include_str!("../README.md")]
pub struct Readme;

/// The program on the page about caches.
#[cfg(doctest)]
#[doc = include_str!("../docs/cache.md")]
pub struct Caches;
