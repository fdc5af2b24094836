//! The kinds of keys that a schedule's items have, and how a key is spelled.
//!
//! Writers and checks identify an item by its number. The database is given one of the number's spellings; which of
//! them are the same key, and which of them it stores, depends on the kind.

use serde::{Deserialize, Serialize};

use crate::kind::Kind;

/// The column of the primary key.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub(crate) enum Keys {
    /// Integers: one spelling each.
    Integer,
    /// Text that is compared without regard to case: `NOCASE`, a case-insensitive collation.
    Caseless,
    /// PostgreSQL's `citext`. A parameter of type `text` is compared with it by case, a stored value is not.
    Citext,
    /// Text that is compared without regard to spaces at its end: `CHAR(n)`, `RTRIM`.
    Padded,
    /// Text that a trigger brings to lower case when it is inserted.
    Lowered,
    /// Text that a trigger changes with every update.
    Renamed,
    /// `numeric(10,2)`: rounded when it is stored, and equal whatever zeros follow.
    Decimal,
}

/// The width of a padded key.
const WIDTH: usize = 12;

impl Keys {
    /// The kinds that a database supports.
    pub(crate) fn of(kind: Kind) -> &'static [Self] {
        match kind {
            Kind::Sqlite => &[Self::Caseless, Self::Padded, Self::Lowered, Self::Renamed],
            Kind::Postgres => {
                &[Self::Caseless, Self::Citext, Self::Padded, Self::Lowered, Self::Renamed, Self::Decimal]
            }
            Kind::MariaDb => &[Self::Caseless, Self::Padded, Self::Lowered, Self::Renamed, Self::Decimal],
        }
    }

    /// All spellings that a row of that number may be inserted, stored or asked for by.
    pub(crate) fn spellings(self, number: i64) -> Vec<String> {
        match self {
            Self::Integer => vec![number.to_string()],
            Self::Caseless | Self::Citext | Self::Lowered => {
                ["Key", "KEY", "key"].iter().map(|word| format!("{word}{number}")).collect()
            }
            Self::Padded => {
                let bare = format!("k{number}");
                vec![bare.clone(), format!("{bare} "), format!("{bare:WIDTH$}")]
            }
            Self::Renamed => vec![format!("k{number}"), format!("k{number}r")],
            Self::Decimal => vec![format!("{number}.01"), format!("{number}.010"), format!("{number}.005")],
        }
    }

    /// A spelling for an insert.
    pub(crate) fn for_insert(self, number: i64, chance: &mut fastrand::Rng) -> String {
        let spellings = self.spellings(number);
        if self == Self::Renamed { spellings[0].clone() } else { one_of(&spellings, chance) }
    }

    /// A spelling that is the same key to the database as the stored spelling.
    pub(crate) fn for_stored(self, stored: &str, chance: &mut fastrand::Rng) -> String {
        match self {
            Self::Integer | Self::Lowered | Self::Renamed => stored.to_owned(),
            Self::Caseless | Self::Citext | Self::Padded => one_of(&self.spellings(number(stored)), chance),
            Self::Decimal => one_of(&self.spellings(number(stored))[..2], chance),
        }
    }

    /// The keys that a caller names for an item that it is about to update: the key, or both if the update changes it.
    pub(crate) fn for_update(self, number: i64, chance: &mut fastrand::Rng) -> Vec<String> {
        let spellings = self.spellings(number);
        match self {
            Self::Integer | Self::Renamed => spellings,
            Self::Lowered => spellings[2..].to_vec(),
            Self::Caseless | Self::Citext | Self::Padded => vec![one_of(&spellings, chance)],
            Self::Decimal => vec![one_of(&spellings[..2], chance)],
        }
    }

    /// One text for all spellings that are the same key to the database.
    pub(crate) fn fold(self, spelling: &str) -> String {
        match self {
            Self::Integer | Self::Lowered | Self::Renamed => spelling.to_owned(),
            Self::Caseless | Self::Citext => spelling.to_lowercase(),
            Self::Padded => spelling.trim_end().to_owned(),
            Self::Decimal => spelling.trim_end_matches('0').to_owned(),
        }
    }

    /// The payload of the item of that number.
    pub(crate) fn payload(self, number: i64) -> String {
        let spelling = &self.spellings(number)[0];
        if self == Self::Integer { format!(r#"{{"id":{spelling}}}"#) } else { format!(r#"{{"id":"{spelling}"}}"#) }
    }
}

/// The number of the item of a spelling.
pub(crate) fn number(spelling: &str) -> i64 {
    let whole = spelling.split('.').next().unwrap_or_default();
    whole.trim_matches(|letter: char| !letter.is_ascii_digit() && letter != '-').parse().unwrap_or_default()
}

/// The number of the item in a payload.
pub(crate) fn number_in(payload: &str) -> i64 {
    let payload: serde_json::Value = serde_json::from_str(payload).unwrap_or_default();
    let id = &payload["id"];
    id.as_str().map_or_else(|| number(&id.to_string()), number)
}

fn one_of(spellings: &[String], chance: &mut fastrand::Rng) -> String {
    chance.choice(spellings).cloned().unwrap_or_default()
}
