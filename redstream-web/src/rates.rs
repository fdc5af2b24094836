//! How fast lags and reindexes change, from one look to the next.

use std::collections::BTreeMap;
use std::time::Instant;

use redstream_core::Overview;
use serde::Serialize;

/// The share of the latest look in a rate.
const WEIGHT: f64 = 0.3;

/// Changes a second.
#[derive(Clone, Debug, Default, PartialEq, Serialize)]
pub(crate) struct Rates {
    /// The lag of each consumer, by stream and name: negative while it catches up.
    lag: BTreeMap<String, BTreeMap<String, f64>>,
    /// The queued keys of each reindex, by stream and id.
    queued: BTreeMap<String, BTreeMap<String, f64>>,
}

/// What the next look is compared with.
#[derive(Debug, Default)]
pub(crate) struct Trends {
    last: Option<(Instant, Overview)>,
    rates: Rates,
}

impl Trends {
    /// The rates since the last look, smoothed over some looks. Empty after the first.
    pub(crate) fn next(&mut self, at: Instant, overview: &Overview) -> Rates {
        let mut rates = Rates::default();
        if let Some((before, last)) = &self.last {
            let seconds = at.duration_since(*before).as_secs_f64().max(0.001);
            for stream in &overview.streams {
                let Some(then) = last.streams.iter().find(|then| then.name == stream.name) else { continue };
                let name = stream.name.to_string();
                for now in &stream.consumers {
                    let then = then.consumers.iter().find(|then| then.name == now.name);
                    // A lag that was not counted to its end says nothing.
                    let Some(then) = then.filter(|then| !then.lag_is_more && !now.lag_is_more) else { continue };
                    let former = self.rates.lag.get(&name).and_then(|rates| rates.get(&now.name));
                    let rate = smooth(former, change(then.lag, now.lag) / seconds);
                    rates.lag.entry(name.clone()).or_default().insert(now.name.clone(), rate);
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
