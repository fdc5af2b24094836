//! Checks `docs/existing-schema.md`: its command is run on a database, its output equals the files in `sqlite` and
//! `postgres` of this folder, which are compiled here, and a change of such an entity is streamed.
//!
//! `REDSTREAM_WRITE_GENERATED=1` rewrites the files.

use std::collections::BTreeMap;
use std::error::Error;
use std::path::Path;

use clap::Parser;
use redstream_seaorm::testing::{self, Capture, assert_streamed};
use redstream_seaorm::{Key, StreamedConnection};
use redstream_servers::{POSTGRES_URL, REDIS_URL, shared_url};
use sea_orm::{ActiveModelTrait, ConnectionTrait, Database, Set};
use serde::Deserialize;

#[rustfmt::skip]
#[allow(unused_imports, dead_code, unreachable_pub, reason = "as the tool writes it")]
#[path = "postgres/mod.rs"]
mod postgres;
#[rustfmt::skip]
#[allow(unused_imports, dead_code, unreachable_pub, reason = "as the tool writes it")]
#[path = "sqlite/mod.rs"]
mod sqlite;

const SQLITE: &str = "
    CREATE TABLE authors (id INTEGER PRIMARY KEY AUTOINCREMENT NOT NULL, name TEXT NOT NULL);
    CREATE TABLE books (
        id INTEGER PRIMARY KEY AUTOINCREMENT NOT NULL,
        title TEXT NOT NULL,
        author_id INTEGER NOT NULL REFERENCES authors (id)
    );
";

/// With an enum, which is the key of one table.
const POSTGRES: &str = "
    CREATE TYPE book_state AS ENUM ('announced', 'on sale', 'out of print');
    CREATE TABLE authors (id BIGSERIAL PRIMARY KEY, name TEXT NOT NULL);
    CREATE TABLE books (
        id BIGSERIAL PRIMARY KEY,
        title TEXT NOT NULL,
        state book_state NOT NULL,
        author_id BIGINT NOT NULL REFERENCES authors (id)
    );
    CREATE TABLE discounts (state book_state PRIMARY KEY, percent INTEGER NOT NULL);
";

/// The command of the guide, with this database and this folder.
fn command(url: &str, folder: &Path) -> Vec<String> {
    let guide = include_str!("../../docs/existing-schema.md");
    let (_, rest) = guide.split_once("```sh\n").expect("the guide has a command");
    let (command, _) = rest.split_once("```").expect("the command ends");
    let folder = folder.display().to_string();
    let word = |word: &str| match word {
        "DATABASE_URL" => url.to_owned(),
        "src/entities" => folder.clone(),
        word => word.to_owned(),
    };
    command.replace("\\\n", " ").split_whitespace().map(word).collect()
}

fn files(folder: &Path) -> BTreeMap<String, String> {
    let read = |entry: std::io::Result<std::fs::DirEntry>| {
        let entry = entry.expect("the folder can be read");
        let text = std::fs::read_to_string(entry.path()).expect("a generated file is text");
        (entry.file_name().to_string_lossy().into_owned(), text)
    };
    std::fs::read_dir(folder).expect("the folder is there").map(read).collect()
}

/// Runs the command, and compares what it writes with what is compiled.
async fn generate(url: &str, compiled: &str) -> Result<(), Box<dyn Error>> {
    let folder = tempfile::tempdir()?;
    let cli = sea_orm_cli::Cli::try_parse_from(command(url, folder.path()))?;
    let sea_orm_cli::Commands::Generate { command } = cli.command else { panic!("another command") };
    sea_orm_cli::run_generate_command(command, false).await?;
    let compiled = Path::new(env!("CARGO_MANIFEST_DIR")).join(compiled);
    if std::env::var_os("REDSTREAM_WRITE_GENERATED").is_some() {
        for (name, text) in files(folder.path()) {
            std::fs::write(compiled.join(name), text)?;
        }
    }
    assert_eq!(files(folder.path()), files(&compiled), "REDSTREAM_WRITE_GENERATED=1 writes them anew");
    Ok(())
}

#[tokio::test]
async fn entities_of_a_sqlite_database_are_streamed() -> Result<(), Box<dyn Error>> {
    let folder = tempfile::tempdir()?;
    let url = format!("sqlite://{}?mode=rwc", folder.path().join("books.db").display());
    let plain = Database::connect(&url).await?;
    plain.execute_unprepared(SQLITE).await?;
    generate(&url, "sqlite").await?;

    let redstream = testing::connect(shared_url(REDIS_URL)?).await?;
    let db = StreamedConnection::new(plain, redstream.producer());
    let capture = Capture::of::<sqlite::authors::Entity>(&redstream).await?;
    let author = sqlite::authors::ActiveModel { name: Set("Mann".to_owned()), ..Default::default() };
    let author = author.insert(&db).await?;
    assert_streamed!(capture, [&author]);
    Ok(())
}

#[tokio::test]
async fn entities_of_a_postgres_database_are_streamed_and_a_key_may_be_an_enum() -> Result<(), Box<dyn Error>> {
    use postgres::{books, discounts, sea_orm_active_enums::BookState};

    let server = shared_url(POSTGRES_URL)?;
    let administration = Database::connect(&server).await?;
    let name = format!("generated_{}", uuid::Uuid::new_v4().simple());
    administration.execute_unprepared(&format!("CREATE DATABASE {name}")).await?;
    let (host, _) = server.rsplit_once('/').ok_or("the URL names a database")?;
    let url = format!("{host}/{name}");
    let plain = Database::connect(&url).await?;
    plain.execute_unprepared(POSTGRES).await?;
    generate(&url, "postgres").await?;
    plain.execute_unprepared("INSERT INTO authors (id, name) VALUES (1, 'Mann')").await?;

    let redstream = testing::connect(shared_url(REDIS_URL)?).await?;
    let db = StreamedConnection::new(plain.clone(), redstream.producer());
    let (of_books, of_discounts) =
        (Capture::of::<books::Entity>(&redstream).await?, Capture::of::<discounts::Entity>(&redstream).await?);
    let book = books::ActiveModel {
        title: Set("Buddenbrooks".to_owned()),
        state: Set(BookState::OnSale),
        author_id: Set(1),
        ..Default::default()
    };
    let book = book.insert(&db).await?;
    assert_streamed!(of_books, [&book]);
    let discount = discounts::ActiveModel { state: Set(BookState::OutOfPrint), percent: Set(50) };
    let discount = discount.insert(&db).await?;
    assert_streamed!(of_discounts, [&discount]);

    let payload = of_discounts.main().await?.remove(0);
    assert_eq!(payload.to_string(), r#"{"state":"out of print"}"#);
    // The enum has no serde.
    let key = Key::<discounts::Entity>::deserialize(&payload)?;
    assert_eq!(key.value(), BookState::OutOfPrint);

    drop(db);
    plain.close().await?;
    administration.execute_unprepared(&format!("DROP DATABASE {name} WITH (FORCE)")).await?;
    Ok(())
}
