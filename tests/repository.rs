//! Tests of the repository itself: its layers, the proofs that its pages name, and its dependencies.

mod layout;
mod pages;
mod supply;
