//! The shared Redis, with a namespace for each test, and private ones to kill and pause.

use redis::aio::MultiplexedConnection;
use redstream_core::{ConnectOptions, Redstream};
use redstream_servers::{REDIS_URL, Redis, RedisOptions};
use uuid::Uuid;

/// The address of the Redis that all tests share.
pub(crate) fn redis_url() -> String {
    super::server_url(REDIS_URL)
}

/// A unique namespace.
pub(crate) fn namespace() -> String {
    format!("test-{}", Uuid::new_v4().simple())
}

/// A handle with a namespace of its own on the shared Redis.
pub(crate) async fn redstream() -> Redstream {
    redstream_at(&redis_url(), &namespace()).await
}

/// A handle with the given namespace on the given Redis.
pub(crate) async fn redstream_at(url: &str, namespace: &str) -> Redstream {
    Redstream::connect(ConnectOptions::new(url).namespace(namespace))
        .await
        .unwrap_or_else(|error| panic!("could not connect to {url}: {error:?}"))
}

/// A Redis of the test's own, to be killed, paused and restarted. It writes every command to
/// disk before it answers, so that a restart loses nothing.
pub(crate) async fn private_redis() -> Redis {
    tokio::task::spawn_blocking(|| RedisOptions::new().append_only(true).start())
        .await
        .expect("starting a server does not panic")
        .unwrap_or_else(|error| panic!("{error}"))
}

/// A plain connection, to read keys without Redstream and to act as other clients.
pub(crate) async fn raw_redis(url: &str) -> MultiplexedConnection {
    let client = redis::Client::open(url).expect("the URL of a test server is valid");
    // A busy machine may need longer than the default of half a second.
    let patient = redis::AsyncConnectionConfig::new()
        .set_connection_timeout(Some(std::time::Duration::from_secs(10)))
        .set_response_timeout(Some(std::time::Duration::from_secs(10)));
    client
        .get_multiplexed_async_connection_with_config(&patient)
        .await
        .unwrap_or_else(|error| panic!("could not connect to {url}: {error}"))
}
