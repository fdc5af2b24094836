//! What the sinks that speak HTTP have in common.

mod client;
mod retry;

pub(crate) use client::{Unusable, client};
pub(crate) use retry::{Budget, Pauses, retry_after};

/// At most so many bytes, at the border of a character.
pub(crate) fn shortened(text: &str, bytes: usize) -> String {
    if text.len() <= bytes {
        return text.to_owned();
    }
    format!("{}…", &text[..text.floor_char_boundary(bytes)])
}
