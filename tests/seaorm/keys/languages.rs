//! Other languages read our messages, with their usual clients: redis-py, ioredis and redis-rb.

use std::path::Path;

use redstream_servers::Client;
use sea_orm::prelude::*;
use sea_orm::{Set, TransactionTrait};

use super::texts;
use crate::seaorm::world::World;
use crate::support::{Backend, TestDb, redis_url};

mod everything {
    use redstream_seaorm::Streamed;
    use sea_orm::entity::prelude::*;

    #[derive(Clone, Debug, PartialEq, DeriveEntityModel, Streamed)]
    #[sea_orm(table_name = "everything")]
    pub(crate) struct Model {
        #[sea_orm(primary_key, auto_increment = false)]
        pub(crate) flag: bool,
        #[sea_orm(primary_key, auto_increment = false)]
        pub(crate) whole: i64,
        #[sea_orm(primary_key, auto_increment = false)]
        pub(crate) real: f64,
        #[sea_orm(primary_key, auto_increment = false)]
        pub(crate) text: String,
        #[sea_orm(primary_key, auto_increment = false, column_type = "VarBinary(StringLen::N(16))")]
        pub(crate) bytes: Vec<u8>,
        #[sea_orm(primary_key, auto_increment = false)]
        pub(crate) uuid: Uuid,
        #[sea_orm(primary_key, auto_increment = false, column_type = "Decimal(Some((20, 4)))")]
        pub(crate) price: Decimal,
        #[sea_orm(primary_key, auto_increment = false)]
        pub(crate) at: ChronoDateTimeUtc,
        pub(crate) size: i32,
    }

    #[derive(Copy, Clone, Debug, EnumIter, DeriveRelation)]
    pub(crate) enum Relation {}
}

/// Key values of each kind, and how a lossless language reads them.
fn rows() -> Vec<(everything::ActiveModel, String)> {
    let wholes = [
        (1, number(1.0)),
        (9_007_199_254_740_991, number(9_007_199_254_740_991.0)),
        (9_007_199_254_740_992, string("9007199254740992")),
        (i64::MAX, string("9223372036854775807")),
        (i64::MIN, string("-9223372036854775808")),
    ];
    let reals = [0.1, 0.1 + 0.2, 1e300, 5e-324, -1234.5];
    let texts = ["", "on \"sale\"", "back\\slash\n\t\u{1}", "é\u{2028}😀", "a"];
    let prices = ["1.5000", "1234567890123456.7890", "0", "-2", "100.0000"];
    let written = ["1.5", "1234567890123456.789", "0", "-2", "100"];
    (0..5)
        .map(|n| {
            let (whole, whole_read) = wholes[n].clone();
            let row = everything::ActiveModel {
                flag: Set(n % 2 == 0),
                whole: Set(whole),
                real: Set(reals[n]),
                text: Set(texts[n].to_owned()),
                bytes: Set(vec![0, 0xff]),
                uuid: Set(Uuid::from_u128(10)),
                price: Set(prices[n].parse().unwrap()),
                at: Set("2026-02-01T12:34:56.789Z".parse().unwrap()),
                size: Set(3),
            };
            let read = format!(
                "at={} bytes={} flag={} price={} real={} text={} uuid={} whole={whole_read}",
                string("2026-02-01T12:34:56.789Z"),
                string("00ff"),
                n % 2 == 0,
                string(written[n]),
                number(reals[n]),
                string(texts[n]),
                string("00000000-0000-0000-0000-00000000000a"),
            );
            (row, read)
        })
        .collect()
}

/// A number, by its bits.
fn number(value: f64) -> String {
    format!("{:016x}", value.to_bits())
}

/// A string, by its bytes.
fn string(text: &str) -> String {
    text.bytes().fold("'".to_owned(), |text, byte| format!("{text}{byte:02x}"))
}

async fn is_read_by(client: Client, script: &str) {
    let db = TestDb::new(Backend::Postgres).await;
    let world = World::new(&db).await;
    world.create(everything::Entity).await;
    let (rows, read): (Vec<_>, Vec<_>) = rows().into_iter().unzip();
    let txn = world.db.begin().await.unwrap();
    for row in rows {
        row.insert(&txn).await.unwrap();
    }
    txn.commit().await.unwrap();

    let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("seaorm/keys/readers").join(script);
    let key = |stream: &str| format!("{}:redstream:stream:{stream}", world.namespace());
    let mut command = tokio::process::Command::from(client.command().unwrap());
    command.arg(script).arg(redis_url()).arg(key("everything")).arg(key("read"));
    let output = command.output().await.unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    assert_eq!(texts(&world, "read").await, read);
}

#[tokio::test]
async fn python_reads_keys_with_redis_py() {
    is_read_by(Client::Python, "read.py").await;
}

#[tokio::test]
async fn javascript_reads_keys_with_ioredis() {
    is_read_by(Client::Node, "read.js").await;
}

#[tokio::test]
async fn ruby_reads_keys_with_redis_rb() {
    is_read_by(Client::Ruby, "read.rb").await;
}
