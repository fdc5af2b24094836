//! Actions: the checks that come before one, and the record of it.

mod letters;
mod perform;

use std::sync::Arc;
use std::time::Duration;

use axum::Json;
use axum::body::{Body, to_bytes};
use axum::extract::{self, Path, Request};
use axum::http::header::CONTENT_TYPE;
use axum::http::request::Parts;
use serde_json::Value;
use tokio::time::timeout;

use crate::audit::Outcome;
use crate::error::Failure;
use crate::security;
use crate::state::State;
use crate::verb::Verb;

/// The longest body, in bytes.
const LONGEST: usize = 64 * 1024;

/// How long the body may take to arrive.
const BODY: Duration = Duration::from_secs(10);

/// How long an action may take.
const BOUND: Duration = Duration::from_secs(30);

/// `actions/VERB`: checks the request before its body is read, performs the action, and records it.
///
/// It is performed to its end if the client goes away meanwhile.
pub(crate) async fn action(
    extract::State(state): extract::State<Arc<State>>,
    Path(name): Path<String>,
    request: Request,
) -> Result<Json<Value>, Failure> {
    let verb = Verb::of_name(&name).ok_or(Failure::NoSuchVerb)?;
    let (parts, body) = request.into_parts();
    let user = match allowed(&state, &parts, verb) {
        Ok(user) => user,
        Err(refusal) => {
            state.audit.record(verb, None, &Value::Null, Outcome::Refused(refusal.to_string()));
            return Err(refusal);
        }
    };
    let body = read(body).await?;
    let performing = tokio::spawn(async move {
        let answer = timeout(BOUND, perform::perform(&state, verb, &user, &body)).await;
        let answer = answer.unwrap_or(Err(Failure::TimedOut(BOUND.as_secs())));
        let outcome = match &answer {
            Ok(answer) => Outcome::Done(answer.to_string()),
            Err(failure) => Outcome::Failed(failure.to_string()),
        };
        state.audit.record(verb, Some(user), &body, outcome);
        answer
    });
    performing.await.map_err(|_| Failure::Panicked)?.map(Json)
}

/// The user if the request may do this.
fn allowed(state: &State, parts: &Parts, verb: Verb) -> Result<String, Failure> {
    security::check_origin(&parts.headers)?;
    let content_type = parts.headers.get(CONTENT_TYPE).and_then(|value| value.to_str().ok()).unwrap_or_default();
    let mime = content_type.split(';').next().unwrap_or_default().trim();
    if !mime.eq_ignore_ascii_case("application/json") {
        return Err(Failure::NotJson);
    }
    state.user(parts, verb).ok_or(Failure::NotAllowed)
}

async fn read(body: Body) -> Result<Value, Failure> {
    let unreadable = |error: &dyn std::error::Error| Failure::Unreadable(error.to_string());
    let bytes = timeout(BODY, to_bytes(body, LONGEST)).await.map_err(|_| Failure::Slow)?;
    let bytes = bytes.map_err(|error| unreadable(&error))?;
    serde_json::from_slice(&bytes).map_err(|error| unreadable(&error))
}
