//! Asks the database what is behind a relation.

use std::collections::HashSet;

use sea_orm::{ConnectionTrait, DbBackend, DbErr, Statement};

use super::{Behind, mariadb, sqlite};
use crate::entity::table_name::TableName;

/// From the relations of a name, in any schema if none is named, along the rules of views (and of tables), and from a
/// partition or an heir to its parent, or in the other direction. Changing direction would lead from one partition to
/// the next.
const POSTGRES: &str = "
WITH RECURSIVE edges(source, target, way) AS (
    SELECT r.ev_class, d.refobjid, 0 FROM pg_rewrite r
    JOIN pg_depend d ON d.classid = 'pg_rewrite'::regclass AND d.objid = r.oid
        AND d.refclassid = 'pg_class'::regclass AND d.refobjid <> r.ev_class
    UNION ALL SELECT inhrelid, inhparent, 1 FROM pg_inherits
    UNION ALL SELECT inhparent, inhrelid, 2 FROM pg_inherits
), behind(relation, way) AS (
    SELECT c.oid, 0 FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace
    WHERE lower(c.relname) = lower($1) AND CASE lower($2)
        WHEN '' THEN n.nspname <> 'pg_catalog'
        WHEN 'pg_temp' THEN starts_with(n.nspname, 'pg_temp_')
        ELSE lower(n.nspname) = lower($2) END
    UNION
    SELECT e.target, CASE WHEN e.way = 0 THEN b.way ELSE e.way END
    FROM behind b JOIN edges e ON e.source = b.relation AND (e.way = 0 OR b.way IN (0, e.way))
)
SELECT DISTINCT n.nspname::text AS in_schema, c.relname::text AS relation
FROM behind b JOIN pg_class c ON c.oid = b.relation JOIN pg_namespace n ON n.oid = c.relnamespace
WHERE c.relkind IN ('r', 'p', 'f', 'v', 'i', 'I')";

pub(super) async fn behind(
    relation: TableName,
    backend: DbBackend,
    db: &impl ConnectionTrait,
) -> Result<Behind, DbErr> {
    if backend == DbBackend::Postgres {
        return behind_postgres(&relation, db).await;
    }
    let mut behind = Behind::default();
    let mut seen = HashSet::from([relation.clone()]);
    let mut waiting = vec![relation];
    while let Some(relation) = waiting.pop() {
        let next = match backend {
            DbBackend::MySql => mariadb::behind(&relation, db).await?,
            _ => sqlite::behind(&relation, db).await?,
        };
        behind.hidden |= next.hidden;
        for table in next.tables {
            if seen.insert(table.clone()) {
                behind.tables.push(table.clone());
                waiting.push(table);
            }
        }
    }
    Ok(behind)
}

async fn behind_postgres(relation: &TableName, db: &impl ConnectionTrait) -> Result<Behind, DbErr> {
    let schema = relation.schema.as_deref().unwrap_or_default();
    let values = [(*relation.table).into(), schema.into()];
    let rows = db.query_all_raw(Statement::from_sql_and_values(DbBackend::Postgres, POSTGRES, values)).await?;
    let mut behind = Behind::default();
    for row in rows {
        let (schema, table): (String, String) = (row.try_get("", "in_schema")?, row.try_get("", "relation")?);
        behind.tables.push(TableName { schema: Some(schema.into()), table: table.into() });
    }
    Ok(behind)
}
