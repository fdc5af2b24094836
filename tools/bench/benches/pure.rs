//! The pure parts, by Criterion: `cargo bench --package redstream-bench`.

#![allow(missing_docs, reason = "Criterion makes functions of its own")]

use criterion::{Criterion, criterion_group, criterion_main};
use redstream_core::{MessageId, Payload, ShardMap};
use redstream_seaorm::__private::tables_written;
use sea_orm::DbBackend;
use std::hint::black_box;

#[derive(serde::Serialize)]
struct Id {
    id: u64,
}

fn payloads(criterion: &mut Criterion) {
    criterion.bench_function("encode a payload", |bench| {
        bench.iter(|| Payload::encode(black_box(&Id { id: 123_456 })));
    });
    criterion.bench_function("parse an id", |bench| {
        bench.iter(|| black_box("1526919030474-55").parse::<MessageId>());
    });
}

fn shards(criterion: &mut Criterion) {
    let map = ShardMap::new("products", 8).expect("the name is usable");
    let payload = Payload::encode(&Id { id: 123_456 }).expect("a number is JSON");
    criterion.bench_function("hash a payload to its shard", |bench| {
        bench.iter(|| map.shard_of(black_box(&payload)));
    });
}

fn statements(criterion: &mut Criterion) {
    let insert = r#"INSERT INTO "cities" ("name", "visits") VALUES ($1, $2) RETURNING "id", "name", "visits""#;
    criterion.bench_function("find the tables that an INSERT writes", |bench| {
        bench.iter(|| tables_written(black_box(insert), DbBackend::Postgres));
    });
}

criterion_group!(pure, payloads, shards, statements);
criterion_main!(pure);
