//! Redstream's tests, against real servers. Run them with `cargo xtask test`, or `cargo test -p redstream-tests`.
//!
//! `core` and `seaorm` mirror the sources of the two crates, file by file; `flow` tells whole
//! stories, from a saved row to a secondary datastore. Each test has a namespace on the shared
//! Redis, and databases, of its own, so that all run side by side.

#[macro_use]
mod support;

mod core;
mod flow;
mod layout;
mod pages;
mod seaorm;
mod supply;
