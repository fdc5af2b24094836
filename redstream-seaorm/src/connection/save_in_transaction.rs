//! One save in a transaction of its own, as `ActiveRecord` does for every save.

use sea_orm::{
    ActiveModelBehavior, ActiveModelTrait, DbErr, DeleteResult, EntityTrait, IntoActiveModel, TransactionSession,
    TransactionTrait,
};

use crate::entity::streamed::Streamed;

/// `insert_tx`, `update_tx`, `save_tx` and `delete_tx` on every streamed `ActiveModel`: begin, save, commit.
///
/// Outside a transaction `insert`, `update` and `delete` already run their statement in one; these methods also include
/// what the model's hooks write. Within a transaction they use a savepoint.
#[async_trait::async_trait]
pub trait SaveInTransaction: ActiveModelTrait + ActiveModelBehavior + Send
where
    Self::Entity: Streamed,
    <Self::Entity as EntityTrait>::Model: IntoActiveModel<Self>,
{
    /// [`insert`](ActiveModelTrait::insert) in a transaction of its own.
    async fn insert_tx<C: TransactionTrait>(self, db: &C) -> Result<<Self::Entity as EntityTrait>::Model, DbErr> {
        let transaction = db.begin().await?;
        let model = self.insert(&transaction).await?;
        transaction.commit().await?;
        Ok(model)
    }

    /// [`update`](ActiveModelTrait::update) in a transaction of its own.
    async fn update_tx<C: TransactionTrait>(self, db: &C) -> Result<<Self::Entity as EntityTrait>::Model, DbErr> {
        let transaction = db.begin().await?;
        let model = self.update(&transaction).await?;
        transaction.commit().await?;
        Ok(model)
    }

    /// [`save`](ActiveModelTrait::save) in a transaction of its own.
    async fn save_tx<C: TransactionTrait>(self, db: &C) -> Result<Self, DbErr> {
        let transaction = db.begin().await?;
        let model = self.save(&transaction).await?;
        transaction.commit().await?;
        Ok(model)
    }

    /// [`delete`](ActiveModelTrait::delete) in a transaction of its own.
    async fn delete_tx<C: TransactionTrait>(self, db: &C) -> Result<DeleteResult, DbErr> {
        let transaction = db.begin().await?;
        let deleted = self.delete(&transaction).await?;
        transaction.commit().await?;
        Ok(deleted)
    }
}

impl<A> SaveInTransaction for A
where
    A: ActiveModelTrait + ActiveModelBehavior + Send,
    A::Entity: Streamed,
    <A::Entity as EntityTrait>::Model: IntoActiveModel<A>,
{
}
