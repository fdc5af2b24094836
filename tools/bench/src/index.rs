//! A tantivy index of the cities, on a disk in memory if there is one.

use crate::city::streamed;
use anyhow::Result;
use redstream_seaorm::{Changes, Key};
use redstream_sinks::tantivy::{OwnFields, TantivySink};
use tantivy::schema::{FAST, INDEXED, STORED, Schema, TEXT};
use tantivy::{Index, doc};
use tempfile::TempDir;

pub(crate) struct Tantivy {
    pub(crate) sink: TantivySink<streamed::Entity>,
    /// Kept for its Drop.
    _folder: TempDir,
}

impl Tantivy {
    pub(crate) fn new() -> Result<Self> {
        let folder = tempfile::tempdir_in("/dev/shm").or_else(|_| tempfile::tempdir())?;
        let mut schema = Schema::builder();
        let id = schema.add_i64_field("id", INDEXED | STORED | FAST);
        let name = schema.add_text_field("name", TEXT | STORED);
        let visits = schema.add_i64_field("visits", FAST);
        OwnFields::add_to(&mut schema);
        let index = Index::create_in_dir(folder.path(), schema.build())?;
        let sink = TantivySink::builder(index).build(move |_, city: &streamed::Model| {
            Ok(doc!(id => city.id, name => city.name.as_str(), visits => city.visits))
        })?;
        Ok(Self { sink, _folder: folder })
    }
}

/// The rows of a page as a batch of this version.
pub(crate) fn batch(rows: Vec<streamed::Model>, version: u64) -> Changes<streamed::Entity> {
    let upserts = rows.into_iter().map(|row| (Key::of(&row), row)).collect();
    Changes { upserts, deletes: Vec::new(), respelled: Vec::new(), version }
}
