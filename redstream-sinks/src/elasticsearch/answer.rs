//! What a bulk request's answer says of each document.

use serde::Deserialize;

use crate::http::shortened;

/// How much of a reason is kept.
const QUOTED: usize = 500;

#[derive(Debug, Deserialize)]
struct Answer {
    items: Vec<Item>,
}

/// The answer names each document's action.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "lowercase")]
enum Item {
    Index(Outcome),
    Delete(Outcome),
}

#[derive(Debug, Deserialize)]
struct Outcome {
    status: u16,
    error: Option<Cause>,
}

#[derive(Debug, Deserialize)]
#[serde(untagged)]
enum Cause {
    Object {
        #[serde(rename = "type", default)]
        kind: String,
        reason: Option<String>,
        caused_by: Option<Box<Cause>>,
    },
    Text(String),
}

/// What became of one document.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Verdict {
    /// It was written, or deleted, or was not there to be deleted.
    Written,
    /// The index has it with a higher version; which one, if it says so.
    Superseded(Option<u64>),
    /// Refused for now.
    Unavailable(Rejection),
    /// The user may not write it.
    Unauthorized(Rejection),
    /// There is no such index or pipeline, or no index of this alias to write to.
    NoTarget(Rejection),
    /// Refused for good.
    Rejected(Rejection),
}

/// What the server says.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Rejection {
    pub(crate) status: u16,
    pub(crate) kind: String,
    pub(crate) reason: String,
}

/// The verdict of each document, in the order of the request.
pub(crate) fn verdicts(body: &[u8]) -> Result<Vec<Verdict>, serde_json::Error> {
    let Answer { items } = serde_json::from_slice(body)?;
    Ok(items.into_iter().map(verdict).collect())
}

/// Judged by the document's own `error`, not by `errors` of the whole: servers differ in whether a delete that finds
/// nothing sets that.
fn verdict(item: Item) -> Verdict {
    let (outcome, is_delete) = match item {
        Item::Index(outcome) => (outcome, false),
        Item::Delete(outcome) => (outcome, true),
    };
    let status = outcome.status;
    let Some(cause) = outcome.error else {
        return match status {
            200..300 => Verdict::Written,
            404 if is_delete => Verdict::Written,
            _ => of_status(Rejection { status, kind: String::new(), reason: "it does not say why".to_owned() }),
        };
    };
    let (kind, reason) = cause.in_words();
    if status == 409 {
        return Verdict::Superseded(current_version(&reason));
    }
    let rejection = Rejection { status, kind, reason: shortened(&reason, QUOTED) };
    match &*rejection.kind {
        "index_not_found_exception" => Verdict::NoTarget(rejection),
        "illegal_argument_exception" if is_about_the_target(&rejection.reason) => Verdict::NoTarget(rejection),
        // A closed index, and one without room: every document of it is refused until an operator acts.
        "index_closed_exception" | "cluster_block_exception" => Verdict::Unavailable(rejection),
        _ => of_status(rejection),
    }
}

fn of_status(rejection: Rejection) -> Verdict {
    match rejection.status {
        401 | 403 => Verdict::Unauthorized(rejection),
        409 => Verdict::Superseded(None),
        408 | 429 | 500..600 => Verdict::Unavailable(rejection),
        _ => Verdict::Rejected(rejection),
    }
}

/// An alias without a write index, or a pipeline that is missing: no document of the index can be written.
fn is_about_the_target(reason: &str) -> bool {
    reason.contains("no write index") || reason.starts_with("pipeline with id [")
}

/// Of `[1]: version conflict, current version [5] is higher than the one provided [4]`, the 5.
fn current_version(reason: &str) -> Option<u64> {
    let (_, rest) = reason.rsplit_once("current version [")?;
    rest.split(']').next()?.parse().ok()
}

impl Cause {
    /// The type, and the reasons down to the first cause.
    fn in_words(self) -> (String, String) {
        match self {
            Self::Text(reason) => (String::new(), reason),
            Self::Object { kind, reason, caused_by } => {
                let mut text = reason.unwrap_or_default();
                if let Some(cause) = caused_by {
                    text = format!("{text}: {}", cause.in_words().1);
                }
                (kind, text)
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn one(item: &str) -> Verdict {
        verdicts(format!(r#"{{"took":1,"errors":false,"items":[{item}]}}"#).as_bytes()).unwrap().remove(0)
    }

    fn with_error(action: &str, status: u16, kind: &str, reason: &str) -> Verdict {
        one(&format!(
            r#"{{"{action}":{{"_id":"1","status":{status},"error":{{"type":"{kind}","reason":"{reason}"}}}}}}"#
        ))
    }

    #[test]
    fn what_was_written_is_success() {
        assert_eq!(one(r#"{"index":{"_id":"1","_version":5,"result":"created","status":201}}"#), Verdict::Written);
        assert_eq!(one(r#"{"delete":{"_id":"1","result":"deleted","status":200}}"#), Verdict::Written);
    }

    #[test]
    fn a_delete_that_finds_nothing_is_success_and_a_missing_index_is_not() {
        assert_eq!(one(r#"{"delete":{"_id":"1","result":"not_found","status":404}}"#), Verdict::Written);
        for action in ["index", "delete"] {
            let verdict = with_error(action, 404, "index_not_found_exception", "no such index [c]");
            assert!(matches!(verdict, Verdict::NoTarget(_)), "{verdict:?}");
        }
        assert!(matches!(one(r#"{"index":{"_id":"1","status":404}}"#), Verdict::Rejected(_)));
    }

    #[test]
    fn a_higher_version_supersedes() {
        let of_elasticsearch = "[1]: version conflict, current version [5] is higher or equal to the one provided [4]";
        let kind = "version_conflict_engine_exception";
        assert_eq!(with_error("index", 409, kind, of_elasticsearch), Verdict::Superseded(Some(5)));
        let hostile_id = "[current version [7]]: version conflict, current version [5] is higher than [4]";
        assert_eq!(with_error("delete", 409, kind, hostile_id), Verdict::Superseded(Some(5)));
        assert_eq!(with_error("index", 409, kind, "conflict"), Verdict::Superseded(None));
        assert_eq!(one(r#"{"index":{"status":409}}"#), Verdict::Superseded(None));
    }

    #[test]
    fn refusals_are_told_apart() {
        for status in [429, 500, 502, 503, 504] {
            let verdict = with_error("index", status, "es_rejected_execution_exception", "queue full");
            assert!(matches!(verdict, Verdict::Unavailable(_)), "{verdict:?}");
        }
        let blocked = with_error("index", 403, "cluster_block_exception", "index [c] blocked by: [FORBIDDEN/8/…]");
        assert!(matches!(blocked, Verdict::Unavailable(_)));
        assert!(matches!(with_error("index", 403, "security_exception", "no"), Verdict::Unauthorized(_)));
        assert!(matches!(with_error("index", 400, "mapper_parsing_exception", "no"), Verdict::Rejected(_)));
        for reason in ["no write index is defined for alias [a]", "pipeline with id [p] does not exist"] {
            assert!(matches!(with_error("index", 400, "illegal_argument_exception", reason), Verdict::NoTarget(_)));
        }
        let other = with_error("index", 400, "illegal_argument_exception", "limit of total fields has been exceeded");
        assert!(matches!(other, Verdict::Rejected(_)));
    }

    #[test]
    fn reasons_are_told_down_to_the_cause() {
        let verdict = one(
            r#"{"index":{"status":400,"error":{"type":"a","reason":"failed","caused_by":{"type":"b","reason":"a number"}}}}"#,
        );
        assert_eq!(
            verdict,
            Verdict::Rejected(Rejection { status: 400, kind: "a".into(), reason: "failed: a number".into() })
        );
        let text = one(r#"{"index":{"status":400,"error":"old servers"}}"#);
        assert_eq!(
            text,
            Verdict::Rejected(Rejection { status: 400, kind: String::new(), reason: "old servers".into() })
        );
    }

    #[test]
    fn half_an_answer_is_an_error() {
        let whole = r#"{"errors":false,"items":[{"index":{"status":200}}]}"#;
        for length in 0..whole.len() {
            assert!(verdicts(&whole.as_bytes()[..length]).is_err());
        }
        assert!(verdicts(b"<html>").is_err() && verdicts(br#"{"acknowledged":true}"#).is_err());
    }
}
