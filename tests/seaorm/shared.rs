//! Several entities on one stream: each handler takes its own messages, and skips the others.

use std::sync::{Arc, Mutex};

use redstream_core::{MessageId, Progress};
use redstream_seaorm::testing::{Capture, assert_streamed};
use redstream_seaorm::{
    Batch, BatchExt, Cascade, Changes, HandlerError, Indexer, RedstreamExt, SaveInTransaction, Sink, Streamed,
};
use sea_orm::{EntityTrait, ModelTrait, Set};
use serde_json::json;

use super::world::World;
use crate::support::Logs;

/// Two entities of one stream whose keys have the same form, distinguished by their kinds.
mod animal {
    use redstream_seaorm::Streamed;
    use sea_orm::entity::prelude::*;

    #[derive(Clone, Debug, PartialEq, Eq, DeriveEntityModel, Streamed)]
    #[sea_orm(table_name = "animals")]
    #[streamed(stream = "living-things", kind = "animal")]
    pub(crate) struct Model {
        #[sea_orm(primary_key, auto_increment = false)]
        pub(crate) id: i64,
    }

    #[derive(Copy, Clone, Debug, EnumIter, DeriveRelation)]
    pub(crate) enum Relation {
        #[sea_orm(has_many = "super::plant::Entity")]
        Plants,
    }

    impl Related<super::plant::Entity> for Entity {
        fn to() -> RelationDef {
            Relation::Plants.def()
        }
    }
}

mod plant {
    use redstream_seaorm::Streamed;
    use sea_orm::entity::prelude::*;

    #[derive(Clone, Debug, PartialEq, Eq, DeriveEntityModel, Streamed)]
    #[sea_orm(table_name = "plants")]
    #[streamed(stream = "living-things", kind = "plant")]
    pub(crate) struct Model {
        #[sea_orm(primary_key, auto_increment = false)]
        pub(crate) id: i64,
        pub(crate) eaten_by: i64,
    }

    #[derive(Copy, Clone, Debug, EnumIter, DeriveRelation)]
    pub(crate) enum Relation {
        #[sea_orm(
            belongs_to = "super::animal::Entity",
            from = "Column::EatenBy",
            to = "super::animal::Column::Id",
            skip_fk
        )]
        Animal,
    }

    impl Related<super::animal::Entity> for Entity {
        fn to() -> RelationDef {
            Relation::Animal.def()
        }
    }
}

/// Two whose keys have different columns, without kinds.
mod stone {
    use redstream_seaorm::Streamed;
    use sea_orm::entity::prelude::*;

    #[derive(Clone, Debug, PartialEq, Eq, DeriveEntityModel, Streamed)]
    #[sea_orm(table_name = "stones")]
    #[streamed(stream = "dead-things")]
    pub(crate) struct Model {
        #[sea_orm(primary_key, auto_increment = false)]
        pub(crate) id: i64,
    }

    #[derive(Copy, Clone, Debug, EnumIter, DeriveRelation)]
    pub(crate) enum Relation {}
}

mod metal {
    use redstream_seaorm::Streamed;
    use sea_orm::entity::prelude::*;

    #[derive(Clone, Debug, PartialEq, Eq, DeriveEntityModel, Streamed)]
    #[sea_orm(table_name = "metals")]
    #[streamed(stream = "dead-things")]
    pub(crate) struct Model {
        #[sea_orm(primary_key, auto_increment = false)]
        pub(crate) symbol: String,
    }

    #[derive(Copy, Clone, Debug, EnumIter, DeriveRelation)]
    pub(crate) enum Relation {}
}

/// The upserts and deletes that it was given.
#[derive(Clone, Default)]
struct Keys(Arc<Mutex<Vec<String>>>);

impl Keys {
    fn taken(&self) -> Vec<String> {
        let mut keys = std::mem::take(&mut *self.0.lock().unwrap());
        keys.sort();
        keys
    }
}

impl<E: Streamed> Sink<E> for Keys
where
    E::Model: Sync,
{
    async fn write(&self, changes: Changes<E>) -> Result<(), HandlerError> {
        let upserts = changes.upserts.iter().map(|(key, _)| format!("+{key}"));
        self.0.lock().unwrap().extend(upserts.chain(changes.deletes.iter().map(|key| format!("-{key}"))));
        Ok(())
    }
}

on_each_database! {
    async fn entities_with_kinds_share_a_stream(db: TestDb) {
        let world = World::new(&db).await;
        world.create(animal::Entity).await;
        world.create(plant::Entity).await;
        let capture = Capture::of::<animal::Entity>(&world.redstream).await.unwrap();
        let cow = animal::ActiveModel { id: Set(1) }.insert_tx(&world.db).await.unwrap();
        for id in [1, 2] {
            plant::ActiveModel { id: Set(id), eaten_by: Set(1) }.insert_tx(&world.db).await.unwrap();
        }
        let kinded = |kind: &str, id| json!({ "id": id, "kind": kind });
        assert_streamed!(capture, [kinded("animal", 1), kinded("plant", 1), kinded("plant", 2)]);

        let (logs, animals, plants) = (Logs::capture(), Keys::default(), Keys::default());
        let things = world.redstream.of::<animal::Entity>().unwrap().streams()[0].clone();
        let animal_index = things.consumer("animals", Indexer::<animal::Entity, _, _>::new(world.plain.clone(), animals.clone()));
        let plant_index = things.consumer("plants", Indexer::<plant::Entity, _, _>::new(world.plain.clone(), plants.clone()));
        for index in [&animal_index, &plant_index] {
            assert_eq!(index.run_once().await.unwrap(), Progress::Handled(3));
        }
        assert_eq!(animals.taken(), [r#"+{"id":1}"#]);
        assert_eq!(plants.taken(), [r#"+{"id":1}"#, r#"+{"id":2}"#]);

        cow.delete(&world.db).await.unwrap();
        for index in [&animal_index, &plant_index] {
            assert_eq!(index.run_once().await.unwrap(), Progress::Handled(1));
        }
        assert_eq!((animals.taken(), plants.taken()), (vec![r#"-{"id":1}"#.to_owned()], Vec::new()));
        for consumer in ["animals", "plants"] {
            assert_eq!(things.dead_letters(consumer).unwrap().list(MessageId::MIN, 10).await.unwrap(), []);
        }
        assert!(!logs.has(&["several entities write this stream"]), "{}", logs.text());

        // The same for a batch and in a cascade: only the animal's message leads to plants.
        let counted = things.consumer("counted", async |batch: Batch| {
            assert_eq!((batch.len(), batch.keys::<plant::Entity>().count()), (4, 2));
            Ok(())
        });
        assert_eq!(counted.run_once().await.unwrap(), Progress::Handled(4));
        let cascade = Cascade::<animal::Entity, plant::Entity, _>::new(world.plain.clone(), world.redstream.producer());
        assert_eq!(things.consumer("cascade", cascade).run_once().await.unwrap(), Progress::Handled(4));
        assert_eq!(things.lag("counted").await.unwrap(), 2);
    }

    async fn keys_of_different_columns_are_told_apart_where_it_is_wanted(db: TestDb) {
        let world = World::new(&db).await;
        world.create(stone::Entity).await;
        world.create(metal::Entity).await;
        stone::ActiveModel { id: Set(1) }.insert_tx(&world.db).await.unwrap();
        metal::ActiveModel { symbol: Set("Fe".to_owned()) }.insert_tx(&world.db).await.unwrap();

        let (stones, metals, others) = (Keys::default(), Keys::default(), Keys::default());
        let things = world.redstream.of::<stone::Entity>().unwrap().streams()[0].clone();
        let stone_index = Indexer::<stone::Entity, _, _>::new(world.plain.clone(), stones.clone()).pass_over_others();
        let metal_index = Indexer::<metal::Entity, _, _>::new(world.plain.clone(), metals.clone())
            .decode_own(|payload| Ok(payload["symbol"].as_str().map(ToOwned::to_owned)));
        assert_eq!(things.consumer("stones", stone_index).run_once().await.unwrap(), Progress::Handled(2));
        assert_eq!(things.consumer("metals", metal_index).run_once().await.unwrap(), Progress::Handled(2));
        assert_eq!((stones.taken(), metals.taken()), (vec![r#"+{"id":1}"#.to_owned()], vec![r#"+{"symbol":"Fe"}"#.to_owned()]));

        // Without that option the other's payload is an error, and a warning says what to do.
        let logs = Logs::capture();
        let plain = Indexer::<stone::Entity, _, _>::new(world.plain.clone(), others.clone());
        assert!(things.consumer("others", plain).run_once().await.is_err());
        assert!(logs.has(&["WARN", "several entities write this stream", "#[streamed(kind"]), "{}", logs.text());
        assert!(stone::Entity::find().one(&world.plain).await.unwrap().is_some());
    }
}
