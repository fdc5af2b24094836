//! Items whose keys are decimals.

use redstream_seaorm::Streamed;
use sea_orm::entity::prelude::*;

#[derive(Clone, Debug, PartialEq, Eq, DeriveEntityModel, Streamed, serde::Serialize)]
#[sea_orm(table_name = "items")]
pub(crate) struct Model {
    #[sea_orm(primary_key, auto_increment = false)]
    pub(crate) id: Decimal,
    pub(crate) value: String,
}

crate::item::item!(Decimal);
