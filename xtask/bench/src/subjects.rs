//! All that can be measured, by name.

use crate::place::Place;
use crate::row::Row;
use crate::rows::{
    bulk_produce, consume, delayer, handing_over, latency, many_rows, many_saves, memory, one_save, single_queue, trim,
};
use anyhow::{Result, ensure};
use futures_util::future::LocalBoxFuture;

pub(crate) struct Subject {
    pub(crate) name: &'static str,
    measure: for<'a> fn(&'a Place) -> LocalBoxFuture<'a, Result<Vec<Row>>>,
}

impl Subject {
    pub(crate) async fn measure(&self, place: &Place) -> Result<Vec<Row>> {
        (self.measure)(place).await
    }
}

macro_rules! subjects {
    ($($name:literal => $measure:path),+ $(,)?) => {
        [$(Subject { name: $name, measure: |place| Box::pin($measure(place)) }),+]
    };
}

const ALL: [Subject; 12] = subjects! {
    "bulk_produce" => bulk_produce::rows,
    "single_queue" => single_queue::rows,
    "consume" => consume::rows,
    "delayer" => delayer::rows,
    "trim" => trim::rows,
    "latency" => latency::rows,
    "one_save" => one_save::rows,
    "many_saves" => many_saves::rows,
    "bulk" => many_rows::rows,
    "hand_over" => handing_over::released,
    "takeover" => handing_over::killed,
    "memory" => memory::rows,
};

/// Those of these names; all where none is given.
pub(crate) fn named(names: &[String]) -> Result<Vec<Subject>> {
    let wanted = |subject: &Subject| names.is_empty() || names.iter().any(|name| subject.name == name);
    let found: Vec<Subject> = ALL.into_iter().filter(wanted).collect();
    let known = ALL.map(|subject| subject.name).join(", ");
    ensure!(!found.is_empty(), "nothing is called {}; there is {known}", names.join(" or "));
    Ok(found)
}
