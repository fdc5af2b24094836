//! What is written of a record.

use serde::Serialize;
use serde_json::Value as Json;

use crate::redisearch::definition::Kind;
use crate::redisearch::error::Error;

/// A document, as it is sent.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Document {
    /// Names and values of fields, without the version, which the script adds.
    Hash(Vec<(String, String)>),
    /// With the version.
    Json(String),
}

impl Document {
    pub(crate) fn of<R: Serialize>(
        record: &R,
        kind: Kind,
        key: &str,
        version_field: &str,
        version: u64,
    ) -> Result<Self, Error> {
        let mut members = members(record, key, version_field)?;
        match kind {
            Kind::Hash => fields(members, key).map(Self::Hash),
            Kind::Json => {
                members.insert(version_field.to_owned(), Json::from(version.to_string()));
                Ok(Self::Json(Json::Object(members).to_string()))
            }
        }
    }
}

/// The document as it is read back, without the version: a hash as an object of texts.
pub(crate) fn expected<R: Serialize>(record: &R, kind: Kind, key: &str, version_field: &str) -> Result<Json, Error> {
    let members = members(record, key, version_field)?;
    Ok(match kind {
        Kind::Hash => fields(members, key)?.into_iter().map(|(name, value)| (name, Json::from(value))).collect(),
        Kind::Json => Json::Object(members),
    })
}

fn members<R: Serialize>(record: &R, key: &str, version_field: &str) -> Result<serde_json::Map<String, Json>, Error> {
    let record = serde_json::to_value(record).map_err(|source| Error::Serialize { key: key.to_owned(), source })?;
    let form = |reason: String| Error::Form { key: key.to_owned(), reason };
    match record {
        Json::Object(members) if members.contains_key(version_field) => Err(form(format!(
            "its member `{version_field}` has the name of the field for versions: set `version_field`"
        ))),
        Json::Object(members) => Ok(members),
        _ => Err(form("it is no object".to_owned())),
    }
}

fn fields(members: serde_json::Map<String, Json>, key: &str) -> Result<Vec<(String, String)>, Error> {
    let mut fields = Vec::with_capacity(members.len());
    for (name, value) in members {
        let value = match value {
            Json::Null => continue,
            Json::Bool(value) => value.to_string(),
            Json::Number(value) => value.to_string(),
            Json::String(value) => value,
            Json::Array(_) | Json::Object(_) => {
                let reason = format!("`{name}` has members of its own, which a hash cannot have: use `Index::json`");
                return Err(Error::Form { key: key.to_owned(), reason });
            }
        };
        fields.push((name, value));
    }
    Ok(fields)
}
