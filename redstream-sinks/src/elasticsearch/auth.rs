//! Credentials, and how a request carries them.

use std::fmt;
use std::sync::Arc;

use redstream_seaorm::BoxError;
use reqwest::header::{AUTHORIZATION, HeaderValue};

/// A request that is about to be sent, for a signer: see [`Builder::signer`](super::Builder::signer).
#[derive(Clone, Copy, Debug)]
#[non_exhaustive]
pub struct ToSign<'r> {
    /// `GET`, `HEAD`, `POST` or `PUT`.
    pub method: &'r str,
    /// The whole URL, with its query.
    pub url: &'r str,
    /// The names, in lower case, and values of the headers so far, without `host` and `content-length`.
    pub headers: &'r [(&'static str, &'static str)],
    /// The body as it is sent: compressed, if the client compresses.
    pub body: &'r [u8],
}

/// The headers that a signer adds: names and values.
pub type Signature = Vec<(String, String)>;

type Signer = dyn Fn(ToSign<'_>) -> Result<Signature, BoxError> + Send + Sync;

#[derive(Clone, Default)]
pub(crate) enum Auth {
    #[default]
    None,
    /// `Basic …`, `ApiKey …`, `Bearer …`; marked as sensitive.
    Header(HeaderValue),
    Signer(Arc<Signer>),
}

impl Auth {
    /// `None` if the text cannot stand in a header.
    pub(crate) fn header(text: &str) -> Option<Self> {
        let mut value = HeaderValue::from_str(text).ok()?;
        value.set_sensitive(true);
        Some(Self::Header(value))
    }

    pub(crate) fn apply(
        &self,
        request: reqwest::RequestBuilder,
        to_sign: ToSign<'_>,
    ) -> Result<reqwest::RequestBuilder, BoxError> {
        Ok(match self {
            Self::None => request,
            Self::Header(value) => request.header(AUTHORIZATION, value.clone()),
            Self::Signer(sign) => {
                sign(to_sign)?.into_iter().fold(request, |request, (name, value)| request.header(name, value))
            }
        })
    }
}

impl fmt::Debug for Auth {
    /// Never the secret.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::None => "None",
            Self::Header(_) => "Header(…)",
            Self::Signer(_) => "Signer(…)",
        })
    }
}
