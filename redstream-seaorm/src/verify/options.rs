//! The options of a verification.

use std::time::Duration;

use sea_orm::sea_query::Condition;
use sea_orm::{QueryTrait, Select};

use crate::entity::streamed::{Streamed, table};
use crate::verify::report::VerifyReport;

type OnProgress = dyn Fn(&VerifyReport) + Send + Sync;

pub(super) struct Options<E: Streamed> {
    pub(super) id: String,
    pub(super) target: String,
    /// All that are registered if it is empty.
    pub(super) consumers: Vec<String>,
    pub(super) select: Select<E>,
    pub(super) condition: Condition,
    /// Whether some rows are left out by `select` or `condition`.
    pub(super) is_part: bool,
    pub(super) page_size: usize,
    /// Keys a second.
    pub(super) rate: Option<f64>,
    /// Over how long a pass is spread if no rate is set.
    pub(super) spread: Option<Duration>,
    pub(super) max: u64,
    pub(super) most_told: usize,
    pub(super) repair: bool,
    /// In place of the delay that the delayer publishes.
    pub(super) skip_delay: bool,
    pub(super) patience: Duration,
    pub(super) retry_for: Duration,
    pub(super) on_progress: Option<Box<OnProgress>>,
}

impl<E: Streamed> Options<E> {
    pub(super) fn new(target: String) -> Self {
        Self {
            id: table::<E>(),
            target,
            consumers: Vec::new(),
            select: E::find(),
            condition: Condition::all(),
            is_part: false,
            page_size: 1000,
            rate: None,
            spread: None,
            max: 10_000,
            most_told: 100,
            repair: false,
            skip_delay: false,
            patience: Duration::from_secs(60),
            retry_for: Duration::from_secs(30),
            on_progress: None,
        }
    }

    /// Only these rows; their columns, order, limit and offset do not count.
    pub(super) fn select(&mut self, mut rows: Select<E>) {
        QueryTrait::query(&mut rows).clear_order_by().reset_limit().reset_offset();
        self.select = rows;
        self.is_part = true;
    }
}
