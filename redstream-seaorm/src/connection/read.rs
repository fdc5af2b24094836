//! Whether the text of a statement must be read before it runs: it may write, or begin or end a transaction.

use std::any::type_name;

use sea_orm::{DatabaseConnection, DatabaseTransaction, DbBackend, Statement, StatementBuilder};

/// A statement whose text is read before it runs.
pub(super) struct Read {
    pub(super) built: Statement,
    may_end: bool,
    may_write: bool,
}

impl Read {
    /// `None` if its text need not be read.
    pub(super) fn of<S: StatementBuilder>(
        statement: &S,
        backend: DbBackend,
        in_transaction: bool,
        looks: bool,
    ) -> Option<Self> {
        let may_end = in_transaction && !is_query::<S>();
        let may_write = looks && may_write::<S>(backend);
        // SQLite runs all statements of one text: an expression may contain the end of one and the beginning of
        // another.
        let may_be_several = backend == DbBackend::Sqlite && (in_transaction || looks);
        if !(may_end || may_write || may_be_several) {
            return None;
        }
        let built = backend.build(statement);
        let is_several = may_be_several && built.sql.contains(';');
        let may_end = may_end || (in_transaction && is_several);
        Some(Self { built, may_end, may_write: may_write || (looks && is_several) })
    }

    pub(super) fn text_that_may_end(&self) -> Option<&str> {
        self.may_end.then_some(&self.built.sql)
    }

    pub(super) fn text_that_may_write(&self) -> Option<&str> {
        self.may_write.then_some(&self.built.sql)
    }
}

/// Whether statements of this type are SeaQuery's selects, inserts, updates and deletes, which end no transaction.
fn is_query<S>() -> bool {
    const QUERIES: [&str; 5] =
        ["::SelectStatement", "::InsertStatement", "::UpdateStatement", "::DeleteStatement", "::WithQuery"];
    QUERIES.iter().any(|query| type_name::<S>().ends_with(query))
}

/// Most statements are selects. Only PostgreSQL has selects that write, by a common table expression; on other
/// databases they need not be built to know that they do not write.
fn may_write<S>(backend: DbBackend) -> bool {
    backend == DbBackend::Postgres || !type_name::<S>().ends_with("::SelectStatement")
}

/// SeaORM's own types build a statement and run it as raw SQL, so building it once is enough. Other types may treat the
/// two differently, as SeaORM's restricted connection does.
pub(super) fn takes_built<C>() -> bool {
    [type_name::<DatabaseConnection>(), type_name::<DatabaseTransaction>()].contains(&type_name::<C>())
}

#[cfg(test)]
mod tests {
    use sea_orm::DbBackend;
    use sea_orm::sea_query::{Expr, SelectStatement};

    use super::Read;

    #[test]
    fn a_query_of_sqlite_that_may_be_several_statements_is_read() {
        let select = |custom: &str| SelectStatement::new().expr(Expr::cust(custom.to_owned())).to_owned();
        let several = select("1; DELETE FROM cake; SELECT 1");
        let read = Read::of(&several, DbBackend::Sqlite, true, true).expect("it is built");
        assert_eq!(read.text_that_may_end(), Some("SELECT 1; DELETE FROM cake; SELECT 1"));
        assert_eq!(read.text_that_may_write(), Some("SELECT 1; DELETE FROM cake; SELECT 1"));
        let one = Read::of(&select("1"), DbBackend::Sqlite, true, true).expect("it is built");
        assert_eq!((one.text_that_may_end(), one.text_that_may_write()), (None, None));
        assert!(Read::of(&several, DbBackend::Sqlite, false, false).is_none());
        assert!(Read::of(&several, DbBackend::MySql, true, true).is_none(), "it refuses several in one");
    }
}
