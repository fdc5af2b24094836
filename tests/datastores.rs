//! Tests of `redstream-sinks`.

#[macro_use]
mod support;

mod sinks;
