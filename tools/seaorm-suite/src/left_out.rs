//! Which of SeaORM's tests do not run, or not streamed, and why. `docs/seaorm-suite.md` repeats it.

/// Test files.
pub(crate) const FILES: &[(&str, &str)] = &[
    ("arrow_schema_tests", "converts to Arrow: no connection in it"),
    ("arrow_tests", "converts to Arrow: no connection in it"),
    ("embedding_tests", "needs the PostgreSQL extension pgvector"),
];

/// Files of entities that are not changed in the streamed runs.
pub(crate) const ENTITIES: &[(&str, &str)] = &[
    ("common/bakery_dense/cake.rs", "sets a default in `new` and has no hooks; its twin in `bakery_chain` is streamed"),
    ("common/features/collection_expanded.rs", "an entity without `DeriveEntityModel`"),
    ("common/features/dyn_table_name.rs", "an entity without `DeriveEntityModel`, with another table in each value"),
    ("common/features/teas.rs", "the type of its key, an enum, is not `Serialize`"),
    ("common/features/value_type.rs", "the type of its key, a newtype, is not `Serialize`"),
];

/// All of it, one line each.
pub(crate) fn list() -> String {
    let files = FILES.iter().map(|(file, reason)| format!("- {file}: {reason}"));
    let entities = ENTITIES.iter().map(|(file, reason)| format!("- {file} is not streamed: {reason}"));
    files.chain(entities).collect::<Vec<_>>().join("\n")
}
