//! Tables with easy and with odd names in two schemas, and the detection of which of them a text has changed.

use std::time::Duration;

use sea_orm::{ConnectOptions, ConnectionTrait, Database, DatabaseConnection, DbBackend, DbErr, Statement};

use crate::support::{Backend, TestDb};

/// The names in the database's spelling; the last table has the name of the first one, in the other schema.
const NAMES: [&str; 6] = ["plains", "odd name", "qu\"o`te", "ünï", "select", "plains"];

/// One connection to a database that holds the tables.
pub(super) struct Fixture {
    connection: DatabaseConnection,
    pub(super) backend: DbBackend,
    /// The schema of all but the last table, and that of the last one.
    pub(super) schemas: [String; 2],
    /// The state that `changed` compares with.
    untouched: Vec<i64>,
}

impl Fixture {
    /// `other`: the schema in which MariaDB, whose schemas are databases, keeps the last table.
    pub(super) async fn new(db: &TestDb, other: &TestDb) -> Self {
        let name = |url: &str| url.rsplit_once('/').expect("a URL has a path").1.to_owned();
        let schemas = match db.backend() {
            Backend::Sqlite => ["main".to_owned(), "other".to_owned()],
            Backend::Postgres => ["public".to_owned(), "other".to_owned()],
            Backend::MariaDb => [name(db.url()), name(other.url())],
        };
        let mut options = ConnectOptions::new(db.url());
        let forever = Duration::from_secs(100_000);
        options.max_connections(1).max_lifetime(forever).idle_timeout(forever);
        options.test_before_acquire(false).sqlx_logging(false);
        let connection = Database::connect(options).await.unwrap();
        let backend = connection.get_database_backend();
        let mut fixture = Self { connection, backend, schemas, untouched: Vec::new() };
        if backend == DbBackend::Sqlite {
            fixture.run("ATTACH ':memory:' AS other").await.unwrap();
        }
        fixture.build().await;
        fixture.untouched = fixture.contents().await.unwrap();
        fixture
    }

    /// The schema and the name of a table.
    pub(super) fn table(&self, at: usize) -> (&str, &str) {
        (&self.schemas[usize::from(at == NAMES.len() - 1)], NAMES[at])
    }

    pub(super) async fn run(&self, sql: &str) -> Result<(), DbErr> {
        self.connection.execute_unprepared(sql).await.map(drop)
    }

    /// Runs a text in a transaction that is rolled back: whether it ran to its end, and which tables it changed.
    pub(super) async fn outcome(&self, sql: &str) -> (bool, Vec<usize>) {
        self.run("BEGIN").await.unwrap();
        let ran = self.run(sql).await.is_ok();
        // PostgreSQL answers no query after an error, and has undone all of it.
        let changed = match self.contents().await {
            Ok(contents) => (0..NAMES.len()).filter(|at| contents[*at] != self.untouched[*at]).collect(),
            Err(_) if self.backend == DbBackend::Postgres => Vec::new(),
            Err(_) => self.changed_one_by_one().await,
        };
        self.run("ROLLBACK").await.ok();
        if self.backend != DbBackend::Postgres && !changed.is_empty() && !self.is_untouched().await {
            self.repair(&changed).await;
        }
        (ran, changed)
    }

    async fn is_untouched(&self) -> bool {
        self.contents().await.is_ok_and(|contents| contents == self.untouched)
    }

    /// After a statement that committed.
    async fn repair(&self, changed: &[usize]) {
        for at in changed {
            let text = format!("DELETE FROM {}; {}", self.quoted(*at), self.rows(*at));
            // If it has other columns now, it is created again below.
            self.run(&text).await.ok();
        }
        if !self.is_untouched().await {
            self.build().await;
        }
    }

    /// Whether a table is missing or has other columns.
    async fn changed_one_by_one(&self) -> Vec<usize> {
        let mut changed = Vec::new();
        for at in 0..NAMES.len() {
            if self.query(&[at]).await.ok().as_deref() != Some(&self.untouched[at..=at]) {
                changed.push(at);
            }
        }
        changed
    }

    async fn build(&self) {
        if self.backend == DbBackend::Postgres {
            self.run("CREATE SCHEMA IF NOT EXISTS other").await.unwrap();
        }
        for at in 0..NAMES.len() {
            let table = self.quoted(at);
            self.run(&format!("DROP TABLE IF EXISTS {table}")).await.unwrap();
            self.run(&format!("CREATE TABLE {table} (id int PRIMARY KEY, v int)")).await.unwrap();
            self.run(&self.rows(at)).await.unwrap();
        }
    }

    fn rows(&self, at: usize) -> String {
        format!("INSERT INTO {} (id, v) VALUES (1, {at}), (2, 20), (3, 30)", self.quoted(at))
    }

    fn quoted(&self, at: usize) -> String {
        let quote = if self.backend == DbBackend::MySql { "`" } else { "\"" };
        let (schema, name) = self.table(at);
        format!("{quote}{schema}{quote}.{quote}{}{quote}", name.replace(quote, &quote.repeat(2)))
    }

    /// A number for each table that changes with its rows.
    async fn contents(&self) -> Result<Vec<i64>, DbErr> {
        self.query(&[0, 1, 2, 3, 4, 5]).await
    }

    async fn query(&self, tables: &[usize]) -> Result<Vec<i64>, DbErr> {
        let integer = if self.backend == DbBackend::MySql { "SIGNED" } else { "BIGINT" };
        let sum = "COALESCE(SUM(id * 1009 + COALESCE(v, 0) * 7 + 13), 0)";
        let each =
            tables.iter().map(|at| format!("(SELECT CAST({sum} AS {integer}) FROM {}) AS c{at}", self.quoted(*at)));
        let sql = format!("SELECT {}", each.collect::<Vec<_>>().join(", "));
        let row = self.connection.query_one_raw(Statement::from_string(self.backend, sql)).await?;
        let row = row.expect("an aggregate gives a row");
        tables.iter().map(|at| row.try_get("", &format!("c{at}"))).collect()
    }
}
