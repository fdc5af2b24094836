//! Prints the payloads of a fixed list of keys, and the shards that they go to; with `--serde`, what the features
//! change.

use redstream_seaorm::{BoxError, Key, Streamed};
use rust_decimal::Decimal;
use time::{Date, Duration, Month, OffsetDateTime};

/// A key of the types whose `Serialize` depends on features.
mod order {
    use redstream_seaorm::Streamed;
    use sea_orm::entity::prelude::*;

    #[derive(Clone, Debug, PartialEq, DeriveEntityModel, Streamed)]
    #[sea_orm(table_name = "orders")]
    #[streamed(shards = 64)]
    pub(crate) struct Model {
        #[sea_orm(primary_key, auto_increment = false)]
        pub(crate) zone: i64,
        #[sea_orm(primary_key, auto_increment = false)]
        pub(crate) price: Decimal,
        #[sea_orm(primary_key, auto_increment = false)]
        pub(crate) day: TimeDate,
        #[sea_orm(primary_key, auto_increment = false)]
        pub(crate) at: TimeDateTimeWithTimeZone,
        #[sea_orm(primary_key, auto_increment = false)]
        pub(crate) weight: f64,
        pub(crate) size: i32,
    }

    #[derive(Copy, Clone, Debug, EnumIter, DeriveRelation)]
    pub(crate) enum Relation {}
}

/// A payload of the user's own.
mod parcel {
    use redstream_seaorm::{Key, Streamed};
    use sea_orm::entity::prelude::*;

    #[derive(Clone, Debug, PartialEq, DeriveEntityModel, Streamed)]
    #[sea_orm(table_name = "parcels")]
    #[streamed(payload = told, shards = 64)]
    pub(crate) struct Model {
        #[sea_orm(primary_key)]
        pub(crate) id: i64,
        pub(crate) size: i32,
    }

    #[derive(Copy, Clone, Debug, EnumIter, DeriveRelation)]
    pub(crate) enum Relation {}

    fn told(key: &Key<Entity>) -> Json {
        serde_json::json!({
            "z": { "y": key.value(), "x": [1.5, 1e21, 1e-7, 0.1, -0.0, 100.0] },
            "a": [u64::MAX, i64::MIN],
            "m": "é\u{1}",
        })
    }
}

fn print<E: Streamed>(key: &Key<E>) -> Result<(), BoxError> {
    let message = key.message()?;
    println!("{} {}", message.stream, message.payload);
    Ok(())
}

/// What `Serialize` makes of a value, for each feature a line.
fn print_by_serde(day: Date) -> Result<(), BoxError> {
    println!("serde-float: {}", serde_json::to_string(&Decimal::ONE)?);
    println!("arbitrary_precision: {}", serde_json::from_str::<serde_json::Value>("1.50")?);
    println!("preserve_order: {}", serde_json::json!({ "b": 1, "a": 2 }));
    println!("serde-human-readable: {}", serde_json::to_string(&day)?);
    Ok(())
}

fn main() -> Result<(), BoxError> {
    let day = Date::from_calendar_date(2026, Month::February, 1)?;
    if std::env::args().any(|argument| argument == "--serde") {
        return print_by_serde(day);
    }
    let noon = OffsetDateTime::UNIX_EPOCH + Duration::hours(12);
    for (zone, price) in [(1, "12345678901234567.89"), (2, "1.50"), (i64::MAX, "-0.0")] {
        print(&Key::<order::Entity>::new((zone, Decimal::from_str_exact(price)?, day, noon, 0.1)))?;
        print(&Key::<parcel::Entity>::new(zone))?;
    }
    Ok(())
}
