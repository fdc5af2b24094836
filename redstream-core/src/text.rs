//! Texts of errors, bounded in length. A leaf: it uses no other module.

use std::fmt::{self, Write};

/// As the error module's `BoxError`, which is above this module.
type AnyError = Box<dyn std::error::Error + Send + Sync + 'static>;

/// The longest text of an error with its causes, in bytes: errors can quote payloads, and those can be of any size.
const LONGEST: usize = 4096;

/// The longest excerpt of a reply.
pub(crate) const SHORT: usize = 256;

/// The error and its causes in one line, up to a few KiB.
pub(crate) fn chain(error: &dyn std::error::Error) -> String {
    let mut text = Bounded::new(LONGEST);
    // An error means that there is no room for the rest.
    let _cut = write_chain(&mut text, error);
    text.finish()
}

fn write_chain(text: &mut Bounded, error: &dyn std::error::Error) -> fmt::Result {
    write!(text, "{error}")?;
    for cause in std::iter::successors(error.source(), |error| error.source()) {
        let begun = text.text.len();
        write!(text, ": {cause}")?;
        // Some errors include their cause in their own text.
        let (before, cause) = text.text.split_at(begun);
        if before.ends_with(&cause[2..]) {
            text.left += cause.len();
            text.text.truncate(begun);
        }
    }
    Ok(())
}

/// The text of a value, up to this many bytes.
pub(crate) fn bounded(value: &(impl fmt::Display + ?Sized), longest: usize) -> String {
    let mut text = Bounded::new(longest);
    let _cut = write!(text, "{value}");
    text.finish()
}

/// The error itself if its text is short, otherwise an error with the beginning of that text: an error that quotes a
/// whole payload is dropped.
pub(crate) fn shortened(error: AnyError) -> AnyError {
    let mut text = Bounded::new(LONGEST);
    if write_chain(&mut text, &*error).is_ok() { error } else { text.finish().into() }
}

/// The same for errors of JSON.
pub(crate) fn shortened_json(error: serde_json::Error) -> serde_json::Error {
    let mut text = Bounded::new(SHORT);
    if write!(text, "{error}").is_ok() { error } else { serde::de::Error::custom(text.finish()) }
}

/// Accepts this many bytes, and refuses the rest, so that no more text is produced.
struct Bounded {
    text: String,
    left: usize,
    is_cut: bool,
}

impl Bounded {
    fn new(longest: usize) -> Self {
        Self { text: String::new(), left: longest, is_cut: false }
    }

    fn finish(mut self) -> String {
        if self.is_cut {
            self.text.push('…');
        }
        self.text
    }
}

impl fmt::Write for Bounded {
    fn write_str(&mut self, more: &str) -> fmt::Result {
        if more.len() <= self.left {
            self.left -= more.len();
            self.text.push_str(more);
            return Ok(());
        }
        self.text.push_str(&more[..more.floor_char_boundary(self.left)]);
        (self.left, self.is_cut) = (0, true);
        Err(fmt::Error)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[derive(Debug, thiserror::Error)]
    #[error("{said}")]
    struct Told {
        said: &'static str,
        source: Option<Box<Told>>,
    }

    #[test]
    fn a_cause_that_was_told_already_is_not_repeated() {
        let told = |said, source| Told { said, source: Option::map(source, Box::new) };
        let refused = "Connection refused (os error 111)";
        let error = told("could not connect", Some(told(refused, Some(told(refused, None)))));
        assert_eq!(chain(&error), "could not connect: Connection refused (os error 111)");
        let error = told("a: b", Some(told("b", Some(told("c", None)))));
        assert_eq!(chain(&error), "a: b: c");
    }

    #[test]
    fn a_text_is_cut_at_its_bound() {
        let long = "ü".repeat(LONGEST);
        let text = chain(&std::io::Error::other(long));
        assert!(text.len() <= LONGEST + '…'.len_utf8() && text.ends_with("ü…"), "{}", text.len());
    }
}
