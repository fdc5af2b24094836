//! Entities of every shape.

/// A stream's name and payload of its own.
pub(crate) mod place {
    use redstream_seaorm::{Key, Streamed};
    use sea_orm::entity::prelude::*;
    use serde_json::json;

    #[derive(Clone, Debug, PartialEq, Eq, DeriveEntityModel, Streamed)]
    #[sea_orm(table_name = "places")]
    #[streamed(stream = "all-places")]
    #[streamed(payload = self::told)]
    pub(crate) struct Model {
        #[sea_orm(primary_key)]
        pub(crate) id: i32,
        pub(crate) name: String,
    }

    #[derive(Copy, Clone, Debug, EnumIter, DeriveRelation)]
    pub(crate) enum Relation {}

    fn told(key: &Key<Entity>) -> Json {
        json!({ "kind": "place", "id": key.value() })
    }
}

/// Two columns make the key.
pub(crate) mod line {
    use redstream_seaorm::Streamed;
    use sea_orm::entity::prelude::*;

    #[derive(Clone, Debug, PartialEq, Eq, DeriveEntityModel, Streamed)]
    #[sea_orm(table_name = "lines")]
    pub(crate) struct Model {
        #[sea_orm(primary_key, auto_increment = false)]
        pub(crate) order_id: i32,
        #[sea_orm(primary_key, auto_increment = false)]
        pub(crate) code: String,
        pub(crate) amount: i32,
    }

    #[derive(Copy, Clone, Debug, EnumIter, DeriveRelation)]
    pub(crate) enum Relation {}
}

/// Custom hooks, which make the key.
pub(crate) mod badge {
    use redstream_seaorm::{Streamed, hooks};
    use sea_orm::Set;
    use sea_orm::entity::prelude::*;

    #[derive(Clone, Debug, PartialEq, Eq, DeriveEntityModel, Streamed)]
    #[sea_orm(table_name = "badges")]
    #[streamed(manual)]
    pub(crate) struct Model {
        #[sea_orm(primary_key, auto_increment = false)]
        pub(crate) id: String,
        pub(crate) owner: String,
    }

    #[derive(Copy, Clone, Debug, EnumIter, DeriveRelation)]
    pub(crate) enum Relation {}

    #[async_trait::async_trait]
    impl ActiveModelBehavior for ActiveModel {
        async fn before_save<C: ConnectionTrait>(mut self, db: &C, insert: bool) -> Result<Self, DbErr> {
            if self.owner.try_as_ref().is_some_and(String::is_empty) {
                return Err(DbErr::Custom("a badge needs an owner".to_owned()));
            }
            if insert {
                self.id = Set(uuid::Uuid::new_v4().simple().to_string());
            }
            hooks::before_save(&self, db, insert).await?;
            Ok(self)
        }

        async fn after_save<C: ConnectionTrait>(model: Model, db: &C, insert: bool) -> Result<Model, DbErr> {
            hooks::after_save::<Entity, C>(&model, db, insert).await?;
            Ok(model)
        }

        async fn before_delete<C: ConnectionTrait>(self, db: &C) -> Result<Self, DbErr> {
            hooks::before_delete(&self, db).await?;
            Ok(self)
        }

        async fn after_delete<C: ConnectionTrait>(self, db: &C) -> Result<Self, DbErr> {
            hooks::after_delete(&self, db).await?;
            Ok(self)
        }
    }
}

/// SeaORM's dense form, with a relation to another.
pub(crate) mod author {
    use redstream_seaorm::Streamed;
    use sea_orm::entity::prelude::*;

    #[sea_orm::model]
    #[derive(Clone, Debug, PartialEq, Eq, DeriveEntityModel, Streamed)]
    #[sea_orm(table_name = "authors")]
    pub(crate) struct Model {
        #[sea_orm(primary_key)]
        pub(crate) id: i32,
        pub(crate) name: String,
        #[sea_orm(has_many)]
        pub(crate) notes: HasMany<super::note::Entity>,
    }
}

/// The other entity, with an attribute of ours, which SeaORM's copy of the model inherits.
pub(crate) mod note {
    use redstream_seaorm::Streamed;
    use sea_orm::entity::prelude::*;

    #[sea_orm::model]
    #[derive(Clone, Debug, PartialEq, Eq, DeriveEntityModel, Streamed)]
    #[sea_orm(table_name = "notes")]
    #[streamed(stream = "notebook")]
    pub(crate) struct Model {
        #[sea_orm(primary_key)]
        pub(crate) id: i32,
        pub(crate) text: String,
        pub(crate) author_id: i32,
        #[sea_orm(belongs_to, from = "author_id", to = "id")]
        pub(crate) author: HasOne<super::author::Entity>,
    }
}

/// Of which some columns are watched: under a plain name, a raw one, and one that is another's variant.
pub(crate) mod offer {
    use redstream_seaorm::Streamed;
    use sea_orm::Set;
    use sea_orm::entity::prelude::*;

    #[derive(Clone, Debug, PartialEq, Eq, DeriveEntityModel, Streamed)]
    #[sea_orm(table_name = "offers")]
    #[streamed(watch(price, r#type, currency))]
    pub(crate) struct Model {
        #[sea_orm(primary_key, auto_increment = false)]
        pub(crate) id: i32,
        pub(crate) price: i32,
        pub(crate) r#type: String,
        #[sea_orm(column_name = "currency_code", enum_name = "Money")]
        pub(crate) currency: String,
        pub(crate) views: i32,
    }

    #[derive(Copy, Clone, Debug, EnumIter, DeriveRelation)]
    pub(crate) enum Relation {}

    pub(crate) fn offer(id: i32) -> ActiveModel {
        ActiveModel {
            id: Set(id),
            price: Set(1),
            r#type: Set("bike".to_owned()),
            currency: Set("EUR".to_owned()),
            views: Set(0),
        }
    }
}

/// In shards of a later generation.
pub(crate) mod parcel {
    use redstream_seaorm::Streamed;
    use sea_orm::Set;
    use sea_orm::entity::prelude::*;

    #[derive(Clone, Debug, PartialEq, Eq, DeriveEntityModel, Streamed)]
    #[sea_orm(table_name = "parcels")]
    #[streamed(shards = 4, generation = 2)]
    pub(crate) struct Model {
        #[sea_orm(primary_key, auto_increment = false)]
        pub(crate) id: i32,
        pub(crate) weight: i32,
    }

    #[derive(Copy, Clone, Debug, EnumIter, DeriveRelation)]
    pub(crate) enum Relation {}

    pub(crate) fn parcel(id: i32) -> ActiveModel {
        ActiveModel { id: Set(id), weight: Set(1) }
    }
}

/// In shards.
pub(crate) mod stamp {
    use redstream_seaorm::Streamed;
    use sea_orm::entity::prelude::*;

    #[derive(Clone, Debug, PartialEq, Eq, DeriveEntityModel, Streamed)]
    #[sea_orm(table_name = "stamps")]
    #[streamed(shards = 3)]
    pub(crate) struct Model {
        #[sea_orm(primary_key, auto_increment = false)]
        pub(crate) id: i32,
        pub(crate) value: i32,
    }

    #[derive(Copy, Clone, Debug, EnumIter, DeriveRelation)]
    pub(crate) enum Relation {}
}
