//! Failures of a request, as status codes and JSON.

use std::error::Error as _;

use axum::Json;
use axum::http::StatusCode;
use axum::response::{IntoResponse, Response};
use redstream_core::Error;
use serde_json::json;

/// The longest text of an error, in bytes.
const LONGEST: usize = 4096;

/// Why a request was refused, or failed.
#[derive(Debug, thiserror::Error)]
pub(crate) enum Failure {
    #[error("there is no action of this name")]
    NoSuchVerb,
    #[error("the request was sent by another site")]
    CrossSite,
    #[error("the application does not allow this action")]
    NotAllowed,
    #[error("the body must be JSON, with the header Content-Type: application/json")]
    NotJson,
    #[error("the request cannot be read: {0}")]
    Unreadable(String),
    #[error("the body did not arrive in time")]
    Slow,
    #[error("there are too many viewers of this dashboard")]
    TooManyViewers,
    #[error("there is no task of this name")]
    NoSuchTask,
    #[error("{0}")]
    Conflict(&'static str),
    #[error("{}", chain(.0))]
    Redstream(#[from] Error),
    #[error("it took longer than {0} seconds; what was begun may still be done")]
    TimedOut(u64),
    #[error("it ended by a panic; the log says more")]
    Panicked,
}

impl Failure {
    pub(crate) fn status(&self) -> StatusCode {
        match self {
            Self::CrossSite | Self::NotAllowed => StatusCode::FORBIDDEN,
            Self::NotJson => StatusCode::UNSUPPORTED_MEDIA_TYPE,
            Self::Unreadable(_) | Self::Redstream(Error::InvalidName { .. } | Error::InvalidOption { .. }) => {
                StatusCode::BAD_REQUEST
            }
            Self::Slow => StatusCode::REQUEST_TIMEOUT,
            Self::TooManyViewers => StatusCode::SERVICE_UNAVAILABLE,
            Self::NoSuchVerb
            | Self::NoSuchTask
            | Self::Redstream(Error::NoSuchConsumer { .. } | Error::NoSuchReindex { .. }) => StatusCode::NOT_FOUND,
            Self::Conflict(_) | Self::Redstream(Error::StillRunning { .. }) => StatusCode::CONFLICT,
            Self::Redstream(_) => StatusCode::BAD_GATEWAY,
            Self::TimedOut(_) => StatusCode::GATEWAY_TIMEOUT,
            Self::Panicked => StatusCode::INTERNAL_SERVER_ERROR,
        }
    }
}

impl IntoResponse for Failure {
    fn into_response(self) -> Response {
        (self.status(), Json(json!({ "error": self.to_string() }))).into_response()
    }
}

/// The error and its causes in one line of bounded length.
pub(crate) fn chain(error: &Error) -> String {
    let (mut text, mut cause) = (error.to_string(), error.source());
    while let Some(error) = cause {
        cause = error.source();
        let error = error.to_string();
        // Some errors include their cause in their own text.
        if !text.ends_with(&error) {
            text.push_str(": ");
            text.push_str(&error);
        }
    }
    bounded(text, LONGEST)
}

/// The text, or its beginning if it has more bytes.
pub(crate) fn bounded(mut text: String, longest: usize) -> String {
    if text.len() > longest {
        text.truncate(text.floor_char_boundary(longest));
        text.push('…');
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_text_is_cut_between_characters() {
        assert_eq!(bounded("üü".to_owned(), 3), "ü…");
        assert_eq!(bounded("üü".to_owned(), 4), "üü");
    }
}
