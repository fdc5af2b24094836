//! What is behind a view of MariaDB and `MySQL`: its definition names each table in full.

use sea_orm::{ConnectionTrait, DbBackend, DbErr, Statement};

use super::Behind;
use crate::entity::table_name::TableName;

/// The definition, once for each database that it appears to name; an empty definition is one without the right to read
/// it.
const DEFINITION: &str = "
SELECT CAST(v.VIEW_DEFINITION AS CHAR) AS definition, CAST(s.SCHEMA_NAME AS CHAR) AS named
FROM information_schema.VIEWS v LEFT JOIN information_schema.SCHEMATA s
    ON LOCATE(CONCAT('`', REPLACE(s.SCHEMA_NAME, '`', '``'), '`.'), v.VIEW_DEFINITION) > 0
WHERE v.TABLE_SCHEMA = COALESCE(NULLIF(?, ''), DATABASE()) AND v.TABLE_NAME = ?";

pub(super) async fn behind(relation: &TableName, db: &impl ConnectionTrait) -> Result<Behind, DbErr> {
    let schema = relation.schema.as_deref().unwrap_or_default();
    let values = [schema.into(), (*relation.table).into()];
    let rows = db.query_all_raw(Statement::from_sql_and_values(DbBackend::MySql, DEFINITION, values)).await?;
    let mut behind = Behind::default();
    for row in rows {
        let definition: Option<String> = row.try_get("", "definition")?;
        let named: Option<String> = row.try_get("", "named")?;
        let (Some(definition), Some(named)) = (definition, named) else {
            behind.hidden = true;
            continue;
        };
        let in_it = qualified(&definition).into_iter().filter(|(schema, _)| *schema == named);
        behind
            .tables
            .extend(in_it.map(|(schema, table)| TableName { schema: Some(schema.into()), table: table.into() }));
    }
    Ok(behind)
}

/// The first two of each of the quoted names that dots join: a database and its table, or an alias and its column.
fn qualified(definition: &str) -> Vec<(String, String)> {
    let mut found = Vec::new();
    let mut rest = definition;
    while let Some(at) = rest.find(['`', '\'']) {
        if rest[at..].starts_with('\'') {
            rest = after_string(&rest[at + 1..]);
            continue;
        }
        let (first, after) = name(&rest[at + 1..]);
        rest = after;
        if let Some(second) = rest.strip_prefix(".`") {
            let (second, after) = name(second);
            rest = after;
            found.push((first, second));
        }
        while let Some(column) = rest.strip_prefix(".`") {
            rest = name(column).1;
        }
    }
    found
}

/// The name up to its closing quote, and what follows that.
fn name(text: &str) -> (String, &str) {
    let mut name = String::new();
    let mut rest = text;
    loop {
        let Some((piece, after)) = rest.split_once('`') else { return (name + rest, "") };
        name.push_str(piece);
        let Some(more) = after.strip_prefix('`') else { return (name, after) };
        name.push('`');
        rest = more;
    }
}

/// What follows a string. A doubled quote ends one and begins another, with the same result.
fn after_string(text: &str) -> &str {
    let mut escaped = false;
    for (at, letter) in text.char_indices() {
        match letter {
            _ if escaped => escaped = false,
            '\\' => escaped = true,
            '\'' => return &text[at + 1..],
            _ => {}
        }
    }
    ""
}

#[cfg(test)]
mod tests {
    use super::qualified;

    #[test]
    fn a_definition_names_its_tables_in_full() {
        let definition =
            "select `shop`.`a``b`.`id` AS `id`,'`x`.`y`\\'`z`.`z`' AS `t` from (`shop`.`a``b` join `c`.`d` `e`)";
        let found = qualified(definition);
        let names: Vec<_> = found.iter().map(|(schema, table)| (&**schema, &**table)).collect();
        assert_eq!(names, [("shop", "a`b"), ("shop", "a`b"), ("c", "d")]);
    }
}
