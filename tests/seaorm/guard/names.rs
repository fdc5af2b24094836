//! Names of tables that need care: with a quote character inside, or that no stream can have.

use redstream_seaorm::{Error, RedstreamExt, Streamed};
use sea_orm::sea_query::Expr;
use sea_orm::{ActiveModelTrait, ColumnTrait, DbErr, EntityTrait, ModelTrait, QueryFilter, Set};

use super::super::world::{World, ids};
use crate::support::{Backend, Logs};

/// A streamed entity with a key and a name, of this table.
macro_rules! entity {
    ($name:ident, $table:literal) => {
        mod $name {
            use redstream_seaorm::Streamed;
            use sea_orm::entity::prelude::*;

            #[derive(Clone, Debug, PartialEq, Eq, DeriveEntityModel, Streamed)]
            #[sea_orm(table_name = $table)]
            pub(crate) struct Model {
                #[sea_orm(primary_key)]
                pub(crate) id: i64,
                pub(crate) name: String,
            }

            #[derive(Copy, Clone, Debug, EnumIter, DeriveRelation)]
            pub(crate) enum Relation {}
        }
    };
}

entity!(double, "ham\"let");
entity!(backtick, "ham`let");
entity!(blank, "my hamlets");

/// Runs all operations on a table whose name contains the database's own quote character: every bypass of the hooks is
/// denied, and saves are tracked.
macro_rules! guarded {
    ($world:expr, $entity:ident) => {{
        let world: &World = $world;
        world.create($entity::Entity).await;
        let db = &world.db;
        let denied = |outcome: Result<(), DbErr>| {
            let error = outcome.expect_err("it goes round the hooks");
            let named = sea_orm::EntityName::table_name(&$entity::Entity);
            assert_carries!(error, Error::Bypass { table, view: None, .. } if table == named);
        };
        let every = || $entity::Entity::update_many().col_expr($entity::Column::Name, Expr::value("Ulm"));
        denied(every().exec(db).await.map(drop));
        denied($entity::Entity::delete_many().filter($entity::Column::Id.eq(1)).exec(db).await.map(drop));
        let named = |name: &str| $entity::ActiveModel { name: Set(name.to_owned()), ..Default::default() };
        denied($entity::Entity::insert(named("Ulm")).exec(db).await.map(drop));
        let model = named("Ulm").insert(db).await.unwrap();
        let renamed = $entity::ActiveModel { name: Set("Neu-Ulm".to_owned()), ..model.clone().into() };
        renamed.update_without_returning(db).await.unwrap();
        model.delete(db).await.unwrap();
        assert_eq!(world.payloads(&$entity::Entity::stream()).await, ids([1, 1, 1]));
    }};
}

on_each_database! {
    async fn a_quote_character_in_a_tables_name_hides_nothing(db: TestDb) {
        let logs = Logs::capture();
        let world = World::new(&db).await;
        if db.backend() == Backend::MariaDb {
            guarded!(&world, backtick);
        } else {
            guarded!(&world, double);
        }
        assert!(!logs.has(&["WARN", "in another task than its hook"]), "{}", logs.text());
    }

    async fn a_table_that_no_stream_can_be_named_after_asks_for_a_name(db: TestDb) {
        let world = World::new(&db).await;
        world.create(blank::Entity).await;
        let hint = "#[streamed(stream = \"";
        let save = blank::ActiveModel { id: Set(1), name: Set("Ulm".to_owned()) };
        let error = save.insert(&world.db).await.unwrap_err();
        assert_carries!(error, Error::Message { table, .. } if table == "my hamlets");
        assert!(error.to_string().contains(hint), "{error}");
        let error = world.redstream.of::<blank::Entity>().unwrap_err();
        let is_it = matches!(&error, redstream_core::Error::InvalidName { what: "stream name", name, .. } if name == "my hamlets");
        assert!(is_it && error.to_string().contains(hint), "{error:?}");
    }
}
