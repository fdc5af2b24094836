//! A child that is saved, moved or deleted: its old parent and its new one are announced.

use redstream_seaorm::testing::{Capture, assert_insured, assert_nothing_streamed, assert_streamed};
use redstream_seaorm::{Error, Key, ParentFault, SaveInTransaction};
use sea_orm::{
    ActiveModelTrait, ConnectionTrait, EntityTrait, IntoActiveModel, ModelTrait, Set, Statement, TransactionTrait,
};

use super::super::library::{author, chapter, fill};
use super::super::world::{SOON, World, ids};
use super::footnote;
use crate::support::{Backend, eventually};

fn authors<const N: usize>(keys: [i64; N]) -> [Key<author::Entity>; N] {
    keys.map(Key::new)
}

async fn chapter_of(world: &World, author_id: Option<i64>) -> chapter::Model {
    world.create(chapter::Entity).await;
    let chapter = chapter::ActiveModel { id: Set(1), author_id: Set(author_id) };
    chapter::Entity::insert(chapter).exec_without_returning(&world.plain).await.unwrap();
    chapter::Model { id: 1, author_id }
}

on_each_database! {
    async fn a_child_that_moves_refreshes_its_old_and_its_new_parent_after_the_commit(db: TestDb) {
        let world = World::new(&db).await;
        fill(&world, 3, 0).await;
        let chapter = chapter_of(&world, Some(1)).await;
        let capture = Capture::of::<author::Entity>(&world.redstream).await.unwrap();

        let txn = world.db.begin().await.unwrap();
        let mut moved = chapter.into_active_model();
        moved.author_id = Set(Some(2));
        moved.update(&txn).await.unwrap();
        assert_nothing_streamed!(capture);
        txn.commit().await.unwrap();
        assert_streamed!(capture, authors([1, 2]));
        assert_insured!(capture, authors([1, 2]));
    }

    async fn a_child_that_is_inserted_changed_orphaned_or_deleted_refreshes_its_parent(db: TestDb) {
        let world = World::new(&db).await;
        fill(&world, 3, 0).await;
        chapter_of(&world, None).await;
        let mut capture = Capture::of::<author::Entity>(&world.redstream).await.unwrap();
        let chapter = chapter::ActiveModel { id: Set(2), author_id: Set(Some(3)) };
        let chapter = chapter.insert_tx(&world.db).await.unwrap();
        assert_streamed!(capture, authors([3]));

        // The parent is not set.
        capture.restart().await.unwrap();
        let touched = chapter::ActiveModel { id: sea_orm::Unchanged(2), ..Default::default() };
        touched.update_tx(&world.db).await.unwrap();
        assert_streamed!(capture, authors([3]));

        capture.restart().await.unwrap();
        let orphaned = chapter::ActiveModel { author_id: Set(None), ..chapter.into_active_model() };
        let chapter = orphaned.update_tx(&world.db).await.unwrap();
        assert_streamed!(capture, authors([3]));

        capture.restart().await.unwrap();
        let adopted = chapter::ActiveModel { author_id: Set(Some(1)), ..chapter.into_active_model() };
        let chapter = adopted.update_tx(&world.db).await.unwrap();
        assert_streamed!(capture, authors([1]));

        capture.restart().await.unwrap();
        let txn = world.db.begin().await.unwrap();
        chapter.delete(&txn).await.unwrap();
        txn.commit().await.unwrap();
        assert_streamed!(capture, authors([1]));
    }

    async fn a_move_outside_a_transaction_is_refused_before_the_write(db: TestDb) {
        let world = World::new(&db).await;
        fill(&world, 2, 0).await;
        let chapter = chapter_of(&world, Some(1)).await;
        let capture = Capture::of::<author::Entity>(&world.redstream).await.unwrap();
        let mut moved = chapter.clone().into_active_model();
        moved.author_id = Set(Some(2));
        let error = moved.update(&world.db).await.unwrap_err();
        assert_carries!(error, Error::Parent { fault: ParentFault::TouchOutsideTransaction });
        assert_eq!(chapter::Entity::find_by_id(1).one(&world.plain).await.unwrap(), Some(chapter));
        assert_nothing_streamed!(capture);
    }

    async fn a_parent_is_found_by_an_integer_of_another_type(db: TestDb) {
        let world = World::new(&db).await;
        fill(&world, 3, 0).await;
        world.create(footnote::Entity).await;
        let mut capture = Capture::of::<author::Entity>(&world.redstream).await.unwrap();
        let footnote = footnote::ActiveModel { id: Set(1), author_id: Set(Some(1)) }.insert_tx(&world.db).await.unwrap();
        assert_streamed!(capture, authors([1]));

        capture.restart().await.unwrap();
        let moved = footnote::ActiveModel { author_id: Set(Some(2)), ..footnote.into_active_model() };
        let footnote = moved.update_tx(&world.db).await.unwrap();
        assert_streamed!(capture, authors([1, 2]));

        capture.restart().await.unwrap();
        let txn = world.db.begin().await.unwrap();
        footnote.delete(&txn).await.unwrap();
        txn.commit().await.unwrap();
        assert_streamed!(capture, authors([2]));
    }

    async fn moves_that_meet_refresh_the_parent_in_between(db: TestDb) {
        let waiting = match db.backend() {
            Backend::Sqlite => return, // It has one writer at a time.
            Backend::Postgres => {
                "SELECT pid FROM pg_stat_activity WHERE datname = current_database() AND wait_event_type = 'Lock'"
            }
            // Its table of lock waits is rebuilt only if it was not read for 100 ms.
            Backend::MariaDb => {
                "SELECT id FROM information_schema.processlist \
                 WHERE db = DATABASE() AND command <> 'Sleep' AND id <> CONNECTION_ID() AND time_ms > 100"
            }
        };
        let world = World::new(&db).await;
        fill(&world, 3, 0).await;
        let chapter = chapter_of(&world, Some(1)).await;
        let to = |author| chapter::ActiveModel { author_id: Set(Some(author)), ..chapter.clone().into_active_model() };

        let first = world.db.begin().await.unwrap();
        to(2).update(&first).await.unwrap();
        tokio::join!(
            async {
                to(3).update_tx(&world.db).await.unwrap();
            },
            async {
                let look = || Statement::from_string(world.plain.get_database_backend(), waiting);
                let waits = async || !world.plain.query_all_raw(look()).await.unwrap().is_empty();
                eventually(SOON, "the second move to wait for the first", waits).await;
                first.commit().await.unwrap();
            }
        );
        // The second ran after the first, so its old parent is the first's new one.
        let mut announced = world.payloads("authors").await;
        announced.sort_by_key(|payload| payload["id"].as_i64());
        assert_eq!(announced, ids([1, 2, 2, 3]));
        let last = chapter::Entity::find_by_id(1).one(&world.plain).await.unwrap().unwrap();
        assert_eq!(last.author_id, Some(3));
    }
}
