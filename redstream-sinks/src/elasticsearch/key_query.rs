//! Keys in searches.

use redstream_seaorm::Key;
use sea_orm::sea_query::Value;
use sea_orm::{EntityTrait, IdenStatic as _, Iterable as _, PrimaryKeyToColumn as _};
use serde_json::{Value as Json, json};

/// The values of a key, as a search is sorted by them.
pub(crate) fn search_after<E: EntityTrait>(key: &Key<E>) -> Json {
    Json::Array(values(key))
}

/// A query for documents up to and with this key: `a < 1`, or `a = 1` and `b <= 2`.
pub(crate) fn until<E: EntityTrait>(fields: &[String], key: &Key<E>) -> Json {
    of_values(fields, &values(key))
}

fn of_values(fields: &[String], values: &[Json]) -> Json {
    match (fields, values) {
        ([field], [value]) => json!({ "range": { field: { "lte": value } } }),
        ([field, fields @ ..], [value, values @ ..]) => {
            let equal = json!([{ "term": { field: value } }, of_values(fields, values)]);
            let before = json!({ "range": { field: { "lt": value } } });
            json!({ "bool": { "should": [before, { "bool": { "filter": equal } }], "minimum_should_match": 1 } })
        }
        _ => json!({ "match_all": {} }),
    }
}

/// Integers as numbers, however large; other values in the form of the key.
fn values<E: EntityTrait>(key: &Key<E>) -> Vec<Json> {
    let form = key.to_json();
    let of_column = |(value, name): (&Value, String)| number(value).unwrap_or_else(|| form[&name].clone());
    key.values().iter().zip(key_columns::<E>()).map(of_column).collect()
}

/// The names of the key's columns.
pub(crate) fn key_columns<E: EntityTrait>() -> impl Iterator<Item = String> {
    E::PrimaryKey::iter().map(|key| key.into_column().as_str().to_owned())
}

fn number(value: &Value) -> Option<Json> {
    match value {
        Value::BigInt(Some(number)) => Some((*number).into()),
        Value::BigUnsigned(Some(number)) => Some((*number).into()),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_key_of_two_columns_is_compared_column_by_column() {
        let fields = ["a".to_owned(), "b".to_owned()];
        assert_eq!(
            of_values(&fields, &[json!(1), json!("x")]),
            json!({ "bool": {
                "should": [
                    { "range": { "a": { "lt": 1 } } },
                    { "bool": { "filter": [{ "term": { "a": 1 } }, { "range": { "b": { "lte": "x" } } }] } },
                ],
                "minimum_should_match": 1,
            } })
        );
        assert_eq!(of_values(&fields[..1], &[json!(7)]), json!({ "range": { "a": { "lte": 7 } } }));
    }

    #[test]
    fn integers_are_numbers_however_large() {
        assert_eq!(number(&Value::from(i64::MAX)), Some(json!(i64::MAX)));
        assert_eq!(number(&Value::from(u64::MAX)), Some(json!(u64::MAX)));
        assert_eq!(number(&Value::from("1")), None);
    }
}
