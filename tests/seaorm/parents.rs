//! Children that announce their parents: what each way to write a child announces, with a stream of the child's own and
//! without.

mod bulk;
mod only;

use redstream_seaorm::testing::Capture;
use redstream_seaorm::{Key, Redstream};
use sea_orm::Set;

use super::world::World;
use crate::support::TestDb;

/// A shop: reviews belong to a book and have no stream; loans belong to a book and to a reader and have one.
pub(crate) mod book {
    use redstream_seaorm::Streamed;
    use sea_orm::entity::prelude::*;

    #[derive(Clone, Debug, PartialEq, Eq, DeriveEntityModel, Streamed)]
    #[sea_orm(table_name = "shop_books")]
    pub(crate) struct Model {
        #[sea_orm(primary_key, auto_increment = false)]
        pub(crate) id: i64,
    }

    #[derive(Copy, Clone, Debug, EnumIter, DeriveRelation)]
    pub(crate) enum Relation {}
}

pub(crate) mod reader {
    use redstream_seaorm::Streamed;
    use sea_orm::entity::prelude::*;

    #[derive(Clone, Debug, PartialEq, Eq, DeriveEntityModel, Streamed)]
    #[sea_orm(table_name = "shop_readers")]
    pub(crate) struct Model {
        #[sea_orm(primary_key, auto_increment = false)]
        pub(crate) id: i64,
    }

    #[derive(Copy, Clone, Debug, EnumIter, DeriveRelation)]
    pub(crate) enum Relation {}
}

pub(crate) mod review {
    use redstream_seaorm::Streamed;
    use sea_orm::entity::prelude::*;

    #[derive(Clone, Debug, PartialEq, Eq, DeriveEntityModel, Streamed)]
    #[sea_orm(table_name = "shop_reviews")]
    #[streamed(parents(super::book::Entity), parents_only, watch(stars))]
    pub(crate) struct Model {
        #[sea_orm(primary_key)]
        pub(crate) id: i64,
        pub(crate) book_id: i64,
        pub(crate) stars: i32,
        pub(crate) seen: i32,
    }

    #[derive(Copy, Clone, Debug, EnumIter, DeriveRelation)]
    pub(crate) enum Relation {
        #[sea_orm(belongs_to = "super::book::Entity", from = "Column::BookId", to = "super::book::Column::Id", skip_fk)]
        Book,
    }

    impl Related<super::book::Entity> for Entity {
        fn to() -> RelationDef {
            Relation::Book.def()
        }
    }
}

pub(crate) mod loan {
    use redstream_seaorm::Streamed;
    use sea_orm::entity::prelude::*;

    #[derive(Clone, Debug, PartialEq, Eq, DeriveEntityModel, Streamed)]
    #[sea_orm(table_name = "shop_loans")]
    #[streamed(parents(super::book::Entity, super::reader::Entity))]
    pub(crate) struct Model {
        #[sea_orm(primary_key, auto_increment = false)]
        pub(crate) id: i64,
        pub(crate) book_id: i64,
        pub(crate) reader_id: Option<i64>,
    }

    #[derive(Copy, Clone, Debug, EnumIter, DeriveRelation)]
    pub(crate) enum Relation {
        #[sea_orm(belongs_to = "super::book::Entity", from = "Column::BookId", to = "super::book::Column::Id", skip_fk)]
        Book,
        #[sea_orm(
            belongs_to = "super::reader::Entity",
            from = "Column::ReaderId",
            to = "super::reader::Column::Id",
            skip_fk
        )]
        Reader,
    }

    impl Related<super::book::Entity> for Entity {
        fn to() -> RelationDef {
            Relation::Book.def()
        }
    }

    impl Related<super::reader::Entity> for Entity {
        fn to() -> RelationDef {
            Relation::Reader.def()
        }
    }
}

async fn shop(db: &TestDb) -> World {
    let world = World::new(db).await;
    world.create(book::Entity).await;
    world.create(reader::Entity).await;
    world.create(review::Entity).await;
    world.create(loan::Entity).await;
    world
}

fn a_review(book_id: i64) -> review::ActiveModel {
    review::ActiveModel { book_id: Set(book_id), stars: Set(5), seen: Set(0), ..Default::default() }
}

fn books<const N: usize>(keys: [i64; N]) -> [Key<book::Entity>; N] {
    keys.map(Key::new)
}

fn readers<const N: usize>(keys: [i64; N]) -> [Key<reader::Entity>; N] {
    keys.map(Key::new)
}

async fn capture_books(redstream: &Redstream) -> Capture {
    Capture::of::<book::Entity>(redstream).await.unwrap()
}
