//! See `facade.rs`.
