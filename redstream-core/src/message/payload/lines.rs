//! Many payloads in one text: one allocation, and the text of an entry as it stands.

use std::sync::Arc;

use serde::Serialize;

use super::{Payload, PayloadError, PayloadObject, finite};
use crate::message::entry::SEPARATOR;

/// A text takes payloads up to this length. One payload that is kept keeps its whole text.
const FULL: usize = 64 << 10;

/// Payloads that share their text, each followed by the separator of an entry.
#[doc(hidden)]
#[derive(Debug, Default)]
pub struct PayloadLines {
    payloads: Vec<Payload>,
    text: Vec<u8>,
    /// Where the payloads of the text end.
    ends: Vec<usize>,
}

impl PayloadLines {
    /// Adds a value, as [`Payload::encode`] writes it.
    ///
    /// # Errors
    ///
    /// As [`Payload::encode`]; the value is not added then.
    pub fn encode(&mut self, value: &(impl Serialize + ?Sized)) -> Result<(), PayloadError> {
        finite::check(value)?;
        let begin = self.text.len();
        let written = serde_json::to_writer(&mut self.text, value).map_err(PayloadError::Json);
        if written.is_err() {
            self.text.truncate(begin);
        } else {
            self.end_of_line()?;
        }
        written
    }

    /// Adds what the object holds, as [`PayloadObject::finish`].
    ///
    /// # Errors
    ///
    /// None in practice: an object is text.
    pub fn object(&mut self, object: &mut PayloadObject) -> Result<(), PayloadError> {
        object.finish_with(|text| self.text.extend_from_slice(text.as_bytes()));
        self.end_of_line()
    }

    /// All payloads, in the order in which they were added.
    ///
    /// # Errors
    ///
    /// If a value wrote what is not text.
    pub fn finish(mut self) -> Result<Vec<Payload>, PayloadError> {
        self.end_of_text()?;
        Ok(self.payloads)
    }

    fn end_of_line(&mut self) -> Result<(), PayloadError> {
        self.ends.push(self.text.len());
        self.text.push(SEPARATOR);
        if self.text.len() >= FULL { self.end_of_text() } else { Ok(()) }
    }

    fn end_of_text(&mut self) -> Result<(), PayloadError> {
        let text = std::str::from_utf8(&self.text);
        let text = text.map_err(|error| PayloadError::Json(serde::ser::Error::custom(error)))?;
        let shared: Arc<str> = text.into();
        self.payloads.reserve(self.ends.len());
        let mut begin = 0;
        for end in self.ends.drain(..) {
            let payload = match (u32::try_from(begin), u32::try_from(end)) {
                (Ok(first), Ok(last)) => Payload::part(&shared, first..last),
                // Only a payload of gibibytes ends there.
                _ => Payload::of_json(text[begin..end].into()),
            };
            self.payloads.push(payload);
            begin = end + 1;
        }
        self.text.clear();
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::message::pack;

    fn lines<T: Serialize>(values: &[T]) -> Vec<Payload> {
        Payload::encode_all(values).unwrap()
    }

    #[test]
    fn payloads_that_share_a_text_are_equal_to_those_alone() {
        let values = ["a", "", "ä\n", "\"", "m²"];
        let alone: Vec<_> = values.iter().map(|value| Payload::encode(value).unwrap()).collect();
        assert_eq!(lines(&values), alone);
        assert!(lines(&values).iter().all(Payload::is_line));
        let set: std::collections::HashSet<_> = lines(&values).into_iter().collect();
        assert!(alone.iter().all(|payload| set.contains(payload)), "equal payloads have equal hashes");
    }

    #[test]
    fn neighbours_in_a_text_are_one_piece_of_it() {
        let payloads = lines(&[1, 20, 300]);
        assert_eq!(Payload::joined(&payloads), Some("1\n20\n300"));
        assert_eq!(Payload::joined(&payloads[1..]), Some("20\n300"));
        assert_eq!(Payload::joined([&payloads[0], &payloads[2]]), None, "with a gap");
        assert_eq!(Payload::joined([&payloads[1], &payloads[0]]), None, "in another order");
        assert_eq!(Payload::joined([&payloads[0], &lines(&[1, 20])[1]]), None, "of two texts");
        let alone = Payload::encode(&1).unwrap();
        assert_eq!(Payload::joined([&alone]), Some("1"));
        assert_eq!(Payload::joined([&alone, &alone]), None);
        assert_eq!(pack::text(payloads.iter()), "1\n20\n300");
        assert_eq!(pack::text([&alone, &payloads[1]].into_iter()), "1\n20");
        assert!(matches!(pack::text(payloads.iter()), std::borrow::Cow::Borrowed(_)));
    }

    #[test]
    fn a_text_ends_when_it_is_full() {
        let long = "x".repeat(FULL / 3);
        let payloads = lines(&[&long; 5]);
        assert_eq!(payloads, [(); 5].map(|()| Payload::encode(&long).unwrap()));
        assert!(Payload::joined(&payloads[..3]).is_some());
        assert_eq!(Payload::joined(&payloads[2..4]), None);
    }

    #[test]
    fn a_value_that_cannot_be_encoded_leaves_nothing() {
        let mut lines = PayloadLines::default();
        lines.encode(&1).unwrap();
        lines.encode(&[f64::NAN]).unwrap_err();
        lines.encode(&std::collections::HashMap::from([((1, 2), 3)])).unwrap_err();
        lines.object(PayloadObject::default().integer("id", 2)).unwrap();
        assert_eq!(lines.finish().unwrap().iter().map(Payload::as_str).collect::<Vec<_>>(), ["1", r#"{"id":2}"#]);
        let error = Payload::encode_all([0.5, f64::NAN]).unwrap_err();
        assert!(matches!(error, PayloadError::NotFinite { value, .. } if value.is_nan()));
    }

    #[test]
    fn a_payload_with_a_line_break_is_no_line() {
        assert!(lines(&["\n"])[0].is_line());
        let broken = Payload::part(&Arc::from("[\n]\n1\n"), 0..3);
        assert!(!broken.is_line());
    }
}
