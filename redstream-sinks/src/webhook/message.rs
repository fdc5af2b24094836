//! The bodies and ids of messages.

use std::collections::{HashMap, HashSet};
use std::time::SystemTime;

use redstream_seaorm::{Changes, Failures, Key};
use sea_orm::EntityTrait;
use serde::Serialize;
use serde_json::Value as Json;
use sha2::{Digest as _, Sha256};

use crate::webhook::error::Error;

/// One change, and its part of a body.
#[derive(Clone, Debug)]
pub(crate) struct Change<E> {
    pub(crate) key: Key<E>,
    /// The key, as the id of a document.
    pub(crate) id: String,
    is_delete: bool,
    /// `{"key":…,"version":…,"record":…}`
    data: String,
}

/// What all messages of one write have in common.
#[derive(Clone, Debug)]
pub(crate) struct Common<'c> {
    /// The first part of the messages' type.
    pub(crate) name: &'c str,
    pub(crate) version: u64,
    /// When the write began, as RFC 3339 has it.
    pub(crate) timestamp: String,
    /// One message has several changes.
    pub(crate) is_batched: bool,
}

/// The fields of a change, in this order.
#[derive(Serialize)]
struct Data<'d, R> {
    key: Json,
    version: u64,
    #[serde(skip_serializing_if = "Option::is_none")]
    record: Option<&'d R>,
}

/// The changes of a write, deletes last; each id once. If several keys have one id, the last record stays.
pub(crate) fn changes<E: EntityTrait, R: Serialize>(
    changes: &Changes<E, R>,
    failures: &mut Failures<E>,
) -> Vec<Change<E>> {
    let version = changes.version;
    let mut made: Vec<Change<E>> = Vec::with_capacity(changes.len());
    let mut written: HashMap<String, usize> = HashMap::new();
    let add = |key: &Key<E>, record: Option<&R>, id: String| {
        let data = serde_json::to_string(&Data { key: key.to_json(), version, record });
        let data = data.map_err(|source| Error::Serialize { id: id.clone(), source })?;
        Ok(Change { key: key.clone(), id, is_delete: record.is_none(), data })
    };
    for (key, record) in &changes.upserts {
        match key.document_id().map_err(Error::Key).and_then(|id| add(key, Some(record), id)) {
            Ok(change) => {
                if let Some(nth) = written.get(&change.id) {
                    made[*nth] = change;
                } else {
                    written.insert(change.id.clone(), made.len());
                    made.push(change);
                }
            }
            Err(error) => failures.failed(key.clone(), error),
        }
    }
    let mut deleted = HashSet::new();
    for key in changes.deletes.iter().chain(&changes.respelled) {
        match key.document_id().map_err(Error::Key) {
            Ok(id) if written.contains_key(&id) || !deleted.insert(id.clone()) => {}
            Ok(id) => match add(key, None, id) {
                Ok(change) => made.push(change),
                Err(error) => failures.failed(key.clone(), error),
            },
            Err(error) => failures.failed(key.clone(), error),
        }
    }
    made
}

impl Common<'_> {
    /// The body of the message of these changes.
    pub(crate) fn body<E>(&self, changes: &[&Change<E>]) -> String {
        // A string as JSON has it.
        let text = |text: &str| Json::from(text).to_string();
        let kind = |change: &Change<E>| {
            text(&format!("{}.{}", self.name, if change.is_delete { "deleted" } else { "upserted" }))
        };
        let timestamp = text(&self.timestamp);
        if let ([change], false) = (changes, self.is_batched) {
            return format!(r#"{{"type":{},"timestamp":{timestamp},"data":{}}}"#, kind(change), change.data);
        }
        let all = changes.iter().map(|change| format!(r#"{{"type":{},"data":{}}}"#, kind(change), change.data));
        let all = all.collect::<Vec<_>>().join(",");
        let kind = text(&format!("{}.changed", self.name));
        format!(r#"{{"type":{kind},"timestamp":{timestamp},"data":{{"changes":[{all}]}}}}"#)
    }

    /// The id of the message of these changes: the same in each attempt, and of no other message.
    pub(crate) fn id<E>(&self, changes: &[&Change<E>]) -> String {
        let mut hash = Sha256::new();
        hash.update(self.name);
        hash.update(self.version.to_be_bytes());
        for change in changes {
            // With its length, so that no two lists have the same bytes.
            hash.update((change.id.len() as u64).to_be_bytes());
            hash.update(&change.id);
        }
        let hash = hash.finalize();
        hash[..16].iter().fold("msg_".to_owned(), |id, byte| format!("{id}{byte:02x}"))
    }
}

/// As RFC 3339 has it, in UTC.
pub(crate) fn timestamp(time: SystemTime) -> String {
    let format = time::format_description::well_known::Rfc3339;
    time::OffsetDateTime::from(time).format(&format).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use serde_json::json;

    use super::*;

    mod city {
        use sea_orm::entity::prelude::*;

        #[derive(Clone, Debug, PartialEq, DeriveEntityModel)]
        #[sea_orm(table_name = "cities")]
        pub(crate) struct Model {
            #[sea_orm(primary_key)]
            pub(crate) id: i64,
        }

        #[derive(Copy, Clone, Debug, EnumIter, DeriveRelation)]
        pub(crate) enum Relation {}

        impl ActiveModelBehavior for ActiveModel {}
    }

    fn made(upserts: &[(i64, Json)], deletes: &[i64], respelled: &[i64]) -> Vec<Change<city::Entity>> {
        let keys = |ids: &[i64]| ids.iter().map(|id| Key::new(*id)).collect();
        let upserts = upserts.iter().map(|(id, record)| (Key::new(*id), record.clone())).collect();
        let all = Changes { upserts, deletes: keys(deletes), respelled: keys(respelled), version: 7 };
        changes(&all, &mut Failures::new())
    }

    fn common(is_batched: bool) -> Common<'static> {
        let time = SystemTime::UNIX_EPOCH + Duration::from_secs(1_764_489_600);
        Common { name: "city", version: 7, timestamp: timestamp(time), is_batched }
    }

    #[test]
    fn a_message_has_type_time_key_version_and_record() {
        let made = made(&[(1, json!({ "name": "Ulm" }))], &[2], &[1, 2]);
        assert_eq!(made.len(), 2);
        let body = |changes: &[&Change<_>], is_batched| common(is_batched).body(changes);
        assert_eq!(
            body(&[&made[0]], false),
            r#"{"type":"city.upserted","timestamp":"2025-11-30T08:00:00Z","data":{"key":{"id":1},"version":7,"record":{"name":"Ulm"}}}"#
        );
        assert_eq!(
            body(&[&made[1]], false),
            r#"{"type":"city.deleted","timestamp":"2025-11-30T08:00:00Z","data":{"key":{"id":2},"version":7}}"#
        );
        let batch: Json = serde_json::from_str(&body(&[&made[0], &made[1]], true)).unwrap();
        assert_eq!(
            (&batch["type"], &batch["data"]["changes"][1]["type"]),
            (&json!("city.changed"), &json!("city.deleted"))
        );
        assert_eq!(batch["data"]["changes"][0]["data"]["record"]["name"], "Ulm");
    }

    #[test]
    fn an_id_is_of_one_message_alone() {
        let made = made(&[], &[1, 2, 12], &[]);
        let id = |changes: &[&Change<_>]| common(true).id(changes);
        let [one, two, twelve] = &made[..] else { panic!() };
        assert_eq!(id(&[one]), id(&[one]));
        let ids = [id(&[one]), id(&[two]), id(&[one, two]), id(&[twelve])];
        assert_eq!(HashSet::from(ids.clone()).len(), 4);
        assert!(ids.iter().all(|id| id.len() == 36 && !id.contains('.')));
        assert_ne!(Common { version: 8, ..common(true) }.id(&[one]), id(&[one]));
    }
}
