//! A city: the row of the primary database, whose every change is streamed.

use redstream_seaorm::Streamed;
use sea_orm::entity::prelude::*;
use sea_orm::sea_query::{Expr, ExprTrait as _};
use serde::{Deserialize, Serialize};

/// The demo's own table, which it creates and drops.
pub(crate) const TABLE: &str = "redstream_demo_cities";

#[derive(Clone, Debug, PartialEq, DeriveEntityModel, Streamed, Serialize, Deserialize)]
#[sea_orm(table_name = "redstream_demo_cities")]
#[streamed(stream = "cities")]
pub(crate) struct Model {
    /// The city's line in the data, from 1.
    #[sea_orm(primary_key, auto_increment = false)]
    pub(crate) id: i64,
    pub(crate) name: String,
    /// ISO 3166 code of two letters.
    pub(crate) country: String,
    pub(crate) admin1: String,
    pub(crate) admin2: String,
    pub(crate) lat: f64,
    pub(crate) lon: f64,
    /// How often the row was changed: what live changes touch, so that the demo invents no data.
    pub(crate) revision: i64,
}

#[derive(Copy, Clone, Debug, EnumIter, DeriveRelation)]
pub(crate) enum Relation {}

/// `revision + 1`
pub(crate) fn one_more() -> Expr {
    Expr::col(Column::Revision).add(1)
}
