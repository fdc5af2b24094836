//! Places in a stream, as they are said on the command line.

use std::time::SystemTime;

use redstream_core::{MessageId, Start};

/// Where to begin.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Place {
    Earliest,
    Latest,
    After(MessageId),
    At(SystemTime),
}

pub(crate) fn parse(text: &str) -> Result<Place, String> {
    match text {
        "earliest" => return Ok(Place::Earliest),
        "latest" => return Ok(Place::Latest),
        _ => {}
    }
    // A year alone would be an id: a time has colons.
    if text.contains(':') {
        let time = humantime::parse_rfc3339_weak(text).map_err(|error| format!("it is no time in UTC: {error}"))?;
        return Ok(Place::At(time));
    }
    text.parse().map(Place::After).map_err(|error| format!("expected earliest, latest, an id or a time: {error}"))
}

impl From<Place> for Start {
    fn from(place: Place) -> Self {
        match place {
            Place::Earliest => Self::Earliest,
            Place::Latest => Self::Latest,
            Place::After(id) => Self::After(id),
            Place::At(time) => Self::At(time),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn places_are_words_ids_and_times() {
        assert_eq!(parse("earliest"), Ok(Place::Earliest));
        assert_eq!(parse("latest"), Ok(Place::Latest));
        assert_eq!(parse("7-3"), Ok(Place::After(MessageId::new(7, 3))));
        let time = SystemTime::UNIX_EPOCH + std::time::Duration::from_secs(60);
        assert_eq!(parse("1970-01-01T00:01:00Z"), Ok(Place::At(time)));
        assert_eq!(parse("1970-01-01 00:01:00"), Ok(Place::At(time)));
        for wrong in ["", "yesterday", "7-", "08:00", "2026-13-01T00:00:00Z"] {
            parse(wrong).unwrap_err();
        }
    }
}
