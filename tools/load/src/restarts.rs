//! The restarts, in turn.

use std::fmt;

use redstream_servers::Redis;

use crate::crew::Crew;

/// One restart.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Restart {
    /// A host is killed, and its standby takes over within the lock's TTL.
    HostKilled(usize),
    /// A host is stopped as for a deployment, and releases its locks at once.
    HostStopped(usize),
    /// A writer is killed during its transactions.
    WriterKilled(usize),
    /// Redis is killed and reads its append-only file again.
    RedisKilled,
}

/// One round of them.
const ROUND: [Restart; 8] = [
    Restart::HostKilled(0),
    Restart::WriterKilled(0),
    Restart::HostStopped(1),
    Restart::RedisKilled,
    Restart::HostKilled(1),
    Restart::WriterKilled(1),
    Restart::HostStopped(0),
    Restart::RedisKilled,
];

impl Restart {
    /// All of them, in a cycle.
    pub(crate) fn in_turn() -> impl Iterator<Item = Self> {
        ROUND.into_iter().cycle()
    }

    pub(crate) async fn happen(self, crew: &mut Crew, redis: &mut Redis) -> anyhow::Result<()> {
        match self {
            Self::HostKilled(which) => {
                crew.hosts[which].kill().await?;
                crew.hosts[which].start().await
            }
            Self::HostStopped(which) => {
                crew.hosts[which].stop().await?;
                crew.hosts[which].start().await
            }
            Self::WriterKilled(which) => {
                crew.writers[which].kill().await?;
                crew.writers[which].start().await
            }
            // It blocks until Redis is ready; the run has nothing else to do.
            Self::RedisKilled => Ok(tokio::task::block_in_place(|| redis.restart())?),
        }
    }
}

impl fmt::Display for Restart {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::HostKilled(_) => f.write_str("a host of workers killed"),
            Self::HostStopped(_) => f.write_str("a host of workers stopped"),
            Self::WriterKilled(_) => f.write_str("a writer killed"),
            Self::RedisKilled => f.write_str("Redis killed"),
        }
    }
}
