//! What an answer says of a message.

use std::time::Duration;

use reqwest::Response;
use reqwest::header::LOCATION;

use crate::http::{retry_after, shortened};
use crate::webhook::error::Error;

/// How much of an answer is quoted in an error.
const QUOTED: usize = 500;

/// What follows from an answer.
pub(crate) enum Verdict {
    Accepted,
    /// One of its changes, or its size.
    Refused {
        status: u16,
        reason: String,
    },
    /// Try again, not before this time has passed.
    Later(Option<Duration>, Error),
    /// No message would be accepted.
    Failed(Error),
}

pub(crate) async fn verdict(mut response: Response, host: &str) -> Verdict {
    let (status, host) = (response.status().as_u16(), host.to_owned());
    match status {
        200..=299 => Verdict::Accepted,
        410 => Verdict::Failed(Error::Gone { host }),
        300..=399 => {
            let to = response.headers().get(LOCATION).and_then(|to| to.to_str().ok()).unwrap_or("an unknown place");
            let reason = format!("it redirects to {}, which is not followed", shortened(to, QUOTED));
            Verdict::Failed(Error::Misconfigured { host, status, reason })
        }
        401 | 403 | 404 | 405 => {
            let reason = reason(&mut response).await;
            Verdict::Failed(Error::Misconfigured { host, status, reason })
        }
        408 | 425 | 429 | 500.. => {
            let after = retry_after(response.headers());
            let reason = reason(&mut response).await;
            Verdict::Later(after, Error::Unavailable { host, status, reason })
        }
        _ => Verdict::Refused { status, reason: reason(&mut response).await },
    }
}

/// The beginning of the body. More is never read, since the receiver is a stranger.
async fn reason(response: &mut Response) -> String {
    let mut body = Vec::new();
    while body.len() <= QUOTED {
        match response.chunk().await {
            Ok(Some(chunk)) => body.extend_from_slice(&chunk),
            // The status alone says enough.
            Ok(None) | Err(_) => break,
        }
    }
    let text = String::from_utf8_lossy(&body);
    if text.trim().is_empty() { "it does not say why".to_owned() } else { shortened(text.trim(), QUOTED) }
}
