//! The client: sends requests to the nodes of one cluster.

use std::fmt;
use std::io::Write as _;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use flate2::Compression;
use flate2::write::GzEncoder;
use reqwest::{Method, StatusCode, Url};
use serde_json::Value as Json;

use crate::elasticsearch::auth::{Auth, ToSign};
use crate::elasticsearch::builder::Builder;
use crate::elasticsearch::error::Error;
use crate::elasticsearch::nodes::{Node, Nodes};
use crate::http::{retry_after, shortened};

/// How much of a server's answer is quoted in an error.
const QUOTED: usize = 500;

/// A client of one Elasticsearch or OpenSearch cluster. Cloning it is cheap; clones share their connections.
///
/// Its requests go to all nodes in turn. A node that does not answer is left for a pause of one second, which doubles
/// up to a minute with each further failure, and the request goes to the next node.
#[derive(Clone)]
pub struct Elasticsearch(Arc<Inner>);

struct Inner {
    http: reqwest::Client,
    nodes: Nodes,
    auth: Auth,
    timeout: Duration,
    gzip: bool,
}

/// One request.
#[derive(Debug)]
pub(crate) struct Request<'r> {
    /// As an infinitive, for errors.
    pub(crate) attempt: &'r str,
    pub(crate) method: Method,
    /// The parts of the path, which are not yet encoded.
    pub(crate) path: &'r [&'r str],
    pub(crate) query: &'r [(&'static str, String)],
    pub(crate) content: Option<(&'static str, Bytes)>,
}

/// A whole answer, of any status.
#[derive(Debug)]
pub(crate) struct Answer {
    pub(crate) status: StatusCode,
    pub(crate) retry_after: Option<Duration>,
    pub(crate) body: Bytes,
    /// The node's address.
    pub(crate) node: String,
}

impl Elasticsearch {
    /// A client of these nodes, such as `["http://a:9200", "http://b:9200"]`: the nodes of *one* cluster, or one
    /// address of a load balancer.
    pub fn builder<N: Into<String>>(nodes: impl IntoIterator<Item = N>) -> Builder {
        Builder::new(nodes.into_iter().map(Into::into).collect())
    }

    pub(crate) fn new(http: reqwest::Client, nodes: Nodes, auth: Auth, timeout: Duration, gzip: bool) -> Self {
        Self(Arc::new(Inner { http, nodes, auth, timeout, gzip }))
    }

    /// Sends a request of your own, such as a search, with this client's credentials, TLS and nodes. Returns the JSON
    /// of the answer.
    ///
    /// `path` has the parts of the path, not encoded. The request may be sent to several nodes if connections break: it
    /// must be harmless to repeat.
    ///
    /// ```no_run
    /// # async fn example(client: redstream_sinks::elasticsearch::Elasticsearch) -> Result<(), Box<dyn std::error::Error>> {
    /// let query = serde_json::json!({ "query": { "match": { "name": "ulm" } } });
    /// let found = client.send_json("POST", &["cities", "_search"], Some(&query)).await?;
    /// println!("{}", found["hits"]["hits"]);
    /// # Ok(()) }
    /// ```
    ///
    /// # Errors
    ///
    /// [`Error::Refused`] with the status if the server does not answer with success, 404 included;
    /// [`Error::Unauthorized`], [`Error::Unavailable`], [`Error::Connection`], [`Error::Timeout`] and
    /// [`Error::Answer`] as for the sink. Nothing is retried after an answer.
    pub async fn send_json(&self, method: &str, path: &[&str], body: Option<&Json>) -> Result<Json, Error> {
        let attempt = format!("{method} /{}", path.join("/"));
        let method = Method::from_bytes(method.as_bytes()).map_err(|source| Error::Options {
            what: format!("{method:?} is no method"),
            source: Some(source.into()),
        })?;
        let content = body.map(|body| ("application/json", body.to_string().into()));
        let answer = self.send(&Request { attempt: &attempt, method, path, query: &[], content }).await?;
        answer.json(&attempt)
    }

    /// Sends the request to the next node, and to further nodes if a connection cannot be made or breaks: repeating a
    /// request must be harmless. A timeout is not repeated here.
    pub(crate) async fn send(&self, request: &Request<'_>) -> Result<Answer, Error> {
        let content = request.content.as_ref().map(|(kind, body)| (*kind, self.encoded(body)));
        let mut failed = None;
        for node in self.0.nodes.in_turn() {
            match self.send_to(node, request, content.as_ref()).await {
                Ok(answer) => {
                    // The node, or what stands in front of it, cannot serve requests now.
                    if matches!(answer.status.as_u16(), 502..=504) {
                        node.failed();
                    } else {
                        node.works();
                    }
                    return Ok(answer);
                }
                Err(error @ Error::Connection { .. }) => {
                    node.failed();
                    tracing::debug!(node = %node.url, %error, "an Elasticsearch node does not answer");
                    failed = Some(error);
                }
                Err(error) => {
                    if matches!(error, Error::Timeout { .. }) {
                        node.failed();
                    }
                    return Err(error);
                }
            }
        }
        Err(failed.unwrap_or_else(|| Error::Options { what: "it has no node".to_owned(), source: None }))
    }

    async fn send_to(
        &self,
        node: &Node,
        request: &Request<'_>,
        content: Option<&(&'static str, Bytes)>,
    ) -> Result<Answer, Error> {
        let Inner { http, auth, timeout, gzip, .. } = &*self.0;
        let url = url(&node.url, request);
        let mut headers = Vec::new();
        if let Some((kind, _)) = content {
            headers.push(("content-type", *kind));
            if *gzip {
                headers.push(("content-encoding", "gzip"));
            }
        }
        let body = content.map(|(_, body)| body.clone()).unwrap_or_default();
        let to_sign = ToSign { method: request.method.as_str(), url: url.as_str(), headers: &headers, body: &body };
        let attempt = || request.attempt.to_owned();
        let builder = auth.apply(http.request(request.method.clone(), url.clone()), to_sign);
        let mut builder = builder.map_err(|source| Error::Signature { attempt: attempt(), source })?;
        for (name, value) in headers {
            builder = builder.header(name, value);
        }
        if content.is_some() {
            builder = builder.body(body);
        }
        let failed = |error: reqwest::Error| {
            let node = node.url.to_string();
            if error.is_timeout() && !error.is_connect() {
                Error::Timeout { attempt: attempt(), node, after: *timeout }
            } else {
                Error::Connection { attempt: attempt(), node, source: error.without_url().into() }
            }
        };
        let response = builder.send().await.map_err(failed)?;
        let (status, retry_after) = (response.status(), retry_after(response.headers()));
        let body = response.bytes().await.map_err(failed)?;
        Ok(Answer { status, retry_after, body, node: node.url.to_string() })
    }

    fn encoded(&self, body: &Bytes) -> Bytes {
        if !self.0.gzip {
            return body.clone();
        }
        let mut encoder = GzEncoder::new(Vec::with_capacity(body.len() / 4), Compression::fast());
        // Writing to a vector does not fail.
        let written = encoder.write_all(body).and_then(|()| encoder.finish());
        written.map_or_else(|_| body.clone(), Bytes::from)
    }
}

impl fmt::Debug for Elasticsearch {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let nodes: Vec<_> = self.0.nodes.iter().map(|node| node.url.as_str()).collect();
        f.debug_struct("Elasticsearch").field("nodes", &nodes).field("auth", &self.0.auth).finish_non_exhaustive()
    }
}

impl Answer {
    /// The error that this answer is, if it is one.
    pub(crate) fn error(&self, attempt: &str) -> Option<Error> {
        let (attempt, node, status) = (attempt.to_owned(), self.node.clone(), self.status.as_u16());
        match status {
            200..300 => None,
            401 | 403 => Some(Error::Unauthorized { attempt, node, status, reason: self.reason() }),
            408 | 429 | 500..600 => Some(Error::Unavailable { attempt, node, status, reason: self.reason() }),
            _ => Some(Error::Refused { attempt, node, status, reason: self.reason() }),
        }
    }

    /// The JSON of an answer that says success.
    pub(crate) fn json(&self, attempt: &str) -> Result<Json, Error> {
        if let Some(error) = self.error(attempt) {
            return Err(error);
        }
        serde_json::from_slice(&self.body).map_err(|source| Error::Answer {
            attempt: attempt.to_owned(),
            node: self.node.clone(),
            what: "it is no JSON".to_owned(),
            source: Some(source),
        })
    }

    /// The type of the error in the server's JSON.
    pub(crate) fn error_type(&self) -> Option<String> {
        let json = serde_json::from_slice::<Json>(&self.body).ok()?;
        Some(json["error"]["type"].as_str()?.to_owned())
    }

    /// What the server says, shortened: the reason in its JSON, or the text.
    pub(crate) fn reason(&self) -> String {
        let json = serde_json::from_slice::<Json>(&self.body).ok();
        let reason = json.as_ref().and_then(|json| {
            let error = &json["error"];
            error["reason"].as_str().or(error.as_str()).or(json["message"].as_str())
        });
        let text = reason.map_or_else(|| String::from_utf8_lossy(&self.body).into_owned(), str::to_owned);
        if text.trim().is_empty() { "it does not say why".to_owned() } else { shortened(text.trim(), QUOTED) }
    }
}

fn url(node: &Url, request: &Request<'_>) -> Url {
    let mut url = node.clone();
    if let Ok(mut path) = url.path_segments_mut() {
        path.pop_if_empty().extend(request.path);
    }
    if !request.query.is_empty() {
        url.query_pairs_mut().extend_pairs(request.query);
    }
    url
}
