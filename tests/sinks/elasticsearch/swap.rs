//! A new index takes the place of the old one, under searches.

mod again;
mod unfinished;

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering::SeqCst};

use redstream_seaorm::{
    BoxError, CancellationToken, Indexer, MessageId, Redstream, RedstreamExt, StreamedConnection, Supervisor,
    SupervisorHandle, SwapError, SwapReport, Switch,
};
use redstream_sinks::elasticsearch::ElasticsearchAlias;
use sea_orm::{ActiveModelTrait, ConnectionTrait, Schema, Set, TransactionTrait};
use tokio_util::task::AbortOnDropHandle;

use super::*;
use crate::support::{TestDb, eventually, redstream};

/// Cities, an index of them behind the alias `places`, and the consumers of both indices.
struct Place {
    server: Server,
    redstream: Redstream,
    db: StreamedConnection,
    /// Of the consumers `search-1` and `search-2`.
    workers: [Option<SupervisorHandle>; 2],
    _test: TestDb,
}

const ROWS: u64 = 100;

impl Place {
    /// The first index is in use.
    async fn new(server: Server) -> Self {
        let (test, redstream) = (TestDb::sqlite().await, redstream().await);
        let plain = test.connection();
        let backend = ConnectionTrait::get_database_backend(&plain);
        plain.execute(&Schema::new(backend).create_table_from_entity(city::Entity)).await.unwrap();
        let db = StreamedConnection::new(plain, redstream.producer());
        let mut place = Self { workers: [None, None], server, redstream, db, _test: test };
        place.start(0);
        place.start(1);
        let txn = place.db.begin().await.unwrap();
        for id in 1..=ROWS {
            city(i64::try_from(id).unwrap()).insert(&txn).await.unwrap();
        }
        txn.commit().await.unwrap();
        let report = place.swap("search-1", "cities-1").await.unwrap();
        assert!(report.is_switched);
        assert_eq!(report.replaced, None);
        place
    }

    /// Starts the consumer of the first or of the second index.
    fn start(&mut self, nth: usize) {
        let (consumer, index) = [("search-1", "cities-1"), ("search-2", "cities-2")][nth];
        let sink = ElasticsearchSink::<city::Entity>::new(client_of(&[self.server.port()]), index);
        let indexer = Indexer::new(self.db.clone(), sink.create_index(mapping()));
        let consumer = self.redstream.of::<city::Entity>().unwrap().consumer(consumer, indexer);
        self.workers[nth] = Some(Supervisor::new().with(consumer).start().unwrap());
    }

    /// Fills the second index, and does not use it.
    async fn fill(&self) {
        let swap = self.redstream.swap::<city::Entity>(&self.db, self.index("cities-2"), "search-2");
        let failing = swap.check(async || Err("not yet".into())).run(CancellationToken::new());
        let error = tokio::time::timeout(SOON, failing).await.expect("an end").unwrap_err();
        assert!(matches!(error, SwapError::Check { .. }), "{error}");
    }

    /// Stops the consumer of the first or of the second index.
    async fn stop(&mut self, nth: usize) {
        self.workers[nth].take().unwrap().shutdown().await.unwrap();
    }

    fn index(&self, name: &str) -> ElasticsearchAlias<city::Entity> {
        ElasticsearchSink::new(client_of(&[self.server.port()]), name).create_index(mapping()).behind("places")
    }

    async fn swap(&self, consumer: &str, index: &str) -> Result<SwapReport, SwapError> {
        let swap = self.redstream.swap::<city::Entity>(&self.db, self.index(index), consumer);
        tokio::time::timeout(SOON, swap.run(CancellationToken::new())).await.expect("an end")
    }

    async fn abort(&self) -> Result<(), SwapError> {
        self.redstream.swap::<city::Entity>(&self.db, self.index("cities-2"), "search-2").abort().await
    }

    async fn add(&self, id: i64) {
        city(id).insert(&self.db).await.unwrap();
    }

    async fn count(&self, index: &str) -> u64 {
        self.server.ask("POST", &format!("/{index}/_refresh"), Json::Null).await;
        self.server.ask("GET", &format!("/{index}/_count"), Json::Null).await.json()["count"].as_u64().unwrap()
    }

    /// Waits until an index has so many documents.
    async fn has(&self, index: &str, documents: u64) {
        let what = format!("{documents} documents in {index}");
        eventually(SOON, &what, async || self.count(index).await == documents).await;
    }

    async fn in_use(&self) -> Vec<String> {
        let aliases = self.server.ask("GET", "/_alias/places", Json::Null).await.json();
        aliases.as_object().unwrap().keys().cloned().collect()
    }
}

fn city(id: i64) -> city::ActiveModel {
    city::ActiveModel { id: Set(id), name: Set(format!("city {id}")) }
}

on_each_server! {
    async fn every_search_finds_every_row_while_it_is_swapped_and_written(server: Server) {
        let place = Arc::new(Place::new(server).await);
        let (stop, searches) = (Arc::new(AtomicBool::new(false)), Arc::new(AtomicU64::new(0)));
        let searching = {
            let (place, stop, searches) = (place.clone(), stop.clone(), searches.clone());
            AbortOnDropHandle::new(tokio::spawn(async move {
                while !stop.load(SeqCst) {
                    let answer = place.server.ask("GET", "/places/_count", Json::Null).await;
                    assert_eq!(answer.status(), 200, "{}", answer.start);
                    let found = answer.json()["count"].as_u64().unwrap();
                    assert!(found >= ROWS, "a search found {found} of {ROWS}");
                    searches.fetch_add(1, SeqCst);
                }
            }))
        };
        let writing = {
            let place = place.clone();
            AbortOnDropHandle::new(tokio::spawn(async move {
                for id in 1001..=1030 {
                    place.add(id).await;
                }
            }))
        };
        let swap = place.redstream.swap::<city::Entity>(&place.db, place.index("cities-2"), "search-2");
        let report = swap.replaces("search-1").remove_old(true).run(CancellationToken::new()).await.unwrap();
        assert!(report.is_switched);
        assert_eq!(report.replaced.as_deref(), Some("cities-1"));
        assert!(!report.is_retired, "the consumer of the old index still runs");
        writing.await.unwrap();
        place.has("places", ROWS + 30).await;
        stop.store(true, SeqCst);
        searching.await.unwrap();
        assert!(searches.load(SeqCst) > 0);
        assert_eq!(place.in_use().await, ["cities-2"]);
        assert!(place.server.has_index("cities-1").await, "its consumer would create it again");
    }

    async fn a_consumer_that_is_stopped_is_forgotten_and_its_index_removed(server: Server) {
        let mut place = Place::new(server).await;
        place.stop(0).await;
        let swap = place.redstream.swap::<city::Entity>(&place.db, place.index("cities-2"), "search-2");
        let report = swap.replaces("search-1").remove_old(true).run(CancellationToken::new()).await.unwrap();
        assert!(report.is_switched && report.is_retired);
        assert_eq!(report.left_over, 0);
        assert!(!place.server.has_index("cities-1").await);
        let streams = place.redstream.of::<city::Entity>().unwrap();
        assert_eq!(streams.streams()[0].consumers().await.unwrap(), ["search-2"]);
        assert_eq!(place.count("places").await, ROWS);
    }

    async fn a_consumer_that_is_stopped_after_the_switch_is_forgotten_by_another_run(server: Server) {
        let mut place = Place::new(server).await;
        for is_stopped in [false, true] {
            let swap = place.redstream.swap::<city::Entity>(&place.db, place.index("cities-2"), "search-2");
            let report = swap.replaces("search-1").run(CancellationToken::new()).await.unwrap();
            assert!(report.is_switched);
            assert_eq!(report.is_retired, is_stopped);
            if !is_stopped {
                place.stop(0).await;
            }
        }
    }

    async fn a_swap_that_is_dropped_at_any_point_is_continued(server: Server) {
        let place = Place::new(server).await;
        let mut switched = false;
        // Each attempt has a fourth more time than the one before: from a millisecond to twenty seconds.
        for step in 0..45 {
            let swap = place.redstream.swap::<city::Entity>(&place.db, place.index("cities-2"), "search-2");
            let swap = swap.replaces("search-1").run(CancellationToken::new());
            let time = Duration::from_millis(1).mul_f64(1.25_f64.powi(step));
            match tokio::time::timeout(time, swap).await {
                Ok(report) => {
                    assert!(report.unwrap().is_switched);
                    switched = true;
                    break;
                }
                Err(_) => assert!(place.count("places").await >= ROWS, "a search found a part"),
            }
        }
        assert!(switched, "it was never done");
        assert_eq!(place.in_use().await, ["cities-2"]);
        place.has("places", ROWS).await;
        assert_eq!(place.count("cities-1").await, ROWS, "the old index stays");
    }

    async fn an_aborted_swap_leaves_the_old_index_in_use_and_written(server: Server) {
        let mut place = Place::new(server).await;
        place.fill().await;
        assert_eq!(place.in_use().await, ["cities-1"]);
        assert_eq!(place.count("cities-2").await, ROWS);

        let error = place.abort().await.unwrap_err();
        assert!(matches!(error, SwapError::Redstream(redstream_seaorm::core::Error::StillRunning { .. })), "{error}");
        place.stop(1).await;
        place.abort().await.unwrap();
        assert!(!place.server.has_index("cities-2").await);
        place.add(1001).await;
        place.has("places", ROWS + 1).await;
        assert_eq!(place.in_use().await, ["cities-1"]);
        place.abort().await.unwrap(); // again does no harm
    }

    async fn an_alias_that_is_an_index_is_noticed_before_anything_is_done(server: Server) {
        let place = Place::new(server).await;
        let behind = ElasticsearchSink::<city::Entity>::new(client_of(&[place.server.port()]), "cities-2");
        let swap = place.redstream.swap::<city::Entity>(&place.db, behind.create_index(mapping()).behind("cities-1"), "search-2");
        let error = swap.run(CancellationToken::new()).await.unwrap_err();
        let cause = std::error::Error::source(&error).unwrap().to_string();
        assert!(cause.contains("`cities-1` is an index"), "{cause}");
    }

    async fn an_index_that_is_in_use_cannot_be_aborted(server: Server) {
        let place = Place::new(server).await;
        let swap = place.redstream.swap::<city::Entity>(&place.db, place.index("cities-1"), "search-1");
        let error = swap.abort().await.unwrap_err();
        assert!(matches!(error, SwapError::Switched { .. }), "{error}");
        assert_eq!(place.count("places").await, ROWS);
        let again = place.swap("search-1", "cities-1").await.unwrap();
        assert!(again.is_switched, "a run after the switch is done at once");
        assert_eq!(again.queued, 0);
    }

    // Else the index would lack what was written while the consumer was not registered.
    async fn a_consumer_that_was_forgotten_has_its_index_filled_again(server: Server) {
        let mut place = Place::new(server).await;
        place.fill().await;
        place.stop(1).await;
        let stream = place.redstream.of::<city::Entity>().unwrap().streams()[0].clone();
        stream.forget("search-2").await.unwrap();
        place.add(1001).await;

        let (db, index) = (place.db.clone(), place.index("cities-2"));
        let swap = place.redstream.clone().swap::<city::Entity>(&db, index, "search-2").run(CancellationToken::new());
        let consumer = async {
            let is_registered = async || stream.consumers().await.unwrap().contains(&"search-2".to_owned());
            eventually(SOON, "the registration", is_registered).await;
            place.start(1);
        };
        let both = Box::pin(async { tokio::join!(swap, consumer) });
        let (report, ()) = tokio::time::timeout(SOON, both).await.expect("an end");
        assert!(report.unwrap().is_switched);
        assert_eq!(place.count("places").await, ROWS + 1);
    }

    async fn an_index_that_was_removed_and_created_again_is_filled_again(server: Server) {
        let place = Place::new(server).await;
        place.fill().await;
        place.server.ask("DELETE", "/cities-2", Json::Null).await;
        place.fill().await;
        assert_eq!(place.count("cities-2").await, ROWS);
    }
}

#[tokio::test]
async fn a_swap_that_is_shut_down_while_its_consumer_does_not_run_switches_nothing() {
    let place = Place::new(Server::any().await).await;
    let swap = place.redstream.swap::<city::Entity>(&place.db, place.index("cities-3"), "search-3");
    let stop = CancellationToken::new();
    let (stopping, waits) = (stop.clone(), Arc::new(AtomicBool::new(false)));
    let seen = waits.clone();
    let swap = swap.on_progress(move |progress| {
        if progress.lag > 0 {
            seen.store(true, SeqCst);
            stopping.cancel();
        }
    });
    let report = tokio::time::timeout(SOON, swap.run(stop)).await.expect("an end").unwrap();
    assert!(!report.is_switched);
    assert!(waits.load(SeqCst));
    assert_eq!(place.in_use().await, ["cities-1"]);
}
