//! A web dashboard for Redstream, as an [`axum`] router that an application mounts.
//!
//! One page shows the flow of every stream with live counts, the lag of each consumer over time, problems with their
//! cures, dead letters with payload and error, reindexes, and work that the application offers, such as a verification.
//! It is read-only unless the application [allows actions](Dashboard::allow_actions).
//!
//! ```no_run
//! use redstream_core::{Batch, HandlerError, Redstream, Supervisor};
//! use redstream_web::Dashboard;
//!
//! # async fn example() -> Result<(), Box<dyn std::error::Error>> {
//! let redstream = Redstream::connect("redis://127.0.0.1/").await?;
//! let print = async |batch: Batch| Ok::<_, HandlerError>(println!("{batch:?}"));
//! let workers = Supervisor::new().with(redstream.stream("products")?.consumer("printer", print));
//!
//! let dashboard = Dashboard::new(redstream).health(workers.health());
//! let app = axum::Router::new().nest_service("/admin/redstream", dashboard.into_router());
//! let listener = tokio::net::TcpListener::bind("127.0.0.1:8000").await?;
//! axum::serve(listener, app).await?;
//! # Ok(()) }
//! ```
//!
//! The router brings no authentication. Put it behind that of the application: its viewers see names of
//! streams and consumers, payloads of dead letters (keys of rows) and texts of errors.
//!
//! # Layout
//!
//! - [`Dashboard`] has the options, and makes the router: `dashboard`, `state`.
//! - [`probes()`](probes()) are routes for an orchestrator. `health` is the state of the workers as JSON.
//! - `page` serves the document, and `security` its headers and the checks of a request's origin.
//! - `look` observes Redis while the page is watched; `snapshot` and `rates` are what it finds, `latest` keeps it,
//!   `events` sends it.
//! - `dead` lists dead letters, `trim` says what a trim would remove. `actions` performs what the application allows,
//!   `audit` records it.
//! - `task` runs work of the application.

mod dashboard;
mod probes;

mod actions;
mod dead;
mod events;
mod page;
mod security;

mod look;
mod trim;

mod snapshot;

mod state;

mod audit;
mod latest;
mod rates;
mod task;

mod error;
mod health;
mod pace;
mod verb;

pub use audit::{AuditEntry, Outcome};
pub use dashboard::{Dashboard, router};
pub use probes::probes;
pub use task::TaskRun;
pub use verb::Verb;

#[cfg(doctest)]
#[doc = include_str!("../README.md")]
mod readme {}
