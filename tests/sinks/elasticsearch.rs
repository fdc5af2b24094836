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

use redstream_seaorm::{Changes, HandlerError, Key, Sink};
use redstream_servers::{Search, SearchEdition};
use redstream_sinks::elasticsearch::{Elasticsearch, ElasticsearchSink, Error, Refresh};
use serde_json::{Value as Json, json};

use super::city::{self, changes};
use super::http::{Fault, Message, Proxy, ask};
use super::outcome::{self, failures_of};

/// The bound on every wait that should end by itself.
const SOON: Duration = Duration::from_secs(20);

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
    outcome::error_of(result)
}
