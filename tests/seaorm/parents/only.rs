//! An entity that is streamed for its parents only: no stream, and no workers are needed for it.

use redstream_seaorm::testing::{Capture, assert_insured, assert_nothing_streamed, assert_streamed};
use redstream_seaorm::{Error, Key, ParentFault, RedstreamExt, SaveInTransaction, hooks};
use sea_orm::{
    ActiveModelTrait, ConnectionTrait, EntityTrait, IntoActiveModel, ModelTrait, NotSet, Set, TransactionTrait,
};

use super::{a_review, book, books, capture_books, loan, reader, readers, review, shop};
use crate::seaorm::world::World;
use crate::support::{Backend, TestDb};

/// No key of a stream of reviews is in Redis, whatever was written.
async fn has_no_stream(world: &World) {
    for stream in ["shop_reviews", "shop_reviews.delay"] {
        assert_eq!(world.payloads(stream).await, Vec::<serde_json::Value>::new(), "{stream}");
    }
}

on_each_database! {
    async fn saves_and_deletes_announce_the_parents_alone(db: TestDb) {
        let world = shop(&db).await;
        let mut capture = capture_books(&world.redstream).await;

        let txn = world.db.begin().await.unwrap();
        let review = a_review(1).insert(&txn).await.unwrap();
        assert_nothing_streamed!(capture);
        txn.commit().await.unwrap();
        assert_streamed!(capture, books([1]));
        assert_insured!(capture, books([1]));

        capture.restart().await.unwrap();
        let moved = review::ActiveModel { book_id: Set(2), ..review.clone().into_active_model() };
        let review = moved.update_tx(&world.db).await.unwrap();
        assert_streamed!(capture, books([1, 2]));
        assert_insured!(capture, books([1, 2]));

        capture.restart().await.unwrap();
        let seen = review::ActiveModel { seen: Set(1), ..review.clone().into_active_model() };
        seen.update_tx(&world.db).await.unwrap();
        assert_nothing_streamed!(capture);

        review.into_active_model().delete_tx(&world.db).await.unwrap();
        assert_streamed!(capture, books([2]));
        has_no_stream(&world).await;

        // The connection denies bypasses: none of these hooks left a permit that would allow one.
        let txn = world.db.begin().await.unwrap();
        let error = review::Entity::delete_many().exec(&txn).await.unwrap_err();
        assert_carries!(error, Error::Bypass { table, verb: "DELETE", view: None } if table == "shop_reviews");
    }

    async fn outside_a_transaction_a_save_errors_before_the_write(db: TestDb) {
        let world = shop(&db).await;
        let error = a_review(1).insert(&world.db).await.unwrap_err();
        assert_carries!(error, Error::Parent { fault: ParentFault::WriteOutsideTransaction });
        assert!(review::Entity::find().one(&world.plain).await.unwrap().is_none());
    }

    async fn within_a_scope_the_parents_are_announced(db: TestDb) {
        let world = shop(&db).await;
        let capture = capture_books(&world.redstream).await;
        let plain = world.db.inner();
        let saving = async {
            let txn = plain.begin().await?;
            a_review(3).insert(&txn).await?;
            txn.commit().await
        };
        world.db.scope(saving).await.unwrap();
        assert_streamed!(capture, books([3]));
        has_no_stream(&world).await;
    }

    async fn a_parent_that_the_database_fills_in_is_announced(db: TestDb) {
        let world = shop(&db).await;
        let mut capture = capture_books(&world.redstream).await;
        let statements = if db.backend() == Backend::Sqlite {
            "DROP TABLE shop_reviews; CREATE TABLE shop_reviews (id integer PRIMARY KEY AUTOINCREMENT, \
             book_id integer NOT NULL DEFAULT 7, stars integer NOT NULL, seen integer NOT NULL)"
        } else {
            "ALTER TABLE shop_reviews ALTER COLUMN book_id SET DEFAULT 7"
        };
        world.plain.execute_unprepared(statements).await.unwrap();
        let review = review::ActiveModel { book_id: NotSet, ..a_review(1) };
        let review = review.insert_tx(&world.db).await.unwrap();
        assert_eq!(review.book_id, 7);
        assert_streamed!(capture, books([7]));
        assert_insured!(capture, books([7]));

        capture.restart().await.unwrap();
        let plain = world.db.inner();
        let saving = async {
            let txn = plain.begin().await?;
            review::ActiveModel { book_id: NotSet, ..a_review(1) }.insert(&txn).await?;
            txn.commit().await
        };
        world.db.scope(saving).await.unwrap();
        assert_streamed!(capture, books([7]));
    }

    async fn an_entity_with_a_stream_announces_itself_and_each_parent(db: TestDb) {
        let world = shop(&db).await;
        let mut capture = capture_books(&world.redstream).await;
        let mut of_readers = Capture::of::<reader::Entity>(&world.redstream).await.unwrap();
        let mut of_loans = Capture::of::<loan::Entity>(&world.redstream).await.unwrap();
        let loan = loan::ActiveModel { id: Set(7), book_id: Set(1), reader_id: Set(None) };
        let loan = loan.insert_tx(&world.db).await.unwrap();
        assert_streamed!(capture, books([1]));
        assert_nothing_streamed!(of_readers);
        assert_streamed!(of_loans, [&loan]);

        for capture in [&mut capture, &mut of_readers, &mut of_loans] {
            capture.restart().await.unwrap();
        }
        let lent = loan::ActiveModel { reader_id: Set(Some(4)), ..loan.into_active_model() };
        let loan = lent.update_tx(&world.db).await.unwrap();
        assert_streamed!(capture, books([1]));
        assert_streamed!(of_readers, readers([4]));
        assert_streamed!(of_loans, [&loan]);
    }
}

#[tokio::test]
async fn what_needs_a_stream_is_refused() {
    let db = TestDb::sqlite().await;
    let world = shop(&db).await;
    let error = world.redstream.of::<review::Entity>().unwrap_err();
    assert!(matches!(error, redstream_core::Error::InvalidOption { option: "parents_only", .. }), "{error:?}");
    assert!(error.to_string().contains("`shop_reviews` is streamed for its parents only"), "{error}");
    let key = Key::<review::Entity>::new(1);
    let error = key.message().unwrap_err();
    assert!(matches!(&error, Error::NoStream { table } if table == "shop_reviews"), "{error:?}");
    let error = hooks::touch(&world.db, [key]).await.unwrap_err();
    assert_carries!(error, Error::NoStream { table } if table == "shop_reviews");
    assert!(world.redstream.of::<book::Entity>().is_ok());
}

#[tokio::test]
async fn half_of_the_hooks_is_an_error() {
    let db = TestDb::sqlite().await;
    let world = shop(&db).await;
    let txn = world.db.begin().await.unwrap();
    let row = review::Model { id: 1, book_id: 1, stars: 5, seen: 0 };
    let error = hooks::after_save::<review::Entity, _>(&row, &txn, true).await.unwrap_err();
    assert_carries!(error, Error::HookMissed { table } if table == "shop_reviews");
    // Also for an entity with a stream: its parents were not announced.
    let row_of_loan = loan::Model { id: 1, book_id: 1, reader_id: None };
    let error = hooks::after_save::<loan::Entity, _>(&row_of_loan, &txn, false).await.unwrap_err();
    assert_carries!(error, Error::HookMissed { table } if table == "shop_loans");
    row.delete(&txn).await.unwrap();
    txn.commit().await.unwrap();
}
