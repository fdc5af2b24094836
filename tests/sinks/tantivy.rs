//! The sink for tantivy, in a directory whose failures the tests decide.

mod directory;
mod faults;
mod pipeline;
mod processes;
mod properties;
mod scan;
mod versions;

use std::time::Duration;

use redstream_seaorm::{Changes, HandlerError, Key, Sink};
use redstream_sinks::tantivy::{Error, OwnFields, TantivySink};
use tantivy::collector::{Count, TopDocs};
use tantivy::query::{AllQuery, TermQuery};
use tantivy::schema::{Field, IndexRecordOption, STORED, STRING, Schema, Value as _};
use tantivy::{Index, TantivyDocument, doc};

use self::directory::Disk;
use super::city::{self, names as named, rows as changes};
use super::outcome::{self, failures_of};

/// The bound on every wait that should end by itself.
const SOON: Duration = Duration::from_secs(20);

type Cities = TantivySink<city::Entity>;

fn schema() -> (Schema, Field) {
    let mut schema = Schema::builder();
    let name = schema.add_text_field("name", STRING | STORED);
    OwnFields::add_to(&mut schema);
    (schema.build(), name)
}

/// A sink on this disk, after a restart.
fn sink_on(disk: &Disk) -> Cities {
    sink_with(disk, |builder| builder)
}

type Builder = redstream_sinks::tantivy::Builder<city::Entity>;

/// A name that begins with an exclamation mark has no document.
fn sink_with(disk: &Disk, options: impl FnOnce(Builder) -> Builder) -> Cities {
    let (schema, name) = schema();
    let index = Index::open_or_create(disk.clone(), schema).unwrap();
    let builder = options(TantivySink::builder(index).memory_per_thread(15_000_000));
    let sink = builder.build(move |_, city: &city::Model| {
        if city.name.starts_with('!') {
            return Err("a name must not begin with an exclamation mark".into());
        }
        Ok(if city.name == "number" { doc!(name => 5_u64) } else { doc!(name => city.name.as_str()) })
    });
    sink.unwrap()
}

/// The documents, by their ids. Each has exactly one, by which it is found.
fn documents(sink: &Cities) -> Vec<(i64, String)> {
    let searcher = sink.reader().searcher();
    let live = sink.fields().live(Box::new(AllQuery));
    let found = searcher.search(&live, &TopDocs::with_limit(10_000).order_by_score()).unwrap();
    let name = searcher.schema().get_field("name").unwrap();
    let mut documents = Vec::new();
    for (_, address) in found {
        let document: TantivyDocument = searcher.doc(address).unwrap();
        let key = sink.key(&document).unwrap();
        let by_key = TermQuery::new(sink.term(&key).unwrap(), IndexRecordOption::Basic);
        assert_eq!(searcher.search(&by_key, &Count).unwrap(), 1, "{key}");
        let name = document.get_first(name).and_then(|name| name.as_str()).unwrap();
        documents.push((key.value(), name.to_owned()));
    }
    documents.sort();
    documents
}

/// How many documents and tombstones there are.
fn all(sink: &Cities) -> usize {
    sink.reader().searcher().search(&AllQuery, &Count).unwrap()
}

/// The sink's own error of a write that failed as a whole.
fn error_of(result: Result<(), HandlerError>) -> Error {
    outcome::error_of(result)
}
