//! Keys with a time zone, which SQLite compares as text.

use redstream_seaorm::{Bulk, BulkExt, Error, Key};
use sea_orm::prelude::DateTimeWithTimeZone;
use sea_orm::{ActiveModelTrait, ActiveValue, ConnectionTrait, DbErr, EntityTrait, ModelTrait, QueryFilter, Set};
use serde_json::json;

use crate::seaorm::world::World;
use crate::support::*;

mod moment {
    use redstream_seaorm::Streamed;
    use sea_orm::entity::prelude::*;

    #[derive(Clone, Debug, PartialEq, Eq, DeriveEntityModel, Streamed)]
    #[sea_orm(table_name = "moments")]
    pub(super) struct Model {
        #[sea_orm(primary_key, auto_increment = false)]
        pub(super) at: DateTimeWithTimeZone,
        pub(super) note: String,
    }

    #[derive(Copy, Clone, Debug, EnumIter, DeriveRelation)]
    pub(super) enum Relation {}
}

fn at(time: &str) -> DateTimeWithTimeZone {
    time.parse().unwrap()
}

fn moment(time: &str) -> moment::ActiveModel {
    moment::ActiveModel { at: Set(at(time)), note: Set("new".to_owned()) }
}

const UTC: &str = "2026-02-01T12:34:56Z";
const BERLIN: &str = "2026-02-01T14:34:56+02:00";

on_each_database! {
    async fn a_key_with_a_time_zone_leads_to_its_row_or_is_refused(test: TestDb) {
        let world = World::new(&test).await;
        world.create(moment::Entity).await;
        let is_refused = |outcome: Result<(), DbErr>| {
            if test.backend() == Backend::Sqlite {
                assert_carries!(outcome.unwrap_err(), Error::KeyNotInUtc { table } if table == "moments");
            } else {
                outcome.unwrap();
            }
        };
        let model = moment::Model { at: at(BERLIN), note: "new".to_owned() };
        if test.backend() != Backend::MariaDb {
            is_refused(moment(BERLIN).insert(&world.db).await.map(drop));
            world.run("DELETE FROM moments").await;
            is_refused(Bulk::<moment::Entity>::new().insert_many(&world.db, [moment(BERLIN)]).await.map(drop));
            let update = moment::ActiveModel { at: ActiveValue::Unchanged(at(BERLIN)), note: Set("old".to_owned()) };
            is_refused(update.update(&world.db).await.map(drop));
            let named = world.db.producer().bulk(&world.db, std::slice::from_ref(&model), async |txn| {
                txn.execute_unprepared("UPDATE moments SET note = 'x'").await.map(drop)
            });
            is_refused(named.await);
            world.run("DELETE FROM moments").await;
        }
        let before = world.payloads("moments").await.len();
        moment(UTC).insert(&world.db).await.unwrap();
        assert_eq!(world.payloads("moments").await[before..], [json!({ "at": UTC })]);
        let key = Key::<moment::Entity>::new(at(UTC));
        let found = moment::Entity::find().filter(Key::any_of(&[key])).all(&world.plain).await.unwrap();
        assert_eq!(found.len(), 1);
    }
}

#[tokio::test]
async fn a_row_that_is_stored_in_another_zone_can_only_be_deleted_on_sqlite() {
    let test = TestDb::sqlite().await;
    let world = World::new(&test).await;
    world.create(moment::Entity).await;
    for time in [BERLIN, "2026-03-01T14:34:56+02:00"] {
        moment::Entity::insert(moment(time)).exec_without_returning(&world.plain).await.unwrap();
    }
    let set =
        |update: sea_orm::UpdateMany<_>| update.col_expr(moment::Column::Note, sea_orm::sea_query::Expr::value("x"));
    let refused = Bulk::<moment::Entity>::new().update_many(&world.db, set).await.unwrap_err();
    assert_carries!(refused, Error::KeyNotInUtc { table } if table == "moments");
    let refused = Bulk::<moment::Entity>::new().update_returning(&world.db, set).await.unwrap_err();
    assert_carries!(refused, Error::KeyNotInUtc { table } if table == "moments");
    assert!(world.payloads("moments").await.is_empty());
    moment::Model { at: at(BERLIN), note: "new".to_owned() }.delete(&world.db).await.unwrap();
    assert_eq!(world.payloads("moments").await, [json!({ "at": UTC })]);
    assert_eq!(Bulk::<moment::Entity>::new().delete_many(&world.db).await.unwrap(), 1);
}
