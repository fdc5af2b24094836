//! Redstream's tests, against real servers. Run them with `cargo xtask test`, or `cargo test -p redstream-tests`.
//!
//! `core`, `seaorm` and `sinks` mirror the sources of the three crates, file by file; `flow` has whole scenarios, from
//! a saved row to a secondary datastore. Each test has its own namespace on the shared Redis, and its own databases, so
//! that all run concurrently.

#[macro_use]
mod support;

mod core;
mod flow;
mod layout;
mod pages;
mod seaorm;
mod sinks;
mod supply;
