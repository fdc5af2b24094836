//! The options of a client.

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use redstream_seaorm::BoxError;
use reqwest::Url;

use crate::elasticsearch::auth::{Auth, Signature, ToSign};
use crate::elasticsearch::client::Elasticsearch;
use crate::elasticsearch::error::Error;
use crate::elasticsearch::nodes::Nodes;
use crate::http;

/// How long a connection may take to be made.
const CONNECT: Duration = Duration::from_secs(5);

/// The options of a client: see [`Elasticsearch::builder`].
#[derive(Clone)]
#[must_use]
pub struct Builder {
    nodes: Vec<String>,
    auth: Result<Auth, &'static str>,
    roots: Vec<Vec<u8>>,
    timeout: Duration,
    gzip: bool,
}

impl Builder {
    pub(crate) fn new(nodes: Vec<String>) -> Self {
        Self { nodes, auth: Ok(Auth::None), roots: Vec::new(), timeout: Duration::from_secs(30), gzip: false }
    }

    /// Basic authentication. The same is done for a node's URL of the form `https://user:password@host`.
    pub fn basic(self, user: &str, password: &str) -> Self {
        self.header(&basic(user, password), "the user or the password")
    }

    /// An API key in its encoded form, as Elasticsearch gives it.
    pub fn api_key(self, encoded: &str) -> Self {
        self.header(&format!("ApiKey {encoded}"), "the API key")
    }

    /// A bearer token.
    pub fn bearer(self, token: &str) -> Self {
        self.header(&format!("Bearer {token}"), "the bearer token")
    }

    fn header(mut self, text: &str, what: &'static str) -> Self {
        self.auth = Auth::header(text).ok_or(what);
        self
    }

    /// Signs each request, and each retry of it anew, as AWS's Signature Version 4 needs: the headers that `sign`
    /// returns are added. Replaces other credentials.
    ///
    /// It must not block: fetch credentials in a task of your own.
    ///
    /// ```
    /// use redstream_sinks::elasticsearch::{Elasticsearch, ToSign};
    ///
    /// # fn sigv4(request: ToSign<'_>) -> Result<String, std::io::Error> { Ok(format!("{} {}", request.method, request.url)) }
    /// # fn main() -> Result<(), redstream_sinks::elasticsearch::Error> {
    /// let client = Elasticsearch::builder(["https://search-cities.eu-central-1.es.amazonaws.com"])
    ///     .signer(|request| Ok(vec![("authorization".to_owned(), sigv4(request)?)]))
    ///     .build()?;
    /// # Ok(()) }
    /// ```
    pub fn signer(mut self, sign: impl Fn(ToSign<'_>) -> Result<Signature, BoxError> + Send + Sync + 'static) -> Self {
        self.auth = Ok(Auth::Signer(Arc::new(sign)));
        self
    }

    /// Trusts the certificates in this PEM text, such as that of the cluster's own authority, and no others. Can be
    /// called several times. Default: the certificates that the operating system trusts.
    pub fn root_certificates(mut self, pem: impl Into<Vec<u8>>) -> Self {
        self.roots.push(pem.into());
        self
    }

    /// How long a request may take, from the connection to the last byte of the answer. Default: 30 seconds.
    ///
    /// A longer time than the server's own (a bulk request waits one minute for a missing shard) is of no use.
    pub fn timeout(mut self, timeout: Duration) -> Self {
        self.timeout = timeout;
        self
    }

    /// Compresses the bodies of requests. Default: no, since it costs more time than it saves in one data center, and
    /// some proxies do not accept it.
    pub fn gzip(mut self, on: bool) -> Self {
        self.gzip = on;
        self
    }

    /// The client. It connects at the first request.
    ///
    /// # Errors
    ///
    /// If there is no node, a node's URL is not one of HTTP, or credentials or certificates cannot be used.
    pub fn build(self) -> Result<Elasticsearch, Error> {
        let mut auth = self.auth.map_err(|what| wrong(format!("{what} cannot stand in a header"), None))?;
        let mut urls = Vec::with_capacity(self.nodes.len());
        for node in &self.nodes {
            let mut url = parse(node)?;
            if let (Auth::None, user, Some(password)) = (&auth, url.username(), url.password()) {
                let text = basic(&decoded(user), &decoded(password));
                auth = Auth::header(&text).unwrap_or_default();
            }
            // It fails only for URLs without a host.
            _ = url.set_username("");
            _ = url.set_password(None);
            urls.push(url);
        }
        if urls.is_empty() {
            return Err(wrong("it has no node".to_owned(), None));
        }
        let uses_tls = urls.iter().any(|url| url.scheme() == "https");
        let http = http::client(&self.roots, uses_tls, CONNECT, self.timeout);
        let http = http.map_err(|http::Unusable { what, source }| wrong(what, source))?;
        Ok(Elasticsearch::new(http, Nodes::new(urls), auth, self.timeout, self.gzip))
    }
}

impl fmt::Debug for Builder {
    /// Without the nodes, whose URLs may contain a password.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Builder")
            .field("auth", &self.auth)
            .field("timeout", &self.timeout)
            .field("gzip", &self.gzip)
            .finish_non_exhaustive()
    }
}

fn wrong(what: String, source: Option<BoxError>) -> Error {
    Error::Options { what, source }
}

/// Its path ends with a slash, so that the paths of requests can be joined to it.
fn parse(node: &str) -> Result<Url, Error> {
    // The URL may contain a password, so it is not quoted.
    let expected = "a node's URL must have the form http://host:9200 or https://[user:password@]host";
    let mut url = Url::parse(node).map_err(|error| wrong(expected.to_owned(), Some(error.into())))?;
    if !["http", "https"].contains(&url.scheme()) || url.query().is_some() {
        return Err(wrong(expected.to_owned(), None));
    }
    if !url.path().ends_with('/') {
        let path = format!("{}/", url.path());
        url.set_path(&path);
    }
    Ok(url)
}

fn basic(user: &str, password: &str) -> String {
    format!("Basic {}", base64(format!("{user}:{password}").as_bytes()))
}

fn base64(bytes: &[u8]) -> String {
    const DIGITS: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    let mut text = String::with_capacity(bytes.len().div_ceil(3) * 4);
    for three in bytes.chunks(3) {
        let bits = three.iter().fold(0_u32, |bits, byte| bits << 8 | u32::from(*byte)) << (8 * (3 - three.len()));
        for digit in 0..4 {
            let shown = digit <= three.len();
            text.push(if shown { char::from(DIGITS[(bits >> (18 - 6 * digit) & 63) as usize]) } else { '=' });
        }
    }
    text
}

/// Without percent-encoding.
fn decoded(text: &str) -> String {
    let bytes = text.as_bytes();
    let mut decoded = Vec::with_capacity(bytes.len());
    let mut at = 0;
    while at < bytes.len() {
        let hexadecimal = text.get(at + 1..at + 3).and_then(|digits| u8::from_str_radix(digits, 16).ok());
        match (bytes[at], hexadecimal) {
            (b'%', Some(byte)) => {
                decoded.push(byte);
                at += 3;
            }
            (byte, _) => {
                decoded.push(byte);
                at += 1;
            }
        }
    }
    String::from_utf8_lossy(&decoded).into_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn base64_is_that_of_rfc_4648() {
        for (text, expected) in
            [("", ""), ("f", "Zg=="), ("fo", "Zm8="), ("foo", "Zm9v"), ("foob", "Zm9vYg=="), ("fooba", "Zm9vYmE=")]
        {
            assert_eq!(base64(text.as_bytes()), expected);
        }
        assert_eq!(base64(&[255, 254, 253]), "//79");
    }

    #[test]
    fn what_cannot_work_is_refused_without_a_password_in_the_error() {
        for nodes in [vec![], vec!["ftp://u:secret@a"], vec!["u:secret@a:9200"], vec!["http://u:secret@"]] {
            let error = Elasticsearch::builder(nodes.clone()).build().unwrap_err();
            assert!(matches!(error, Error::Options { .. }), "{nodes:?}");
            assert!(!format!("{error} {error:?}").contains("secret"), "{error:?}");
        }
        let pem = Elasticsearch::builder(["https://a"]).root_certificates("no certificate").build().unwrap_err();
        assert!(pem.to_string().contains("no certificate"), "{pem}");
        assert!(Elasticsearch::builder(["http://a"]).bearer("a\nb").build().is_err());
    }

    #[test]
    fn neither_client_nor_builder_show_a_secret() {
        let builder = Elasticsearch::builder(["http://u:secret@a:9200"]).basic("u", "secret");
        assert!(!format!("{builder:?}").contains("secret"));
        let client = builder.build().unwrap();
        assert!(
            !format!("{client:?}").contains("secret") && !format!("{client:?}").contains("dTpzZWNyZXQ"),
            "{client:?}"
        );
    }

    #[test]
    fn percent_encoding_of_a_url_is_undone() {
        assert_eq!(decoded("p%40ss%2fé%"), "p@ss/é%");
    }
}
