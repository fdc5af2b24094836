//! See `generated.rs`.
