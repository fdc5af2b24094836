//! The order of keys that every database and datastore sorts alike.

use std::cmp::Ordering;

use sea_orm::DbBackend;
use sea_orm::sea_query::{Value, ValueTuple};

use crate::entity::key::Key;
use crate::entity::stored_key::is_exact;
use crate::entity::streamed::Streamed;

/// Whether every datastore sorts keys like this one as [`compare`] does: integers, booleans, UUIDs and bytes, that the
/// database stores as it was given them.
pub(super) fn is_sorted_alike<E: Streamed>(key: &Key<E>, backend: DbBackend) -> bool {
    is_exact::<E>(key.values(), backend) && compare(key.values(), key.values()).is_some()
}

/// Numbers by value, UUIDs and bytes byte by byte; column by column. `None` if a column has another type, or is NULL.
pub(super) fn compare(one: &ValueTuple, other: &ValueTuple) -> Option<Ordering> {
    let (mut left, mut right) = (one.iter(), other.iter());
    let mut order = Ordering::Equal;
    loop {
        match (left.next(), right.next()) {
            (None, None) => return Some(order),
            (Some(left), Some(right)) => order = order.then(Part::of(left)?.compare(&Part::of(right)?)?),
            _ => return None,
        }
    }
}

/// A value of one column.
enum Part<'v> {
    Integer(i128),
    Bytes(&'v [u8]),
}

impl<'v> Part<'v> {
    fn of(value: &'v Value) -> Option<Self> {
        let integer = match value {
            Value::Bool(value) => i128::from((*value)?),
            Value::TinyInt(value) => i128::from((*value)?),
            Value::SmallInt(value) => i128::from((*value)?),
            Value::Int(value) => i128::from((*value)?),
            Value::BigInt(value) => i128::from((*value)?),
            Value::TinyUnsigned(value) => i128::from((*value)?),
            Value::SmallUnsigned(value) => i128::from((*value)?),
            Value::Unsigned(value) => i128::from((*value)?),
            Value::BigUnsigned(value) => i128::from((*value)?),
            #[cfg(feature = "with-uuid")]
            Value::Uuid(value) => return Some(Self::Bytes(value.as_ref()?.as_bytes())),
            Value::Bytes(value) => return Some(Self::Bytes(value.as_deref()?)),
            _ => return None,
        };
        Some(Self::Integer(integer))
    }

    fn compare(&self, other: &Self) -> Option<Ordering> {
        match (self, other) {
            (Self::Integer(one), Self::Integer(other)) => Some(one.cmp(other)),
            (Self::Bytes(one), Self::Bytes(other)) => Some(one.cmp(other)),
            _ => None,
        }
    }
}

#[cfg(test)]
mod tests {
    use std::cmp::Ordering::{Equal, Greater, Less};

    use sea_orm::sea_query::{Value, ValueTuple};

    use super::*;

    fn order(one: impl IntoIterator<Item = Value>, other: impl IntoIterator<Item = Value>) -> Option<Ordering> {
        let key = |values: Vec<Value>| ValueTuple::Many(values);
        compare(&key(one.into_iter().collect()), &key(other.into_iter().collect()))
    }

    #[test]
    fn integers_are_compared_as_numbers() {
        assert_eq!(order([Value::from(-1_i64)], [Value::from(0_i64)]), Some(Less));
        assert_eq!(order([Value::from(10_i32)], [Value::from(9_i32)]), Some(Greater));
        assert_eq!(order([Value::from(u64::MAX)], [Value::from(i64::MAX)]), Some(Greater));
        assert_eq!(order([Value::from(false)], [Value::from(true)]), Some(Less));
    }

    #[test]
    fn bytes_are_compared_from_the_first_one_on() {
        let bytes = |bytes: &[u8]| [Value::from(bytes.to_vec())];
        assert_eq!(order(bytes(b"a"), bytes(b"ab")), Some(Less));
        assert_eq!(order(bytes(&[255]), bytes(&[0, 1])), Some(Greater));
        assert_eq!(order(bytes(b""), bytes(b"")), Some(Equal));
    }

    #[cfg(feature = "with-uuid")]
    #[test]
    fn uuids_are_compared_as_their_bytes() {
        let uuid = |number: u128| [Value::from(sea_orm::prelude::Uuid::from_u128(number))];
        assert_eq!(order(uuid(1 << 120), uuid(u128::from(u64::MAX))), Some(Greater));
        assert_eq!(order(uuid(0x80 << 120), uuid(0x7f << 120)), Some(Greater));
    }

    #[test]
    fn the_first_column_that_differs_decides() {
        let pair = |a: i32, b: i32| [Value::from(a), Value::from(b)];
        assert_eq!(order(pair(1, 9), pair(2, 0)), Some(Less));
        assert_eq!(order(pair(1, 9), pair(1, 10)), Some(Less));
        assert_eq!(order(pair(3, 3), pair(3, 3)), Some(Equal));
    }

    #[test]
    fn other_types_have_no_common_order() {
        assert_eq!(order([Value::from("a")], [Value::from("b")]), None);
        assert_eq!(order([Value::from(1), Value::from("a")], [Value::from(2), Value::from("a")]), None);
        assert_eq!(order([Value::Int(None)], [Value::from(1)]), None);
        assert_eq!(order([Value::from(1.5)], [Value::from(2.5)]), None);
    }
}
