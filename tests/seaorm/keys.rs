//! Keys of every kind: each row has a message of its own, and the indexer reads the key back.

mod kinds;
mod languages;
mod strangers;

use std::sync::{Arc, Mutex};

use redstream_seaorm::{Changes, HandlerError, Indexer, Key, MessageId, Progress, Sink, Streamed};
use sea_orm::{ActiveModelTrait, EntityTrait, ModelTrait, Set, TransactionTrait};

use super::world::World;

mod blob {
    use redstream_seaorm::Streamed;
    use sea_orm::entity::prelude::*;

    #[derive(Clone, Debug, PartialEq, DeriveEntityModel, Streamed)]
    #[sea_orm(table_name = "blobs")]
    pub(crate) struct Model {
        #[sea_orm(primary_key, auto_increment = false, column_type = "VarBinary(StringLen::N(16))")]
        pub(crate) digest: Vec<u8>,
        pub(crate) size: i32,
    }

    #[derive(Copy, Clone, Debug, EnumIter, DeriveRelation)]
    pub(crate) enum Relation {}
}

mod chunk {
    use redstream_seaorm::Streamed;
    use sea_orm::entity::prelude::*;

    #[derive(Clone, Debug, PartialEq, DeriveEntityModel, Streamed)]
    #[sea_orm(table_name = "chunks")]
    pub(crate) struct Model {
        #[sea_orm(primary_key, auto_increment = false, column_type = "VarBinary(StringLen::N(16))")]
        pub(crate) digest: Vec<u8>,
        #[sea_orm(primary_key, auto_increment = false)]
        pub(crate) part: Part,
        pub(crate) size: i32,
    }

    #[derive(Copy, Clone, Debug, EnumIter, DeriveRelation)]
    pub(crate) enum Relation {}

    /// A key of the application's own type.
    #[derive(Clone, Debug, PartialEq, Eq, DeriveValueType)]
    pub(crate) struct Part(pub(crate) i64);
}

/// Records what it is given.
struct Taken<E: EntityTrait>(Arc<Mutex<Vec<Changes<E>>>>);

impl<E: EntityTrait> Sink<E> for Taken<E> {
    async fn write(&self, changes: Changes<E>) -> Result<(), HandlerError> {
        self.0.lock().unwrap().push(changes);
        Ok(())
    }
}

/// Inserts rows and deletes the last: their payloads are these, byte for byte, and an indexer must get the other rows
/// as they are, and the key of the last.
async fn come_back<A>(world: &World, payloads: &[&str], rows: Vec<A>)
where
    A: ActiveModelTrait + sea_orm::ActiveModelBehavior + Send + 'static,
    A::Entity: Streamed,
    <A::Entity as EntityTrait>::Model: sea_orm::IntoActiveModel<A> + Clone + PartialEq + Sync,
{
    world.create(A::Entity::default()).await;
    let stream = A::Entity::stream();
    let txn = world.db.begin().await.unwrap();
    let mut models = Vec::new();
    for row in rows {
        models.push(row.insert(&txn).await.unwrap());
    }
    txn.commit().await.unwrap();
    assert_eq!(texts(world, &stream).await, payloads);
    let gone = models.pop().unwrap();
    let key = gone.get_primary_key_value();
    gone.delete(&world.db).await.unwrap();
    assert_eq!(texts(world, &stream).await.last(), payloads.last().map(ToString::to_string).as_ref());

    let taken = Arc::default();
    let indexer = Indexer::<A::Entity, _, _>::new(world.plain.clone(), Taken(Arc::clone(&taken)));
    let consumer = world.redstream.stream(&*stream).unwrap().consumer("search", indexer);
    assert_eq!(consumer.run_once().await.unwrap(), Progress::Handled(payloads.len() + 1));
    let changes = taken.lock().unwrap().pop().unwrap();
    assert_eq!(changes.upserts.len(), models.len());
    let written = |model: &_| changes.upserts.iter().any(|(key, row)| row == model && *key == Key::of(row));
    assert!(models.iter().all(written), "{:?} of {models:?}", changes.upserts);
    let deleted: Vec<_> = changes.deletes.iter().map(|key| key.values().clone()).collect();
    assert_eq!(deleted, [key]);
}

/// The payloads of a stream, byte for byte.
async fn texts(world: &World, stream: &str) -> Vec<String> {
    let stream = world.redstream.stream(stream).unwrap();
    let messages = stream.messages(MessageId::MIN, 100).await.unwrap();
    messages.iter().map(|message| String::from_utf8(message.raw().to_vec()).unwrap()).collect()
}

on_each_database! {
    async fn bytes_that_are_no_text(db: TestDb) {
        let world = World::new(&db).await;
        let blob = |end| blob::ActiveModel { digest: Set(vec![255, end]), size: Set(3) };
        let payloads = [r#"{"digest":"ff00"}"#, r#"{"digest":"ff01"}"#];
        come_back(&world, &payloads, vec![blob(0), blob(1)]).await;
    }

    async fn several_columns_of_several_types(db: TestDb) {
        let world = World::new(&db).await;
        let chunk = |part| chunk::ActiveModel { digest: Set(vec![255]), part: Set(chunk::Part(part)), size: Set(3) };
        // Two keys that are equal as floats.
        let payloads = [
            r#"{"digest":"ff","part":"9223372036854775806"}"#,
            r#"{"digest":"ff","part":"9223372036854775807"}"#,
        ];
        come_back(&world, &payloads, vec![chunk(i64::MAX - 1), chunk(i64::MAX)]).await;
    }
}
