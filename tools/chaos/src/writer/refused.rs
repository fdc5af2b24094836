//! Writes that must be refused.

use redstream_seaorm::StreamedConnection;
use sea_orm::{ConnectionTrait as _, DatabaseConnection, DbErr};

use crate::item::Item;
use crate::kind::Kind;
use crate::words::Written;
use crate::writer::Writer;

impl<E: Item> Writer<E> {
    /// A save through a connection that is not streamed.
    pub(super) async fn untracked(
        &mut self,
        plain: &DatabaseConnection,
        number: i64,
        written: &mut Written,
    ) -> Result<(), DbErr> {
        let saved = self.save(plain, number, self.dropped(written)).await;
        refused(&saved, "a write through a plain connection")
    }

    /// A statement that writes the table, in a form that hides it.
    pub(super) async fn unread(
        &mut self,
        db: &StreamedConnection,
        form: usize,
        written: &mut Written,
    ) -> Result<(), DbErr> {
        let sql = hidden(self.kind, form, &self.dropped(written));
        refused(&db.execute_unprepared(&sql).await, &sql)
    }
}

fn refused<T>(outcome: &Result<T, DbErr>, what: &str) -> Result<(), DbErr> {
    match outcome {
        Err(_) => Ok(()),
        Ok(_) => Err(DbErr::Custom(format!("{what} was not refused"))),
    }
}

/// A statement that writes all rows of the table, in a form that hides it.
fn hidden(kind: Kind, form: usize, value: &str) -> String {
    let update = |quote: &str| format!("UPDATE items SET value = {quote}{value}{quote}");
    let forms = match kind {
        Kind::Sqlite => vec![format!("UPDATE 'items' SET value = '{value}'")],
        Kind::Postgres => vec![
            format!("DO $$ BEGIN {}; END $$", update("'")),
            format!("PREPARE p{0} AS {1}; EXECUTE p{0}", value.replace('.', "_"), update("'")),
        ],
        Kind::MariaDb => vec![
            format!("SET STATEMENT max_statement_time = 60 FOR {}", update("'")),
            format!("EXECUTE IMMEDIATE \"{}\"", update("'")),
            format!("BEGIN NOT ATOMIC {}; END", update("'")),
        ],
    };
    forms[form % forms.len()].clone()
}
