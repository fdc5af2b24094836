//! Swaps that do not switch.

use std::sync::Mutex;

use redstream_seaorm::{Batch, Handler, HandlerError, Older, async_trait};

use super::*;

/// Gives up the row 7 for as long as it is told to.
#[derive(Clone)]
struct Strict {
    indexer: Arc<Indexer<city::Entity, StreamedConnection, ElasticsearchSink<city::Entity>>>,
    refuses: Arc<AtomicBool>,
}

#[async_trait]
impl Handler for Strict {
    async fn handle(&self, batch: Batch) -> Result<(), HandlerError> {
        let is_seventh = |payload: &Json| payload["id"] == 7;
        let seventh = batch.messages().iter().find(|message| message.payload::<Json>().is_ok_and(|p| is_seventh(&p)));
        if let Some(seventh) = seventh.filter(|_| self.refuses.load(SeqCst)) {
            return Err(HandlerError::permanent(seventh.id(), "the row 7 is refused"));
        }
        self.indexer.handle(batch).await
    }
}

/// Also if all rows were walked long ago: what was written since has to be there.
#[tokio::test]
async fn a_consumer_that_is_behind_prevents_the_switch() {
    let mut place = Place::new(Server::any().await).await;
    place.fill().await;
    place.stop(1).await;
    place.add(1001).await;
    let swap = place.redstream.swap::<city::Entity>(&place.db, place.index("cities-2"), "search-2");
    let error = swap.patience(Duration::from_millis(300)).run(CancellationToken::new()).await.unwrap_err();
    assert!(matches!(&error, SwapError::Behind { consumer, .. } if consumer == "search-2"), "{error}");
    assert_eq!(place.in_use().await, ["cities-1"]);

    place.start(1);
    assert!(place.swap("search-2", "cities-2").await.unwrap().is_switched);
    assert_eq!(place.count("places").await, ROWS + 1);
}

/// At first the new index's consumer gives up one row: what it gave up is corrected, and put back, and the swap goes
/// on.
#[tokio::test]
async fn a_swap_goes_on_when_dead_letters_are_put_back() {
    let mut place = Place::new(Server::any().await).await;
    place.stop(1).await;
    let sink = ElasticsearchSink::<city::Entity>::new(client_of(&[place.server.port()]), "cities-2");
    let indexer = Arc::new(Indexer::new(place.db.clone(), sink.create_index(mapping())));
    let strict = Strict { indexer, refuses: Arc::new(AtomicBool::new(true)) };
    let cities = place.redstream.of::<city::Entity>().unwrap();
    place.workers[1] = Some(Supervisor::new().with(cities.consumer("search-2", strict.clone())).start().unwrap());
    for _ in 0..2 {
        let error = place.swap("search-2", "cities-2").await.unwrap_err();
        assert!(matches!(error, SwapError::DeadLetters { dead_letters: 1, .. }), "{error}");
        assert_eq!(place.in_use().await, ["cities-1"]);
    }
    strict.refuses.store(false, SeqCst);
    let letters = cities.streams()[0].dead_letters("search-2").unwrap();
    assert_eq!(letters.redrive_all().await.unwrap(), 1);
    let report = place.swap("search-2", "cities-2").await.unwrap();
    assert!(report.is_switched);
    assert_eq!(place.count("places").await, ROWS);
}

/// The records are there when the walk ends, and one is given up before the switch.
#[tokio::test]
async fn a_dead_letter_after_the_walk_prevents_the_switch() {
    let place = Place::new(Server::any().await).await;
    let redstream = place.redstream.clone();
    let cities = redstream.of::<city::Entity>().unwrap();
    let stream = cities.streams()[0].clone();
    let check = async move || {
        // No key of a city: both consumers give it up.
        redstream.producer().queue(stream.name(), &json!("nonsense")).await?;
        let letters = stream.dead_letters("search-2")?;
        let given_up = async {
            while letters.count().await? != 1 {
                tokio::task::yield_now().await;
            }
            Ok(())
        };
        tokio::time::timeout(SOON, given_up).await.expect("a dead letter")
    };
    let swap = place.redstream.swap::<city::Entity>(&place.db, place.index("cities-2"), "search-2");
    let error = swap.check(check).run(CancellationToken::new()).await.unwrap_err();
    assert!(matches!(error, SwapError::DeadLetters { dead_letters: 1, .. }), "{error}");
    assert_eq!(place.in_use().await, ["cities-1"]);
}

/// Otherwise the alias would point at an index that is removed.
#[tokio::test]
async fn a_swap_that_another_program_aborts_before_the_switch_does_not_switch() {
    let place = Place::new(Server::any().await).await;
    let place = Arc::new(tokio::sync::Mutex::new(place));
    let swapping = place.lock().await;
    let (redstream, db, index) = (swapping.redstream.clone(), swapping.db.clone(), swapping.index("cities-2"));
    drop(swapping);
    let aborting = place.clone();
    let check = async move || {
        let mut place = aborting.lock().await;
        place.stop(1).await;
        place.abort().await?;
        Ok(())
    };
    let report =
        redstream.swap::<city::Entity>(&db, index, "search-2").check(check).run(CancellationToken::new()).await;
    assert!(!report.unwrap().is_switched);
    let place = place.lock().await;
    assert_eq!(place.in_use().await, ["cities-1"]);
    assert!(!place.server.has_index("cities-2").await);
}

#[derive(Clone)]
struct Shared(Arc<Slow>);

/// Points the alias when it is let.
struct Slow {
    index: ElasticsearchAlias<city::Entity>,
    begun: Mutex<Option<tokio::sync::oneshot::Sender<()>>>,
    goes_on: tokio::sync::Notify,
}

#[async_trait]
impl Switch<city::Entity> for Shared {
    fn name(&self) -> &str {
        self.0.index.name()
    }

    async fn prepare(&self) -> Result<String, BoxError> {
        self.0.index.prepare().await
    }

    async fn current(&self) -> Result<Option<String>, BoxError> {
        self.0.index.current().await
    }

    async fn refresh(&self) -> Result<(), BoxError> {
        self.0.index.refresh().await
    }

    async fn older(&self, version: u64, page: Option<String>) -> Result<Older<city::Entity>, BoxError> {
        self.0.index.older(version, page).await
    }

    async fn switch(&self, before: Option<&str>) -> Result<(), BoxError> {
        let _told = self.0.begun.lock().unwrap().take().unwrap().send(());
        self.0.goes_on.notified().await;
        self.0.index.switch(before).await
    }

    async fn remove(&self, index: &str) -> Result<(), BoxError> {
        self.0.index.remove(index).await
    }
}

/// It waits for its turn, and then finds the index in use.
#[tokio::test]
async fn an_index_is_not_removed_while_another_program_switches_to_it() {
    let mut place = Place::new(Server::any().await).await;
    let (begun, has_begun) = tokio::sync::oneshot::channel();
    let slow =
        Slow { index: place.index("cities-2"), begun: Mutex::new(Some(begun)), goes_on: tokio::sync::Notify::new() };
    let slow = Shared(Arc::new(slow));
    let (redstream, db, index) = (place.redstream.clone(), place.db.clone(), slow.clone());
    let swapping = tokio::spawn(async move {
        redstream.swap::<city::Entity>(&db, index, "search-2").run(CancellationToken::new()).await
    });
    has_begun.await.unwrap();
    place.stop(1).await;
    let impatient = place.redstream.swap::<city::Entity>(&place.db, place.index("cities-2"), "search-2");
    let error = impatient.patience(Duration::from_millis(50)).abort().await.unwrap_err();
    assert!(matches!(error, SwapError::Busy { .. }), "{error}");
    slow.0.goes_on.notify_one();
    let error = place.abort().await.unwrap_err();
    assert!(matches!(error, SwapError::Switched { .. }), "{error}");
    assert!(swapping.await.unwrap().unwrap().is_switched);
    assert_eq!(place.in_use().await, ["cities-2"]);
    assert_eq!(place.count("places").await, ROWS);
}
