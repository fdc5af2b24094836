//! The map of the shards: the same with and without a Redis.

use redstream_core::{Error, Payload, ShardMap, StreamName};
use serde_json::json;

use crate::support::redstream;

#[tokio::test]
async fn it_names_the_very_shards() {
    let redstream = redstream().await;
    for generation in [1, 2, 17] {
        let map = ShardMap::new("products", 11).unwrap().generation(generation).unwrap();
        let shards = redstream.shards("products", 11).unwrap().generation(generation).unwrap();
        assert_eq!(shards.map(), &map);
        let streams: Vec<StreamName> = shards.streams().iter().map(|stream| stream.name().clone()).collect();
        assert_eq!(map.names().collect::<Vec<_>>(), streams);
        for id in 0..100 {
            let payload = Payload::encode(&json!({ "id": id })).unwrap();
            assert_eq!(map.shard_of(&payload), shards.shard_of(&payload));
            assert_eq!(map.message(payload.clone()), shards.message(payload));
        }
    }
}

#[test]
fn its_names_never_change() {
    let payload = Payload::encode(&json!({ "id": 1 })).unwrap();
    let map = ShardMap::new("products", 8).unwrap();
    assert_eq!(map.name_for(&payload).as_str(), "products-5");
    assert_eq!(map.generation(1).unwrap(), map);
    assert_eq!(map.generation(2).unwrap().name_for(&payload).as_str(), "products.2-5");
    assert_eq!(map.generation(2).unwrap().generation(3).unwrap().name_for(&payload).as_str(), "products.3-5");
}

#[test]
fn what_is_no_name_of_a_shard_is_refused_at_once() {
    let longest = "x".repeat(253);
    assert_eq!(ShardMap::new(&longest, 10).unwrap().names().last().unwrap().as_str().len(), 255);
    for (name, count) in [(&*longest, 11), ("pro ducts", 2), ("", 2)] {
        assert!(matches!(ShardMap::new(name, count).unwrap_err(), Error::InvalidName { .. }), "{name}");
    }
    assert!(matches!(ShardMap::new("x", 0).unwrap_err(), Error::InvalidOption { option: "shards", .. }));
    let dead = ShardMap::new("x.dead", 2).unwrap();
    assert!(matches!(dead.generation(2).unwrap_err(), Error::InvalidName { .. }));
    assert!(matches!(dead.generation(0).unwrap_err(), Error::InvalidOption { option: "generation", .. }));
}
