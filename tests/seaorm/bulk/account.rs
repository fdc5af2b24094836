//! An entity with a second unique column, whose key the database generates.

use redstream_seaorm::Streamed;
use sea_orm::entity::prelude::*;
use sea_orm::{NotSet, Set};

use crate::seaorm::world::World;

#[derive(Clone, Debug, PartialEq, Eq, DeriveEntityModel, Streamed)]
#[sea_orm(table_name = "accounts")]
#[streamed(watch(email))]
pub(crate) struct Model {
    #[sea_orm(primary_key)]
    pub(crate) id: i32,
    #[sea_orm(unique)]
    pub(crate) email: String,
    pub(crate) visits: i32,
}

#[derive(Copy, Clone, Debug, EnumIter, DeriveRelation)]
pub(crate) enum Relation {}

pub(super) fn account(email: &str, visits: i32) -> ActiveModel {
    ActiveModel { id: NotSet, email: Set(email.to_owned()), visits: Set(visits) }
}

pub(super) fn with_key(id: i32, email: &str, visits: i32) -> ActiveModel {
    ActiveModel { id: Set(id), ..account(email, visits) }
}

impl World {
    /// With a table of accounts: ann is 1, bob is 2, not announced.
    pub(super) async fn with_accounts(self) -> Self {
        self.create(Entity).await;
        let accounts = [account("ann", 1), account("bob", 1)];
        Entity::insert_many(accounts).exec_without_returning(&self.plain).await.unwrap();
        self
    }

    pub(super) async fn accounts(&self) -> Vec<(i32, String, i32)> {
        let mut found = Entity::find().all(&self.plain).await.unwrap();
        found.sort_by_key(|account| account.id);
        found.into_iter().map(|account| (account.id, account.email, account.visits)).collect()
    }
}
