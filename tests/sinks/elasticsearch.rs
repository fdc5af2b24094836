//! The sink for Elasticsearch and OpenSearch, against servers of both protocols.

mod client;
mod faults;
mod pipeline;
mod properties;
mod scan;
mod swap;
mod target;
mod tls;
mod versions;

use std::time::Duration;

use redstream_seaorm::{Changes, Failures, HandlerError, Key, Sink};
use redstream_servers::{Search, SearchEdition};
use redstream_sinks::elasticsearch::{Elasticsearch, ElasticsearchSink, Error, Refresh};
use serde_json::{Value as Json, json};

use super::http::{Fault, Message, Proxy, ask};

/// The bound on every wait that should end by itself.
const SOON: Duration = Duration::from_secs(20);

mod city {
    use redstream_seaorm::Streamed;
    use sea_orm::entity::prelude::*;

    #[derive(Clone, Debug, PartialEq, DeriveEntityModel, Streamed, serde::Serialize)]
    #[sea_orm(table_name = "cities")]
    pub(super) struct Model {
        #[sea_orm(primary_key)]
        pub(super) id: i64,
        pub(super) name: String,
    }

    #[derive(Copy, Clone, Debug, EnumIter, DeriveRelation)]
    pub(super) enum Relation {}
}

/// Writes one test for each protocol, as `name::opensearch` and `name::elasticsearch`.
macro_rules! on_each_server {
    ($(async fn $name:ident($server:ident: Server) $body:block)+) => {$(
        mod $name {
            use super::*;

            async fn run($server: Server) $body

            #[tokio::test]
            async fn opensearch() {
                run(Server::start(SearchEdition::OpenSearch).await).await
            }

            #[tokio::test]
            async fn elasticsearch() {
                run(Server::start(SearchEdition::Elasticsearch).await).await
            }
        }
    )+};
}
use on_each_server;

/// A private server.
struct Server {
    search: Search,
    edition: SearchEdition,
}

impl Server {
    async fn start(edition: SearchEdition) -> Self {
        let search = tokio::task::spawn_blocking(move || Search::start(edition)).await.unwrap();
        Self { search: search.unwrap_or_else(|error| panic!("{}", error.in_words())), edition }
    }

    /// One for tests that are the same for both protocols.
    async fn any() -> Self {
        Self::start(SearchEdition::OpenSearch).await
    }

    fn port(&self) -> u16 {
        self.search.port()
    }

    async fn ask(&self, method: &str, path: &str, body: Json) -> Message {
        let body = if body.is_null() { String::new() } else { body.to_string() };
        ask(self.port(), method, path, &body).await
    }

    /// The source of a document.
    async fn document(&self, id: &str) -> Option<Json> {
        let answer = self.ask("GET", &format!("/cities/_doc/{id}"), Json::Null).await;
        (answer.status() == 200).then(|| answer.json()["_source"].clone())
    }

    /// The names of all documents whose ids are these numbers.
    async fn names(&self, ids: std::ops::Range<i64>) -> Vec<(i64, String)> {
        let mut names = Vec::new();
        for id in ids {
            if let Some(document) = self.document(&id.to_string()).await {
                names.push((id, document["name"].as_str().unwrap().to_owned()));
            }
        }
        names
    }

    async fn has_index(&self, name: &str) -> bool {
        self.ask("GET", &format!("/{name}"), Json::Null).await.status() == 200
    }
}

/// What an index of cities looks like.
fn mapping() -> Json {
    json!({
        "settings": { "number_of_shards": 1 },
        "mappings": { "dynamic": "strict", "properties": {
            "id": { "type": "long" }, "name": { "type": "keyword" }, "size": { "type": "integer" },
        } },
    })
}

fn client_of(ports: &[u16]) -> Elasticsearch {
    let nodes = ports.iter().map(|port| format!("http://127.0.0.1:{port}"));
    Elasticsearch::builder(nodes).timeout(Duration::from_secs(10)).build().unwrap()
}

fn sink_at(port: u16) -> ElasticsearchSink<city::Entity> {
    ElasticsearchSink::new(client_of(&[port]), "cities").create_index(mapping()).refresh(Refresh::Now)
}

/// Records of any JSON, and deletes.
fn changes(
    version: u64,
    upserts: impl IntoIterator<Item = (i64, Json)>,
    deletes: &[i64],
) -> Changes<city::Entity, Json> {
    Changes {
        upserts: upserts.into_iter().map(|(id, record)| (Key::new(id), record)).collect(),
        deletes: deletes.iter().map(|id| Key::new(*id)).collect(),
        respelled: Vec::new(),
        version,
    }
}

fn named(name: &str) -> Json {
    json!({ "name": name })
}

async fn write(
    sink: &ElasticsearchSink<city::Entity>,
    changes: Changes<city::Entity, Json>,
) -> Result<(), HandlerError> {
    Sink::<city::Entity, Json>::write(sink, changes).await
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
