//! What is behind a view of SQLite: what the bodies of its `INSTEAD OF` triggers write.

use sea_orm::{ConnectionTrait, DbBackend, DbErr, Statement};

use super::Behind;
use crate::entity::table_name::TableName;
use crate::guard::statements::read;

pub(super) async fn behind(relation: &TableName, db: &impl ConnectionTrait) -> Result<Behind, DbErr> {
    let mut behind = Behind::default();
    let definitions = definitions(relation, db).await?;
    // Tables have triggers, too; what these write is not tracked.
    if definitions.iter().any(|(kind, _)| kind == "view") {
        for (_, trigger) in definitions.iter().filter(|(kind, _)| kind == "trigger") {
            behind.tables.extend(written_by(trigger));
        }
    }
    Ok(behind)
}

/// Kind and text of each view and trigger of this name, in all attached databases, or in the named one; for that one,
/// triggers of the database `temp` count, too.
async fn definitions(relation: &TableName, db: &impl ConnectionTrait) -> Result<Vec<(String, String)>, DbErr> {
    let attached = "SELECT name FROM pragma_database_list";
    let attached = db.query_all_raw(Statement::from_string(DbBackend::Sqlite, attached)).await?;
    let (mut select, mut values) = (Vec::new(), Vec::new());
    for row in attached {
        let schema: String = row.try_get("", "name")?;
        let named = relation.schema.as_deref();
        if named.is_none_or(|named| named.eq_ignore_ascii_case(&schema) || schema == "temp") {
            let schema = schema.replace('"', "\"\"");
            select.push(format!(
                "SELECT type AS kind, sql AS definition FROM \"{schema}\".sqlite_master \
                 WHERE tbl_name = ? COLLATE NOCASE AND type IN ('view', 'trigger')"
            ));
            values.push((*relation.table).into());
        }
    }
    if select.is_empty() {
        return Ok(Vec::new());
    }
    let select = Statement::from_sql_and_values(DbBackend::Sqlite, select.join(" UNION ALL "), values);
    let rows = db.query_all_raw(select).await?;
    rows.iter().map(|row| Ok((row.try_get("", "kind")?, row.try_get("", "definition")?))).collect()
}

/// The tables that the statements after `BEGIN` write. A name may contain that word, and be mistaken for it: then a
/// table may be reported that is not written, but none is missed.
fn written_by(trigger: &str) -> Vec<TableName> {
    let upper = trigger.to_ascii_uppercase();
    let bodies = upper.match_indices("BEGIN").map(|(at, begin)| &trigger[at + begin.len()..]);
    let writes = bodies.flat_map(|body| read(body, DbBackend::Sqlite).writes);
    writes.map(|write| TableName::new(write.schema.as_deref(), &write.table)).collect()
}
