//! A swap to an index that was filled before, and then not written for a while.

use redstream_seaorm::Bulk;
use sea_orm::ColumnTrait as _;

use super::*;

/// A consumer that was forgotten and runs again has registered itself before the swap does. Else the index would lack
/// what was written in between.
#[tokio::test]
async fn an_index_whose_consumer_was_forgotten_and_runs_again_is_filled_again() {
    let mut place = Place::new(Server::any().await).await;
    place.replace().await;
    place.add(1001).await;
    place.has("places", ROWS + 1).await;
    place.trim().await;
    place.start_again().await;

    let report = place.swap("search-1", "cities-1").await.unwrap();
    assert!(report.is_switched);
    assert_eq!(report.queued, ROWS + 1);
    assert_eq!(place.in_use().await, ["cities-1"]);
    assert_eq!(place.count("places").await, ROWS + 1);
}

on_each_server! {
    // No message says any more that they are gone, and a walk over the rows does not find them.
    async fn documents_of_rows_that_were_deleted_while_nothing_wrote_the_index_are_removed(server: Server) {
        let mut place = Place::new(server).await;
        place.replace().await;
        let gone = city::Column::Id.lte(30);
        Bulk::<city::Entity>::new().filter(gone).delete_many(&place.db).await.unwrap();
        place.has("places", ROWS - 30).await;
        place.trim().await;
        assert_eq!(place.count("cities-1").await, ROWS);
        place.start_again().await;

        // Page by page.
        let sink = ElasticsearchSink::new(client_of(&[place.server.port()]), "cities-1").max_documents(13);
        let index = sink.create_index(mapping()).behind("places");
        let swap = place.redstream.swap::<city::Entity>(&place.db, index, "search-1");
        let report = swap.run(CancellationToken::new()).await.unwrap();
        assert!(report.is_switched);
        assert_eq!((report.queued, report.left_over), (ROWS - 30, 30));
        assert_eq!(place.count("places").await, ROWS - 30);
    }
}

/// The consumer has no offset then, and no message that would give it one.
#[tokio::test]
async fn an_index_is_swapped_if_table_and_stream_have_become_empty() {
    let mut place = Place::new(Server::any().await).await;
    place.replace().await;
    Bulk::<city::Entity>::new().filter(city::Column::Id.gt(0)).delete_many(&place.db).await.unwrap();
    place.has("places", 0).await;
    place.trim().await;
    place.server.ask("DELETE", "/cities-1", Json::Null).await;
    place.start_again().await;

    let report = place.swap("search-1", "cities-1").await.unwrap();
    assert!(report.is_switched);
    assert_eq!(place.in_use().await, ["cities-1"]);
}

impl Place {
    /// The second index is in use, and the consumer of the first one is stopped and forgotten.
    async fn replace(&mut self) {
        self.stop(0).await;
        let swap = self.redstream.swap::<city::Entity>(&self.db, self.index("cities-2"), "search-2");
        let report = swap.replaces("search-1").run(CancellationToken::new()).await.unwrap();
        assert!(report.is_switched && report.is_retired);
    }

    /// Starts the consumer of the first index again, and waits until it is registered.
    async fn start_again(&mut self) {
        self.start(0);
        let cities = self.redstream.of::<city::Entity>().unwrap();
        let is_registered = async || cities.streams()[0].consumers().await.unwrap().contains(&"search-1".to_owned());
        eventually(SOON, "the registration", is_registered).await;
    }

    /// Removes what all consumers have passed.
    async fn trim(&self) {
        let cities = self.redstream.of::<city::Entity>().unwrap();
        let stream = cities.streams()[0].clone();
        let trimmer = stream.trimmer().interval(Duration::from_millis(20));
        let trimmer = Supervisor::new().with(trimmer).start().unwrap();
        let is_empty = async || stream.messages(MessageId::MIN, 1).await.unwrap().is_empty();
        eventually(SOON, "an empty stream", is_empty).await;
        trimmer.shutdown().await.unwrap();
    }
}

#[tokio::test]
async fn a_consumer_that_does_not_exist_cannot_be_replaced() {
    let place = Place::new(Server::any().await).await;
    let swap = place.redstream.swap::<city::Entity>(&place.db, place.index("cities-2"), "search-2");
    let error = swap.replaces("seach-1").run(CancellationToken::new()).await.unwrap_err();
    let SwapError::Redstream(redstream_seaorm::core::Error::NoSuchConsumer { consumer, known, .. }) = error else {
        panic!("{error}")
    };
    assert_eq!((consumer.as_str(), known), ("seach-1", vec!["search-1".to_owned(), "search-2".to_owned()]));
    assert_eq!(place.in_use().await, ["cities-1"]);
}

/// It would be forgotten when it is stopped for a moment, and the new index would miss changes.
#[tokio::test]
async fn a_consumer_cannot_replace_itself() {
    let place = Place::new(Server::any().await).await;
    let swap = place.redstream.swap::<city::Entity>(&place.db, place.index("cities-2"), "search-2");
    let error = swap.replaces("search-2").run(CancellationToken::new()).await.unwrap_err();
    assert!(error.to_string().contains("replaces") && error.to_string().contains("search-2"), "{error}");
    assert_eq!(place.in_use().await, ["cities-1"]);
    assert!(place.redstream.of::<city::Entity>().unwrap().reindexes().list().await.unwrap().len() <= 1);
}
