//! A dead letter as JSON.

use serde::ser::SerializeStruct as _;
use serde::{Serialize, Serializer};

use super::DeadLetter;

/// With its [fingerprint](DeadLetter::fingerprint), ids as strings, and the payload as text: bytes that are not UTF-8
/// are replaced.
impl Serialize for DeadLetter {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut letter = serializer.serialize_struct("DeadLetter", 7)?;
        letter.serialize_field("id", &self.id.to_string())?;
        letter.serialize_field("message_id", &self.message_id.to_string())?;
        letter.serialize_field("attempts", &self.attempts)?;
        letter.serialize_field("fingerprint", &self.fingerprint())?;
        letter.serialize_field("error", &self.error)?;
        letter.serialize_field("payload", &String::from_utf8_lossy(&self.payload))?;
        letter.serialize_field("payload_bytes", &self.payload_bytes)?;
        letter.end()
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::message::MessageId;

    #[test]
    fn a_letter_has_its_ids_and_its_payload_as_text() {
        let letter = DeadLetter {
            id: MessageId::new(7, 0),
            message_id: MessageId::new(5, 1).inside(3),
            payload: b"{\"id\":1,\xff".to_vec(),
            payload_bytes: 5000,
            error: "row 17 is locked".to_owned(),
            attempts: 3,
        };
        let expected = json!({
            "id": "7-0", "message_id": "5-1-3", "attempts": 3, "fingerprint": letter.fingerprint(),
            "error": "row 17 is locked", "payload": "{\"id\":1,\u{fffd}", "payload_bytes": 5000,
        });
        assert_eq!(serde_json::to_value(&letter).unwrap(), expected);
    }
}
