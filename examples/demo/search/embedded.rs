//! The index as a folder: tantivy.

use std::path::Path;

use redstream_seaorm::Key;
use redstream_sinks::tantivy::{OwnFields, TantivySink};
use tantivy::collector::{Count, TopDocs};
use tantivy::query::{AllQuery, PhraseQuery, Query, TermQuery};
use tantivy::schema::{FAST, Field, IndexRecordOption, STORED, STRING, Schema, TEXT, Value as _};
use tantivy::{Index, Searcher, TantivyDocument, Term};

use crate::city;

/// Memory for documents not yet on disk.
const MEMORY: usize = 32 << 20;

pub(super) fn create(folder: &Path) -> anyhow::Result<()> {
    let mut schema = Schema::builder();
    schema.add_i64_field("id", STORED);
    schema.add_text_field("name", TEXT | STORED);
    schema.add_text_field("country", STRING | STORED);
    schema.add_text_field("admin1", TEXT | STORED);
    schema.add_text_field("admin2", TEXT | STORED);
    schema.add_f64_field("lat", FAST | STORED);
    schema.add_f64_field("lon", FAST | STORED);
    schema.add_i64_field("revision", STORED);
    OwnFields::add_to(&mut schema);
    Index::create_in_dir(folder, schema.build())?;
    Ok(())
}

/// The sink. The standby writes the same folder as soon as it becomes active, so no process keeps the index's lock.
pub(crate) fn sink(folder: &Path) -> anyhow::Result<TantivySink<city::Entity>> {
    let (index, folder) = (Index::open_in_dir(folder)?, folder.to_owned());
    let fields = Fields::of(&index.schema())?;
    let sink = TantivySink::builder(index)
        .memory_per_thread(MEMORY)
        .release_lock(move || Index::open_in_dir(&folder))
        .build(move |_key, city: &city::Model| Ok(fields.document(city)))?;
    Ok(sink)
}

/// The fields, looked up once.
#[derive(Clone, Copy)]
pub(super) struct Fields {
    id: Field,
    pub(super) name: Field,
    pub(super) country: Field,
    pub(super) admin1: Field,
    admin2: Field,
    lat: Field,
    lon: Field,
    revision: Field,
}

impl Fields {
    fn of(schema: &Schema) -> tantivy::Result<Self> {
        Ok(Self {
            id: schema.get_field("id")?,
            name: schema.get_field("name")?,
            country: schema.get_field("country")?,
            admin1: schema.get_field("admin1")?,
            admin2: schema.get_field("admin2")?,
            lat: schema.get_field("lat")?,
            lon: schema.get_field("lon")?,
            revision: schema.get_field("revision")?,
        })
    }

    fn document(&self, city: &city::Model) -> TantivyDocument {
        let mut document = TantivyDocument::new();
        document.add_i64(self.id, city.id);
        document.add_text(self.name, &city.name);
        document.add_text(self.country, &city.country);
        document.add_text(self.admin1, &city.admin1);
        document.add_text(self.admin2, &city.admin2);
        document.add_f64(self.lat, city.lat);
        document.add_f64(self.lon, city.lon);
        document.add_i64(self.revision, city.revision);
        document
    }

    /// Reads a document back; `None` if a field is missing, as in a tombstone.
    pub(super) fn city(&self, document: &TantivyDocument) -> Option<city::Model> {
        let text = |field| Some(document.get_first(field)?.as_str()?.to_owned());
        let integer = |field| document.get_first(field)?.as_i64();
        let float = |field| document.get_first(field)?.as_f64();
        Some(city::Model {
            id: integer(self.id)?,
            name: text(self.name)?,
            country: text(self.country)?,
            admin1: text(self.admin1)?,
            admin2: text(self.admin2)?,
            lat: float(self.lat)?,
            lon: float(self.lon)?,
            revision: integer(self.revision)?,
        })
    }
}

/// Looks into what is committed right now, on a thread that may block.
pub(super) async fn look<T: Send + 'static>(
    folder: &Path,
    look: impl FnOnce(&Look) -> anyhow::Result<T> + Send + 'static,
) -> anyhow::Result<T> {
    let folder = folder.to_owned();
    tokio::task::spawn_blocking(move || look(&Look::into(&folder)?)).await?
}

/// One committed state of the index, which later commits do not change.
pub(super) struct Look {
    pub(super) sink: TantivySink<city::Entity>,
    pub(super) searcher: Searcher,
    pub(super) fields: Fields,
}

impl Look {
    fn into(folder: &Path) -> anyhow::Result<Self> {
        Self::through(sink(folder)?)
    }

    /// What is committed now, by a sink that was made before.
    pub(super) fn through(sink: TantivySink<city::Entity>) -> anyhow::Result<Self> {
        sink.reader().reload()?;
        let searcher = sink.reader().searcher();
        let fields = Fields::of(searcher.schema())?;
        Ok(Self { sink, searcher, fields })
    }

    pub(super) fn len(&self) -> anyhow::Result<u64> {
        let all = self.sink.fields().live(Box::new(AllQuery));
        Ok(self.searcher.search(&all, &Count)?.try_into()?)
    }

    pub(super) fn hits(&self, name: &str) -> anyhow::Result<u64> {
        let mut terms = Vec::new();
        let mut words = self.searcher.index().tokenizer_for_field(self.fields.name)?;
        words.token_stream(name).process(&mut |word| terms.push(Term::from_field_text(self.fields.name, &word.text)));
        let query: Box<dyn Query> = match terms.as_slice() {
            [] => return Ok(0),
            [word] => Box::new(TermQuery::new(word.clone(), IndexRecordOption::Basic)),
            _ => Box::new(PhraseQuery::new(terms)),
        };
        Ok(self.searcher.search(&query, &Count)?.try_into()?)
    }

    pub(super) fn city(&self, id: i64) -> anyhow::Result<Option<city::Model>> {
        let by_key = TermQuery::new(self.sink.term(&Key::new(id))?, IndexRecordOption::Basic);
        let found = self.searcher.search(&by_key, &TopDocs::with_limit(1).order_by_score())?;
        let Some((_, address)) = found.first() else { return Ok(None) };
        Ok(self.fields.city(&self.searcher.doc(*address)?))
    }
}
