//! Saves and deletes of one item, and conditions on several, by any spelling of their keys.

use std::ops::RangeInclusive;

use redstream_seaorm::Key;
use sea_orm::sea_query::Expr;
use sea_orm::{ActiveModelTrait as _, ColumnTrait as _, ConnectionTrait, DbErr, QueryFilter as _};

use crate::item::Item;
use crate::keys::Keys;
use crate::writer::Writer;

impl<E: Item> Writer<E> {
    pub(super) async fn save<C: ConnectionTrait>(&mut self, db: &C, number: i64, value: String) -> Result<(), DbErr> {
        save::<E, C>(db, self.keys, &mut self.chance, number, value).await
    }

    /// Deletes the item by all spellings, one of which the database has.
    pub(super) async fn delete<C: ConnectionTrait>(&mut self, db: &C, number: i64) -> Result<(), DbErr> {
        let spellings = self.keys.spellings(number);
        let spelling = self.chance.choice(&spellings).map(String::as_str);
        E::active(spelling, None).delete(db).await.map(drop)
    }

    /// A key that no other writer has.
    pub(super) fn fresh(&mut self) -> String {
        self.fresh += 1;
        self.keys.for_insert(self.fresh, &mut self.chance)
    }

    /// The items of these numbers.
    pub(super) fn any_of(&self, numbers: RangeInclusive<i64>) -> Expr {
        is_any_of::<E>(self.keys, numbers)
    }

    /// The keys of these numbers, as named by a caller that is about to update their rows.
    pub(super) fn named(&mut self, numbers: RangeInclusive<i64>) -> Vec<Key<E>> {
        let spellings = numbers.flat_map(|number| self.keys.for_update(number, &mut self.chance));
        spellings.map(|spelling| Key::new(E::id(&spelling))).collect()
    }
}

/// Inserts the item, or updates it if it exists.
pub(super) async fn save<E: Item, C: ConnectionTrait>(
    db: &C,
    keys: Keys,
    chance: &mut fastrand::Rng,
    number: i64,
    value: String,
) -> Result<(), DbErr> {
    match E::find().filter(is_any_of::<E>(keys, number..=number)).one(db).await? {
        None => E::active(Some(&keys.for_insert(number, chance)), Some(value)).insert(db).await.map(drop),
        Some(row) => {
            let (stored, _) = E::parts(row);
            E::active(Some(&keys.for_stored(&stored, chance)), Some(value)).update(db).await.map(drop)
        }
    }
}

fn is_any_of<E: Item>(keys: Keys, numbers: RangeInclusive<i64>) -> Expr {
    let spellings = numbers.flat_map(|number| keys.spellings(number));
    E::ID.is_in(spellings.map(|spelling| E::parameter(&spelling)))
}
