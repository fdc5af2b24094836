//! Each type that SeaORM has for a column, as a key, on each database that supports it.

use sea_orm::prelude::*;
use sea_orm::sea_query::value::prelude::time;
use sea_orm::{DeriveActiveEnum, EnumIter, Set, TryFromU64};

use super::come_back;
use crate::seaorm::world::World;
use crate::support::{Backend, TestDb};

/// A state that the database calls `on sale`; as text, as PostgreSQL's own enum, and as a number.
#[derive(Clone, Copy, Debug, PartialEq, Eq, EnumIter, DeriveActiveEnum)]
#[sea_orm(rs_type = "String", db_type = "String(StringLen::N(16))")]
pub(crate) enum State {
    #[sea_orm(string_value = "on sale")]
    OnSale,
    #[sea_orm(string_value = "sold")]
    Sold,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, EnumIter, DeriveActiveEnum)]
#[sea_orm(rs_type = "i32", db_type = "Integer")]
pub(crate) enum Level {
    #[sea_orm(num_value = 10)]
    Low,
    #[sea_orm(num_value = 20)]
    High,
}

/// A text of the application's own type.
#[derive(Clone, Debug, PartialEq, Eq, DeriveValueType)]
pub(crate) struct Code(String);

impl TryFromU64 for Code {
    fn try_from_u64(_: u64) -> Result<Self, DbErr> {
        Err(DbErr::ConvertFromU64("Code"))
    }
}

/// An entity whose key is of one type, and a test of it on these databases: the keys of its rows, and their payloads.
macro_rules! kinds {
    ($($name:ident: $type:ty $({ $($attribute:tt)+ })?, $databases:expr, [$($key:expr => $json:literal),+ $(,)?];)+) => {$(
        mod $name {
            use super::*;

            mod entity {
                #[allow(unused_imports, reason = "some of the types are named by their crates")]
                use super::*;
                use redstream_seaorm::Streamed;

                #[derive(Clone, Debug, PartialEq, DeriveEntityModel, Streamed)]
                #[sea_orm(table_name = "things")]
                pub(crate) struct Model {
                    #[sea_orm(primary_key, auto_increment = false $(, $($attribute)+)?)]
                    pub(crate) k: $type,
                    pub(crate) size: i32,
                }

                #[derive(Copy, Clone, Debug, EnumIter, DeriveRelation)]
                pub(crate) enum Relation {}
            }

            #[tokio::test]
            async fn comes_back() {
                for database in $databases {
                    let db = TestDb::new(database).await;
                    let world = World::new(&db).await;
                    let row = |key: $type| entity::ActiveModel { k: Set(key), size: Set(3) };
                    let payloads = [$(concat!("{\"k\":", $json, "}")),+];
                    come_back(&world, &payloads, vec![$(row($key)),+]).await;
                }
            }
        }
    )+};
}

use Backend::{MariaDb, Postgres, Sqlite};

fn day(year: i32) -> ChronoDate {
    ChronoDate::from_ymd_opt(year, 2, 1).unwrap()
}

fn at(hour: u32) -> ChronoDateTime {
    day(2026).and_hms_opt(hour, 34, 56).unwrap()
}

fn time_day(year: i32) -> time::Date {
    time::Date::from_calendar_date(year, time::Month::February, 1).unwrap()
}

fn time_at(hour: u8) -> time::PrimitiveDateTime {
    time::PrimitiveDateTime::new(time_day(2026), time::Time::from_hms(hour, 34, 56).unwrap())
}

kinds! {
    boolean: bool, Backend::ALL, [true => "true", false => "false"];
    byte: i8, [Sqlite, MariaDb], [-128 => "-128", 127 => "127"];
    short: i16, Backend::ALL, [-1 => "-1", 2 => "2"];
    integer: i32, Backend::ALL, [1 => "1", i32::MIN => "-2147483648"];
    long: i64, Backend::ALL, [
        9_007_199_254_740_991 => "9007199254740991", 9_007_199_254_740_992 => "\"9007199254740992\"",
        i64::MIN => "\"-9223372036854775808\"",
    ];
    unsigned_byte: u8, [Sqlite, MariaDb], [1 => "1", 255 => "255"];
    unsigned_short: u16, [Sqlite, MariaDb], [1 => "1", 65_535 => "65535"];
    unsigned_integer: u32, [Sqlite, MariaDb], [1 => "1", 4_294_967_295 => "4294967295"];
    unsigned_long: u64, [MariaDb], [1 => "1", u64::MAX => "\"18446744073709551615\""];
    float: f32, [Sqlite, Postgres], [0.1 => "0.1", 2.0 => "2.0"];
    double: f64, Backend::ALL, [0.1 => "0.1", 0.1 + 0.2 => "0.30000000000000004", 1e300 => "1e300"];
    string: String, Backend::ALL, ["on \"sale\"".to_owned() => "\"on \\\"sale\\\"\"", "é".to_owned() => "\"é\""];
    newtype: Code, Backend::ALL, [Code("ab".to_owned()) => "\"ab\"", Code("7".to_owned()) => "\"7\""];
    state: State, Backend::ALL, [State::OnSale => "\"on sale\"", State::Sold => "\"sold\""];
    level: Level, Backend::ALL, [Level::Low => "10", Level::High => "20"];
    uuid: Uuid, Backend::ALL, [
        Uuid::from_u128(1) => "\"00000000-0000-0000-0000-000000000001\"",
        Uuid::from_u128(u128::MAX) => "\"ffffffff-ffff-ffff-ffff-ffffffffffff\"",
    ];
    text_uuid: TextUuid, Backend::ALL, [
        TextUuid(Uuid::from_u128(1)) => "\"00000000-0000-0000-0000-000000000001\"",
        TextUuid(Uuid::from_u128(2)) => "\"00000000-0000-0000-0000-000000000002\"",
    ];
    decimal: Decimal { column_type = "Decimal(Some((20, 4)))" }, [Postgres, MariaDb], [
        Decimal::new(15_000, 4) => "\"1.5\"", "1234567890123456.789".parse().unwrap() => "\"1234567890123456.789\"",
    ];
    date: ChronoDate, Backend::ALL, [day(2026) => "\"2026-02-01\"", day(1066) => "\"1066-02-01\""];
    time_of_day: ChronoTime, Backend::ALL, [at(0).time() => "\"00:34:56\"", at(23).time() => "\"23:34:56\""];
    fraction: ChronoDateTime, [Sqlite, Postgres], [
        at(1) + std::time::Duration::from_millis(5) => "\"2026-02-01T01:34:56.005\"",
        at(1) + std::time::Duration::from_micros(5) => "\"2026-02-01T01:34:56.000005\"",
    ];
    date_time: ChronoDateTime, Backend::ALL, [at(1) => "\"2026-02-01T01:34:56\"", at(2) => "\"2026-02-01T02:34:56\""];
    utc: ChronoDateTimeUtc, Backend::ALL, [
        at(1).and_utc() => "\"2026-02-01T01:34:56Z\"", at(2).and_utc() => "\"2026-02-01T02:34:56Z\"",
    ];
    zoned: ChronoDateTimeWithTimeZone, Backend::ALL, [
        at(1).and_utc().into() => "\"2026-02-01T01:34:56Z\"", at(2).and_utc().into() => "\"2026-02-01T02:34:56Z\"",
    ];
    time_date: TimeDate, Backend::ALL, [
        time_day(2026) => "\"2026-02-01\"", time_day(1066) => "\"1066-02-01\"",
    ];
    time_clock: TimeTime, Backend::ALL, [time_at(0).time() => "\"00:34:56\"", time_at(23).time() => "\"23:34:56\""];
    time_date_time: TimeDateTime, Backend::ALL, [
        time_at(1) => "\"2026-02-01T01:34:56\"", time_at(2) => "\"2026-02-01T02:34:56\"",
    ];
    time_zoned: TimeDateTimeWithTimeZone, Backend::ALL, [
        time_at(1).assume_utc() => "\"2026-02-01T01:34:56Z\"", time_at(2).assume_utc() => "\"2026-02-01T02:34:56Z\"",
    ];
}
