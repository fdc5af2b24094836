//! The sink for webhooks, with a receiver that checks signatures by the specification's own library.

mod answers;
mod messages;
mod pipeline;
mod properties;
mod receiver;

use std::time::Duration;

use redstream_seaorm::{Changes, HandlerError, Sink};
use redstream_sinks::webhook::{Builder, Error, WebhookSink};
use serde_json::{Value as Json, json};

use self::receiver::{Receiver, Reply};
use super::city::{self, names as named};
use super::outcome::{self, failures_of};

/// The receiver's secrets: it knows the second one alone.
const SECRETS: [&str; 2] = ["whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw", "whsec_C2FVsBQIhrscChlQIMV+b5sSYspob7oD"];

type Cities = WebhookSink<city::Entity>;

fn builder(receiver: &Receiver) -> Builder<city::Entity> {
    let builder = WebhookSink::builder(receiver.url()).name("city").timeout(Duration::from_secs(10));
    SECRETS.iter().fold(builder, |builder, secret| builder.secret(*secret))
}

fn sink_for(receiver: &Receiver) -> Cities {
    builder(receiver).build().unwrap()
}

fn changes<'n>(
    version: u64,
    upserts: impl IntoIterator<Item = (i64, &'n str)>,
    deletes: &[i64],
) -> Changes<city::Entity, Json> {
    city::changes(version, upserts.into_iter().map(|(id, name)| (id, json!({ "name": name }))), deletes)
}

async fn write(sink: &Cities, changes: Changes<city::Entity, Json>) -> Result<(), HandlerError> {
    Sink::<city::Entity, Json>::write(sink, changes).await
}

/// The sink's own error of a write that failed as a whole.
fn error_of(result: Result<(), HandlerError>) -> Error {
    outcome::error_of(result)
}
