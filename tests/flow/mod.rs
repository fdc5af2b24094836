//! Whole scenarios: from a saved row to a secondary datastore, through crashes.
//!
//! Processes that are to be killed are this same test binary, run again: see [`child`].

mod child;
mod copies;
mod crash;
mod place;
mod reindex;
mod standby;
mod story;

use std::time::Duration;

/// The bound on every wait that should end by itself.
const SOON: Duration = Duration::from_secs(20);
