//! One row of the table: a path and its limit.

use crate::cost::Cost;
use crate::rounds::Rounds;
use crate::statistics::{Spread, median};
use serde::Serialize;

#[derive(Clone, Debug, Serialize)]
pub(crate) struct Row {
    pub(crate) name: &'static str,
    /// The path, and what it is compared with.
    pub(crate) path: &'static str,
    pub(crate) yardstick: &'static str,
    /// The unit of `ours` and `limit`.
    pub(crate) unit: &'static str,
    pub(crate) measure: Measure,
    pub(crate) ours: f64,
    pub(crate) limit: f64,
    /// The value for `floor` and `aim`: the median of the rounds.
    pub(crate) ratio: f64,
    pub(crate) ratio_min: f64,
    pub(crate) ratio_max: f64,
    pub(crate) floor: f64,
    pub(crate) aim: f64,
    /// Whether the floor is reached.
    pub(crate) pass: bool,
    /// Whether the aim is reached.
    pub(crate) aim_met: bool,
    #[serde(flatten)]
    pub(crate) cost: Option<Cost>,
}

/// How `ratio` is made of `ours` and `limit`, and which way is better.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum Measure {
    /// Ours over the limit, of rates: more is better.
    Rate,
    /// Ours over the limit, of times or sizes: less is better.
    Price,
    /// Ours less the limit, of times: less is better.
    Beyond,
}

impl Measure {
    pub(crate) fn ratio(self, ours: f64, limit: f64) -> f64 {
        match self {
            Self::Rate | Self::Price => ours / limit,
            Self::Beyond => ours - limit,
        }
    }

    fn reaches(self, ratio: f64, goal: f64) -> bool {
        // The printed value counts: two digits.
        let rounded = (ratio * 100.0).round() / 100.0;
        match self {
            Self::Rate => rounded >= goal,
            Self::Price | Self::Beyond => rounded <= goal,
        }
    }
}

/// The description of a row, before it is measured.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Question {
    pub(crate) name: &'static str,
    pub(crate) path: &'static str,
    pub(crate) yardstick: &'static str,
    pub(crate) unit: &'static str,
    pub(crate) measure: Measure,
    pub(crate) floor: f64,
    pub(crate) aim: f64,
}

impl Question {
    pub(crate) fn answer(self, rounds: &Rounds) -> Row {
        let ratios: Vec<f64> = rounds.pairs.iter().map(|(ours, limit)| self.measure.ratio(*ours, *limit)).collect();
        let spread = Spread::of(&ratios);
        let Self { name, path, yardstick, unit, measure, floor, aim } = self;
        Row {
            name,
            path,
            yardstick,
            unit,
            measure,
            ours: median(rounds.pairs.iter().map(|(ours, _)| *ours)),
            limit: median(rounds.pairs.iter().map(|(_, limit)| *limit)),
            ratio: spread.median,
            ratio_min: spread.min,
            ratio_max: spread.max,
            floor,
            aim,
            pass: measure.reaches(spread.median, floor),
            aim_met: measure.reaches(spread.median, aim),
            cost: rounds.cost,
        }
    }
}
