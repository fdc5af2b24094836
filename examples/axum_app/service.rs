//! Unchanged except for the first line: `DbConn` is now the streamed connection.

use redstream_seaorm::drop_in as sea_orm;

use sea_orm::{ActiveValue::Set, IntoActiveModel as _, ModelTrait as _, QueryOrder as _, entity::prelude::*};

use crate::entity as post;

pub(crate) async fn posts(db: &DbConn) -> Result<Vec<post::Model>, DbErr> {
    post::Entity::find().order_by_asc(post::Column::Id).all(db).await
}

pub(crate) async fn create_post(db: &DbConn, form: post::Model) -> Result<post::Model, DbErr> {
    post::ActiveModel { title: Set(form.title), text: Set(form.text), ..Default::default() }.insert(db).await
}

pub(crate) async fn update_post(db: &DbConn, id: i32, form: post::Model) -> Result<post::Model, DbErr> {
    let post = find(db, id).await?.into_active_model();
    post::ActiveModel { title: Set(form.title), text: Set(form.text), ..post }.update(db).await
}

pub(crate) async fn delete_post(db: &DbConn, id: i32) -> Result<(), DbErr> {
    find(db, id).await?.delete(db).await.map(drop)
}

async fn find(db: &DbConn, id: i32) -> Result<post::Model, DbErr> {
    let found = post::Entity::find_by_id(id).one(db).await?;
    found.ok_or_else(|| DbErr::RecordNotFound(format!("there is no post {id}")))
}
