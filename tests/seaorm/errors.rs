//! Errors of the adapter pass through SeaORM unchanged: which error it is, and how to handle it.

use redstream_seaorm::{Bulk, BulkError, Error, ErrorKind};
use sea_orm::sea_query::Expr;
use sea_orm::{ActiveModelTrait, DbErr, EntityTrait, TransactionTrait};

use super::city::{self, named, with_key};
use super::world::World;
use crate::support::private_redis;

fn kind<T: std::fmt::Debug>(outcome: Result<T, DbErr>) -> Option<ErrorKind> {
    ErrorKind::of(&outcome.unwrap_err())
}

on_each_database! {
    async fn without_redis_a_write_is_to_be_tried_again_later(db: TestDb) {
        let mut server = private_redis().await;
        let world = World::at(&db, &server.url()).await;
        server.kill().unwrap();
        let error = named("Rome").insert(&world.db).await.unwrap_err();
        assert_eq!(ErrorKind::of(&error), Some(ErrorKind::Unavailable), "{error}");
        let Some(Error::NotInsured(cause)) = Error::of(&error) else { panic!("{error:?}") };
        assert!(matches!(&**cause, redstream_core::Error::GaveUp { .. }), "{cause:?}");
        // Its text contains the whole chain, once.
        let text = error.to_string();
        assert!(text.contains("so it is not made: ") && text.matches("so it is not made").count() == 1, "{text}");

        let txn = world.db.begin().await.unwrap();
        with_key(1, "Oslo").insert(&txn).await.unwrap();
        assert_eq!(kind(txn.commit().await), Some(ErrorKind::Unavailable));
    }

    async fn a_write_that_would_be_missed_is_refused(db: TestDb) {
        let world = World::new(&db).await;
        let error = with_key(1, "Rome").insert(&world.plain).await.unwrap_err();
        assert_carries!(error, Error::Untracked { table } if table == "cities");
        assert_eq!(ErrorKind::of(&error), Some(ErrorKind::Refused));
        let rename = city::Entity::update_many().col_expr(city::Column::Name, Expr::value("Roma"));
        let error = rename.exec(&world.db).await.unwrap_err();
        assert_carries!(error, Error::Bypass { verb: "UPDATE", table, view: None } if table == "cities");
        let error = Bulk::<city::Entity>::new().batch_size(0).delete_many(&world.db).await.unwrap_err();
        assert_carries!(
            error,
            Error::InvalidOption(redstream_core::Error::InvalidOption { option: "batch_size", .. })
        );
        assert!(BulkError::of(&error).is_none());
        assert_eq!(ErrorKind::of(&error), Some(ErrorKind::Refused));
    }

    async fn errors_of_the_database_and_of_the_application_are_none_of_them(db: TestDb) {
        let world = World::new(&db).await;
        let city = world.existing(1, "Rome").await;
        let twice = with_key(city.id, "Rome").insert(&world.db).await;
        assert_eq!(kind(twice), None);
        assert_eq!(ErrorKind::of(&DbErr::Custom("redstream: not ours".to_owned())), None);
    }
}
