//! What is written: items, each with a value that no other write has. One entity for each type of the key, all of the
//! same table and stream.

pub(crate) mod decimal;
pub(crate) mod integer;
pub(crate) mod text;

use redstream_seaorm::{Key, KeyOf, Streamed};
use sea_orm::sea_query::{FromValueTuple, IntoValueTuple};
use sea_orm::{ActiveModelBehavior, EntityTrait, IntoActiveModel, PrimaryKeyTrait, Value};
use serde::Serialize;
use serde::de::DeserializeOwned;

/// The name of the stream.
pub(crate) const STREAM: &str = "items";

/// The keys that both writers save, update and delete.
pub(crate) const SHARED: std::ops::RangeInclusive<i64> = 1..=10;

/// The keys that the datastore may refuse permanently.
pub(crate) const POISON: [i64; 2] = [20, 21];

/// The keys that are written only if a rollback follows.
pub(crate) const GHOSTS: std::ops::RangeInclusive<i64> = 900..=903;

/// The first key that the database generates.
pub(crate) const FIRST_GENERATED: i64 = 1000;

/// An entity of the table, whatever the type of its key is.
pub(crate) trait Item:
    Streamed
    + EntityTrait<
        Model: IntoActiveModel<<Self as EntityTrait>::ActiveModel> + Serialize + Send + Sync,
        ActiveModel: ActiveModelBehavior + Send,
        PrimaryKey: PrimaryKeyTrait<ValueType: Serialize + DeserializeOwned + IntoValueTuple + FromValueTuple>,
    >
{
    const ID: Self::Column;
    const VALUE: Self::Column;

    /// The values that are set of a row; without an id, the database generates it.
    fn active(id: Option<&str>, value: Option<String>) -> Self::ActiveModel;

    /// The spelling of its key, and its value.
    fn parts(model: Self::Model) -> (String, String);

    /// A key from its spelling.
    fn id(spelling: &str) -> KeyOf<Self>;

    /// The spelling of a key.
    fn spelling(key: &Key<Self>) -> String;

    /// A key as a parameter.
    fn parameter(spelling: &str) -> Value;
}

/// Runs the code with the entity for that kind of keys, by the name `$entity`.
macro_rules! with_entity {
    ($keys:expr, $entity:ident => $work:expr) => {
        match $keys {
            $crate::keys::Keys::Integer => {
                type $entity = $crate::item::integer::Entity;
                $work
            }
            $crate::keys::Keys::Decimal => {
                type $entity = $crate::item::decimal::Entity;
                $work
            }
            _ => {
                type $entity = $crate::item::text::Entity;
                $work
            }
        }
    };
}
pub(crate) use with_entity;

macro_rules! item {
    ($key:ty) => {
        use redstream_seaorm::Key;
        use sea_orm::ActiveValue::{NotSet, Set};

        #[derive(Copy, Clone, Debug, EnumIter, DeriveRelation)]
        pub(crate) enum Relation {}

        impl crate::item::Item for Entity {
            const ID: Column = Column::Id;
            const VALUE: Column = Column::Value;

            fn active(id: Option<&str>, value: Option<String>) -> ActiveModel {
                ActiveModel { id: id.map_or(NotSet, |id| Set(Self::id(id))), value: value.map_or(NotSet, Set) }
            }

            fn parts(Model { id, value }: Model) -> (String, String) {
                (id.to_string(), value)
            }

            fn id(spelling: &str) -> $key {
                spelling.parse().unwrap_or_default()
            }

            fn spelling(key: &Key<Self>) -> String {
                key.value().to_string()
            }

            fn parameter(spelling: &str) -> Value {
                Self::id(spelling).into()
            }
        }
    };
}
use item;
