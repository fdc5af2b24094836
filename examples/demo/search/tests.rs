//! What the searches of the demo find.

use redstream_seaorm::{Changes, Key, Sink as _};

use redstream_sinks::tantivy::TantivySink;

use super::{Search, embedded};
use crate::city;

fn city(id: i64, name: &str) -> city::Model {
    city::Model {
        id,
        name: name.to_owned(),
        country: "NO".to_owned(),
        admin1: "Oslo".to_owned(),
        admin2: String::new(),
        lat: 59.91273,
        lon: 10.74609,
        revision: 0,
    }
}

async fn write(sink: &TantivySink<city::Entity>, changes: Changes<city::Entity>) -> anyhow::Result<()> {
    sink.write(changes).await.map_err(|error| anyhow::anyhow!(error.into_source()))
}

#[tokio::test]
async fn a_city_is_found_by_its_id_and_its_name_until_it_is_deleted() -> anyhow::Result<()> {
    let folder = tempfile::tempdir()?;
    let search = Search::create(&folder.path().join("index"))?;
    let sink = embedded::sink(&folder.path().join("index"))?;
    let cities = [city(1, "Oslo"), city(2, "Nye Oslo")];
    let upserts = cities.clone().map(|city| (Key::of(&city), city)).into();
    write(&sink, Changes { upserts, deletes: Vec::new(), respelled: Vec::new(), version: 1 }).await?;
    assert_eq!(search.city(1).await?.as_ref(), Some(&cities[0]));
    assert_eq!(search.city(3).await?, None);
    assert_eq!((search.len().await?, search.hits("oslo").await?, search.hits("Nye Oslo").await?), (2, 2, 1));

    let deletes = vec![Key::new(1)];
    write(&sink, Changes { upserts: Vec::new(), deletes, respelled: Vec::new(), version: 2 }).await?;
    assert_eq!(search.city(1).await?, None);
    assert_eq!((search.len().await?, search.hits("oslo").await?), (1, 1));
    Ok(())
}
