//! Cascade: documents that contain data of another entity. A book's document names its author, and an author's document
//! lists the titles; each is written again when the other changes.
//!
//! Needs a Redis: the first argument, or `REDIS_URL`, or the one on this machine.
//!
//! ```sh
//! cargo run -p redstream-examples --example cascade
//! ```

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use anyhow::bail;
use redstream_seaorm::{
    CancellationToken, Cascade, Changes, ConnectOptions, HandlerError, Indexer, Key, Redstream, RedstreamExt as _,
    Sink, StreamedConnection, Supervisor, find_by_keys,
};
use sea_orm::{
    ActiveModelTrait as _, ActiveValue::Set, ConnectionTrait as _, Database, DatabaseConnection, IntoActiveModel as _,
    LoaderTrait as _, ModelTrait as _, Schema, TransactionTrait as _,
};

mod author {
    use redstream_seaorm::Streamed;
    use sea_orm::entity::prelude::*;

    #[derive(Clone, Debug, PartialEq, DeriveEntityModel, Streamed)]
    #[sea_orm(table_name = "authors")]
    pub(crate) struct Model {
        #[sea_orm(primary_key)]
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

mod book {
    use redstream_seaorm::{Streamed, hooks};
    use sea_orm::entity::prelude::*;

    use super::author;

    #[derive(Clone, Debug, PartialEq, DeriveEntityModel, Streamed)]
    #[sea_orm(table_name = "books")]
    #[streamed(manual)]
    pub(crate) struct Model {
        #[sea_orm(primary_key)]
        pub(crate) id: i64,
        pub(crate) title: String,
        pub(crate) author_id: i64,
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

    /// A book that is changed, moved or deleted changes its authors' documents: the hooks touch the old author and the
    /// new one.
    #[async_trait::async_trait]
    impl ActiveModelBehavior for ActiveModel {
        async fn before_save<C: ConnectionTrait>(self, db: &C, insert: bool) -> Result<Self, DbErr> {
            hooks::touch_parents::<author::Entity, _, _>(&self, db, insert).await?;
            hooks::before_save(&self, db, insert).await?;
            Ok(self)
        }

        async fn after_save<C: ConnectionTrait>(model: Model, db: &C, insert: bool) -> Result<Model, DbErr> {
            hooks::after_save::<Entity, C>(&model, db, insert).await?;
            Ok(model)
        }

        async fn before_delete<C: ConnectionTrait>(self, db: &C) -> Result<Self, DbErr> {
            hooks::touch_parents::<author::Entity, _, _>(&self, db, false).await?;
            hooks::before_delete(&self, db).await?;
            Ok(self)
        }

        async fn after_delete<C: ConnectionTrait>(self, db: &C) -> Result<Self, DbErr> {
            hooks::after_delete(&self, db).await?;
            Ok(self)
        }
    }
}

/// The secondary datastore: documents in memory, one for each author and one for each book.
#[derive(Clone, Default)]
struct Documents(Arc<Mutex<BTreeMap<String, String>>>);

impl Documents {
    fn write(&self, upserts: Vec<(String, String)>, deletes: Vec<String>) {
        let mut documents = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        documents.extend(upserts);
        for id in deletes {
            documents.remove(&id);
        }
    }

    fn texts(&self) -> Vec<String> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).values().cloned().collect()
    }
}

/// A document's id, and its text.
type Document = (String, String);

impl Sink<author::Entity, Document> for Documents {
    async fn write(&self, changes: Changes<author::Entity, Document>) -> Result<(), HandlerError> {
        let deletes = changes.deletes.iter().map(|key| format!("author-{}", key.value())).collect();
        let upserts = changes.upserts.into_iter().map(|(_, document)| document).collect();
        Documents::write(self, upserts, deletes);
        Ok(())
    }
}

impl Sink<book::Entity, Document> for Documents {
    async fn write(&self, changes: Changes<book::Entity, Document>) -> Result<(), HandlerError> {
        let deletes = changes.deletes.iter().map(|key| format!("book-{}", key.value())).collect();
        let upserts = changes.upserts.into_iter().map(|(_, document)| document).collect();
        Documents::write(self, upserts, deletes);
        Ok(())
    }
}

type Loaded<E> = Result<Vec<(Key<E>, Document)>, HandlerError>;

/// Authors with their books: two queries, whatever their number.
async fn authors_with_titles(db: DatabaseConnection, keys: Vec<Key<author::Entity>>) -> Loaded<author::Entity> {
    let authors = find_by_keys(author::Entity, &keys, &db).await?;
    let books = authors.load_many(book::Entity, &db).await?;
    let document = |(author, books): (author::Model, Vec<book::Model>)| {
        let titles: Vec<_> = books.into_iter().map(|book| book.title).collect();
        (Key::of(&author), (format!("author-{}", author.id), format!("{}: {}", author.name, titles.join(", "))))
    };
    Ok(authors.into_iter().zip(books).map(document).collect())
}

/// Books with their author, likewise.
async fn books_with_author(db: DatabaseConnection, keys: Vec<Key<book::Entity>>) -> Loaded<book::Entity> {
    let books = find_by_keys(book::Entity, &keys, &db).await?;
    let authors = books.load_one(author::Entity, &db).await?;
    let document = |(book, author): (book::Model, Option<author::Model>)| {
        let by = author.map_or_else(|| "nobody".to_owned(), |author| author.name);
        (Key::of(&book), (format!("book-{}", book.id), format!("{} by {by}", book.title)))
    };
    Ok(books.into_iter().zip(authors).map(document).collect())
}

#[tokio::main]
async fn main() -> anyhow::Result<()> {
    let url = std::env::args().nth(1).or_else(|| std::env::var("REDIS_URL").ok());
    run(&url.unwrap_or_else(|| "redis://127.0.0.1/".to_owned())).await
}

async fn run(url: &str) -> anyhow::Result<()> {
    let redstream = Redstream::connect(ConnectOptions::new(url).namespace("redstream-cascade")).await?;
    let folder = tempfile::tempdir()?;
    let sqlite = Database::connect(format!("sqlite://{}?mode=rwc", folder.path().join("books.db").display())).await?;
    let schema = Schema::new(sqlite.get_database_backend());
    sqlite.execute(&schema.create_table_from_entity(author::Entity)).await?;
    sqlite.execute(&schema.create_table_from_entity(book::Entity)).await?;
    let db = StreamedConnection::new(sqlite.clone(), redstream.producer());

    let (documents, stop) = (Documents::default(), CancellationToken::new());
    let (authors, books) = (redstream.of::<author::Entity>()?, redstream.of::<book::Entity>()?);
    // A changed author is read by two consumers: one writes the author's document, the other has the books' documents
    // written again.
    let cascade = Cascade::<author::Entity, book::Entity, _>::new(sqlite.clone(), redstream.producer());
    let author_documents = Indexer::with_loader(sqlite.clone(), authors_with_titles, documents.clone());
    let book_documents = Indexer::with_loader(sqlite, books_with_author, documents.clone());
    let workers = Supervisor::new()
        .with(authors.consumer("documents", author_documents))
        .with(authors.consumer("books-of-authors", cascade))
        .with(books.consumer("documents", book_documents))
        .with(authors.delayer(Duration::from_secs(300)))
        .with(books.delayer(Duration::from_secs(300)))
        .with(authors.trimmer())
        .with(books.trimmer());
    let workers = tokio::spawn(workers.run_until(stop.clone().cancelled_owned()));

    let txn = db.begin().await?;
    let author = |name: &str| author::ActiveModel { name: Set(name.to_owned()), ..Default::default() };
    let mann = author("Th. Mann").insert(&txn).await?;
    let heinrich = author("Heinrich Mann").insert(&txn).await?;
    let mut written = Vec::new();
    for title in ["Buddenbrooks", "Der Untertan"] {
        let book = book::ActiveModel { title: Set(title.to_owned()), author_id: Set(mann.id), ..Default::default() };
        written.push(book.insert(&txn).await?);
    }
    txn.commit().await?;
    shows(
        &documents,
        &[
            "Th. Mann: Buddenbrooks, Der Untertan",
            "Heinrich Mann: ",
            "Buddenbrooks by Th. Mann",
            "Der Untertan by Th. Mann",
        ],
    )
    .await?;

    // A changed parent: the documents of all the children.
    let txn = db.begin().await?;
    let renamed = author::ActiveModel { name: Set("Thomas Mann".to_owned()), ..mann.into_active_model() };
    renamed.update(&txn).await?;
    // A child that moves: the documents of the old parent and of the new one.
    let [buddenbrooks, untertan] = <[book::Model; 2]>::try_from(written).map_err(|_| anyhow::anyhow!("two books"))?;
    let moved = book::ActiveModel { author_id: Set(heinrich.id), ..untertan.into_active_model() };
    moved.update(&txn).await?;
    txn.commit().await?;
    shows(
        &documents,
        &[
            "Thomas Mann: Buddenbrooks",
            "Heinrich Mann: Der Untertan",
            "Buddenbrooks by Thomas Mann",
            "Der Untertan by Heinrich Mann",
        ],
    )
    .await?;

    let txn = db.begin().await?;
    buddenbrooks.delete(&txn).await?;
    txn.commit().await?;
    shows(&documents, &["Thomas Mann: ", "Heinrich Mann: Der Untertan", "Der Untertan by Heinrich Mann"]).await?;

    stop.cancel();
    workers.await??;
    Ok(())
}

/// Waits until there are exactly these documents, for ten seconds at most.
async fn shows(documents: &Documents, texts: &[&str]) -> anyhow::Result<()> {
    for _ in 0..1000 {
        if documents.texts() == texts {
            println!("{texts:?}");
            return Ok(());
        }
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
    bail!("waited ten seconds for {texts:?}; there are {:?}", documents.texts())
}

#[cfg(test)]
#[tokio::test]
async fn it_does_what_it_says() -> anyhow::Result<()> {
    run(&redstream_servers::shared_url(redstream_servers::REDIS_URL)?).await
}
