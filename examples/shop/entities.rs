//! The tables of the shop.

pub(crate) mod author {
    use redstream_seaorm::Streamed;
    use sea_orm::entity::prelude::*;

    #[sea_orm::model]
    #[derive(Clone, Debug, PartialEq, DeriveEntityModel, Streamed)]
    #[sea_orm(table_name = "authors")]
    pub(crate) struct Model {
        #[sea_orm(primary_key)]
        pub(crate) id: i64,
        pub(crate) name: String,
        #[sea_orm(has_many)]
        pub(crate) books: HasMany<super::book::Entity>,
    }
}

pub(crate) mod category {
    use redstream_seaorm::Streamed;
    use sea_orm::entity::prelude::*;

    #[sea_orm::model]
    #[derive(Clone, Debug, PartialEq, DeriveEntityModel, Streamed)]
    #[sea_orm(table_name = "categories")]
    pub(crate) struct Model {
        #[sea_orm(primary_key)]
        pub(crate) id: i64,
        pub(crate) name: String,
        #[sea_orm(has_many, via = "shelf")]
        pub(crate) books: HasMany<super::book::Entity>,
    }
}

pub(crate) mod book {
    use redstream_seaorm::Streamed;
    use sea_orm::entity::prelude::*;

    #[sea_orm::model]
    #[derive(Clone, Debug, PartialEq, DeriveEntityModel, Streamed)]
    #[sea_orm(table_name = "books")]
    pub(crate) struct Model {
        #[sea_orm(primary_key, auto_increment = false)]
        pub(crate) id: Uuid,
        pub(crate) title: String,
        pub(crate) status: Status,
        /// Whatever the publisher says of it.
        pub(crate) details: Json,
        pub(crate) author_id: i64,
        #[sea_orm(belongs_to, from = "author_id", to = "id")]
        pub(crate) author: HasOne<super::author::Entity>,
        #[sea_orm(has_many, via = "shelf")]
        pub(crate) categories: HasMany<super::category::Entity>,
        #[sea_orm(has_many)]
        pub(crate) reviews: HasMany<super::review::Entity>,
    }

    #[derive(Clone, Copy, Debug, PartialEq, Eq, EnumIter, DeriveActiveEnum, serde::Serialize, serde::Deserialize)]
    #[sea_orm(rs_type = "String", db_type = "String(StringLen::N(16))", rename_all = "snake_case")]
    #[serde(rename_all = "snake_case")]
    pub(crate) enum Status {
        Announced,
        InPrint,
        SoldOut,
    }
}

/// Which book is in which category. Nothing reads its own changes: they announce the book.
pub(crate) mod shelf {
    use redstream_seaorm::Streamed;
    use sea_orm::entity::prelude::*;

    #[sea_orm::model]
    #[derive(Clone, Debug, PartialEq, DeriveEntityModel, Streamed)]
    #[sea_orm(table_name = "shelves")]
    #[streamed(parents(super::book::Entity), parents_only)]
    pub(crate) struct Model {
        #[sea_orm(primary_key, auto_increment = false)]
        pub(crate) book_id: Uuid,
        #[sea_orm(primary_key, auto_increment = false)]
        pub(crate) category_id: i64,
        #[sea_orm(belongs_to, from = "book_id", to = "id")]
        pub(crate) book: HasOne<super::book::Entity>,
        #[sea_orm(belongs_to, from = "category_id", to = "id")]
        pub(crate) category: HasOne<super::category::Entity>,
    }
}

/// A reader's stars, one to five. They announce the book, whose document has their average.
pub(crate) mod review {
    use redstream_seaorm::Streamed;
    use sea_orm::entity::prelude::*;

    #[sea_orm::model]
    #[derive(Clone, Debug, PartialEq, DeriveEntityModel, Streamed)]
    #[sea_orm(table_name = "reviews")]
    #[streamed(parents(super::book::Entity), parents_only)]
    pub(crate) struct Model {
        #[sea_orm(primary_key, auto_increment = false)]
        pub(crate) book_id: Uuid,
        #[sea_orm(primary_key, auto_increment = false)]
        pub(crate) reader: String,
        pub(crate) stars: i32,
        #[sea_orm(belongs_to, from = "book_id", to = "id")]
        pub(crate) book: HasOne<super::book::Entity>,
    }
}
