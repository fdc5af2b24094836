//! A schedule: its processes, its faults and their times; all drawn from one seed.

use std::time::Duration;

use redstream_proxy::{Fault as ProxyFault, Proxy};

use crate::item::POISON;
use crate::keys::Keys;
use crate::kind::Kind;
use crate::place::Place;
use crate::search::draw::add_to;
use crate::search::plan::Plan;
use crate::sink::Weather;
use crate::site::Insured;
use crate::words::{Act, Mood, Role, Trap};

/// The focus of a schedule.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Theme {
    /// Everything can fail; the delay messages become due and repair it.
    Repair,
    /// Only workers, their connections and the datastore fail. No delay message becomes due, so that any loss by a
    /// worker is visible.
    MainOnly,
}

#[derive(Clone, Debug)]
#[expect(clippy::struct_excessive_bools, reason = "each is drawn by itself")]
pub(crate) struct Schedule {
    pub(crate) seed: u64,
    pub(crate) theme: Theme,
    pub(crate) kind: Kind,
    pub(crate) keys: Keys,
    pub(crate) place: Place,
    pub(crate) insured: Insured,
    /// Commits remove their delay messages.
    pub(crate) removes_delays: bool,
    /// Commits do not wait for their main messages.
    pub(crate) in_background: bool,
    pub(crate) delay_ms: u64,
    /// The stream's last id is a day ahead of the clock, as after a clock that stepped back.
    pub(crate) ahead: bool,
    pub(crate) poison: Vec<i64>,
    /// Messages share entries from the begin.
    pub(crate) packed: bool,
    /// When a consumer joins that cannot read these, in ms.
    pub(crate) older_joins_ms: Option<u64>,
    pub(crate) cast: Vec<Part>,
    /// In the order of time, in ms.
    pub(crate) faults: Vec<(u64, Fault)>,
    pub(crate) calm_at: u64,
    /// What is done to the search index, if there is one. Then the last of the cast is its operator.
    pub(crate) search: Option<Plan>,
}

/// A process, and the traps of its first lives.
#[derive(Clone, Debug)]
pub(crate) struct Part {
    pub(crate) name: String,
    pub(crate) role: Role,
    pub(crate) skew_ms: i64,
    pub(crate) traps: Vec<Option<Trap>>,
}

/// A fault; processes by their index, times in ms.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Fault {
    Kill(usize),
    Stop(usize, u64),
    /// Stopped gracefully, and started again.
    Restart(usize),
    /// The same by SIGTERM.
    Terminate(usize),
    KillRedis(u64),
    /// Killed while Redis is stopped for this long, so that it starts without Redis.
    StartWithoutRedis(usize, u64),
    /// Redis refuses writes for this long, since it has no memory left.
    FullRedis(u64),
    /// A Cluster's slot is being moved to another node, and no key is moved.
    OpenSlot(u64),
    PauseRedis(u64),
    Network(usize, NetworkFault),
    Weather(Weather, u64),
    /// Connections to the search server break, and are refused for this long.
    SearchOutage(u64),
    /// A fault of the network between all processes and the search server.
    SearchNetwork(NetworkFault),
}

/// A fault of the network for the connections of one process.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum NetworkFault {
    /// All connections break, now.
    Cut,
    /// Each request and each reply takes this many ms longer, until the faults end.
    Slow(u64),
    /// The next request meets this fault.
    Next(ProxyFault),
}

impl NetworkFault {
    pub(crate) fn strike(self, proxy: &Proxy) {
        match self {
            Self::Cut => proxy.cut(),
            Self::Slow(ms) => proxy.slow_down(Duration::from_millis(ms)),
            Self::Next(fault) => proxy.strike("", fault, 1),
        }
    }
}

const WRITER_POINTS: [&str; 13] = [
    "save: insuring",
    "delay: sending",
    "delay: acknowledged",
    "commit: insured",
    "commit: done",
    "commit: done",
    "main: sending",
    "main: acknowledged",
    "commit: announced",
    "outbox: written",
    "bulk: begun",
    "bulk: followed",
    "bulk: written",
];

/// Points that fail more often are listed more than once.
const WORKER_POINTS: [&str; 18] = [
    "lock: taken",
    "lock: renewing",
    "lock: releasing",
    "consumer: read",
    "consumer: version issued",
    "consumer: handling",
    "indexer: loaded",
    "indexer: written",
    "consumer: handled",
    "consumer: committing",
    "consumer: committing",
    "consumer: committing",
    "consumer: committed",
    "consumer: dead letter",
    "delayer: moving",
    "delayer: moved",
    "trimmer: trimming",
    "trimmer: trimmed",
];

const RELAY_POINTS: [&str; 5] =
    ["relay: selected", "main: sending", "main: acknowledged", "relay: added", "relay: deleted"];

/// The longest that a writer is stopped: with the age at which its delay messages are sent again, and the longest wait
/// for their acknowledgement, it stays below the delay. Beyond that there is no guarantee.
const WRITER_STOP_MS: u64 = 600;

impl Schedule {
    pub(crate) fn draw(seed: u64) -> Self {
        let mut chance = fastrand::Rng::with_seed(seed);
        let chance = &mut chance;
        let theme = if chance.u8(0..3) == 0 { Theme::MainOnly } else { Theme::Repair };
        let kind = chance.choice([Kind::Sqlite, Kind::Postgres, Kind::MariaDb]).unwrap_or(Kind::Sqlite);
        let keys =
            if chance.bool() { Keys::Integer } else { chance.choice(Keys::of(kind)).copied().unwrap_or(Keys::Integer) };
        let insured = match (theme, chance.u8(0..5)) {
            (Theme::MainOnly, _) | (_, 0..3) => Insured::Redis,
            (_, 3) => Insured::Outbox,
            _ => Insured::RedisElseOutbox,
        };
        let delay_ms = if theme == Theme::Repair { 1500 } else { 60_000 };
        let ahead = chance.u8(0..4) == 0;
        let poison = if chance.u8(0..3) == 0 { POISON[..chance.usize(1..=2)].to_vec() } else { Vec::new() };
        let busy_ms = chance.u64(1000..1400);
        let mut cast = Vec::new();
        for number in 0..2 {
            let role = Role::Writer { number, seed: chance.u64(..), busy_ms, poison: poison.clone() };
            let traps =
                if theme == Theme::Repair { traps(chance, &WRITER_POINTS, WRITER_STOP_MS, 12) } else { Vec::new() };
            cast.push(Part { name: format!("writer-{number}"), role, skew_ms: skew(chance), traps });
        }
        let mood = Mood {
            errors: chance.choice([0, 5, 15]).unwrap_or(0),
            panics: chance.choice([0, 0, 5]).unwrap_or(0),
            slow: chance.choice([0, 0, 10]).unwrap_or(0),
            blocking: chance.choice([0, 0, 10]).unwrap_or(0),
            batch: chance.choice([1, 5, 50]).unwrap_or(5),
        };
        let late_ms = if chance.u8(0..3) == 0 { chance.u64(500..1500) } else { 0 };
        for number in 0..2 {
            let role = Role::Workers { seed: chance.u64(..), mood, late_ms };
            let mut traps = traps(chance, &WORKER_POINTS, 900, 5);
            if theme == Theme::MainOnly {
                traps
                    .iter_mut()
                    .flatten()
                    .filter(|trap| matches!(trap.act, Act::KillRedis(_)))
                    .for_each(|trap| trap.act = Act::Kill);
            }
            cast.push(Part { name: format!("workers-{number}"), role, skew_ms: skew(chance), traps });
        }
        if insured != Insured::Redis {
            for number in 0..2 {
                let traps = traps(chance, &RELAY_POINTS, 900, 4);
                cast.push(Part { name: format!("relay-{number}"), role: Role::Relay, skew_ms: skew(chance), traps });
            }
        }
        let calm_at = busy_ms + if theme == Theme::Repair { chance.u64(300..1000) } else { 300 };
        let mut faults: Vec<_> = (0..chance.usize(1..=5))
            .map(|_| (chance.u64(100..calm_at), Fault::draw(chance, theme, cast.len())))
            .collect();
        let place = if chance.u8(0..4) == 0 { Place::Cluster } else { Place::Single };
        if place == Place::Cluster && theme == Theme::Repair {
            faults.push((chance.u64(100..calm_at), Fault::OpenSlot(chance.u64(200..1000))));
        }
        faults.sort_by_key(|(at, _)| *at);
        let removes_delays = chance.u8(0..3) == 0;
        // A writer that ends leaves unannounced changes to the delay messages.
        let in_background = chance.u8(0..3) == 0 && theme == Theme::Repair;
        let packed = chance.u8(0..4) > 0;
        let older_joins_ms = (packed && chance.u8(0..3) == 0).then(|| chance.u64(100..calm_at));
        let mut schedule = Self {
            seed,
            theme,
            kind,
            keys,
            place,
            insured,
            removes_delays,
            in_background,
            delay_ms,
            ahead,
            poison,
            packed,
            older_joins_ms,
            cast,
            faults,
            calm_at,
            search: None,
        };
        add_to(&mut schedule);
        schedule
    }
}

impl Schedule {
    /// How many workers of a process wait on connections of their own. Not drawn, so that all else of a seed stays what
    /// it was.
    pub(crate) fn waiting_alone(&self) -> usize {
        if self.seed.is_multiple_of(2) { 0 } else { 16 }
    }
}

impl Fault {
    fn draw(chance: &mut fastrand::Rng, theme: Theme, parts: usize) -> Self {
        let worker = chance.usize(2..4);
        let (anybody, but_writers) =
            if theme == Theme::Repair { (chance.usize(0..parts), chance.usize(2..parts)) } else { (worker, worker) };
        match chance.u8(0..100) {
            0..20 => Self::Kill(anybody),
            20..35 => Self::Stop(but_writers, chance.u64(450..1000)),
            35..42 => Self::Restart(but_writers),
            42..47 => Self::Terminate(worker),
            47..53 if theme == Theme::Repair => Self::KillRedis(chance.u64(0..900)),
            53..57 if theme == Theme::Repair => Self::StartWithoutRedis(anybody, chance.u64(200..900)),
            57..60 if theme == Theme::Repair => Self::PauseRedis(chance.u64(100..700)),
            60..64 if theme == Theme::Repair => Self::FullRedis(chance.u64(100..900)),
            64..75 => {
                let outage = chance.choice([Weather::Outage, Weather::HalfOutage]).unwrap_or_default();
                let slow = Weather::Slow(chance.u64(50..600));
                Self::Weather(if chance.bool() { outage } else { slow }, chance.u64(100..800))
            }
            _ => {
                let slow = NetworkFault::Slow(chance.u64(5..60));
                let [before, silent, instead, within] = ProxyFault::ALL.map(NetworkFault::Next);
                let faults = [NetworkFault::Cut, slow, before, silent, instead, within];
                Self::Network(anybody, chance.choice(faults).unwrap_or(NetworkFault::Cut))
            }
        }
    }
}

/// Traps for three runs.
fn traps(chance: &mut fastrand::Rng, points: &[&str], longest_stop: u64, most: u32) -> Vec<Option<Trap>> {
    let trap = |chance: &mut fastrand::Rng| {
        let act = match chance.u8(0..20) {
            0..10 => Act::Kill,
            10..13 => Act::KillAfter(chance.u64(0..3000)),
            13..18 => Act::Stop(chance.u64(450..=longest_stop)),
            _ => Act::KillRedis(chance.u64(0..900)),
        };
        let point = chance.choice(points.iter().copied()).unwrap_or_default().to_owned();
        Trap { point, nth: chance.u32(1..=most), act }
    };
    (0..3).map(|_| (chance.u8(0..10) < 6).then(|| trap(chance))).collect()
}

/// How wrong the clock of a host is, in ms: right, slightly wrong, or so wrong that a delayer using it would not finish
/// within the bound.
fn skew(chance: &mut fastrand::Rng) -> i64 {
    match chance.u8(0..4) {
        0 => 0,
        1 => chance.i64(-10_000..=10_000),
        _ => chance.choice([-40_000, 40_000]).unwrap_or_default(),
    }
}
