//! The sink for tantivy, in a directory whose failures the tests decide.

mod directory;
mod faults;
mod pipeline;
mod properties;
mod scan;
mod versions;

use std::time::Duration;

use redstream_seaorm::{Changes, Failures, HandlerError, Key, Sink};
use redstream_sinks::tantivy::{Error, OwnFields, TantivySink};
use tantivy::collector::{Count, TopDocs};
use tantivy::query::{AllQuery, TermQuery};
use tantivy::schema::{Field, IndexRecordOption, STORED, STRING, Schema, Value as _};
use tantivy::{Index, TantivyDocument, doc};

use self::directory::Disk;

/// The bound on every wait that should end by itself.
const SOON: Duration = Duration::from_secs(20);

mod city {
    use redstream_seaorm::Streamed;
    use sea_orm::entity::prelude::*;

    #[derive(Clone, Debug, PartialEq, DeriveEntityModel, Streamed)]
    #[sea_orm(table_name = "cities")]
    pub(super) struct Model {
        #[sea_orm(primary_key)]
        pub(super) id: i64,
        pub(super) name: String,
    }

    #[derive(Copy, Clone, Debug, EnumIter, DeriveRelation)]
    pub(super) enum Relation {}
}

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

fn changes<'n>(
    version: u64,
    upserts: impl IntoIterator<Item = (i64, &'n str)>,
    deletes: &[i64],
) -> Changes<city::Entity> {
    let city = |(id, name): (i64, &str)| (Key::new(id), city::Model { id, name: name.to_owned() });
    Changes {
        upserts: upserts.into_iter().map(city).collect(),
        deletes: deletes.iter().map(|id| Key::new(*id)).collect(),
        respelled: Vec::new(),
        version,
    }
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

fn named(names: &[(i64, &str)]) -> Vec<(i64, String)> {
    names.iter().map(|(id, name)| (*id, (*name).to_owned())).collect()
}

/// How many documents and tombstones there are.
fn all(sink: &Cities) -> usize {
    sink.reader().searcher().search(&AllQuery, &Count).unwrap()
}

/// The sink's own error of a write that failed as a whole.
fn error_of(result: Result<(), HandlerError>) -> Error {
    let source = result.unwrap_err().into_source();
    *source.downcast::<Error>().unwrap_or_else(|error| panic!("not an error of the sink: {error:?}"))
}

/// The records that failed, in words, and the error of the first.
fn failures_of(result: Result<(), HandlerError>) -> (String, String) {
    let source = result.unwrap_err().into_source();
    let failures = source.downcast::<Failures<city::Entity>>().unwrap_or_else(|error| panic!("no failures: {error:?}"));
    let first = std::error::Error::source(&*failures).map(ToString::to_string);
    (failures.to_string(), first.unwrap_or_default())
}
