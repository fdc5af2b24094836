//! Tests of `redstream-core`, file by file as its source.

mod blocked;
mod bounds;
mod clock;
pub(crate) mod cluster;
mod connect;
mod connections;
mod consumer;
mod dead_letters;
mod delayer;
mod durability;
mod editions;
mod false_replies;
mod faults;
mod former_owner;
mod group;
mod health;
mod identity;
mod lock;
mod log_fields;
mod loss;
mod many_workers;
mod maxmemory;
mod message;
mod metrics;
mod neglect;
mod operate;
mod outage;
mod output_buffer_limit;
mod oversized;
mod overview;
mod packs;
mod panicking_worker;
mod producer;
mod properties;
mod refused;
mod reindex;
mod replies;
mod rights;
mod ruby;
mod secrets;
mod sentinel;
mod sharding;
mod start_position;
mod start_without_redis;
mod supervisor;
mod tls;
mod trimmer;
mod version;
mod waiting_handler;
mod wire;

use std::time::Duration;

use crate::support::recorder;

/// The bound on every wait that should end by itself.
const SOON: Duration = Duration::from_secs(10);

/// The bound on waits that a wake-up ends: shorter than the pause after which a standby checks by itself.
const AT_ONCE: Duration = Duration::from_secs(3);
