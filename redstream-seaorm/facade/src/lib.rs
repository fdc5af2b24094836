//! SeaORM with streamed connections in the place of its own, to be depended on under SeaORM's name:
//!
//! ```toml
//! [dependencies]
//! redstream-seaorm = "0.1"
//! sea-orm = { package = "redstream-sea-orm", version = "0.1", features = ["sqlx-postgres", "runtime-tokio-rustls"] }
//! ```
//!
//! It is [`redstream_seaorm::drop_in`], whose page says what is exchanged, what is left to do where the application connects,
//! and what becomes of migrations and others that want SeaORM's own types. Unlike a `use … as sea_orm;` in each file it also
//! reaches modules within a file, and no path leads to SeaORM's own connection any more but
//! [`db.inner()`](redstream_seaorm::StreamedConnection::inner).
//!
//! Crates that depend on SeaORM themselves, such as `sea-orm-migration`, go on with SeaORM's own types.
//!
//! # Features
//!
//! Each of SeaORM's features, but for those that need another executor than tokio (`runtime-async-std…`), another driver
//! (`rusqlite`, `sync`, `proxy`) or are SeaORM's own business. The default ones are SeaORM's.

pub use redstream_seaorm::drop_in::*;
