//! Tests of the repository itself: its layers, its comments, the proofs that its pages name, its dependencies, and what
//! a release and a deployment need.

mod deployment;
mod layout;
mod pages;
mod release;
mod style;
mod supply;
mod workspace;
