//! The rows of a list of keys, as one range or one value where that is possible.

use sea_orm::sea_query::{Condition, Expr, Value, ValueTuple};
use sea_orm::{ColumnTrait, DbBackend, EntityTrait};

use crate::entity::key::Key;
use crate::entity::key_query::{columns, is_one_of};

/// The rows of these keys, for this kind of database: integers as a range if they are one, which takes the least time,
/// or as one value, which takes client and database a fraction of the time of as many values.
pub(crate) fn is_one_of_for<E: EntityTrait>(keys: &[Key<E>], backend: DbBackend) -> Condition {
    if let Some((least, greatest)) = range(keys) {
        let column = columns::<E>()[0];
        return Condition::all().add(column.gte(least)).add(column.lte(greatest));
    }
    let is_listed = match backend {
        DbBackend::Postgres => "$1 = ANY(pg_catalog.string_to_array($2, ',')::bigint[])",
        DbBackend::Sqlite => "? IN (SELECT value FROM json_each('[' || ? || ']'))",
        _ => return is_one_of(keys),
    };
    let (columns, Some(numbers)) = (columns::<E>(), joined_integers(keys)) else { return is_one_of(keys) };
    let column = Expr::col(columns[0].as_column_ref());
    Condition::all().add(Expr::cust_with_exprs(is_listed, [column, Expr::val(numbers)]))
}

/// The first and the last of the keys, if they are all integers between those, each once: as in a walk over the table,
/// and after many rows were inserted.
fn range<E: EntityTrait>(keys: &[Key<E>]) -> Option<(Value, Value)> {
    let number = |key: &Key<E>| match key.values() {
        ValueTuple::One(value) => integer(value),
        _ => None,
    };
    let least = keys.first().and_then(number)?;
    let (mut least, mut greatest) = (least, least);
    for key in keys {
        let number = number(key)?;
        (least, greatest) = (least.min(number), greatest.max(number));
    }
    if keys.len() < 2 || greatest.checked_sub(least)? != i64::try_from(keys.len() - 1).ok()? {
        return None;
    }
    let mut is_there = vec![false; keys.len()];
    let mut ends = (None, None);
    for key in keys {
        let number = number(key)?;
        let nth = usize::try_from(number.checked_sub(least)?).ok()?;
        if std::mem::replace(&mut is_there[nth], true) {
            return None;
        }
        let ValueTuple::One(value) = key.values() else { return None };
        if number == least {
            ends.0 = Some(value.clone());
        }
        if number == greatest {
            ends.1 = Some(value.clone());
        }
    }
    ends.0.zip(ends.1)
}

/// The keys with commas between them, if all are single integers that every database has.
fn joined_integers<E: EntityTrait>(keys: &[Key<E>]) -> Option<String> {
    let (mut joined, mut buffer) = (String::with_capacity(8 * keys.len()), itoa::Buffer::new());
    for (nth, key) in keys.iter().enumerate() {
        let ValueTuple::One(value) = key.values() else { return None };
        if nth > 0 {
            joined.push(',');
        }
        joined.push_str(buffer.format(integer(value)?));
    }
    Some(joined)
}

fn integer(value: &Value) -> Option<i64> {
    match value {
        Value::TinyInt(value) => value.map(i64::from),
        Value::SmallInt(value) => value.map(i64::from),
        Value::Int(value) => value.map(i64::from),
        Value::BigInt(value) => *value,
        Value::TinyUnsigned(value) => value.map(i64::from),
        Value::SmallUnsigned(value) => value.map(i64::from),
        Value::Unsigned(value) => value.map(i64::from),
        Value::BigUnsigned(value) => value.and_then(|value| value.try_into().ok()),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use sea_orm::entity::prelude::*;
    use sea_orm::{DbBackend, QueryTrait};

    use super::*;

    #[derive(Clone, Debug, PartialEq, DeriveEntityModel)]
    #[sea_orm(table_name = "t")]
    pub(super) struct Model {
        #[sea_orm(primary_key)]
        pub(super) id: i64,
    }
    #[derive(Copy, Clone, Debug, EnumIter, DeriveRelation)]
    pub(super) enum Relation {}
    impl ActiveModelBehavior for ActiveModel {}

    #[test]
    fn integers_are_one_value() {
        let keys = [3, -7, i64::MAX].map(Key::<Entity>::new);
        let sql = |backend| {
            let select = Entity::find().filter(is_one_of_for(&keys, backend)).build(backend).to_string();
            select.split("WHERE ").nth(1).unwrap().to_owned()
        };
        let list = "'3,-7,9223372036854775807'";
        assert_eq!(
            sql(DbBackend::Postgres),
            format!("\"t\".\"id\" = ANY(pg_catalog.string_to_array({list}, ',')::bigint[])")
        );
        assert_eq!(
            sql(DbBackend::Sqlite),
            format!("\"t\".\"id\" IN (SELECT value FROM json_each('[' || {list} || ']'))")
        );
        assert_eq!(sql(DbBackend::MySql), "`t`.`id` IN (3, -7, 9223372036854775807)");
    }

    #[test]
    fn integers_without_a_gap_are_a_range() {
        let filter = |keys: &[i64]| {
            let keys: Vec<_> = keys.iter().copied().map(Key::<Entity>::new).collect();
            let select =
                Entity::find().filter(is_one_of_for(&keys, DbBackend::MySql)).build(DbBackend::MySql).to_string();
            select.split("WHERE ").nth(1).unwrap().to_owned()
        };
        assert_eq!(filter(&[3, 1, 2]), "`t`.`id` >= 1 AND `t`.`id` <= 3");
        assert_eq!(filter(&[-1, 0]), "`t`.`id` >= -1 AND `t`.`id` <= 0");
        let last = format!("`t`.`id` >= {} AND `t`.`id` <= {}", i64::MAX - 1, i64::MAX);
        assert_eq!(filter(&[i64::MAX - 1, i64::MAX]), last);
        for listed in [&[7][..], &[1, 3], &[1, 2, 4], &[1, 1, 3], &[i64::MIN, i64::MAX]] {
            assert!(filter(listed).contains(" IN ("), "{listed:?}");
        }
    }
}
