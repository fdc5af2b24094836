//! What there is, for operators: all streams of a namespace, their consumers and workers, and the servers.
//!
//! Reads only. Above all that it looks at.

mod observer;
mod orphans;
mod problems;
mod server;
mod stream;

use futures_util::future::join_all;
use serde::Serialize;

pub use self::observer::Observer;
use self::orphans::Found;
pub use self::orphans::Orphan;
pub use self::problems::{Problem, Severity};
pub use self::server::ServerOverview;
pub use self::stream::{ConsumerOverview, ConsumerState, DelayerOverview, StreamOverview};
use crate::error::Result;
use crate::message::StreamName;
use crate::redstream::Redstream;
use crate::stream::Stream;
use crate::text::chain;
use crate::transport::scan::each_key;

/// All streams of a namespace, as they were within one call: see [`Redstream::overview`].
///
/// As JSON, durations are whole milliseconds, and names of fields that are durations end in `_ms`.
#[derive(Clone, Debug, PartialEq, Serialize)]
#[non_exhaustive]
pub struct Overview {
    /// The namespace; `None` if there is none.
    pub namespace: Option<String>,
    /// The server, or each master of a cluster.
    pub servers: Vec<ServerOverview>,
    /// The streams, by name.
    pub streams: Vec<StreamOverview>,
    /// The streams that could not be read.
    pub unreadable: Vec<Unreadable>,
    /// What is left of consumers and streams that no longer exist.
    pub orphans: Vec<Orphan>,
}

/// A stream that could not be read, while others could.
#[derive(Clone, Debug, PartialEq, Serialize)]
#[non_exhaustive]
pub struct Unreadable {
    /// The stream's name.
    pub name: StreamName,
    /// What failed, with its causes.
    pub error: String,
}

impl Redstream {
    /// The streams of this namespace: those that have messages, delay messages, dead letters, an offset or a registered
    /// consumer. A sharded stream is several, one a shard.
    ///
    /// Redis has no list of them, so every key of the database is looked at (`SCAN`): about a millisecond of Redis for
    /// each thousand, in calls of a thousand.
    ///
    /// # Errors
    ///
    /// If Redis does not answer, or there are so many keys that it takes longer than
    /// [`give_up_after`](crate::ConnectOptions::give_up_after).
    pub async fn streams(&self) -> Result<Vec<Stream>> {
        let found = self.find().await?;
        Ok(found.streams.into_keys().map(|name| Stream::new(self.clone(), name)).collect())
    }

    /// What there is in this namespace: the [streams](Self::streams), each as it is at one moment, and the servers.
    ///
    /// # Errors
    ///
    /// As [`streams`](Self::streams). A stream that cannot be read is [`unreadable`](Overview::unreadable), and the
    /// others are there.
    pub async fn overview(&self) -> Result<Overview> {
        let (found, servers) = futures_util::future::try_join(self.find(), server::all(self)).await?;
        let looks = found.streams.clone().into_iter().map(|(name, consumers)| async move {
            let stream = Stream::new(self.clone(), name.clone());
            let overview = stream.look(consumers).await;
            overview.map_err(|error| Unreadable { name, error: chain(&error) })
        });
        let (mut streams, mut unreadable) = (Vec::new(), Vec::new());
        for outcome in join_all(looks).await {
            match outcome {
                Ok(stream) => streams.push(stream),
                Err(one) => unreadable.push(one),
            }
        }
        let namespace = self.link().connector().options().namespace.clone();
        let orphans = found.orphans(self, &streams).await?;
        Ok(Overview { namespace, servers, streams, unreadable, orphans })
    }

    async fn find(&self) -> Result<Found> {
        let (keys, pattern) = (self.keys(), self.keys().pattern());
        let pattern = &pattern;
        let find = |mut connection| async move {
            let mut found = Found::default();
            let visit = |key: &str| {
                if let Some((stream, part)) = keys.read(key) {
                    found.add(stream, part);
                }
            };
            each_key(&mut connection, pattern, visit).await?;
            Ok(found)
        };
        self.link().run("list the streams", find).await
    }
}
