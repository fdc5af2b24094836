//! The home of Redstream's tests, which `cargo xtask test` runs: see `redstream.rs`.
