//! Who works at which shard: heartbeats of the hosts, and the owners of the locks.

use std::collections::HashMap;
use std::time::Duration;

use futures_util::future::try_join_all;

use crate::lock::{Lock, millis};
use crate::{Redstream, Result, scripts};

/// How many hex digits of a lock's token are the host's.
const HOST_DIGITS: usize = 16;

/// One run of a sharded worker. A process that starts anew is a new host, and what its predecessor left locked
/// falls free by its TTL.
pub(super) struct Host {
    id: String,
}

impl Host {
    pub(super) fn new() -> Self {
        let mut id = uuid::Uuid::new_v4().simple().to_string();
        id.truncate(HOST_DIGITS);
        Self { id }
    }

    /// A new token for a lock: 32 hex digits as any, of which the first half tells whose it is.
    pub(super) fn token(&self) -> String {
        let random = uuid::Uuid::new_v4().simple().to_string();
        format!("{}{}", self.id, &random[HOST_DIGITS..])
    }

    /// Shows that this host lives, for `lifetime`, and looks at all.
    pub(super) async fn look(
        &self,
        redstream: &Redstream,
        hosts: &str,
        lifetime: Duration,
        locks: &[Lock],
    ) -> Result<View> {
        let mut beat = scripts::SHARD_HOSTS.prepare_invoke();
        beat.key(hosts).arg(&self.id).arg(millis(lifetime));
        let alive: Vec<String> = redstream.link().script("show that this host lives", &beat).await?;
        let owners = try_join_all(locks.iter().map(|lock| owner(redstream, lock))).await?;
        Ok(View::new(&self.id, &alive, &owners))
    }

    /// Leaves, so that the others count this host no more.
    pub(super) async fn leave(&self, redstream: &Redstream, hosts: &str) -> Result<()> {
        let mut zrem = redis::cmd("ZREM");
        zrem.arg(hosts).arg(&self.id);
        let _removed: u8 = redstream.link().command("leave the hosts", &zrem).await?;
        Ok(())
    }
}

async fn owner(redstream: &Redstream, lock: &Lock) -> Result<Option<String>> {
    let mut script = scripts::OWNER.prepare_invoke();
    script.key(lock.key());
    let (token, cut): (String, u64) = redstream.link().script("see who holds a lock", &script).await?;
    lock.tell_of_a_step(Duration::from_millis(cut));
    Ok(Some(token).filter(|token| !token.is_empty()))
}

/// What one host saw in one round. It is out of date at once, so the rules below must do with that.
#[derive(Debug)]
pub(super) struct View {
    /// The shards that nobody holds.
    pub(super) free: Vec<usize>,
    /// How many shards the least loaded *other* live host holds; `None`: there is no other.
    least: Option<usize>,
}

impl View {
    fn new(me: &str, alive: &[String], owners: &[Option<String>]) -> Self {
        let mut loads: HashMap<&str, usize> =
            alive.iter().map(String::as_str).filter(|host| *host != me).map(|host| (host, 0)).collect();
        let mut free = Vec::new();
        for (shard, owner) in owners.iter().enumerate() {
            match owner {
                None => free.push(shard),
                Some(token) => {
                    // A holder that is no live host of the group (a dead one, a lock taken by hand) does not count.
                    if let Some(load) = token.get(..HOST_DIGITS).and_then(|host| loads.get_mut(host)) {
                        *load += 1;
                    }
                }
            }
        }
        Self { free, least: loads.into_values().min() }
    }

    /// Whether a host that holds so many may take one more: nobody has fewer.
    ///
    /// A cap of `ceil(shards / hosts)` would not do: 4 shards on 3 hosts could rest at 2, 2 and 0.
    pub(super) fn may_take(&self, held: usize) -> bool {
        self.least.is_none_or(|least| held <= least)
    }

    /// Whether a host that holds so many has to give one up: another has at least two fewer.
    pub(super) fn must_release(&self, held: usize) -> bool {
        self.least.is_some_and(|least| held >= least + 2)
    }
}
