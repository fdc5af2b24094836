//! Tests of the repository itself: its layers, its comments, the proofs that its pages name, and its dependencies.

mod layout;
mod pages;
mod style;
mod supply;
