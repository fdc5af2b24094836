//! The options of a webhook.

use std::fmt;
use std::marker::PhantomData;
use std::sync::Arc;
use std::sync::atomic::AtomicBool;
use std::time::Duration;

use redstream_seaorm::BoxError;
use reqwest::Url;
use reqwest::header::{HeaderMap, HeaderName, HeaderValue};
use sea_orm::EntityTrait;

use crate::http;
use crate::webhook::error::Error;
use crate::webhook::signature::Secrets;
use crate::webhook::sink::WebhookSink;

/// How long a connection may take to be made.
const CONNECT: Duration = Duration::from_secs(5);

/// Where messages go, and how.
pub(crate) struct Receiver {
    pub(crate) http: reqwest::Client,
    pub(crate) url: Url,
    pub(crate) host: String,
    pub(crate) headers: HeaderMap,
    pub(crate) secrets: Secrets,
    pub(crate) name: String,
    /// The most changes of a message; zero: one, in the form of one.
    pub(crate) batch: usize,
    pub(crate) concurrency: usize,
    pub(crate) timeout: Duration,
    pub(crate) retry_for: Duration,
    /// It has answered 410.
    pub(crate) is_gone: AtomicBool,
}

/// The options of a [`WebhookSink`].
#[must_use]
pub struct Builder<E> {
    url: String,
    name: String,
    headers: Vec<(String, String)>,
    secrets: Vec<String>,
    roots: Vec<Vec<u8>>,
    batch: usize,
    concurrency: usize,
    timeout: Duration,
    retry_for: Duration,
    entity: PhantomData<fn() -> E>,
}

impl<E: EntityTrait> Builder<E> {
    pub(crate) fn new(url: String) -> Self {
        Self {
            url,
            name: E::default().table_name().to_owned(),
            headers: Vec::new(),
            secrets: Vec::new(),
            roots: Vec::new(),
            batch: 0,
            concurrency: 8,
            timeout: Duration::from_secs(20),
            retry_for: Duration::from_secs(60),
            entity: PhantomData,
        }
    }

    /// A secret that the receiver knows: `whsec_` and base64 of 24 to 64 random bytes. At least one is needed.
    ///
    /// With several, each message has several signatures, so that a receiver may know any of them. To replace a secret,
    /// add the new one, have the receiver replace its own, then remove the old one.
    pub fn secret(mut self, secret: impl Into<String>) -> Self {
        self.secrets.push(secret.into());
        self
    }

    /// The first part of the messages' type: `product` makes `product.upserted` and `product.deleted`. Default: the
    /// name of the entity's table.
    pub fn name(mut self, name: impl Into<String>) -> Self {
        self.name = name.into();
        self
    }

    /// A header of each request, such as one that the receiver's gateway wants.
    pub fn header(mut self, name: impl Into<String>, value: impl Into<String>) -> Self {
        self.headers.push((name.into(), value.into()));
        self
    }

    /// Sends up to this many changes in one message of the type `product.changed`. Default: each change is a message.
    ///
    /// A receiver that refuses such a message by a status of 4xx gets its halves, until the change at fault is found.
    pub fn batch(mut self, changes: usize) -> Self {
        self.batch = changes.max(1);
        self
    }

    /// The most requests in flight at once, of one write. Default: 8. Zero counts as one.
    pub fn max_concurrency(mut self, requests: usize) -> Self {
        self.concurrency = requests.max(1);
        self
    }

    /// How long a request may take, from the connection to the answer. Default: 20 seconds.
    pub fn timeout(mut self, timeout: Duration) -> Self {
        self.timeout = timeout;
        self
    }

    /// How long a message is retried that is refused for now, from its first refusal on; then the batch fails, and the
    /// consumer retries it. Default: one minute.
    ///
    /// The pauses begin at 0.1 seconds and double to 10 seconds, each with a random part of up to its own length, or
    /// last as long as the receiver's `Retry-After` says.
    pub fn retry_for(mut self, time: Duration) -> Self {
        self.retry_for = time;
        self
    }

    /// Trusts the certificates in this PEM text and no others. Can be called several times. Default: the certificates
    /// that the operating system trusts.
    pub fn root_certificates(mut self, pem: impl Into<Vec<u8>>) -> Self {
        self.roots.push(pem.into());
        self
    }

    /// The sink. It connects at the first request.
    ///
    /// # Errors
    ///
    /// [`Error::Options`], if the URL is not one of HTTP, a secret is missing or none, or a header or certificate
    /// cannot be used.
    pub fn build(self) -> Result<WebhookSink<E>, Error> {
        let expected = "the URL must have the form https://host/path";
        let url = Url::parse(&self.url).map_err(|error| wrong(expected, Some(error.into())))?;
        let host = match (url.scheme(), url.host_str()) {
            ("http" | "https", Some(host)) => host.to_owned(),
            _ => return Err(wrong(expected, None)),
        };
        let mut secrets = Secrets::default();
        for secret in &self.secrets {
            secrets.add(secret).map_err(|what| wrong(&what, None))?;
        }
        if secrets.is_empty() {
            return Err(wrong("it has no secret, without which a receiver cannot trust its messages", None));
        }
        let mut headers = HeaderMap::new();
        for (name, value) in &self.headers {
            let unusable = |error: BoxError| wrong(&format!("the header `{name}` cannot be sent"), Some(error));
            let mut value = HeaderValue::from_str(value).map_err(|error| unusable(error.into()))?;
            value.set_sensitive(true);
            headers.append(HeaderName::try_from(name).map_err(|error| unusable(error.into()))?, value);
        }
        let http = http::client(&self.roots, url.scheme() == "https", CONNECT, self.timeout);
        let http = http.map_err(|http::Unusable { what, source }| Error::Options { what, source })?;
        let Self { name, batch, concurrency, timeout, retry_for, .. } = self;
        let is_gone = AtomicBool::new(false);
        let receiver =
            Receiver { http, url, host, headers, secrets, name, batch, concurrency, timeout, retry_for, is_gone };
        Ok(WebhookSink::new(Arc::new(receiver)))
    }
}

fn wrong(what: &str, source: Option<BoxError>) -> Error {
    Error::Options { what: what.to_owned(), source }
}

impl<E> fmt::Debug for Builder<E> {
    /// Without secrets, headers and the URL, whose path may be one.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Builder").field("name", &self.name).finish_non_exhaustive()
    }
}
