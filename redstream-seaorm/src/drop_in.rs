//! SeaORM with streamed connections in place of its own: one `use` line per file converts an application.
//!
//! ```
//! use redstream_seaorm::drop_in as sea_orm; // the one line
//!
//! use sea_orm::{DbConn, DbErr, Set, TransactionTrait, entity::prelude::*};
//!
//! # use redstream_seaorm::Streamed;
//! #[derive(Clone, Debug, PartialEq, DeriveEntityModel, Streamed)]
//! #[sea_orm(table_name = "cities")]
//! pub struct Model {
//!     #[sea_orm(primary_key)]
//!     pub id: i64,
//!     pub name: String,
//! }
//! # #[derive(Copy, Clone, Debug, EnumIter, DeriveRelation)]
//! # pub enum Relation {}
//!
//! pub async fn rename(db: &DbConn, id: i64, name: &str) -> Result<Model, DbErr> {
//!     let txn = db.begin().await?;
//!     let city = ActiveModel { id: Set(id), name: Set(name.to_owned()) }.update(&txn).await?;
//!     txn.commit().await?; // insured before, announced after
//!     Ok(city)
//! }
//! ```
//!
//! This module has all of SeaORM, but [`DatabaseConnection`], [`DbConn`], [`DatabaseTransaction`] and
//! [`DatabaseExecutor`] are the streamed types. They have the methods that applications call on SeaORM's. Only the code
//! that connects has to change:
//!
//! ```no_run
//! # use redstream_seaorm::drop_in as sea_orm;
//! # use redstream_seaorm::{Redstream, StreamedConnection};
//! # use sea_orm::{Database, DatabaseConnection};
//! # async fn example() -> Result<(), Box<dyn std::error::Error>> {
//! let redstream = Redstream::connect("redis://127.0.0.1/").await?;
//! let db: DatabaseConnection = StreamedConnection::new(Database::connect("sqlite://cities.db").await?, redstream.producer());
//! # Ok(()) }
//! ```
//!
//! A place that was not converted does not compile, because the types differ.
//!
//! In a file with inline modules, `use …::drop_in as sea_orm;` does not apply inside these, and rustc reports `E0659:
//! sea_orm is ambiguous`, or suggests `::sea_orm`, which is SeaORM with its own types. For such files, and to convert a
//! whole application by one line of its `Cargo.toml`, depend on the facade under SeaORM's name:
//!
//! ```toml
//! sea-orm = { package = "redstream-sea-orm", version = "0.1", features = ["sqlx-postgres", "runtime-tokio-rustls"] }
//! ```
//!
//! # Migrations, and others that want SeaORM's own types
//!
//! They get [`db.inner()`](crate::StreamedConnection::inner), as in `Migrator::up(db.inner(), None)`. What they write
//! is not tracked: after a migration that changes rows of a streamed table, run a
//! [reindex](crate::RedstreamExt::reindex). To make this visible at the call, passing the streamed connection itself
//! does not compile:
//!
//! ```
//! # use redstream_seaorm::StreamedConnection;
//! # async fn up(db: impl ::sea_orm::IntoDatabaseExecutor<'_>) { drop(db.into_database_executor()) }
//! # async fn example(db: StreamedConnection) {
//! up(db.inner()).await;
//! # }
//! ```
//!
//! ```compile_fail,E0277
//! # use redstream_seaorm::StreamedConnection;
//! # async fn up(db: impl ::sea_orm::IntoDatabaseExecutor<'_>) { drop(db.into_database_executor()) }
//! # async fn example(db: StreamedConnection) {
//! up(&db).await;
//! # }
//! ```
//!
//! ```compile_fail,E0308
//! # use redstream_seaorm::StreamedConnection;
//! # async fn up(db: &::sea_orm::DatabaseConnection) { drop(db.ping().await) }
//! # async fn example(db: StreamedConnection) {
//! up(&db).await;
//! # }
//! ```
//!
//! ```compile_fail,E0308
//! # use redstream_seaorm::StreamedTransaction;
//! # async fn write(txn: &::sea_orm::DatabaseTransaction) { let _ = txn; }
//! # async fn example(txn: StreamedTransaction) {
//! write(&txn).await;
//! # }
//! ```
//!
//! # Features
//!
//! `stream`, `mock`, `rbac`, `schema-sync`, `entity-registry`, `sqlx-mysql`, `sqlx-postgres` and `sqlx-sqlite` are
//! SeaORM's features, and add the methods that SeaORM's types have with them: [`StreamTrait`], a mock's log, access
//! control, pools. Without one of them the method still exists on `db.inner()`.

// May use `connection`.

pub use sea_orm::*;

pub use crate::connection::executor::{DatabaseExecutor, IntoDatabaseExecutor};

/// Replaces SeaORM's type of this name.
pub type DatabaseConnection = crate::connection::StreamedConnection<sea_orm::DatabaseConnection>;

/// Replaces SeaORM's type of this name.
pub type DatabaseTransaction = crate::connection::transaction::StreamedTransaction<sea_orm::DatabaseTransaction>;

/// Replaces SeaORM's type of this name.
pub type DbConn = DatabaseConnection;

/// Replaces SeaORM's type of this name.
#[cfg(feature = "rbac")]
pub type RestrictedConnection = crate::connection::StreamedConnection<sea_orm::RestrictedConnection>;

/// Replaces SeaORM's module of this name.
#[cfg(feature = "rbac")]
pub type RestrictedTransaction = crate::connection::transaction::StreamedTransaction<sea_orm::RestrictedTransaction>;

/// SeaORM's prelude, with our connection.
pub mod prelude {
    pub use sea_orm::prelude::*;

    pub use super::{DatabaseConnection, DbConn};
}

/// SeaORM's entities, with our connection in their prelude.
pub mod entity {
    pub use sea_orm::entity::*;

    pub use super::prelude;
}
