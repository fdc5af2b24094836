//! Tests of `redstream-core`, file by file as its source.

mod connect;
mod consumer;
mod delayer;
mod lock;
mod message;
mod outage;
mod producer;
mod recorder;
mod supervisor;
mod trimmer;
mod version;
mod wire;

use std::time::Duration;

/// The bound on every wait that should end by itself.
const SOON: Duration = Duration::from_secs(10);
