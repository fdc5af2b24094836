//! SeaORM with streamed connections in place of its own, a dependency under SeaORM's name:
//!
//! ```toml
//! [dependencies]
//! redstream-seaorm = "0.1"
//! sea-orm = { package = "redstream-sea-orm", version = "0.1", features = ["sqlx-postgres", "runtime-tokio-rustls"] }
//! ```
//!
//! It is [`redstream_seaorm::drop_in`], whose page says which types are replaced, what the code that connects must do,
//! and how migrations and others use SeaORM's own types. Unlike a `use … as sea_orm;` in each file it also applies in
//! modules within a file, and only [`db.inner()`](redstream_seaorm::StreamedConnection::inner) still leads to SeaORM's
//! own connection.
//!
//! Crates that depend on SeaORM themselves, such as `sea-orm-migration`, keep using SeaORM's own types.
//!
//! # Features
//!
//! Each of SeaORM's features, except those that need another executor than tokio (`runtime-async-std…`), need another
//! driver (`rusqlite`, `sync`, `proxy`) or are internal to SeaORM. The default features are SeaORM's.

#![cfg_attr(docsrs, feature(doc_cfg))]

pub use redstream_seaorm::drop_in::*;
