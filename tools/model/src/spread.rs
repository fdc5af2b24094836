//! Distributing shards over hosts: each host reads which hosts are alive and which shards they hold, and acts on that
//! later, when it is outdated. Hosts join and die at any moment. The end of PROTOCOL's rules of sharding: at rest no
//! host holds two more than another.

use stateright::{Model, Property};

use crate::check::Ruled;

const HOSTS: usize = 3;
const SHARDS: usize = 4;

/// How many rounds, in which each host reads and acts in turn, may pass until all is at rest.
const ROUNDS: usize = 8;

/// The rules, and what happens without each.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Rule {
    /// A host releases a shard if another one has two fewer, though it has no more than its share.
    GiveUpForTheLeast,
    /// A host acquires a shard beyond its share if no other host holds fewer.
    TakeBeyondTheShare,
}

/// The model, without one of its rules or with all of them.
#[derive(Clone, Debug)]
pub(crate) struct Spread {
    without: Option<Rule>,
}

type Owners = [Option<u8>; SHARDS];

/// The view of a host.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
struct View {
    owners: Owners,
    alive: [bool; HOSTS],
}

#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(crate) struct State {
    now: View,
    /// The view that each host has not acted on yet.
    seen: [Option<View>; HOSTS],
    deaths: u8,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Step {
    Join(usize),
    /// Its heartbeat expires at once; its locks stay for their TTL.
    Die(usize),
    LocksExpire(usize),
    Look(usize),
    /// It releases what it must, and acquires what it may.
    Act(usize),
}

impl View {
    fn held(&self, host: usize) -> usize {
        self.owners.iter().filter(|owner| **owner == Some(index(host))).count()
    }

    fn live(&self) -> impl Iterator<Item = usize> {
        (0..HOSTS).filter(|host| self.alive[*host])
    }

    /// The shards that live hosts distribute, and the fewest that another host holds.
    fn shared_and_least(&self, me: usize) -> (usize, Option<usize>) {
        let free = self.owners.iter().filter(|owner| owner.is_none()).count();
        let held: usize = self.live().map(|host| self.held(host)).sum();
        (free + held, self.live().filter(|host| *host != me).map(|host| self.held(host)).min())
    }

    fn is_even(&self) -> bool {
        let loads: Vec<usize> = self.live().map(|host| self.held(host)).collect();
        let spread = loads.iter().max().zip(loads.iter().min()).map_or(0, |(most, least)| most - least);
        let owned = |owner: &Option<u8>| owner.is_some_and(|host| self.alive[usize::from(host)]);
        loads.is_empty() || (spread <= 1 && self.owners.iter().all(owned))
    }
}

impl Spread {
    fn keeps(&self, rule: Rule) -> bool {
        self.without != Some(rule)
    }

    /// `surplus` of the code.
    fn surplus(&self, seen: &View, me: usize, held: usize) -> usize {
        let (shared, least) = seen.shared_and_least(me);
        let beyond = held.saturating_sub(shared.div_ceil(seen.live().count().max(1)));
        match least {
            Some(least) if held >= least + 2 => beyond.max(usize::from(self.keeps(Rule::GiveUpForTheLeast))),
            _ => 0,
        }
    }

    /// `may_take` of the code.
    fn may_take(&self, seen: &View, me: usize, held: usize) -> bool {
        let (shared, least) = seen.shared_and_least(me);
        let beyond = self.keeps(Rule::TakeBeyondTheShare) && least.is_none_or(|least| held <= least);
        held < shared / seen.live().count().max(1) || beyond
    }

    /// The shards after a host has acted on its view.
    fn act(&self, now: &View, seen: &View, me: usize) -> View {
        let mut after = *now;
        let surplus = self.surplus(seen, me, now.held(me));
        let own: Vec<usize> = (0..SHARDS).filter(|shard| now.owners[*shard] == Some(index(me))).collect();
        for shard in own.into_iter().rev().take(surplus) {
            after.owners[shard] = None;
        }
        for shard in (0..SHARDS).filter(|shard| seen.owners[*shard].is_none()) {
            // The script only acquires a free lock.
            if self.may_take(seen, me, after.held(me)) && after.owners[shard].is_none() && now.owners[shard].is_none() {
                after.owners[shard] = Some(index(me));
            }
        }
        after
    }

    /// Whether each host could act on a fresh view and nothing would change.
    fn is_at_rest(&self, now: &View) -> bool {
        now.live().all(|host| self.act(now, now, host) == *now)
    }

    /// Whether it comes to rest, if each host reads and acts in turn and no locks of the dead are left.
    fn comes_to_rest(&self, state: &State) -> bool {
        let mut now = state.now;
        for owner in &mut now.owners {
            *owner = owner.filter(|host| now.alive[usize::from(*host)]);
        }
        for _ in 0..ROUNDS {
            if self.is_at_rest(&now) {
                return now.is_even();
            }
            for host in 0..HOSTS {
                if now.alive[host] {
                    now = self.act(&now, &now, host);
                }
            }
        }
        false
    }
}

impl Model for Spread {
    type State = State;
    type Action = Step;

    fn init_states(&self) -> Vec<State> {
        let now = View { owners: [None; SHARDS], alive: [true, false, false] };
        vec![State { now, seen: [None; HOSTS], deaths: 1 }]
    }

    fn actions(&self, state: &State, steps: &mut Vec<Step>) {
        for host in 0..HOSTS {
            let is_mine = |owner: &Option<u8>| *owner == Some(index(host));
            let holds = state.now.owners.iter().any(is_mine);
            if state.now.alive[host] {
                steps.push(if state.seen[host].is_none() { Step::Look(host) } else { Step::Act(host) });
                if state.deaths > 0 {
                    steps.push(Step::Die(host));
                }
            } else if holds {
                steps.push(Step::LocksExpire(host));
            } else {
                steps.push(Step::Join(host));
            }
        }
    }

    fn next_state(&self, before: &State, step: Step) -> Option<State> {
        let mut state = before.clone();
        match step {
            Step::Join(host) => state.now.alive[host] = true,
            Step::Die(host) => {
                state.deaths -= 1;
                (state.now.alive[host], state.seen[host]) = (false, None);
            }
            Step::LocksExpire(host) => {
                for owner in &mut state.now.owners {
                    *owner = owner.filter(|owner| usize::from(*owner) != host);
                }
            }
            Step::Look(host) => state.seen[host] = Some(state.now),
            Step::Act(host) => {
                let seen = state.seen[host].take()?;
                state.now = self.act(&state.now, &seen, host);
            }
        }
        Some(state)
    }

    fn properties(&self) -> Vec<Property<Self>> {
        vec![
            Property::always(EVEN, |model: &Self, state: &State| {
                let dead = state.now.owners.iter().flatten().any(|host| !state.now.alive[usize::from(*host)]);
                dead || !model.is_at_rest(&state.now) || state.now.is_even()
            }),
            Property::always("rounds in turn come to that rest", |model: &Self, state: &State| {
                model.comes_to_rest(state)
            }),
            Property::sometimes("three hosts share the shards", |_, state: &State| {
                state.now.live().count() == HOSTS && state.now.is_even()
            }),
        ]
    }
}

#[expect(clippy::cast_possible_truncation, reason = "there are three")]
fn index(host: usize) -> u8 {
    host as u8
}

impl Ruled for Spread {
    type Rule = Rule;
    const NAME: &'static str = "spread";
    const BOUNDS: &'static str = "4 shards, 3 hosts that come at any moment and act on what they saw before, 1 death";
    const RULES: &'static [(Rule, &'static str)] = &[(Rule::GiveUpForTheLeast, EVEN), (Rule::TakeBeyondTheShare, EVEN)];

    fn without(rule: Option<Rule>) -> Self {
        Self { without: rule }
    }
}

const EVEN: &str = "at rest every shard has an owner, and no host holds two more than another";

#[cfg(test)]
crate::check::tests_of!(Spread);
