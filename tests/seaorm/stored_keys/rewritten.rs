//! Triggers that change the key of a row as it is written.

use redstream_seaorm::{Bulk, BulkError, BulkExt, Error};
use sea_orm::sea_query::Expr;
use sea_orm::{
    ActiveModelTrait, ActiveValue, ColumnTrait, ConnectionTrait, DbErr, EntityTrait, QueryFilter, TransactionTrait,
};

use super::{Written, index, names, town, towns};
use crate::seaorm::world::World;
use crate::support::*;

/// Makes the database lower the case of each new key. In MariaDB and SQLite the table compares keys in any case.
async fn lowering(test: &TestDb) -> World {
    let world = World::of_towns(test).await;
    world
        .run(match test.backend() {
            Backend::Sqlite => {
                "CREATE TRIGGER lowering AFTER INSERT ON towns BEGIN \
                 UPDATE towns SET name = lower(new.name) WHERE rowid = new.rowid; END"
            }
            Backend::Postgres => {
                "CREATE FUNCTION lowered() RETURNS trigger LANGUAGE plpgsql AS \
                 $$ BEGIN NEW.name = lower(NEW.name); RETURN NEW; END $$; \
                 CREATE TRIGGER lowering BEFORE INSERT ON towns FOR EACH ROW EXECUTE FUNCTION lowered()"
            }
            Backend::MariaDb => {
                "CREATE TRIGGER lowering BEFORE INSERT ON towns FOR EACH ROW SET NEW.name = LOWER(NEW.name)"
            }
        })
        .await;
    world
}

/// Makes the database generate each key again when its row is updated: a slug of the size.
async fn slugging(test: &TestDb) -> World {
    let world = World::of_towns(test).await;
    world
        .run(match test.backend() {
            Backend::Sqlite => {
                "CREATE TRIGGER slugging AFTER UPDATE OF size ON towns BEGIN \
                 UPDATE towns SET name = 'size-' || new.size WHERE rowid = new.rowid; END"
            }
            Backend::Postgres => {
                "CREATE FUNCTION slug() RETURNS trigger LANGUAGE plpgsql AS \
                 $$ BEGIN NEW.name = 'size-' || NEW.size; RETURN NEW; END $$; \
                 CREATE TRIGGER slugging BEFORE UPDATE ON towns FOR EACH ROW EXECUTE FUNCTION slug()"
            }
            Backend::MariaDb => {
                "CREATE TRIGGER slugging BEFORE UPDATE ON towns FOR EACH ROW SET NEW.name = CONCAT('size-', NEW.size)"
            }
        })
        .await;
    world
}

fn error_of<T>(outcome: Result<T, DbErr>) -> DbErr {
    outcome.err().expect("it should be refused")
}

/// The write of one row was refused, since it has another key now.
fn is_rewritten<T>(outcome: Result<T, DbErr>) {
    assert_carries!(error_of(outcome), Error::KeyRewritten { table } if table == "towns");
}

/// The bulk operation was refused, since no row has the key that was named.
fn is_unknown<T>(outcome: Result<T, DbErr>, name: &str) {
    let named = towns(&[name])[0].to_string();
    assert_carries!(error_of(outcome), BulkError::UnknownRow { table, key } if table == "towns" && *key == named);
}

on_each_database! {
    async fn an_insert_whose_key_a_trigger_changes_announces_the_key_that_the_database_has(test: TestDb) {
        let world = lowering(&test).await;
        town::of("ULM", 1).insert(&world.db).await.unwrap();
        assert_eq!(world.payloads("towns").await, towns(&["ulm"]));
        assert_eq!(world.payloads("towns.delay").await, towns(&["ULM", "ulm"]), "both are insured");
        let txn = world.db.begin().await.unwrap();
        town::of("BONN", 1).insert(&txn).await.unwrap();
        txn.commit().await.unwrap();
        assert!(world.payloads("towns").await.contains(&towns(&["bonn"])[0]));
        let inserted = Bulk::<town::Entity>::new().insert_many(&world.db, [town::of("AALEN", 1), town::of("TRIER", 1)]);
        assert_eq!(inserted.await.unwrap(), 2);
        let written = index(&world).await;
        assert_eq!((written.upserts, written.deletes), (names(&["aalen", "bonn", "trier", "ulm"]), names(&[])));
    }

    async fn an_insert_in_a_bulk_operation_announces_the_key_that_the_database_has(test: TestDb) {
        let world = lowering(&test).await;
        let records = [town::Model { name: "ULM".to_owned(), size: 1 }];
        let insert = async |txn: &_| town::Entity::insert_many([town::of("ULM", 1)]).exec_without_returning(txn).await;
        let inserted: Result<_, DbErr> = world.db.producer().bulk(&world.db, &records, insert).await;
        inserted.unwrap();
        assert_eq!(world.payloads("towns").await, towns(&["ulm"]));
        assert_eq!(index(&world).await, Written { upserts: names(&["ulm"]), ..Default::default() });
    }

    async fn an_update_whose_key_a_trigger_changes_announces_both_keys_or_is_refused(test: TestDb) {
        let world = slugging(&test).await;
        for name in ["Ada", "Bergen", "Ceuta", "Dover"] {
            world.town(name).await;
        }
        let update = |name: &str, size| {
            town::ActiveModel { name: ActiveValue::Unchanged(name.to_owned()), size: ActiveValue::Set(size) }
        };
        if test.backend() == Backend::Postgres {
            update("ADA", 7).update(&world.db).await.unwrap();
            let txn = world.db.begin().await.unwrap();
            update("BERGEN", 8).update(&txn).await.unwrap();
            txn.commit().await.unwrap();
            assert_eq!(world.payloads("towns").await, towns(&["Ada", "size-7", "Bergen", "size-8"]));
        } else {
            is_rewritten(update("ADA", 7).update(&world.db).await);
            let txn = world.db.begin().await.unwrap();
            is_rewritten(update("BERGEN", 8).update(&txn).await);
            assert_carries!(error_of(txn.commit().await), Error::InsertCutOff);
        }
        // No RETURNING, on any of them.
        is_rewritten(update("Ceuta", 9).update_without_returning(&world.db).await);
        let set = |update: sea_orm::UpdateMany<_>| update.col_expr(town::Column::Size, Expr::value(10));
        let dover = Bulk::<town::Entity>::new().filter(town::Column::Name.eq("dover"));
        let updated = dover.update_many(&world.db, set).await;
        let names_now = world.town_names().await;
        if test.backend() == Backend::Postgres {
            assert_eq!(updated.unwrap(), 1);
            assert_eq!(names_now, ["Ceuta", "size-10", "size-7", "size-8"]);
            let written = index(&world).await;
            assert_eq!(written.upserts, names(&["size-10", "size-7", "size-8"]));
            assert_eq!(written.deletes, names(&["Ada", "Bergen", "Dover"]));
        } else {
            assert_carries!(error_of(updated), BulkError::RewrittenKeys { table } if table == "towns");
            assert_eq!(names_now, ["Ada", "Bergen", "Ceuta", "Dover"], "nothing was written");
            assert_eq!(world.payloads("towns").await, towns(&[]));
        }
    }

    async fn an_update_in_a_bulk_operation_whose_keys_a_trigger_changes_is_refused_unless_both_are_named(test: TestDb) {
        let world = slugging(&test).await;
        world.town("Ada").await;
        let update = async |txn: &_| {
            let all = town::Entity::update_many().col_expr(town::Column::Size, Expr::value(7));
            all.filter(town::Column::Name.eq("Ada")).exec(txn).await
        };
        let ada = town::Model { name: "Ada".to_owned(), size: 1 };
        let refused: Result<_, DbErr> = world.db.producer().bulk(&world.db, std::slice::from_ref(&ada), update).await;
        is_unknown(refused, "Ada");
        assert_eq!(world.town_names().await, ["Ada"]);
    }
}

#[tokio::test]
async fn a_block_whose_text_does_not_tell_what_it_writes_is_taken_for_an_insert_and_an_update() {
    let test = TestDb::new(Backend::Postgres).await;
    let world = lowering(&test).await;
    world.run("ALTER TABLE towns ALTER name TYPE text COLLATE \"C\"").await;
    let named = |name: &str| [redstream_seaorm::Key::<town::Entity>::new(name.to_owned())];
    let block = async |txn: &redstream_seaorm::StreamedTransaction| {
        txn.execute_unprepared("DO $$ BEGIN INSERT INTO towns (name, size) VALUES ('ULM', 1); END $$").await
    };
    let refused: Result<_, DbErr> = world.db.producer().bulk_keys(&world.db, named("ULM"), block).await;
    is_unknown(refused, "ULM");
    assert!(world.payloads("towns").await.is_empty());
    let named_as_stored: Result<_, DbErr> = world.db.producer().bulk_keys(&world.db, named("ulm"), block).await;
    named_as_stored.unwrap();
    assert_eq!(world.payloads("towns").await, towns(&["ulm"]));
}
