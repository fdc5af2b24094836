//! Redis as the rest of the crate sees it: how to connect, the connections, and their protocol.
//!
//! From the outside in: [`options`] say where Redis is; the [`connector`] opens a [`connection`], and checks the
//! [`server`] behind it. One connection is [`shared`] by all callers, one serves small writes as a [`group`], one is
//! [`exclusive`] to one large write at a time, and workers share a [`pool`], in which each has a [`session`]. [`resp`]
//! reads and writes the protocol without redis-rs; [`replies`] are what redis-rs reads; [`scripts`] are what Redis
//! runs; [`scan`] finds keys; [`pack_readers`] are the consumers that read entries of several messages. The [`keeper`]
//! is the thread of the connections by which locks are renewed; [`outages`] are logged once for all workers. A
//! [`client`] is for other uses than streams.
//!
//! Knows messages, and neither streams nor workers.

pub(crate) mod client;
pub(crate) mod connection;
pub(crate) mod connector;
pub(crate) mod exclusive;
pub(crate) mod group;
pub(crate) mod keeper;
pub(crate) mod options;
pub(crate) mod outages;
pub(crate) mod pack_readers;
pub(crate) mod pool;
pub(crate) mod replies;
pub(crate) mod resp;
pub(crate) mod scan;
pub(crate) mod scripts;
pub(crate) mod server;
pub(crate) mod session;
pub(crate) mod shared;

pub use client::RedisClient;
pub use options::ConnectOptions;
pub use server::durability::Risk;
