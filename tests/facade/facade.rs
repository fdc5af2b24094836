//! An application as SeaORM's users write it, with modules within a file, whose Cargo.toml names the facade: otherwise
//! unchanged, except for `Streamed` and the code that connects.

use redstream_seaorm::testing::{self, Capture, assert_streamed};
use redstream_seaorm::{Key, StreamedConnection};
use redstream_servers::{REDIS_URL, shared_url};
use sea_orm::{ActiveModelTrait, ConnectionTrait, Database, DatabaseConnection, DbErr, Schema, Set, TransactionTrait};

mod entities {
    pub(crate) mod cake {
        use redstream_seaorm::Streamed;
        use sea_orm::entity::prelude::*;

        #[sea_orm::model]
        #[derive(Clone, Debug, PartialEq, Eq, DeriveEntityModel, Streamed)]
        #[sea_orm(table_name = "cakes")]
        pub(crate) struct Model {
            #[sea_orm(primary_key)]
            pub(crate) id: i32,
            pub(crate) name: String,
            pub(crate) kind: Kind,
        }

        #[derive(Clone, Copy, Debug, PartialEq, Eq, EnumIter, DeriveActiveEnum)]
        #[sea_orm(rs_type = "String", db_type = "String(StringLen::N(10))")]
        pub(crate) enum Kind {
            #[sea_orm(string_value = "dry")]
            Dry,
        }
    }
}

mod service {
    pub(crate) mod write {
        use super::super::entities::cake::{ActiveModel, Kind, Model};
        use sea_orm::{DatabaseTransaction, DbConn, DbErr, Set, TransactionTrait, entity::prelude::*};

        pub(crate) async fn bake(db: &DbConn, name: &str) -> Result<Model, DbErr> {
            let txn: DatabaseTransaction = db.begin().await?;
            let cake = ActiveModel { name: Set(name.to_owned()), kind: Set(Kind::Dry), ..Default::default() };
            let cake = cake.insert(&txn).await?;
            txn.commit().await?;
            Ok(cake)
        }
    }
}

#[tokio::test]
async fn an_application_goes_over_by_its_dependency() -> Result<(), Box<dyn std::error::Error>> {
    let redis = shared_url(REDIS_URL)?;
    let redstream = testing::connect(redis).await?;
    let db: DatabaseConnection =
        StreamedConnection::new(Database::connect("sqlite::memory:").await?, redstream.producer());
    db.execute(&Schema::new(db.get_database_backend()).create_table_from_entity(entities::cake::Entity)).await?;
    let capture = Capture::of::<entities::cake::Entity>(&redstream).await?;

    let cake = service::write::bake(&db, "Guglhupf").await?;
    assert_streamed!(capture, [&cake]);

    let renamed = db.transaction::<_, _, DbErr>(|txn| {
        Box::pin(async move {
            let cake = entities::cake::ActiveModel {
                id: Set(9),
                name: Set("Zwetschgendatschi".to_owned()),
                kind: Set(cake.kind),
            };
            cake.insert(txn).await
        })
    });
    renamed.await?;
    assert_streamed!(capture, [1, 9].map(Key::<entities::cake::Entity>::new));
    Ok(())
}
