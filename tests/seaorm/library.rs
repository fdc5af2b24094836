//! Authors, their books, and the shelves that books stand on: related entities, and a connection that counts.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use async_trait::async_trait;
use sea_orm::{
    ConnectionTrait, DatabaseConnection, DbBackend, DbErr, EntityTrait, ExecResult, QueryResult, Set, Statement,
};

use super::world::World;

pub(crate) mod author {
    use redstream_seaorm::Streamed;
    use sea_orm::entity::prelude::*;

    #[derive(Clone, Debug, PartialEq, Eq, DeriveEntityModel, Streamed)]
    #[sea_orm(table_name = "authors")]
    pub(crate) struct Model {
        #[sea_orm(primary_key, auto_increment = false)]
        pub(crate) id: i64,
        pub(crate) name: String,
    }

    #[derive(Copy, Clone, Debug, EnumIter, DeriveRelation)]
    pub(crate) enum Relation {
        #[sea_orm(has_many = "super::book::Entity")]
        Books,
    }

    impl Related<super::book::Entity> for Entity {
        fn to() -> RelationDef {
            Relation::Books.def()
        }
    }
}

pub(crate) mod book {
    use redstream_seaorm::Streamed;
    use sea_orm::entity::prelude::*;

    #[derive(Clone, Debug, PartialEq, Eq, DeriveEntityModel, Streamed)]
    #[sea_orm(table_name = "books")]
    pub(crate) struct Model {
        #[sea_orm(primary_key, auto_increment = false)]
        pub(crate) id: i64,
        pub(crate) title: String,
        pub(crate) author_id: i64,
    }

    #[derive(Copy, Clone, Debug, EnumIter, DeriveRelation)]
    pub(crate) enum Relation {
        // No constraint, so that an author's row can be deleted before the books.
        #[sea_orm(
            belongs_to = "super::author::Entity",
            from = "Column::AuthorId",
            to = "super::author::Column::Id",
            skip_fk
        )]
        Author,
    }

    impl Related<super::author::Entity> for Entity {
        fn to() -> RelationDef {
            Relation::Author.def()
        }
    }

    impl Related<super::shelf::Entity> for Entity {
        fn to() -> RelationDef {
            super::place::Relation::Shelf.def()
        }

        fn via() -> Option<RelationDef> {
            Some(super::place::Relation::Book.def().rev())
        }
    }
}

/// A book can stand on several shelves.
pub(crate) mod place {
    use sea_orm::entity::prelude::*;

    #[derive(Clone, Debug, PartialEq, Eq, DeriveEntityModel)]
    #[sea_orm(table_name = "places")]
    pub(crate) struct Model {
        #[sea_orm(primary_key, auto_increment = false)]
        pub(crate) book_id: i64,
        #[sea_orm(primary_key, auto_increment = false)]
        pub(crate) shelf_id: i64,
    }

    #[derive(Copy, Clone, Debug, EnumIter, DeriveRelation)]
    pub(crate) enum Relation {
        #[sea_orm(belongs_to = "super::book::Entity", from = "Column::BookId", to = "super::book::Column::Id")]
        Book,
        #[sea_orm(belongs_to = "super::shelf::Entity", from = "Column::ShelfId", to = "super::shelf::Column::Id")]
        Shelf,
    }

    impl ActiveModelBehavior for ActiveModel {}
}

/// The hooks of a child whose author's document contains data of it.
macro_rules! touches_its_author {
    () => {
        #[async_trait::async_trait]
        impl ActiveModelBehavior for ActiveModel {
            async fn before_save<C: ConnectionTrait>(self, db: &C, insert: bool) -> Result<Self, DbErr> {
                ::redstream_seaorm::hooks::touch_parents::<$crate::seaorm::library::author::Entity, _, _>(
                    &self, db, insert,
                )
                .await?;
                ::redstream_seaorm::hooks::before_save(&self, db, insert).await?;
                Ok(self)
            }

            async fn after_save<C: ConnectionTrait>(model: Model, db: &C, insert: bool) -> Result<Model, DbErr> {
                ::redstream_seaorm::hooks::after_save::<Entity, C>(&model, db, insert).await?;
                Ok(model)
            }

            async fn before_delete<C: ConnectionTrait>(self, db: &C) -> Result<Self, DbErr> {
                ::redstream_seaorm::hooks::touch_parents::<$crate::seaorm::library::author::Entity, _, _>(
                    &self, db, false,
                )
                .await?;
                ::redstream_seaorm::hooks::before_delete(&self, db).await?;
                Ok(self)
            }

            async fn after_delete<C: ConnectionTrait>(self, db: &C) -> Result<Self, DbErr> {
                ::redstream_seaorm::hooks::after_delete(&self, db).await?;
                Ok(self)
            }
        }
    };
}
pub(crate) use touches_its_author;

/// A chapter names its author, who has documents that list the chapters: its hooks touch both.
pub(crate) mod chapter {
    use redstream_seaorm::Streamed;
    use sea_orm::entity::prelude::*;

    use super::author;

    #[derive(Clone, Debug, PartialEq, Eq, DeriveEntityModel, Streamed)]
    #[sea_orm(table_name = "chapters")]
    #[streamed(manual)]
    pub(crate) struct Model {
        #[sea_orm(primary_key, auto_increment = false)]
        pub(crate) id: i64,
        pub(crate) author_id: Option<i64>,
    }

    #[derive(Copy, Clone, Debug, EnumIter, DeriveRelation)]
    pub(crate) enum Relation {
        #[sea_orm(belongs_to = "author::Entity", from = "Column::AuthorId", to = "author::Column::Id")]
        Author,
    }

    impl Related<author::Entity> for Entity {
        fn to() -> RelationDef {
            Relation::Author.def()
        }
    }

    super::touches_its_author!();
}

/// Shelves are in shelves.
pub(crate) mod shelf {
    use redstream_seaorm::Streamed;
    use sea_orm::entity::prelude::*;

    #[derive(Clone, Debug, PartialEq, Eq, DeriveEntityModel, Streamed)]
    #[sea_orm(table_name = "shelves")]
    pub(crate) struct Model {
        #[sea_orm(primary_key, auto_increment = false)]
        pub(crate) id: i64,
        pub(crate) within: Option<i64>,
    }

    #[derive(Copy, Clone, Debug, EnumIter, DeriveRelation)]
    pub(crate) enum Relation {
        #[sea_orm(belongs_to = "Entity", from = "Column::Within", to = "Column::Id")]
        Outer,
    }

    /// From a shelf to those within it.
    impl Related<Entity> for Entity {
        fn to() -> RelationDef {
            Relation::Outer.def().rev()
        }
    }

    impl Related<super::book::Entity> for Entity {
        fn to() -> RelationDef {
            super::place::Relation::Book.def()
        }

        fn via() -> Option<RelationDef> {
            Some(super::place::Relation::Shelf.def().rev())
        }
    }
}

/// Makes the tables, with authors 1 to `authors` of whom each wrote `books`; not announced.
///
/// The books of author 1 are 1001, 1002 and so on, those of author 2 begin at 2001.
pub(crate) async fn fill(world: &World, authors: i64, books: i64) {
    world.create(author::Entity).await;
    world.create(book::Entity).await;
    let all: Vec<_> =
        (1..=authors).map(|id| author::ActiveModel { id: Set(id), name: Set(format!("author {id}")) }).collect();
    for some in all.chunks(500) {
        author::Entity::insert_many(some.to_vec()).exec_without_returning(&world.plain).await.unwrap();
    }
    let all: Vec<_> = (1..=authors)
        .flat_map(|author| (1..=books).map(move |n| (author * 1000 + n, author)))
        .map(|(id, author)| book::ActiveModel { id: Set(id), title: Set(format!("book {id}")), author_id: Set(author) })
        .collect();
    for some in all.chunks(500) {
        book::Entity::insert_many(some.to_vec()).exec_without_returning(&world.plain).await.unwrap();
    }
}

/// A connection that counts the queries that go through it. Clones count together.
#[derive(Clone, Debug)]
pub(crate) struct Counting {
    inner: DatabaseConnection,
    queries: Arc<AtomicUsize>,
}

impl Counting {
    pub(crate) fn new(inner: DatabaseConnection) -> Self {
        Self { inner, queries: Arc::default() }
    }

    /// How many there were since the last call.
    pub(crate) fn queries(&self) -> usize {
        self.queries.swap(0, Ordering::SeqCst)
    }

    fn count(&self) {
        self.queries.fetch_add(1, Ordering::SeqCst);
    }
}

#[async_trait]
impl ConnectionTrait for Counting {
    fn get_database_backend(&self) -> DbBackend {
        self.inner.get_database_backend()
    }

    async fn execute_raw(&self, stmt: Statement) -> Result<ExecResult, DbErr> {
        self.count();
        self.inner.execute_raw(stmt).await
    }

    async fn execute_unprepared(&self, sql: &str) -> Result<ExecResult, DbErr> {
        self.count();
        self.inner.execute_unprepared(sql).await
    }

    async fn query_one_raw(&self, stmt: Statement) -> Result<Option<QueryResult>, DbErr> {
        self.count();
        self.inner.query_one_raw(stmt).await
    }

    async fn query_all_raw(&self, stmt: Statement) -> Result<Vec<QueryResult>, DbErr> {
        self.count();
        self.inner.query_all_raw(stmt).await
    }
}
