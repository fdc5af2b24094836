//! All that can be measured, by name.

use crate::curve::Curve;
use crate::curves::{
    backlog, build, client, cluster, coalescing, consumers, editions, held, payloads, remove_delays, saves, shards,
    workers,
};
use crate::place::Place;
use crate::row::Row;
use crate::rows::{
    bulk_produce, commit_latency, concurrent_saves, consume, delayer, handing_over, indexing, latency, many_rows,
    many_saves, memory, one_save, reindex, search_documents, single_queue, trim, verify,
};
use anyhow::{Result, ensure};
use futures_util::future::LocalBoxFuture;

#[derive(Clone, Copy)]
pub(crate) struct Subject {
    pub(crate) name: &'static str,
    group: &'static str,
    measure: for<'a> fn(&'a Place) -> LocalBoxFuture<'a, Result<Measured>>,
}

/// The result.
pub(crate) enum Measured {
    /// Rows of the table.
    Rows(Vec<Row>),
    Curve(Curve),
}

impl Subject {
    /// Whether it gives rows of the table.
    pub(crate) fn has_rows(self) -> bool {
        self.group == ROWS
    }

    pub(crate) async fn measure(self, place: &Place) -> Result<Measured> {
        (self.measure)(place).await
    }
}

const ROWS: &str = "rows";

macro_rules! subjects {
    (rows { $($row:literal => $rows:path),+ $(,)? } curves { $($curve:literal => $points:path),+ $(,)? }) => {
        &[
            $(Subject { name: $row, group: ROWS, measure: |place| Box::pin(async { Ok(Measured::Rows($rows(place).await?)) }) },)+
            $(Subject { name: $curve, group: "curves", measure: |place| Box::pin(async { Ok(Measured::Curve($points(place).await?)) }) },)+
        ]
    };
}

const ALL: &[Subject] = subjects! {
    rows {
        "bulk_produce" => bulk_produce::rows,
        "single_queue" => single_queue::rows,
        "consume" => consume::rows,
        "delayer" => delayer::rows,
        "trim" => trim::rows,
        "latency" => latency::rows,
        "one_save" => one_save::rows,
        "many_saves" => many_saves::rows,
        "savers" => concurrent_saves::rows,
        "commit_latency" => commit_latency::rows,
        "bulk" => many_rows::rows,
        "reindex" => reindex::rows,
        "verify" => verify::rows,
        "hand_over" => handing_over::released,
        "takeover" => handing_over::killed,
        "spreading" => handing_over::spreading,
        "memory" => memory::rows,
        "search" => search_documents::rows,
        "indexing" => indexing::rows,
    }
    curves {
        "shards" => shards::curve,
        "backlog" => backlog::curve,
        "payloads" => payloads::curve,
        "consumers" => consumers::curve,
        "saves" => saves::curve,
        "coalescing" => coalescing::curve,
        "held" => held::curve,
        "remove-delays" => remove_delays::curve,
        "cluster" => cluster::curve,
        "workers" => workers::curve,
        "editions" => editions::curve,
        "client" => client::curve,
        "build" => build::curve,
    }
};

/// The subjects of these names, or of the groups `rows` and `curves`; all if none is given.
pub(crate) fn named(names: &[String]) -> Result<Vec<Subject>> {
    let means = |name: &String, subject: &Subject| *name == subject.name || *name == subject.group;
    for name in names {
        let known: Vec<&str> = ALL.iter().map(|subject| subject.name).collect();
        let is_known = ALL.iter().any(|subject| means(name, subject));
        ensure!(is_known, "nothing is called {name}; there is {}, and the groups rows and curves", known.join(", "));
    }
    let wanted = |subject: &&Subject| names.is_empty() || names.iter().any(|name| means(name, subject));
    Ok(ALL.iter().filter(wanted).copied().collect())
}

/// Whether all rows of the table are among them.
pub(crate) fn has_all_rows(subjects: &[Subject]) -> bool {
    let rows = |subjects: &[Subject]| subjects.iter().filter(|subject| subject.group == ROWS).count();
    rows(subjects) == rows(ALL)
}
