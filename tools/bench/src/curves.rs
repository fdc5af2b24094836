//! The curves, one per file.

pub(crate) mod backlog;
pub(crate) mod build;
pub(crate) mod client;
pub(crate) mod cluster;
pub(crate) mod coalescing;
pub(crate) mod consumers;
pub(crate) mod editions;
pub(crate) mod held;
pub(crate) mod payloads;
pub(crate) mod remove_delays;
pub(crate) mod saves;
pub(crate) mod shards;
pub(crate) mod workers;
