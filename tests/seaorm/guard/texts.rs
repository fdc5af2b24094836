//! Compares what the guard reads in a text with what the database does.

use super::fixture::Fixture;
use super::grammar::Texts;
use crate::support::{Backend, TestDb};

/// How many texts each database runs, unless `REDSTREAM_GUARD_TEXTS` says so.
const TEXTS: u64 = 3_000;

/// If set to the seed that a failure has printed, the test starts there.
fn first() -> u64 {
    let told = std::env::var("REDSTREAM_GUARD_SEED").ok();
    told.map_or_else(|| uuid::Uuid::new_v4().as_u64_pair().0 >> 8, |seed| seed.parse().expect("a seed is a number"))
}

fn count() -> u64 {
    std::env::var("REDSTREAM_GUARD_TEXTS")
        .map_or(TEXTS, |texts| texts.parse().expect("REDSTREAM_GUARD_TEXTS is a number"))
}

/// The tables that the text changed and the guard did not name, unless it reported that it cannot know.
fn missed<'f>(fixture: &'f Fixture, text: &str, changed: &[usize]) -> Vec<(&'f str, &'f str)> {
    let (names, unread) = redstream_seaorm::__private::written(text, fixture.backend);
    let is_named = |(schema, table): (&str, &str)| {
        names.iter().any(|(of, name)| {
            name.to_lowercase() == table.to_lowercase()
                && of.as_deref().is_none_or(|of| of.eq_ignore_ascii_case(schema))
        })
    };
    changed.iter().map(|at| fixture.table(*at)).filter(|table| !unread && !is_named(*table)).collect()
}

on_each_database! {
    async fn each_table_that_a_text_changes_is_named_or_the_text_is_not_understood(db: TestDb) {
        let other = TestDb::new(if db.backend() == Backend::MariaDb { Backend::MariaDb } else { Backend::Sqlite }).await;
        let fixture = Fixture::new(&db, &other).await;
        let (first, count) = (first(), count());
        let (mut ran, mut changing, mut unread, mut failures) = (0_u64, 0_u64, 0_u64, Vec::new());
        let mut kinds = std::collections::BTreeMap::<&str, [u64; 3]>::new();
        for seed in first..first + count {
            let (kind, text) = Texts::new(&fixture, seed).text();
            let (is_run, changed) = fixture.outcome(&text).await;
            let of_kind = kinds.entry(kind).or_default();
            of_kind[0] += 1;
            of_kind[1] += u64::from(is_run);
            of_kind[2] += u64::from(!changed.is_empty());
            ran += u64::from(is_run);
            changing += u64::from(!changed.is_empty());
            unread += u64::from(redstream_seaorm::__private::written(&text, fixture.backend).1);
            let missed = missed(&fixture, &text, &changed);
            if !missed.is_empty() {
                failures.push(format!("seed {seed}, {kind}: {missed:?} in {text:?}"));
            }
        }
        eprintln!("{count} texts from seed {first}: {ran} ran, {changing} changed a table, {unread} are not understood");
        for (kind, [of_all, ran, changing]) in kinds {
            eprintln!("{kind}: {of_all} texts, {ran} ran, {changing} changed a table");
        }
        let shown = failures.iter().take(40).map(String::as_str).collect::<Vec<_>>().join("\n");
        assert!(failures.is_empty(), "{} of {count} texts changed a table that was not named:\n{shown}", failures.len());
        assert!(changing * 3 > count, "only {changing} of {count} texts changed a table");
    }
}
