//! Draws the plan of a search index, and the faults that come with it.

use redstream_proxy::Fault as ProxyFault;

use crate::schedule::{Fault, NetworkFault, Part, Schedule, Theme};
use crate::search::plan::{Act, Plan, Step};
use crate::trap::ANY;
use crate::words::{Act as TrapAct, Role, Trap};

/// One schedule of so many has a search index.
const SHARE: u8 = 10;

/// Distinguishes what is drawn here from what is drawn of the same seed elsewhere.
const SALT: u64 = 0x5EA2_C400_0000_0000;

/// How many lives of the operator have a trap.
const LIVES: usize = 12;

/// Where the operator is stopped, beside the points that it crosses first.
const POINTS: [&str; 16] = [
    "reindex: queued",
    "reindex: recorded",
    "reindex: waiting",
    "reindex: finishing",
    "reindex: finished",
    "swap: walked",
    "swap: caught up",
    "swap: refreshed",
    "swap: verified",
    "swap: checked",
    "swap: switched",
    "swap: old consumer forgotten",
    "swap: old index removed",
    "swap: walk discarded",
    "swap: new consumer forgotten",
    "swap: new index removed",
];

/// Adds a search index to the schedule if its seed has one. What else is drawn of the seed stays as it is, except that
/// writes and faults go on for longer.
pub(crate) fn add_to(schedule: &mut Schedule) {
    let chance = &mut fastrand::Rng::with_seed(schedule.seed ^ SALT);
    if chance.u8(0..SHARE) > 0 {
        return;
    }
    let longer = chance.u64(1500..3000);
    for part in &mut schedule.cast {
        if let Role::Writer { busy_ms, .. } = &mut part.role {
            *busy_ms += longer;
        }
    }
    schedule.calm_at += longer;
    let traps = (0..LIVES).map(|_| (chance.u8(0..10) < 8).then(|| trap(chance))).collect();
    schedule.cast.push(Part { name: "operator".to_owned(), role: Role::Operator, skew_ms: 0, traps });
    for _ in 0..chance.usize(2..=6) {
        let fault = fault(chance, schedule);
        schedule.faults.push((chance.u64(100..schedule.calm_at), fault));
    }
    schedule.faults.sort_by_key(|(at, _)| *at);
    // A consumer that takes each message alone takes long for many rows.
    let is_slow = schedule.cast.iter().any(|part| matches!(part.role, Role::Workers { mood, .. } if mood.batch == 1));
    let settled = if is_slow { 10 } else { chance.choice([10, 30, 60]).unwrap_or(10) };
    schedule.search = Some(plan(chance, settled));
}

fn plan(chance: &mut fastrand::Rng, settled: usize) -> Plan {
    let mut in_use = 1;
    let first = if chance.bool() {
        Act::Reindex { index: in_use }
    } else {
        Act::Swap { to: in_use, replaces: None, remove_old: false }
    };
    let mut steps = vec![Step { act: first, written: vec![in_use] }];
    for _ in 0..chance.usize(1..=2) {
        let other = 3 - in_use;
        if chance.u8(0..4) == 0 {
            let cut_ms = chance.u64(50..2000);
            steps.push(Step { act: Act::Attempt { to: other, cut_ms }, written: vec![in_use, other] });
            steps.push(Step { act: Act::Abort { to: other }, written: vec![in_use] });
        }
        // Now and then the consumer of the old index is stopped before.
        let written = if chance.u8(0..4) == 0 { vec![other] } else { vec![in_use, other] };
        let swap = Act::Swap { to: other, replaces: Some(in_use), remove_old: chance.bool() };
        steps.push(Step { act: swap, written });
        steps.push(Step { act: Act::Retire { to: other, replaces: in_use }, written: vec![other] });
        in_use = other;
    }
    if chance.u8(0..3) == 0 {
        steps.push(Step { act: Act::Reindex { index: in_use }, written: vec![in_use] });
    }
    Plan {
        steps,
        settled,
        is_verified: chance.bool(),
        skips_repeats: chance.bool(),
        max_documents: chance.choice([2, 10, 1000]).unwrap_or(1000),
    }
}

fn trap(chance: &mut fastrand::Rng) -> Trap {
    let act = match chance.u8(0..20) {
        0..12 => TrapAct::Kill,
        12..16 => TrapAct::KillAfter(chance.u64(0..3000)),
        _ => TrapAct::Stop(chance.u64(450..1500)),
    };
    let named = chance.choice(POINTS).unwrap_or_default();
    let (point, nth) = match chance.u8(0..10) {
        0..5 => (ANY, chance.u32(1..=12)),
        _ if ["reindex: queued", "reindex: recorded"].contains(&named) => (named, chance.u32(1..=8)),
        _ => (named, 1),
    };
    Trap { point: point.to_owned(), nth, act }
}

/// A fault of a host, the operator or the search server. Hosts are the third and the fourth of the cast, the operator
/// is the last.
fn fault(chance: &mut fastrand::Rng, schedule: &Schedule) -> Fault {
    let operator = schedule.cast.len() - 1;
    let host = chance.usize(2..4);
    let either = if chance.bool() { operator } else { host };
    let slow = NetworkFault::Slow(chance.u64(5..60));
    let [before, silent, instead, within] = ProxyFault::ALL.map(NetworkFault::Next);
    let network = chance.choice([NetworkFault::Cut, slow, before, silent, instead, within]);
    let network = network.unwrap_or(NetworkFault::Cut);
    match chance.u8(0..100) {
        0..25 => Fault::Kill(either),
        25..35 => Fault::Stop(either, chance.u64(450..1000)),
        35..42 => Fault::Restart(host),
        42..50 if schedule.theme == Theme::Repair => Fault::KillRedis(chance.u64(0..900)),
        50..60 => Fault::SearchOutage(chance.u64(100..1500)),
        60..75 => Fault::Network(either, network),
        _ => Fault::SearchNetwork(network),
    }
}
