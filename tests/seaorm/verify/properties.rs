//! Random tables and random states of the datastore.

use std::collections::{BTreeMap, BTreeSet};

use futures_util::{StreamExt, stream};
use proptest::collection::{btree_map, btree_set};
use proptest::prelude::*;
use proptest::strategy::ValueTree;
use proptest::test_runner::TestRunner;
use redstream_seaorm::DifferenceKind::{Extra, Missing, Stale};
use redstream_seaorm::RedstreamExt;

use super::{Memory, cities, consume, document, ended, found, of_cities};
use crate::seaorm::city;
use crate::seaorm::world::World;
use crate::support::TestDb;

#[derive(Clone, Debug)]
struct Case {
    rows: BTreeSet<i64>,
    /// Each document, and whether it is the row's.
    documents: BTreeMap<i64, bool>,
    page_size: usize,
    can_find: bool,
}

fn case() -> impl Strategy<Value = Case> {
    let key = || prop_oneof![8 => -30..30_i64, 1 => any::<i64>()];
    (btree_set(key(), 0..40), btree_map(key(), prop::bool::weighted(0.8), 0..40), 0..60_u8, any::<bool>(), 1..12_usize)
        .prop_map(|(rows, mut documents, share, can_find, page_size)| {
            // Most rows have their documents.
            for (nth, row) in rows.iter().enumerate() {
                if nth % 60 >= usize::from(share) {
                    documents.entry(*row).or_insert(true);
                }
            }
            Case { rows, documents, page_size, can_find }
        })
}

async fn check(case: Case) {
    let db = TestDb::sqlite().await;
    let world = World::new(&db).await;
    let rows = if case.rows.is_empty() { Vec::new() } else { cities(&world, case.rows.iter().copied()).await };
    let index = Memory::<city::Entity>::new(case.can_find);
    let of_rows: BTreeMap<i64, String> = rows.iter().map(|row| (row.id, document(row))).collect();
    let mut expected = Vec::new();
    for (id, is_current) in &case.documents {
        let text = of_rows.get(id).filter(|_| *is_current).cloned();
        match (of_rows.contains_key(id), is_current) {
            (false, _) => expected.push((Extra, *id)),
            (true, false) => expected.push((Stale, *id)),
            (true, true) => {}
        }
        index.put(*id, text.unwrap_or_else(|| "old".to_owned()));
    }
    expected.extend(case.rows.iter().filter(|id| !case.documents.contains_key(id)).map(|id| (Missing, *id)));
    let _search = consume(&world, index.clone()).await;
    let verify = || world.redstream.verify::<city::Entity>(&world.plain, &index).page_size(case.page_size);
    let report = ended(verify().repair(true)).await;
    assert_eq!(found(&report), of_cities(&expected), "{case:?}");
    assert!(report.is_clean(), "{case:?}: {report:?}");
    assert_eq!(index.all(), of_rows, "{case:?}");
    let report = ended(verify()).await;
    assert!(report.is_clean() && report.found() == 0, "{case:?}: {report:?}");
}

/// Several at once, since each waits for seconds.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_report_is_the_difference_of_the_sets_and_a_repair_makes_it_clean() {
    let mut runner = TestRunner::default();
    let cases: Vec<Case> = (0..32).map(|_| case().new_tree(&mut runner).unwrap().current()).collect();
    let checks = cases.into_iter().map(|case| tokio::spawn(check(case)));
    let mut checked = stream::iter(checks).buffer_unordered(8);
    while let Some(checked) = checked.next().await {
        checked.unwrap();
    }
}
