//! Keys in data of the application's own, in the form of messages.

use sea_orm::EntityTrait;
use serde::de::Error as _;
use serde::ser::Error as _;
use serde::{Deserialize, Deserializer, Serialize, Serializer};
use serde_json::Value as Json;

use super::{Key, KeyReader};

/// As [`to_json`](Key::to_json): `{"id":1}`. Errors for a key that has no form in messages.
impl<E: EntityTrait> Serialize for Key<E> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let payload = self.payload().map_err(S::Error::custom)?;
        serde_json::from_str::<Json>(payload.as_str()).map_err(S::Error::custom)?.serialize(serializer)
    }
}

/// Reads what [`to_json`](Key::to_json) writes, so that `batch.payloads::<Key<city::Entity>>()` gives keys. Fields
/// other than the key's columns are ignored.
///
/// For all keys of a batch [`BatchExt::keys`](crate::BatchExt::keys) is faster: it inspects the key's columns once.
impl<'de, E: EntityTrait> Deserialize<'de> for Key<E> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let json = Json::deserialize(deserializer)?;
        KeyReader::new().read(&json).map_err(D::Error::custom)
    }
}
