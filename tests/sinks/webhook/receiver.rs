//! A receiver of messages: it verifies each signature, and keeps the highest version of each key.

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicUsize, Ordering::SeqCst};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use axum::Router;
use axum::body::Bytes;
use axum::extract::State;
use axum::http::{HeaderMap, StatusCode};
use axum::response::{IntoResponse, Response};
use axum::routing::post;
use serde_json::Value as Json;
use standardwebhooks::Webhook;
use tokio::net::TcpListener;
use tokio_util::task::AbortOnDropHandle;

use super::SECRETS;

/// How a message is answered.
#[derive(Clone, Debug)]
pub(super) enum Reply {
    /// It is handled.
    Ok,
    /// It is not handled, and answered by this status and header.
    Status(u16, Option<(&'static str, &'static str)>),
    /// It is handled, and the answer comes too late.
    Late(Duration),
}

/// Decides how a message of this body is answered.
type Decide = dyn FnMut(&Json) -> Reply + Send;

pub(super) struct Receiver {
    port: u16,
    shared: Arc<Shared>,
    _server: AbortOnDropHandle<()>,
}

struct Shared {
    decide: Mutex<Box<Decide>>,
    /// The id and the body of each message, also of those that were not handled.
    messages: Mutex<Vec<(String, Json)>>,
    /// The highest version of each key, and its record.
    records: Mutex<BTreeMap<i64, (u64, Option<Json>)>>,
    in_flight: AtomicUsize,
    most_in_flight: AtomicUsize,
}

impl Receiver {
    pub(super) async fn start(decide: impl FnMut(&Json) -> Reply + Send + 'static) -> Self {
        let shared = Arc::new(Shared {
            decide: Mutex::new(Box::new(decide)),
            messages: Mutex::default(),
            records: Mutex::default(),
            in_flight: AtomicUsize::new(0),
            most_in_flight: AtomicUsize::new(0),
        });
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let port = listener.local_addr().unwrap().port();
        let app = Router::new().route("/hook", post(take)).with_state(Arc::clone(&shared));
        let server = tokio::spawn(async move { axum::serve(listener, app).await.unwrap() });
        Self { port, shared, _server: AbortOnDropHandle::new(server) }
    }

    /// One that handles all messages.
    pub(super) async fn any() -> Self {
        Self::start(|_| Reply::Ok).await
    }

    /// One that answers the first messages like this, and handles all others.
    pub(super) async fn first(replies: &[Reply]) -> Self {
        let mut replies: Vec<_> = replies.iter().rev().cloned().collect();
        Self::start(move |_| replies.pop().unwrap_or(Reply::Ok)).await
    }

    pub(super) fn url(&self) -> String {
        format!("http://127.0.0.1:{}/hook", self.port)
    }

    /// The ids and bodies of all messages so far.
    pub(super) fn messages(&self) -> Vec<(String, Json)> {
        self.shared.messages.lock().unwrap().clone()
    }

    /// The names of the records that exist.
    pub(super) fn names(&self) -> Vec<(i64, String)> {
        let records = self.shared.records.lock().unwrap();
        let name = |record: &Json| record["name"].as_str().unwrap().to_owned();
        records.iter().filter_map(|(id, (_, record))| Some((*id, name(record.as_ref()?)))).collect()
    }

    pub(super) fn most_in_flight(&self) -> usize {
        self.shared.most_in_flight.load(SeqCst)
    }
}

async fn take(State(shared): State<Arc<Shared>>, headers: HeaderMap, body: Bytes) -> Response {
    let flying = shared.in_flight.fetch_add(1, SeqCst) + 1;
    shared.most_in_flight.fetch_max(flying, SeqCst);
    let answer = answer(&shared, &headers, &body).await;
    shared.in_flight.fetch_sub(1, SeqCst);
    answer
}

async fn answer(shared: &Shared, headers: &HeaderMap, body: &[u8]) -> Response {
    if let Err(error) = Webhook::new(SECRETS[1]).unwrap().verify(body, headers) {
        return (StatusCode::UNAUTHORIZED, error.to_string()).into_response();
    }
    let id = headers["webhook-id"].to_str().unwrap().to_owned();
    let message: Json = serde_json::from_slice(body).unwrap();
    shared.messages.lock().unwrap().push((id, message.clone()));
    let reply = (shared.decide.lock().unwrap())(&message);
    match reply {
        Reply::Status(status, header) => {
            let status = StatusCode::from_u16(status).unwrap();
            let headers: Vec<_> = header.into_iter().collect();
            return (status, axum::response::AppendHeaders(headers), "no").into_response();
        }
        Reply::Ok => handle(shared, &message),
        Reply::Late(time) => {
            handle(shared, &message);
            tokio::time::sleep(time).await;
        }
    }
    StatusCode::NO_CONTENT.into_response()
}

fn handle(shared: &Shared, message: &Json) {
    let one = vec![message.clone()];
    let changes = message["data"]["changes"].as_array().unwrap_or(&one);
    let mut records = shared.records.lock().unwrap();
    for change in changes {
        let (data, kind) = (&change["data"], change["type"].as_str().unwrap());
        let (id, version) = (data["key"]["id"].as_i64().unwrap(), data["version"].as_u64().unwrap());
        let record = (kind == "city.upserted").then(|| data["record"].clone());
        assert!(record.is_some() || kind == "city.deleted", "{kind}");
        if records.get(&id).is_none_or(|(known, _)| *known <= version) {
            records.insert(id, (version, record));
        }
    }
}
