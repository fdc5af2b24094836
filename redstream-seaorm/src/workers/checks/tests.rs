//! Each thing that can be forgotten is found, and the error says what to do.

use sea_orm::DatabaseConnection;

use super::*;
use crate::index::embedded::{Embedded, Follow};

mod author {
    use sea_orm::entity::prelude::*;

    #[sea_orm::model]
    #[derive(Clone, Debug, PartialEq, DeriveEntityModel)]
    #[sea_orm(table_name = "authors")]
    pub(super) struct Model {
        #[sea_orm(primary_key)]
        pub(super) id: i64,
        #[sea_orm(has_many)]
        pub(super) books: HasMany<super::book::Entity>,
    }

    impl ActiveModelBehavior for ActiveModel {}
    impl crate::Streamed for Entity {}
}

mod book {
    use sea_orm::entity::prelude::*;

    #[sea_orm::model]
    #[derive(Clone, Debug, PartialEq, DeriveEntityModel)]
    #[sea_orm(table_name = "books")]
    pub(super) struct Model {
        #[sea_orm(primary_key)]
        pub(super) id: i64,
        pub(super) author_id: i64,
        #[sea_orm(belongs_to, from = "author_id", to = "id")]
        pub(super) author: HasOne<super::author::Entity>,
        #[sea_orm(has_many, via = "shelf")]
        pub(super) categories: HasMany<super::category::Entity>,
        #[sea_orm(has_many)]
        pub(super) reviews: HasMany<super::review::Entity>,
    }

    impl ActiveModelBehavior for ActiveModel {}
    impl crate::Streamed for Entity {}
}

mod category {
    use sea_orm::entity::prelude::*;

    #[sea_orm::model]
    #[derive(Clone, Debug, PartialEq, DeriveEntityModel)]
    #[sea_orm(table_name = "categories")]
    pub(super) struct Model {
        #[sea_orm(primary_key)]
        pub(super) id: i64,
        #[sea_orm(has_many, via = "shelf")]
        pub(super) books: HasMany<super::book::Entity>,
    }

    impl ActiveModelBehavior for ActiveModel {}
    impl crate::Streamed for Entity {}
}

/// Announces its book.
mod shelf {
    use sea_orm::entity::prelude::*;

    #[sea_orm::model]
    #[derive(Clone, Debug, PartialEq, DeriveEntityModel)]
    #[sea_orm(table_name = "shelves")]
    pub(super) struct Model {
        #[sea_orm(primary_key)]
        pub(super) book_id: i64,
        #[sea_orm(primary_key)]
        pub(super) category_id: i64,
        #[sea_orm(belongs_to, from = "book_id", to = "id")]
        pub(super) book: HasOne<super::book::Entity>,
        #[sea_orm(belongs_to, from = "category_id", to = "id")]
        pub(super) category: HasOne<super::category::Entity>,
    }

    impl ActiveModelBehavior for ActiveModel {}
    impl crate::Streamed for Entity {
        const HAS_STREAM: bool = false;

        fn parents() -> Vec<crate::Parent<Self>> {
            vec![crate::Parent::of::<super::book::Entity>()]
        }
    }
}

/// Announces nothing.
mod review {
    use sea_orm::entity::prelude::*;

    #[sea_orm::model]
    #[derive(Clone, Debug, PartialEq, DeriveEntityModel)]
    #[sea_orm(table_name = "reviews")]
    pub(super) struct Model {
        #[sea_orm(primary_key)]
        pub(super) id: i64,
        pub(super) book_id: i64,
        #[sea_orm(belongs_to, from = "book_id", to = "id")]
        pub(super) book: HasOne<super::book::Entity>,
    }

    impl ActiveModelBehavior for ActiveModel {}
    impl crate::Streamed for Entity {}
}

const ALL: [DerivedEntity; 5] = [
    DerivedEntity::of::<author::Entity>(),
    DerivedEntity::of::<book::Entity>(),
    DerivedEntity::of::<category::Entity>(),
    DerivedEntity::of::<shelf::Entity>(),
    DerivedEntity::of::<review::Entity>(),
];

fn text(refused: Result<()>) -> String {
    match refused {
        Err(Error::InvalidOption { reason, .. }) => reason,
        other => panic!("{other:?}"),
    }
}

#[test]
fn a_relation_says_how_changes_reach_the_documents() {
    type Of = Embedded<DatabaseConnection>;
    let cascade = |embedded: Of| match embedded.follow {
        Follow::Cascade { name, link, .. } => (name, link),
        _ => panic!("{embedded:?}"),
    };
    assert_eq!(cascade(Of::of::<book::Entity, author::Entity>()), ("books-of-authors".to_owned(), None));
    let (name, link) = cascade(Of::of::<book::Entity, category::Entity>());
    assert_eq!((name.as_str(), link.as_deref()), ("books-of-categories", Some("shelves")));
    assert!(matches!(Of::of::<book::Entity, review::Entity>().follow, Follow::Children));
}

#[test]
fn a_link_that_announces_nothing_is_refused() {
    assert!(announces(ALL.into_iter(), "shelves", "books").is_ok());
    assert!(announces(ALL.into_iter(), "SHELVES", "Books").is_ok(), "names are compared as databases do");
    assert!(text(announces(ALL.into_iter(), "shelves", "authors")).contains("its `#[streamed(…)]` lacks `parents(…)`"));
    assert!(text(announces(ALL.into_iter(), "reviews", "books")).contains("its `#[streamed(…)]` lacks"));
    assert!(text(announces(ALL.into_iter(), "links", "books")).contains("derive `Streamed`"));
}

#[test]
fn a_circle_of_documents_is_refused() {
    for circle in [
        &[("books", "books")][..],
        &[("authors", "books"), ("books", "authors")],
        &[("shops", "authors"), ("authors", "books"), ("books", "shelves"), ("shelves", "authors")],
    ] {
        assert!(text(no_circle(&pairs(circle))).contains("contain each other"), "{circle:?}");
    }
}

#[test]
fn documents_in_one_direction_are_accepted() {
    assert!(no_circle(&pairs(&[("a", "b"), ("a", "c"), ("b", "d"), ("c", "d")])).is_ok());
    assert!(no_circle(&[]).is_ok());
}

fn pairs(pairs: &[(&str, &str)]) -> Vec<(String, String)> {
    pairs.iter().map(|(from, to)| ((*from).to_owned(), (*to).to_owned())).collect()
}
