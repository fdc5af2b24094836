//! Measures ours and the limit in turns, so that a busy moment of the machine affects both.

use crate::cost::Cost;
use anyhow::Result;

/// The result: a pair per round, ours first.
#[derive(Clone, Debug, Default)]
pub(crate) struct Rounds {
    pub(crate) pairs: Vec<(f64, f64)>,
    /// The minimum of ours over the rounds.
    pub(crate) cost: Option<Cost>,
}

/// Measures in turns. `limit` gives a figure, `ours` a figure and what it cost.
pub(crate) async fn in_turns(
    rounds: usize,
    mut limit: impl AsyncFnMut() -> Result<f64>,
    mut ours: impl AsyncFnMut() -> Result<(f64, Option<Cost>)>,
) -> Result<Rounds> {
    let mut all = Rounds::default();
    for _ in 0..rounds {
        let limit = limit().await?;
        let (ours, cost) = ours().await?;
        all.add(ours, limit, cost);
    }
    Ok(all)
}

impl Rounds {
    pub(crate) fn add(&mut self, ours: f64, limit: f64, cost: Option<Cost>) {
        self.pairs.push((ours, limit));
        if let Some(cost) = cost
            && self.cost.is_none_or(|least| cost.cpu_us < least.cpu_us)
        {
            self.cost = Some(cost);
        }
    }
}
