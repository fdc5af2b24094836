//! The kind of Redis that a schedule has: a single server, or a Cluster of one node that owns all slots.
//!
//! The Cluster knows of a second node, on whose port no process listens. A slot that is moved there is open until the
//! move is undone: commands that name a key which does not exist are redirected there, and fail.

use std::path::Path;
use std::time::Duration;

use anyhow::{Context as _, Result, ensure};
use redis::aio::MultiplexedConnection;
use redstream_seaorm::ConnectOptions;
use redstream_servers::RedisOptions;
use serde::{Deserialize, Serialize};
use tokio::time::{Instant, sleep};

use crate::item::STREAM;

/// The kind of server with the keys of a schedule.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) enum Place {
    Single,
    Cluster,
}

/// The name of the only existing node, and of the missing one.
const NODES: [&str; 2] = ["1111111111111111111111111111111111111111", "2222222222222222222222222222222222222222"];

/// The longest that a Cluster's node may take after it was started.
const UP: Duration = Duration::from_secs(20);

impl Place {
    /// The server's options. A Cluster stores what it knows of its nodes in `folder`.
    pub(crate) fn server(self, folder: &Path) -> Result<RedisOptions> {
        let options = RedisOptions::new().append_only(true);
        if self == Self::Single {
            return Ok(options);
        }
        let [own, other] = NODES;
        let file = folder.join("nodes.conf");
        let nodes = format!(
            "{own} 127.0.0.1:0@0 myself,master - 0 0 1 connected 0-16383\n\
             {other} 127.0.0.1:1@2 master - 0 0 2 disconnected\n\
             vars currentEpoch 2 lastVoteEpoch 0\n"
        );
        std::fs::write(&file, nodes).with_context(|| format!("{} cannot be written", file.display()))?;
        let file = file.to_string_lossy();
        let arguments = ["--cluster-enabled", "yes", "--cluster-config-file", &file];
        let address = ["--cluster-announce-ip", "127.0.0.1"];
        Ok(arguments.into_iter().chain(address).fold(options, RedisOptions::arg).port_arg("--cluster-port")?)
    }

    /// How a client connects to it.
    pub(crate) fn client(self, url: &str) -> ConnectOptions {
        match self {
            Self::Single => ConnectOptions::new(url),
            Self::Cluster => ConnectOptions::cluster([url]),
        }
    }

    /// The stream's name as written in keys.
    pub(crate) fn tag(self) -> String {
        match self {
            Self::Single => STREAM.to_owned(),
            Self::Cluster => format!("{{{STREAM}}}"),
        }
    }

    /// The key of the main stream.
    pub(crate) fn main_stream(self) -> String {
        format!("redstream:stream:{}", self.tag())
    }

    /// The text of a key or a command, with the stream's name as a single server has it.
    pub(crate) fn plain(self, text: &str) -> String {
        match self {
            Self::Single => text.to_owned(),
            Self::Cluster => text.replace(&self.tag(), STREAM),
        }
    }
}

/// Returns when the server accepts commands. A Cluster's node waits for two seconds after it was started.
pub(crate) async fn until_up(place: Place, redis: &mut MultiplexedConnection) -> Result<()> {
    if place == Place::Single {
        return Ok(());
    }
    let deadline = Instant::now() + UP;
    loop {
        let info: String = redis::cmd("CLUSTER").arg("INFO").query_async(redis).await?;
        if info.contains("cluster_state:ok") {
            return Ok(());
        }
        ensure!(Instant::now() < deadline, "the Cluster is not up after {UP:?}: {info}");
        sleep(Duration::from_millis(20)).await;
    }
}

/// Opens the slot of the stream's keys, or closes it again.
pub(crate) async fn set_slot(redis: &mut MultiplexedConnection, open: bool) -> Result<()> {
    let tag = Place::Cluster.tag();
    let slot: u16 = redis::cmd("CLUSTER").arg("KEYSLOT").arg(tag).query_async(redis).await?;
    let state: &[&str] = if open { &["MIGRATING", NODES[1]] } else { &["STABLE"] };
    let () = redis::cmd("CLUSTER").arg("SETSLOT").arg(slot).arg(state).query_async(redis).await?;
    Ok(())
}
