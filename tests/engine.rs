//! Tests of `redstream-core`.

#[macro_use]
mod support;

mod core;
#[path = "support/selftest.rs"]
mod selftest;
