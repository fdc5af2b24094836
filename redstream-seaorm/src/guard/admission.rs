//! The verdict on a statement.

use sea_orm::ConnectionTrait;

use crate::entity::table_name::TableName;
use crate::guard::engines::warn_of_those_without_transactions;
use crate::guard::permits::FollowUp;
use crate::guard::views::Changing;

/// What the guard found about a statement.
#[derive(Debug, Default)]
pub(crate) struct Admission {
    pub(crate) promises: Vec<FollowUp>,
    /// The streamed tables that it writes; set if an inner connection needs to know.
    tables: Vec<TableName>,
    /// Tables that are written for the first time, on a database whose tables may take no part in transactions.
    unknown: Vec<String>,
    /// Its text does not say what it writes; set likewise.
    is_unread: bool,
    /// While it runs, no answer about views is cached.
    changing: Option<Changing>,
}

impl Admission {
    pub(crate) fn promised(&mut self, promises: Vec<FollowUp>) {
        self.promises.extend(promises);
    }

    pub(crate) fn lends(&mut self, table: TableName) {
        self.tables.push(table);
    }

    /// This table is written for the first time.
    pub(crate) fn writes_first(&mut self, table: String) {
        self.unknown.push(table);
    }

    /// Checks the tables before they are written.
    pub(crate) async fn look_at_tables(&self, db: &impl ConnectionTrait) {
        if !self.unknown.is_empty() && !db.is_mock_connection() {
            Box::pin(warn_of_those_without_transactions(db, &self.unknown)).await;
        }
    }

    pub(crate) fn lends_unread(&mut self) {
        self.is_unread = true;
    }

    pub(crate) fn changes(&mut self, changing: Changing) {
        self.changing = Some(changing);
    }

    /// The guard value that must be held until the transaction is over.
    pub(crate) fn take_changing(&mut self) -> Option<Changing> {
        self.changing.take()
    }

    /// Whether there is more to do than running it.
    pub(crate) fn is_to_be_followed(&self) -> bool {
        self.promises.iter().any(|promise| !matches!(promise, FollowUp::None))
    }

    /// Whether an inner connection must be told of the statement, and what: the streamed tables, and whether its text
    /// does not say what it writes.
    pub(crate) fn lent(&self) -> Option<(&[TableName], bool)> {
        (self.is_unread || !self.tables.is_empty()).then_some((&self.tables, self.is_unread))
    }
}
