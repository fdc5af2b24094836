//! Ranges of keys that are about equally long.

use sea_orm::IdenStatic;
use sea_orm::sea_query::{Value, ValueTuple};
use serde_json::{Value as Json, json};

use crate::entity::key::{Key, KeyReader};
use crate::entity::key_query::columns;
use crate::entity::streamed::Streamed;

/// Whether the key is one integer or one UUID.
pub(super) fn can_split<E: Streamed>(reader: &KeyReader<E>) -> bool {
    let samples = [json!(0), json!("00000000-0000-0000-0000-000000000000")];
    samples.iter().any(|sample| key(reader, sample).is_some_and(|key| Number::of(&key).is_some()))
}

/// The last keys of `ranges` ranges from `first` to `last`, or of fewer: of one if the key cannot be split.
///
/// Whatever the order in which the database compares them, each key up to `last` is in one of the ranges: the first one
/// has no lower bound, and each other one begins where the one before it ends. In another order than that of the
/// numbers a key may be in several.
pub(super) fn split<E: Streamed>(reader: &KeyReader<E>, first: &Key<E>, last: &Key<E>, ranges: u32) -> Vec<Key<E>> {
    let (Some(low), Some(high)) = (Number::of(first), Number::of(last)) else { return vec![last.clone()] };
    let mut inner = bounds(low.number, high.number, ranges);
    inner.retain(|number| *number < high.number);
    let inner = inner.into_iter().filter_map(|number| key(reader, &Number { number, ..high }.json()));
    inner.chain([last.clone()]).collect()
}

/// The ends of all ranges but the last one, in ascending order.
fn bounds(low: u128, high: u128, ranges: u32) -> Vec<u128> {
    let (length, ranges) = (high.saturating_sub(low), u128::from(ranges.max(1)));
    let end = |nth: u128| low + length / ranges * nth + length % ranges * nth / ranges;
    let mut ends: Vec<u128> = (1..ranges).map(end).collect();
    ends.dedup();
    ends
}

/// A key as a number, in the order in which databases compare it.
#[derive(Clone, Copy)]
struct Number {
    number: u128,
    is_uuid: bool,
}

/// Added to integers, so that none is negative.
const OFFSET: i128 = 1 << 64;

impl Number {
    fn of<E>(key: &Key<E>) -> Option<Self>
    where
        E: Streamed,
    {
        let ValueTuple::One(value) = key.values() else { return None };
        let integer = match *value {
            Value::TinyInt(value) => i128::from(value?),
            Value::SmallInt(value) => i128::from(value?),
            Value::Int(value) => i128::from(value?),
            Value::BigInt(value) => i128::from(value?),
            Value::TinyUnsigned(value) => i128::from(value?),
            Value::SmallUnsigned(value) => i128::from(value?),
            Value::Unsigned(value) => i128::from(value?),
            Value::BigUnsigned(value) => i128::from(value?),
            #[cfg(feature = "with-uuid")]
            Value::Uuid(value) => return Some(Self { number: value?.as_u128(), is_uuid: true }),
            _ => return None,
        };
        Some(Self { number: u128::try_from(integer + OFFSET).ok()?, is_uuid: false })
    }

    /// As keys are recorded.
    fn json(self) -> Json {
        if self.is_uuid {
            let digits = format!("{:032x}", self.number);
            let parts = [&digits[..8], &digits[8..12], &digits[12..16], &digits[16..20], &digits[20..]];
            return parts.join("-").into();
        }
        i128::try_from(self.number).map_or(Json::Null, |number| (number - OFFSET).to_string().into())
    }
}

/// The key with this value in its only column.
fn key<E: Streamed>(reader: &KeyReader<E>, value: &Json) -> Option<Key<E>> {
    let columns = columns::<E>();
    let [column] = columns.as_slice() else { return None };
    reader.read(&json!({ column.as_str(): value })).ok()
}

#[cfg(test)]
mod tests {
    use super::bounds;

    #[test]
    fn ranges_are_about_equally_long() {
        assert_eq!(bounds(0, 100, 4), [25, 50, 75]);
        assert_eq!(bounds(10, 13, 2), [11]);
        assert_eq!(bounds(0, u128::MAX, 2), [u128::MAX / 2]);
    }

    #[test]
    fn there_are_no_more_ends_than_keys() {
        assert_eq!(bounds(7, 7, 16), [7]);
        assert_eq!(bounds(0, 2, 16), [0, 1]);
        assert_eq!(bounds(5, 4, 3), [5]);
    }
}
