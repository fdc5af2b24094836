//! An entity with a key of two columns.

use redstream_seaorm::Streamed;
use sea_orm::entity::prelude::*;
use sea_orm::{EntityTrait, Set};
use serde_json::{Value, json};

use crate::seaorm::world::World;

#[derive(Clone, Debug, PartialEq, DeriveEntityModel, Streamed)]
#[sea_orm(table_name = "order_lines")]
pub(crate) struct Model {
    #[sea_orm(primary_key, auto_increment = false)]
    pub(crate) number: i32,
    #[sea_orm(primary_key, auto_increment = false)]
    pub(crate) article: String,
    pub(crate) amount: i32,
}

#[derive(Copy, Clone, Debug, EnumIter, DeriveRelation)]
pub(crate) enum Relation {}

/// Three articles to each order number, one piece each, not announced. Returns their payloads.
pub(super) async fn fill(world: &World, orders: i32) -> Vec<Value> {
    world.create(Entity).await;
    let keys: Vec<(i32, &str)> = (0..orders).flat_map(|number| ["cup", "jug", "pan"].map(|it| (number, it))).collect();
    let lines = keys.iter().map(|(number, article)| ActiveModel {
        number: Set(*number),
        article: Set((*article).to_owned()),
        amount: Set(1),
    });
    Entity::insert_many(lines).exec_without_returning(&world.plain).await.unwrap();
    keys.into_iter().map(|(number, article)| json!({ "number": number, "article": article })).collect()
}
