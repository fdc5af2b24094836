//! Children that are written by bulk operations: the parents that they had, and the parents that they have.

use redstream_seaorm::testing::{Capture, assert_insured, assert_nothing_streamed, assert_streamed};
use redstream_seaorm::{Bulk, BulkError, BulkExt, Key};
use sea_orm::sea_query::{Expr, OnConflict};
use sea_orm::{ColumnTrait, ConnectionTrait, DbErr, EntityTrait, QueryFilter, Set};

use super::{a_review, books, capture_books, loan, reader, readers, review, shop};
use crate::seaorm::world::World;
use crate::support::Backend;

/// Reviews 1 to 9 of the books 1 to 3 in turn.
async fn reviewed(db: &crate::support::TestDb) -> (World, Capture) {
    let world = shop(db).await;
    let reviews = (0..9).map(|nth| a_review(nth % 3 + 1));
    review::Entity::insert_many(reviews).exec(&world.plain).await.unwrap();
    let capture = capture_books(&world.redstream).await;
    (world, capture)
}

on_each_database! {
    async fn an_update_that_moves_children_announces_old_and_new_parents(db: TestDb) {
        let (world, mut capture) = reviewed(&db).await;
        let moved = Bulk::<review::Entity>::new()
            .filter(review::Column::BookId.eq(1))
            .batch_size(2)
            .update_many(&world.db, |update| update.col_expr(review::Column::BookId, Expr::value(4)));
        assert_eq!(moved.await.unwrap(), 3);
        assert_streamed!(capture, books([1, 4]));
        assert_insured!(capture, books([1, 4]));

        capture.restart().await.unwrap();
        let rated = Bulk::<review::Entity>::new()
            .filter(review::Column::Id.is_in([2, 3]))
            .update_many(&world.db, |update| update.col_expr(review::Column::Stars, Expr::value(1)));
        assert_eq!(rated.await.unwrap(), 2);
        assert_streamed!(capture, books([2, 3]));

        capture.restart().await.unwrap();
        let seen = Bulk::<review::Entity>::new()
            .update_many(&world.db, |update| update.col_expr(review::Column::Seen, Expr::value(1)));
        assert_eq!(seen.await.unwrap(), 9);
        assert_nothing_streamed!(capture);
    }

    async fn a_delete_announces_the_parents_that_the_children_had(db: TestDb) {
        let (world, mut capture) = reviewed(&db).await;
        let deleted = Bulk::<review::Entity>::new().filter(review::Column::Id.is_in([1, 4, 5])).delete_many(&world.db);
        assert_eq!(deleted.await.unwrap(), 3);
        assert_streamed!(capture, books([1, 2]));
        assert_insured!(capture, books([1, 2]));
        if db.backend() != Backend::MariaDb {
            capture.restart().await.unwrap();
            let rows = Bulk::<review::Entity>::new().filter(review::Column::BookId.eq(3)).delete_returning(&world.db);
            assert_eq!(rows.await.unwrap().len(), 3);
            assert_streamed!(capture, books([3]));

            capture.restart().await.unwrap();
            let rows = Bulk::<review::Entity>::new()
                .filter(review::Column::Id.eq(2))
                .update_returning(&world.db, |update| update.col_expr(review::Column::BookId, Expr::value(5)));
            assert_eq!(rows.await.unwrap().len(), 1);
            assert_streamed!(capture, books([2, 5]));
        }
    }

    async fn inserts_and_upserts_announce_the_parents(db: TestDb) {
        let (world, mut capture) = reviewed(&db).await;
        let inserted = Bulk::<review::Entity>::new().insert_many(&world.db, [a_review(7), a_review(8)]);
        assert_eq!(inserted.await.unwrap(), 2);
        assert_streamed!(capture, books([7, 8]));

        capture.restart().await.unwrap();
        let moved = [1, 2].map(|id| review::ActiveModel { id: Set(id), ..a_review(9) });
        let on_key = OnConflict::column(review::Column::Id).update_column(review::Column::BookId).to_owned();
        Bulk::<review::Entity>::new().upsert_many(&world.db, moved.clone(), on_key).await.unwrap();
        assert_streamed!(capture, books([1, 2, 9]));
        assert_insured!(capture, books([1, 2, 9]));

        let elsewhere = OnConflict::column(review::Column::BookId).update_column(review::Column::Stars).to_owned();
        let error = Bulk::<review::Entity>::new().upsert_many(&world.db, moved, elsewhere).await.unwrap_err();
        if db.backend() == Backend::MariaDb {
            assert_carries!(error, BulkError::UnknownConflict { table } if table == "shop_reviews");
        } else {
            assert_carries!(error, BulkError::UnknownParents { table } if table == "shop_reviews");
        }
    }

    async fn the_classic_form_announces_the_parents_before_and_after_the_closure(db: TestDb) {
        let (world, mut capture) = reviewed(&db).await;
        let records = review::Entity::find().filter(review::Column::Id.is_in([1, 2])).all(&world.plain).await.unwrap();
        let producer = world.redstream.producer();
        let moved = producer.bulk(&world.db, &records, async |txn| {
            let update = review::Entity::update_many().col_expr(review::Column::BookId, Expr::value(6));
            update.filter(review::Column::Id.is_in([1, 2])).exec(txn).await
        });
        assert_eq!(moved.await.unwrap().rows_affected, 2);
        assert_streamed!(capture, books([1, 2, 6]));

        capture.restart().await.unwrap();
        let keys = [3, 4].map(Key::<review::Entity>::new);
        let deleted: Result<_, DbErr> = producer.bulk_keys(&world.db, keys, async |txn| {
            review::Entity::delete_many().filter(review::Column::Id.is_in([3, 4])).exec(txn).await
        }).await;
        assert_eq!(deleted.unwrap().rows_affected, 2);
        assert_streamed!(capture, books([1, 3]));
    }

    async fn children_with_a_stream_are_announced_beside_their_parents(db: TestDb) {
        let world = shop(&db).await;
        let loans = (1..=3).map(|id| loan::Model { id, book_id: id, reader_id: Some(1) });
        Bulk::<loan::Entity>::new().insert_many(&world.db, loans).await.unwrap();
        let mut capture = Capture::of::<loan::Entity>(&world.redstream).await.unwrap();
        let mut of_readers = Capture::of::<reader::Entity>(&world.redstream).await.unwrap();
        let lent = Bulk::<loan::Entity>::new()
            .filter(loan::Column::Id.lte(2))
            .update_many(&world.db, |update| update.col_expr(loan::Column::ReaderId, Expr::value(2)));
        assert_eq!(lent.await.unwrap(), 2);
        assert_streamed!(capture, [1, 2].map(Key::<loan::Entity>::new));
        assert_streamed!(of_readers, readers([1, 2]));

        capture.restart().await.unwrap();
        of_readers.restart().await.unwrap();
        Bulk::<loan::Entity>::new().delete_many(&world.db).await.unwrap();
        assert_streamed!(capture, [1, 2, 3].map(Key::<loan::Entity>::new));
        assert_streamed!(of_readers, readers([1, 2]));
    }
}

#[tokio::test]
async fn children_that_a_trigger_moves_are_announced_by_both_keys_on_postgres() {
    let db = crate::support::TestDb::new(Backend::Postgres).await;
    let world = shop(&db).await;
    for statement in [
        "INSERT INTO shop_loans (id, book_id) VALUES (1, 1), (2, 2)",
        "CREATE FUNCTION moved() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN NEW.id = NEW.id + 100; RETURN NEW; END $$; \
         CREATE TRIGGER moving BEFORE UPDATE ON shop_loans FOR EACH ROW EXECUTE FUNCTION moved()",
    ] {
        world.plain.execute_unprepared(statement).await.unwrap();
    }
    let lent = Bulk::<loan::Entity>::new()
        .batch_size(2)
        .update_many(&world.db, |update| update.col_expr(loan::Column::BookId, Expr::value(4)));
    assert_eq!(lent.await.unwrap(), 2);
    let announced = world.payloads("shop_loans").await;
    for id in [1, 2, 101, 102] {
        assert!(announced.contains(&serde_json::json!({ "id": id })), "{id} is not among {announced:?}");
    }
    let books = world.payloads("shop_books").await;
    assert!(books.contains(&serde_json::json!({ "id": 4 })), "{books:?}");
}
