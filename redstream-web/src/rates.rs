//! How fast messages are written and handled, and lags and reindexes change, from one look to the next.

use std::collections::BTreeMap;
use std::time::Instant;

use redstream_core::{MessageId, Overview, StreamOverview};
use serde::Serialize;

/// The share of the latest look in a rate.
const WEIGHT: f64 = 0.3;

type ByStream<T> = BTreeMap<String, T>;
type ByName = BTreeMap<String, f64>;

/// Changes a second.
#[derive(Clone, Debug, Default, PartialEq, Serialize)]
pub(crate) struct Rates {
    /// The messages that are written to each stream.
    written: ByStream<f64>,
    /// The messages that each consumer commits, by stream and name.
    handled: ByStream<ByName>,
    /// The lag of each consumer, by stream and name: negative while it catches up.
    lag: ByStream<ByName>,
    /// The queued keys of each reindex, by stream and id.
    queued: ByStream<ByName>,
}

/// Messages of one stream that were written since the last look.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Written {
    pub(crate) messages: u64,
    /// The last of them.
    pub(crate) last: MessageId,
}

/// What the next look is compared with.
#[derive(Debug, Default)]
pub(crate) struct Trends {
    last: Option<(Instant, Overview)>,
    /// Up to where the messages of each stream were counted.
    counted: ByStream<MessageId>,
    rates: Rates,
}

impl Trends {
    /// After which message the new ones of a stream are to be counted; `None` if there are none, or the stream was not
    /// there at the last look.
    pub(crate) fn count_from(&self, stream: &StreamOverview) -> Option<MessageId> {
        self.counted.get(stream.name.as_str()).copied().filter(|counted| *counted < stream.last_id)
    }

    /// The rates since the last look, smoothed over some looks. Empty after the first. `written` is what was counted of
    /// the streams that have new messages.
    pub(crate) fn next(&mut self, at: Instant, overview: &Overview, written: &ByStream<Written>) -> Rates {
        let mut rates = Rates::default();
        if let Some((before, last)) = &self.last {
            let seconds = at.duration_since(*before).as_secs_f64().max(0.001);
            for stream in &overview.streams {
                let Some(then) = last.streams.iter().find(|then| then.name == stream.name) else { continue };
                let name = stream.name.to_string();
                let new = written.get(&name).map_or(0, |written| written.messages);
                let former = self.rates.written.get(&name);
                rates.written.insert(name.clone(), smooth(former, change(0, new) / seconds));
                for now in &stream.consumers {
                    let then = then.consumers.iter().find(|then| then.name == now.name);
                    // A lag that was not counted to its end says nothing.
                    let Some(then) = then.filter(|then| !then.lag_is_more && !now.lag_is_more) else { continue };
                    let grown = change(then.lag, now.lag);
                    let add = |of: &mut ByStream<ByName>, former: &ByStream<ByName>, latest: f64| {
                        let former = former.get(&name).and_then(|rates| rates.get(&now.name));
                        of.entry(name.clone()).or_default().insert(now.name.clone(), smooth(former, latest / seconds));
                    };
                    add(&mut rates.lag, &self.rates.lag, grown);
                    // More than were written are behind it after a rewind. What was written and what is behind are
                    // counted at times that differ a little: that is not work of one that rests.
                    let handled = if now.offset == then.offset { 0.0 } else { (change(0, new) - grown).max(0.0) };
                    add(&mut rates.handled, &self.rates.handled, handled);
                }
                for now in &stream.reindexes {
                    let then = then.reindexes.iter().find(|then| then.id == now.id && then.walk == now.walk);
                    let Some(then) = then else { continue };
                    let former = self.rates.queued.get(&name).and_then(|rates| rates.get(&now.id));
                    let rate = smooth(former, change(then.queued, now.queued) / seconds);
                    rates.queued.entry(name.clone()).or_default().insert(now.id.clone(), rate);
                }
            }
        }
        let last_of = |stream: &StreamOverview| {
            let name = stream.name.to_string();
            let last = written.get(&name).map_or(stream.last_id, |written| written.last.max(stream.last_id));
            (name, last)
        };
        self.counted = overview.streams.iter().map(last_of).collect();
        self.last = Some((at, overview.clone()));
        self.rates = rates.clone();
        rates
    }
}

#[expect(clippy::cast_precision_loss, reason = "a rate is shown with three digits")]
fn change(then: u64, now: u64) -> f64 {
    now as f64 - then as f64
}

fn smooth(former: Option<&f64>, latest: f64) -> f64 {
    former.map_or(latest, |former| former * (1.0 - WEIGHT) + latest * WEIGHT)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_rate_follows_the_latest_looks() {
        assert!((smooth(None, 10.0) - 10.0).abs() < 1e-9);
        assert!((smooth(Some(&10.0), 0.0) - 7.0).abs() < 1e-9);
        assert!((change(5, 2) + 3.0).abs() < 1e-9);
    }
}
