//! SeaORM's nested models: records, and the links of a many-to-many relation, each of which is a record of its own.

use redstream_seaorm::{BulkExt, Error, Streamed};
use sea_orm::{
    ActiveHasMany, ActiveModelTrait, ColumnTrait, EntityTrait, IntoActiveModel, ModelTrait, QueryFilter,
    TransactionTrait,
};
use serde_json::{Value, json};

use super::city::with_key;
use super::world::{World, ids};

mod post {
    use redstream_seaorm::Streamed;
    use sea_orm::entity::prelude::*;

    #[sea_orm::model]
    #[derive(Clone, Debug, PartialEq, Eq, DeriveEntityModel, Streamed)]
    #[sea_orm(table_name = "posts")]
    pub(crate) struct Model {
        #[sea_orm(primary_key)]
        pub(crate) id: i32,
        pub(crate) title: String,
        #[sea_orm(has_many, via = "post_tag")]
        pub(crate) tags: HasMany<super::tag::Entity>,
    }
}

mod tag {
    use redstream_seaorm::Streamed;
    use sea_orm::entity::prelude::*;

    #[sea_orm::model]
    #[derive(Clone, Debug, PartialEq, Eq, DeriveEntityModel, Streamed)]
    #[sea_orm(table_name = "tags")]
    pub(crate) struct Model {
        #[sea_orm(primary_key)]
        pub(crate) id: i32,
        pub(crate) tag: String,
        #[sea_orm(has_many, via = "post_tag")]
        pub(crate) posts: HasMany<super::post::Entity>,
    }
}

mod post_tag {
    use redstream_seaorm::Streamed;
    use sea_orm::entity::prelude::*;

    #[sea_orm::model]
    #[derive(Clone, Debug, PartialEq, Eq, DeriveEntityModel, Streamed)]
    #[sea_orm(table_name = "posts_tags")]
    pub(crate) struct Model {
        #[sea_orm(primary_key, auto_increment = false)]
        pub(crate) post_id: i32,
        #[sea_orm(primary_key, auto_increment = false)]
        pub(crate) tag_id: i32,
        #[sea_orm(belongs_to, from = "post_id", to = "id")]
        pub(crate) post: BelongsTo<super::post::Entity>,
        #[sea_orm(belongs_to, from = "tag_id", to = "id")]
        pub(crate) tag: BelongsTo<super::tag::Entity>,
    }
}

async fn blog(db: &crate::support::TestDb) -> World {
    let world = World::new(db).await;
    world.create(post::Entity).await;
    world.create(tag::Entity).await;
    world.create(post_tag::Entity).await;
    world
}

fn key(id: i32) -> Value {
    json!({ "id": id })
}

fn link(post: i32, tag: i32) -> Value {
    json!({ "post_id": post, "tag_id": tag })
}

/// What was announced in a stream since it had this many messages; each was also insured.
async fn since(world: &World, stream: &str, len: usize) -> Vec<Value> {
    let announced = world.payloads(stream).await;
    let insured = world.payloads(&format!("{stream}.delay")).await;
    assert!(announced.iter().all(|payload| insured.contains(payload)), "{announced:?} {insured:?}");
    announced[len..].to_vec()
}

on_each_database! {
    async fn a_nested_save_streams_records_and_links(db: TestDb) {
        let world = blog(&db).await;
        let day = tag::ActiveModel::builder().set_tag("day").save(&world.db).await.unwrap();
        let day = day.id.unwrap();
        let post = post::ActiveModel::builder()
            .set_title("A sunny day")
            .add_tag(tag::Entity::find_by_id(day).one(&world.plain).await.unwrap().unwrap().into_active_model())
            .add_tag(tag::ActiveModel::builder().set_tag("pet"))
            .save(&world.db)
            .await
            .unwrap();
        let id = post.id.clone().unwrap();
        let tags = tag::Entity::find().all(&world.plain).await.unwrap();
        let pet = tags.iter().find(|tag| tag.tag == "pet").unwrap().id;
        assert_eq!(since(&world, "posts", 0).await, [key(id)]);
        assert_eq!(since(&world, "tags", 0).await, [key(day), key(pet)]);
        assert_eq!(since(&world, "posts_tags", 0).await, [link(id, day), link(id, pet)]);

        // One link is removed, one is added, one stays.
        let mut post = post;
        post.tags = ActiveHasMany::Replace(vec![
            tags.iter().find(|tag| tag.id == pet).unwrap().clone().into_active_model().into_ex(),
            tag::ActiveModel::builder().set_tag("food"),
        ]);
        post.save(&world.db).await.unwrap();
        let food = tag::Entity::find().all(&world.plain).await.unwrap().iter().map(|tag| tag.id).max().unwrap();
        assert_eq!(since(&world, "posts_tags", 2).await, [link(id, day), link(id, food)]);
        assert_eq!(since(&world, "posts", 1).await, [] as [Value; 0], "its own row did not change");
        assert_eq!(post_tag::Entity::find().all(&world.plain).await.unwrap().len(), 2);

        // A cascading delete calls no hooks for links, so it bypasses them; without links it is a delete like any
        // other.
        let post = post::Entity::find_by_id(id).one(&world.plain).await.unwrap().unwrap();
        let error = post.clone().cascade_delete(&world.db).await.unwrap_err();
        assert_carries!(error, Error::Bypass { table, verb: "DELETE", view: None } if table == "posts_tags");
        let mut unlinked = post.clone().into_active_model().into_ex();
        unlinked.tags = ActiveHasMany::Replace(Vec::new());
        unlinked.save(&world.db).await.unwrap();
        let mut gone = since(&world, "posts_tags", 4).await;
        gone.sort_by_key(|link| link["tag_id"].as_i64());
        assert_eq!(gone, [link(id, pet), link(id, food)]);
        post.delete(&world.db).await.unwrap();
        assert_eq!(since(&world, "posts", 1).await, [key(id)]);
        assert!(post_tag::Entity::find().all(&world.plain).await.unwrap().is_empty());
    }

    async fn a_cascading_delete_within_a_bulk_operation_of_the_links_streams_all_of_it(db: TestDb) {
        let world = blog(&db).await;
        let post = post::ActiveModel::builder().set_title("A sunny day");
        let post = post.add_tag(tag::ActiveModel::builder().set_tag("pet")).save(&world.db).await.unwrap();
        let id = post.id.unwrap();
        let post = post::Entity::find_by_id(id).one(&world.db).await.unwrap().unwrap();
        let links = post_tag::Entity::find().filter(post_tag::Column::PostId.eq(id)).all(&world.db).await.unwrap();
        let deleted = world.db.producer().bulk(&world.db, &links, async |txn| post.cascade_delete(txn).await);
        deleted.await.unwrap();
        assert_eq!(since(&world, "posts", 1).await, [key(id)]);
        assert_eq!(since(&world, "posts_tags", 1).await, [link(id, links[0].tag_id)]);
        assert!(post_tag::Entity::find().all(&world.plain).await.unwrap().is_empty());
    }

    async fn what_a_nested_save_wrote_is_dropped_with_its_transaction(db: TestDb) {
        let world = blog(&db).await;
        let txn = world.db.begin().await.unwrap();
        let post = post::ActiveModel::builder().set_title("Never");
        post.add_tag(tag::ActiveModel::builder().set_tag("none")).save(&txn).await.unwrap();
        txn.rollback().await.unwrap();
        for stream in [post::Entity::stream(), tag::Entity::stream(), post_tag::Entity::stream()] {
            assert!(world.payloads(&stream).await.is_empty());
        }
    }

    async fn savepoints_of_any_depth_are_followed(db: TestDb) {
        let world = World::new(&db).await;
        let mut levels = vec![world.db.begin().await.unwrap()];
        for depth in 1..=6 {
            with_key(depth, "a").insert(levels.last().unwrap()).await.unwrap();
            let deeper = levels.last().unwrap().begin().await.unwrap();
            levels.push(deeper);
        }
        with_key(100, "b").insert(levels.last().unwrap()).await.unwrap();
        // From the innermost out: every second savepoint is kept.
        let mut depth = levels.len();
        while let Some(level) = levels.pop() {
            depth -= 1;
            if depth % 2 == 0 { level.commit().await.unwrap() } else { level.rollback().await.unwrap() }
        }
        assert_eq!((world.main().await, world.count().await), (ids([1]), 1));
    }
}
