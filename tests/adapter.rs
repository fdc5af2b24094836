//! Tests of `redstream-seaorm`, and whole scenarios, from a saved row to a secondary datastore.

#[macro_use]
mod support;

mod flow;
mod seaorm;
