//! Sides that fail, sides that are wrong, and verifications that are dropped.

use std::sync::atomic::Ordering;
use std::time::Duration;

use redstream_seaorm::{
    CancellationToken, DifferenceKind, HandlerError, Key, KeyRange, RedstreamExt, Scan, VerifyError, VerifyState,
};

use serde_json::json;

use super::keys::name;
use super::{Memory, cities, consume, ended, found, of_cities};
use crate::seaorm::city;
use crate::seaorm::world::World;
use crate::support::{TestDb, cut};

#[tokio::test]
async fn a_datastore_that_fails_for_a_while_is_read_again() {
    let db = TestDb::sqlite().await;
    let world = World::new(&db).await;
    let index = Memory::of(&cities(&world, 1..=100).await, true);
    let _search = consume(&world, index.clone()).await;
    index.put(50, "old".to_owned());
    index.fails.store(4, Ordering::SeqCst);
    let report = ended(world.redstream.verify::<city::Entity>(&world.plain, &index).page_size(10)).await;
    assert_eq!(found(&report), of_cities(&[(DifferenceKind::Stale, 50)]));

    index.fails.store(u32::MAX, Ordering::SeqCst);
    let verify = world.redstream.verify::<city::Entity>(&world.plain, &index).retry_for(Duration::from_millis(200));
    let error = verify.run(CancellationToken::new()).await.unwrap_err();
    assert!(matches!(&error, VerifyError::Sink { .. }), "{error:?}");
    assert_eq!(std::error::Error::source(&error).unwrap().to_string(), "the datastore is down");
}

#[tokio::test]
async fn a_table_that_cannot_be_read_is_an_error_with_its_cause() {
    let db = TestDb::sqlite().await;
    let world = World::new(&db).await;
    let index = Memory::<name::Entity>::new(true);
    let _search = consume(&world, index.clone()).await;
    let verify = world.redstream.verify::<name::Entity>(&world.plain, &index).retry_for(Duration::from_millis(100));
    let error = verify.run(CancellationToken::new()).await.unwrap_err();
    assert!(matches!(&error, VerifyError::Primary { id, .. } if id == "names"), "{error:?}");
    assert!(std::error::Error::source(&error).unwrap().to_string().contains("no such table"));
}

#[tokio::test]
async fn texts_need_look_ups() {
    let db = TestDb::sqlite().await;
    let world = World::new(&db).await;
    world.create(name::Entity).await;
    let ulm =
        sea_orm::ActiveModelTrait::reset_all(name::ActiveModel::from(name::Model { name: "ulm".to_owned(), size: 1 }));
    <name::Entity as sea_orm::EntityTrait>::insert(ulm).exec_without_returning(&world.plain).await.unwrap();
    let index = Memory::<name::Entity>::new(false);
    let _search = consume(&world, index.clone()).await;
    let error = world.redstream.verify::<name::Entity>(&world.plain, &index).run(CancellationToken::new()).await;
    let error = error.unwrap_err();
    assert!(matches!(&error, VerifyError::NoLookUp { key, .. } if key.contains("ulm")), "{error:?}");
    assert!(error.to_string().contains("implement `Scan::find`"));
}

/// Sorts by the digits of its keys.
struct Unsorted(Memory<city::Entity>);

impl Scan<city::Entity> for Unsorted {
    type Document = String;

    async fn scan(
        &self,
        range: KeyRange<'_, city::Entity>,
        limit: usize,
    ) -> Result<Vec<(Key<city::Entity>, String)>, HandlerError> {
        let mut page = self.0.scan(range, limit).await?;
        page.sort_by_key(|(key, _)| key.value().to_string());
        Ok(page)
    }

    fn is_current(&self, key: &Key<city::Entity>, row: &city::Model, text: &String) -> Result<bool, HandlerError> {
        self.0.is_current(key, row, text)
    }
}

#[tokio::test]
async fn a_page_that_is_out_of_order_is_an_error() {
    let db = TestDb::sqlite().await;
    let world = World::new(&db).await;
    let index = Memory::of(&cities(&world, 1..=20).await, true);
    let _search = consume(&world, index.clone()).await;
    let index = Unsorted(index);
    let error = world.redstream.verify::<city::Entity>(&world.plain, &index).run(CancellationToken::new()).await;
    let error = error.unwrap_err();
    let is_told = matches!(&error, VerifyError::OutOfOrder { side: "the sink", key, after, .. }
        if key == "{\"id\":2}" && after == "{\"id\":19}");
    assert!(is_told, "{error:?}");
}

/// Has a second document of the key 5.
struct Doubled(Memory<city::Entity>);

impl Scan<city::Entity> for Doubled {
    type Document = String;

    async fn scan(
        &self,
        range: KeyRange<'_, city::Entity>,
        limit: usize,
    ) -> Result<Vec<(Key<city::Entity>, String)>, HandlerError> {
        let mut page = self.0.scan(range, limit - 1).await?;
        if let Some(nth) = page.iter().position(|(key, _)| key.value() == 5) {
            page.insert(nth, page[nth].clone());
        }
        Ok(page)
    }

    fn is_current(&self, key: &Key<city::Entity>, row: &city::Model, text: &String) -> Result<bool, HandlerError> {
        self.0.is_current(key, row, text)
    }
}

#[tokio::test]
async fn a_second_document_of_one_key_is_extra() {
    let db = TestDb::sqlite().await;
    let world = World::new(&db).await;
    let index = Memory::of(&cities(&world, 1..=8).await, true);
    let _search = consume(&world, index.clone()).await;
    let index = Doubled(index);
    let report = ended(world.redstream.verify::<city::Entity>(&world.plain, &index)).await;
    assert_eq!(found(&report), of_cities(&[(DifferenceKind::Extra, 5)]));
    assert_eq!((report.compared, report.matching), (8, 7));
}

/// Cannot compare the row 5.
struct Incomparable(Memory<city::Entity>);

impl Scan<city::Entity> for Incomparable {
    type Document = String;

    async fn scan(
        &self,
        range: KeyRange<'_, city::Entity>,
        limit: usize,
    ) -> Result<Vec<(Key<city::Entity>, String)>, HandlerError> {
        self.0.scan(range, limit).await
    }

    fn is_current(&self, key: &Key<city::Entity>, row: &city::Model, text: &String) -> Result<bool, HandlerError> {
        if row.id == 5 { Err("it has no document".into()) } else { self.0.is_current(key, row, text) }
    }
}

/// It ended the verification once, so that other differences were not found.
#[tokio::test]
async fn a_record_of_which_no_document_can_be_made_is_stale_and_says_why() {
    let db = TestDb::sqlite().await;
    let world = World::new(&db).await;
    let index = Memory::of(&cities(&world, 1..=8).await, true);
    let _search = consume(&world, index.clone()).await;
    index.remove(&7);
    let index = Incomparable(index);
    for repair in [false, true] {
        let report = ended(world.redstream.verify::<city::Entity>(&world.plain, &index).repair(repair)).await;
        let missing = if repair { vec![] } else { vec![(DifferenceKind::Missing, 7)] };
        let expected: Vec<_> = [(DifferenceKind::Stale, 5)].into_iter().chain(missing).collect();
        let left: Vec<_> = report.differences.iter().filter(|difference| !difference.repaired).collect();
        assert_eq!(left.iter().map(|left| (left.kind, left.key["id"].as_i64().unwrap())).collect::<Vec<_>>(), expected);
        assert_eq!(left[0].error.as_deref(), Some("it has no document"));
        assert_eq!(serde_json::to_value(left[0]).unwrap()["error"], json!(left[0].error));
    }
}

#[tokio::test]
async fn it_can_be_dropped_at_any_point_and_repairs_when_it_is_run_again() {
    let db = TestDb::sqlite().await;
    let world = World::new(&db).await;
    let index = Memory::of(&cities(&world, 1..=200).await, true);
    let _search = consume(&world, index.clone()).await;
    for pending in (1..60).step_by(2) {
        index.put(77, "old".to_owned());
        let verify = world.redstream.verify::<city::Entity>(&world.plain, &index).page_size(10).repair(true);
        if let Some(report) = cut(verify.run(CancellationToken::new()), pending).await {
            assert!(report.unwrap().is_clean());
        }
    }
    let verify = || world.redstream.verify::<city::Entity>(&world.plain, &index).page_size(10).repair(true);
    let shutdown = CancellationToken::new();
    shutdown.cancel();
    let report = verify().run(shutdown).await.unwrap();
    assert_eq!((report.state, report.compared), (VerifyState::Cancelled, 0));
    assert!(ended(verify()).await.is_clean());
    assert_eq!(ended(verify()).await.found(), 0);
}
