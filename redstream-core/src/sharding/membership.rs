//! Which host works on which shard: heartbeats of the hosts, and the owners of the locks.

use std::collections::HashMap;
use std::time::Duration;

use futures_util::future::try_join_all;

use crate::error::Result;
use crate::redstream::Redstream;
use crate::time::millis;
use crate::transport::scripts;
use crate::worker::Lock;

/// How many hex digits of a lock's token are the host's.
const HOST_DIGITS: usize = 16;

/// One run of a sharded worker. A process that restarts is a new host, and the locks of its predecessor expire by their
/// TTL.
pub(super) struct Host {
    id: String,
}

impl Host {
    pub(super) fn new() -> Self {
        let mut id = uuid::Uuid::new_v4().simple().to_string();
        id.truncate(HOST_DIGITS);
        Self { id }
    }

    /// A new token for a lock: 32 hex digits like any token, of which the first half identifies the host.
    pub(super) fn token(&self) -> String {
        let random = uuid::Uuid::new_v4().simple().to_string();
        format!("{}{}", self.id, &random[HOST_DIGITS..])
    }

    /// Announces that this host is alive, for `lifetime`, and reads the state of all hosts and locks.
    pub(super) async fn look(
        &self,
        redstream: &Redstream,
        hosts: &str,
        lifetime: Duration,
        locks: &[Lock],
    ) -> Result<View> {
        let mut beat = scripts::SHARD_HOSTS.prepare_invoke();
        beat.key(hosts).arg(&self.id).arg(millis(lifetime));
        let alive: Vec<(String, u64)> = redstream.link().script("show that this host lives", &beat).await?;
        let owners = try_join_all(locks.iter().map(|lock| self.owner(redstream, lock))).await?;
        Ok(View::new(&self.id, &alive, &owners, lifetime))
    }

    async fn owner(&self, redstream: &Redstream, lock: &Lock) -> Result<Option<Owner>> {
        let mut script = scripts::OWNER.prepare_invoke();
        script.key(lock.key());
        let (token, left, cut): (String, i64, u64) = redstream.link().script("see who holds a lock", &script).await?;
        lock.tell_of_a_step(Duration::from_millis(cut));
        if token.is_empty() {
            return Ok(None);
        }
        // Negative: it has no TTL, or has just expired.
        let left = u64::try_from(left).ok().map(Duration::from_millis);
        // A live holder renews it at a third.
        let lapses_in = left.filter(|left| *left < lock.ttl() / 2 && !token.starts_with(&self.id));
        Ok(Some(Owner { token, lapses_in }))
    }

    /// Leaves, so that the others no longer count this host.
    pub(super) async fn leave(&self, redstream: &Redstream, hosts: &str) -> Result<()> {
        let mut zrem = redis::cmd("ZREM");
        zrem.arg(hosts).arg(&self.id);
        let _removed: u8 = redstream.link().command("leave the hosts", &zrem).await?;
        Ok(())
    }
}

/// The holder of a lock, and when the lock expires if its holder seems to be dead.
pub(super) struct Owner {
    token: String,
    lapses_in: Option<Duration>,
}

/// The state that one host read in one round. It is outdated at once, so the rules below must tolerate that.
#[derive(Debug)]
pub(super) struct View {
    /// The shards without an owner.
    pub(super) free: Vec<usize>,
    /// How many shards the least loaded *other* live host holds; `None`: there is no other.
    least: Option<usize>,
    /// How many live hosts there are, and how many shards they can distribute: held by them, or free.
    live: usize,
    shared: usize,
    /// When a lock or heartbeat of a host that seems to be dead expires: the next round should be then.
    pub(super) changes_in: Option<Duration>,
}

impl View {
    fn new(me: &str, alive: &[(String, u64)], owners: &[Option<Owner>], lifetime: Duration) -> Self {
        let others = alive.iter().filter(|(host, _)| host != me);
        let mut loads: HashMap<&str, usize> = others.clone().map(|(host, _)| (host.as_str(), 0)).collect();
        let (mut free, mut mine) = (Vec::new(), 0);
        for (shard, owner) in owners.iter().enumerate() {
            match owner {
                None => free.push(shard),
                Some(Owner { token, .. }) => {
                    // A holder that is not a live host of the group (a dead one, a lock taken by hand) does not count.
                    let host = token.get(..HOST_DIGITS).unwrap_or_default();
                    match loads.get_mut(host) {
                        Some(load) => *load += 1,
                        None => mine += usize::from(host == me),
                    }
                }
            }
        }
        // Less than a third is left of a heartbeat only if a round was missed.
        let lapsing = others.map(|(_, ms)| Duration::from_millis(*ms)).filter(|left| *left < lifetime / 3);
        let falling_free = owners.iter().flatten().filter_map(|owner| owner.lapses_in);
        Self {
            live: loads.len() + 1,
            shared: free.len() + mine + loads.values().sum::<usize>(),
            least: loads.into_values().min(),
            changes_in: falling_free.chain(lapsing).min(),
            free,
        }
    }

    /// Whether a host that holds this many may take one more: it has less than its share, or no other host holds fewer.
    ///
    /// The share is rounded down, so that all hosts can have theirs. The remainder goes to the hosts with the fewest: a
    /// cap of `ceil(shards / hosts)` would not work, since 4 shards on 3 hosts could settle at 2, 2 and 0.
    pub(super) fn may_take(&self, held: usize) -> bool {
        held < self.shared / self.live || self.least.is_none_or(|least| held <= least)
    }

    /// How many shards a host that holds this many must give up at once: those beyond its share, rounded up; or one, if
    /// another host still has at least two fewer.
    pub(super) fn surplus(&self, held: usize) -> usize {
        if self.least.is_none_or(|least| held < least + 2) {
            return 0;
        }
        held.saturating_sub(self.shared.div_ceil(self.live)).max(1)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const LIFETIME: Duration = Duration::from_secs(5);

    /// Hosts `a`, `b` and so on, of which this one is `a`; a shard of `-` is free.
    fn view(hosts: &str, owners: &str) -> View {
        let id = |host: char| host.to_string().repeat(HOST_DIGITS);
        let alive: Vec<(String, u64)> = hosts.chars().map(|host| (id(host), 4000)).collect();
        let owner = |host| (host != '-').then(|| Owner { token: id(host), lapses_in: None });
        View::new(&id('a'), &alive, &owners.chars().map(owner).collect::<Vec<_>>(), LIFETIME)
    }

    #[test]
    fn the_difference_goes_at_once_and_no_host_falls_below_its_share() {
        let joined = view("abcd", &"a".repeat(64));
        assert_eq!(joined.surplus(64), 48);
        assert!(!joined.may_take(16));
        let freed = view("abcd", &("b".repeat(16) + &"-".repeat(48)));
        assert!((0..16).all(|held| freed.may_take(held)) && !freed.may_take(16));
    }

    #[test]
    fn what_is_left_over_goes_to_those_with_the_fewest() {
        // 4 shards on 3 hosts.
        assert_eq!(view("abc", "aabb").surplus(2), 1, "c has none");
        assert_eq!(view("abc", "aabc").surplus(2), 0);
        assert!(view("abc", "-abc").may_take(1));
        assert!(!view("abc", "-aab").may_take(2), "c has none");
        assert!(view("a", "--").may_take(7), "alone");
    }

    #[test]
    fn what_no_host_of_the_group_holds_is_no_part_of_the_share() {
        // Two locks taken by hand: four are left for two hosts.
        let by_hand = view("ab", "xxaaaa");
        assert_eq!(by_hand.surplus(4), 2);
        assert!(view("ab", "xxaa--").may_take(1) && !view("ab", "xxaa--").may_take(2));
    }

    #[test]
    fn what_falls_free_is_looked_at_when_it_does() {
        let id = |host: &str| host.repeat(HOST_DIGITS);
        let owner = |lapses_in| Some(Owner { token: id("b"), lapses_in });
        let at = Duration::from_millis;
        let changes = |left, lapses| {
            let alive = [(id("a"), 5000), (id("b"), left)];
            View::new(&id("a"), &alive, &[owner(lapses), owner(None)], LIFETIME).changes_in
        };
        assert_eq!(changes(4000, None), None);
        assert_eq!(changes(4000, Some(at(300))), Some(at(300)));
        assert_eq!(changes(200, Some(at(300))), Some(at(200)));
    }
}
