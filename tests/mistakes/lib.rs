//! The home of one test, which needs few dependencies: see `mistakes.rs`.
