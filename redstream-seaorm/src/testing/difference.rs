//! The missing and the unexpected messages, in readable form.

use std::collections::BTreeSet;
use std::fmt;

use serde_json::Value as Json;

/// How the messages in a stream differ from those that a test expected. Its `Display` has a line for each.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Difference {
    title: String,
    missing: Vec<String>,
    unexpected: Vec<String>,
    as_expected: Vec<String>,
}

impl Difference {
    /// `None` if both are the same set of payloads.
    pub(super) fn between(title: String, expected: Vec<Json>, found: Vec<Json>) -> Option<Self> {
        let texts = |payloads: Vec<Json>| payloads.iter().map(ToString::to_string).collect::<BTreeSet<_>>();
        let (expected, found) = (texts(expected), texts(found));
        (expected != found).then(|| Self {
            title,
            missing: expected.difference(&found).cloned().collect(),
            unexpected: found.difference(&expected).cloned().collect(),
            as_expected: found.intersection(&expected).cloned().collect(),
        })
    }

    /// The payloads that were expected, and are missing.
    pub fn missing(&self) -> &[String] {
        &self.missing
    }

    /// The payloads that exist, and were not expected.
    pub fn unexpected(&self) -> &[String] {
        &self.unexpected
    }
}

impl fmt::Display for Difference {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} are not those expected:", self.title)?;
        for (word, payloads) in
            [("missing", &self.missing), ("unexpected", &self.unexpected), ("as expected", &self.as_expected)]
        {
            for payload in payloads {
                write!(f, "\n  {word}: {payload}")?;
            }
        }
        Ok(())
    }
}
