//! The gauges of one look: which there are, and which are gone since the look before.

use std::collections::btree_map::Entry;
use std::collections::{BTreeMap, BTreeSet};
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use super::places::{OTHER, Places};
use crate::keys::DELAYER;
use crate::metrics;
use crate::overview::{ConsumerOverview, ConsumerState, DelayerOverview, Overview, ServerOverview, StreamOverview};

/// For each stream with series of its own, this many consumers.
const CONSUMERS_PER_STREAM: usize = 4;

/// How many servers have series of their own: masters of a Cluster may move to new addresses.
const MOST_SERVERS: usize = 1000;

/// The labels of a series, besides the namespace.
type Labels = Vec<(&'static str, String)>;
type Series = (&'static str, Labels);

/// The gauges that an observer has set.
#[derive(Debug, Default)]
pub(super) struct Gauges {
    streams: Places,
    consumers: Places,
    servers: Places,
    /// As of the last look.
    set: BTreeSet<Series>,
}

impl Gauges {
    /// Sets the gauges of what there is, and those of what is gone to NaN.
    pub(super) fn update(&mut self, overview: &Overview, most_streams: usize) {
        let mut values = Values::new(overview.namespace.as_deref());
        self.streams(overview, most_streams, &mut values);
        for server in &overview.servers {
            let own = self.servers.has("servers", &server.address, MOST_SERVERS);
            of_server(server, if own { &server.address } else { OTHER }, &mut values);
        }
        for problem in overview.problems() {
            let labels = [("kind", problem.kind.to_owned()), ("severity", problem.severity.to_string())];
            values.add(metrics::PROBLEMS, &labels, Fold::Sum, 1.0);
        }
        for (name, labels) in self.set.iter().filter(|series| !values.all.contains_key(series)) {
            // A problem that is solved is none.
            let value = if *name == metrics::PROBLEMS { 0.0 } else { f64::NAN };
            ::metrics::gauge!(*name, labels).set(value);
        }
        for ((name, labels), value) in &values.all {
            ::metrics::gauge!(*name, labels).set(*value);
        }
        let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
        ::metrics::gauge!(metrics::OBSERVED, &values.namespace).set(now.as_secs_f64());
        let problems = |(name, _): &Series| *name == metrics::PROBLEMS;
        let solved: Vec<Series> = self.set.iter().filter(|series| problems(series)).cloned().collect();
        self.set = values.all.into_keys().chain(solved).collect();
    }

    /// Sets all to NaN.
    pub(super) fn end(&mut self) {
        for (name, labels) in std::mem::take(&mut self.set) {
            ::metrics::gauge!(name, &labels).set(f64::NAN);
        }
    }

    fn streams(&mut self, overview: &Overview, most: usize, values: &mut Values) {
        values.add(metrics::STREAMS, &[], Fold::Sum, float(overview.streams.len() as u64));
        let mut latest_of_others: Option<&DelayerOverview> = None;
        for stream in &overview.streams {
            let name = stream.name.as_str();
            let own = self.streams.has("streams", name, most);
            let label = if own { name } else { OTHER };
            of_stream(stream, label, values);
            if own {
                of_delay(&stream.delayer, label, values);
            } else if latest_of_others.is_none_or(|latest| lateness(&stream.delayer) > lateness(latest)) {
                latest_of_others = Some(&stream.delayer);
            }
            for consumer in &stream.consumers {
                // A name of a stream has no white space.
                let place = format!("{name} {}", consumer.name);
                let own = own && self.consumers.has("consumers", &place, most.saturating_mul(CONSUMERS_PER_STREAM));
                of_consumer(consumer, label, if own { &consumer.name } else { OTHER }, values);
            }
        }
        if let Some(delayer) = latest_of_others {
            of_delay(delayer, OTHER, values);
        }
    }
}

/// How values of one series are combined.
#[derive(Clone, Copy)]
enum Fold {
    Sum,
    Max,
    Min,
}

/// The values of one look.
struct Values {
    namespace: Labels,
    all: BTreeMap<Series, f64>,
}

impl Values {
    fn new(namespace: Option<&str>) -> Self {
        let namespace = vec![("redstream_namespace", namespace.unwrap_or_default().to_owned())];
        Self { namespace, all: BTreeMap::new() }
    }

    fn add(&mut self, name: &'static str, labels: &[(&'static str, String)], fold: Fold, value: f64) {
        match self.all.entry((name, [&self.namespace, labels].concat())) {
            Entry::Vacant(new) => {
                new.insert(value);
            }
            Entry::Occupied(mut old) => {
                let combined = match fold {
                    Fold::Sum => *old.get() + value,
                    Fold::Max => old.get().max(value),
                    Fold::Min => old.get().min(value),
                };
                old.insert(combined);
            }
        }
    }
}

fn of_stream(stream: &StreamOverview, label: &str, values: &mut Values) {
    let labels = [("stream", label.to_owned())];
    let delayer = &stream.delayer;
    values.add(metrics::ENTRIES, &labels, Fold::Sum, float(stream.entries));
    values.add(metrics::DELAY_ENTRIES, &labels, Fold::Sum, float(delayer.entries));
    values.add(metrics::DELAYER_RUNNING, &labels, Fold::Min, flag(delayer.runs));
    values.add(metrics::TRIMMER_RUNNING, &labels, Fold::Min, flag(stream.trimmer_runs));
    if let Some(bytes) = stream.bytes {
        values.add(metrics::BYTES, &labels, Fold::Sum, float(bytes));
    }
    if delayer.dead_letters > 0 {
        let labels = [("stream", label.to_owned()), ("consumer", DELAYER.to_owned())];
        values.add(metrics::DEAD_LETTERS, &labels, Fold::Sum, float(delayer.dead_letters));
    }
}

/// Both of one stream, so that they can be compared.
fn of_delay(delayer: &DelayerOverview, label: &str, values: &mut Values) {
    let labels = [("stream", label.to_owned())];
    values.add(metrics::DELAY_OLDEST, &labels, Fold::Max, seconds(delayer.oldest));
    if let Some(delay) = delayer.delay {
        values.add(metrics::DELAY, &labels, Fold::Max, delay.as_secs_f64());
    }
}

/// The age of the oldest delay message, as a multiple of the delay.
fn lateness(delayer: &DelayerOverview) -> f64 {
    delayer.delay.map_or(0.0, |delay| seconds(delayer.oldest) / delay.as_secs_f64().max(0.001))
}

fn of_consumer(consumer: &ConsumerOverview, stream: &str, name: &str, values: &mut Values) {
    let labels = [("stream", stream.to_owned()), ("consumer", name.to_owned())];
    values.add(metrics::LAG, &labels, Fold::Sum, float(consumer.lag));
    values.add(metrics::LAG_SECONDS, &labels, Fold::Max, seconds(consumer.behind));
    values.add(metrics::DEAD_LETTERS, &labels, Fold::Sum, float(consumer.dead_letters));
    // One of the Ruby gem has other locks.
    if consumer.is_registered {
        let runs = matches!(consumer.state, ConsumerState::Running | ConsumerState::Pausing);
        let paused = matches!(consumer.state, ConsumerState::Paused | ConsumerState::Pausing);
        values.add(metrics::CONSUMER_RUNNING, &labels, Fold::Min, flag(runs));
        values.add(metrics::CONSUMER_PAUSED, &labels, Fold::Max, flag(paused));
    }
}

fn of_server(server: &ServerOverview, label: &str, values: &mut Values) {
    let labels = [("server", label.to_owned())];
    if let Some(bytes) = server.used_memory {
        values.add(metrics::REDIS_USED, &labels, Fold::Sum, float(bytes));
    }
    if let Some(bytes) = server.max_memory {
        values.add(metrics::REDIS_MAX, &labels, Fold::Sum, float(bytes));
    }
    if let Some(policy) = &server.eviction_policy {
        values.add(metrics::REDIS_EVICTS, &labels, Fold::Max, flag(policy != "noeviction"));
    }
}

fn seconds(age: Option<Duration>) -> f64 {
    age.unwrap_or_default().as_secs_f64()
}

fn flag(holds: bool) -> f64 {
    f64::from(u8::from(holds))
}

#[expect(clippy::cast_precision_loss, reason = "a gauge is a float")]
fn float(number: u64) -> f64 {
    number as f64
}
