//! Tests of `redstream-core`, file by file as its source.

mod blocked;
mod bounds;
mod clock;
mod cluster;
mod connect;
mod connections;
mod consumer;
mod cut_off;
mod dead_letters;
mod delayer;
mod durability;
mod editions;
mod faults;
mod full;
mod health;
mod held;
mod hostile;
mod identity;
mod lazy;
mod lock;
mod log_fields;
mod loss;
mod message;
mod metrics;
mod neglect;
mod operate;
mod outage;
mod oversized;
mod producer;
mod properties;
pub(crate) mod recorder;
mod refused;
mod replies;
mod restless;
mod rights;
mod ruby;
mod secrets;
mod sentinel;
mod sharding;
mod starts;
mod supervisor;
mod tls;
mod trimmer;
mod version;
mod wire;
mod zombie;

use std::time::Duration;

/// The bound on every wait that should end by itself.
const SOON: Duration = Duration::from_secs(10);

/// The bound on waits that a wake-up ends: shorter than the pause after which a standby checks by itself.
const AT_ONCE: Duration = Duration::from_secs(3);
