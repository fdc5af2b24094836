//! The sink for webhooks, with a receiver that checks signatures by the specification's own library.

mod answers;
mod messages;
mod pipeline;
mod properties;
mod receiver;

use std::time::Duration;

use redstream_seaorm::{Changes, Failures, HandlerError, Key, Sink};
use redstream_sinks::webhook::{Builder, Error, WebhookSink};
use serde_json::{Value as Json, json};

use self::receiver::{Receiver, Reply};

/// The receiver's secrets: it knows the second one alone.
const SECRETS: [&str; 2] = ["whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw", "whsec_C2FVsBQIhrscChlQIMV+b5sSYspob7oD"];

mod city {
    use redstream_seaorm::Streamed;
    use sea_orm::entity::prelude::*;

    #[derive(Clone, Debug, PartialEq, DeriveEntityModel, Streamed, serde::Serialize)]
    #[sea_orm(table_name = "cities")]
    pub(super) struct Model {
        #[sea_orm(primary_key)]
        pub(super) id: i64,
        pub(super) name: String,
    }

    #[derive(Copy, Clone, Debug, EnumIter, DeriveRelation)]
    pub(super) enum Relation {}
}

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
    Changes {
        upserts: upserts.into_iter().map(|(id, name)| (Key::new(id), json!({ "name": name }))).collect(),
        deletes: deletes.iter().map(|id| Key::new(*id)).collect(),
        respelled: Vec::new(),
        version,
    }
}

async fn write(sink: &Cities, changes: Changes<city::Entity, Json>) -> Result<(), HandlerError> {
    Sink::<city::Entity, Json>::write(sink, changes).await
}

fn named(names: &[(i64, &str)]) -> Vec<(i64, String)> {
    names.iter().map(|(id, name)| (*id, (*name).to_owned())).collect()
}

/// The sink's own error of a write that failed as a whole.
fn error_of(result: Result<(), HandlerError>) -> Error {
    let source = result.unwrap_err().into_source();
    *source.downcast::<Error>().unwrap_or_else(|error| panic!("not an error of the sink: {error:?}"))
}

/// The records that failed, in words, and the error of the first.
fn failures_of(result: Result<(), HandlerError>) -> (String, String) {
    let source = result.unwrap_err().into_source();
    let failures = source.downcast::<Failures<city::Entity>>().unwrap_or_else(|error| panic!("no failures: {error:?}"));
    let first = std::error::Error::source(&*failures).map(ToString::to_string);
    (failures.to_string(), first.unwrap_or_default())
}
