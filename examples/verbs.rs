//! An application's own program with the verbs that need its entities and its sinks: `work`, `verify`, `repair`,
//! `reindex`. The program `redstream` has all others, which need neither.
//!
//! Needs a Redis and a database: `REDIS_URL` and `DATABASE_URL`, or the ones on this machine. Exit codes of `verify`
//! and `repair`: 0 clean, 1 differences, 2 could not finish.
//!
//! ```sh
//! cargo run -p redstream-examples --example verbs -- verify cities --json
//! ```

use std::process::ExitCode;
use std::time::Duration;

use clap::{Args, Parser, Subcommand, ValueEnum};
use redstream_seaorm::{
    CancellationToken, Indexer, RedisClient, Redstream, RedstreamExt as _, Streamed, StreamedConnection, Supervisor,
};
use redstream_sinks::cache::{Cache, WritingSink};
use sea_orm::{ConnectionTrait as _, Database, DatabaseConnection, IntoActiveModel, Schema, entity::prelude::*};
use serde::{Serialize, de::DeserializeOwned};

mod city {
    use super::*;

    #[derive(Clone, Debug, PartialEq, DeriveEntityModel, Streamed, serde::Serialize, serde::Deserialize)]
    #[sea_orm(table_name = "cities")]
    pub(super) struct Model {
        #[sea_orm(primary_key, auto_increment = false)]
        pub(super) id: i64,
        pub(super) name: String,
    }

    #[derive(Copy, Clone, Debug, EnumIter, DeriveRelation)]
    pub(super) enum Relation {}
}

mod country {
    use super::*;

    #[derive(Clone, Debug, PartialEq, DeriveEntityModel, Streamed, serde::Serialize, serde::Deserialize)]
    #[sea_orm(table_name = "countries")]
    pub(super) struct Model {
        #[sea_orm(primary_key, auto_increment = false)]
        pub(super) code: String,
        pub(super) name: String,
    }

    #[derive(Copy, Clone, Debug, EnumIter, DeriveRelation)]
    pub(super) enum Relation {}
}

#[derive(Parser)]
struct Arguments {
    #[arg(long, env = "REDIS_URL", default_value = "redis://127.0.0.1/")]
    redis: String,
    #[arg(long, env = "DATABASE_URL", default_value = "sqlite://cities.db?mode=rwc")]
    database: String,
    #[command(subcommand)]
    verb: Verb,
}

#[derive(Subcommand)]
enum Verb {
    /// Run the workers
    Work,
    /// Compare the rows with the cache
    Verify(Verify),
    /// Compare them, and queue what differs
    Repair(Verify),
    /// Queue every row
    Reindex {
        /// Whose rows
        entity: Entities,
    },
}

#[derive(Args)]
struct Verify {
    /// Whose rows
    entity: Entities,
    /// Keys a second
    #[arg(long)]
    rate: Option<f64>,
    /// Do not wait for delay messages
    #[arg(long)]
    skip_delay: bool,
    /// Print the whole report
    #[arg(long)]
    json: bool,
}

#[derive(Clone, Copy, ValueEnum)]
enum Entities {
    Cities,
    Countries,
}

#[tokio::main]
async fn main() -> ExitCode {
    let app = async {
        let arguments = Arguments::parse();
        let redstream = Redstream::connect(&*arguments.redis).await?;
        App::new(redstream, &arguments).await?.run(&arguments.verb).await
    };
    app.await.unwrap_or_else(|error: anyhow::Error| {
        eprintln!("{error:#}");
        ExitCode::from(2)
    })
}

/// What all verbs share.
struct App {
    redstream: Redstream,
    db: DatabaseConnection,
    cache: RedisClient,
    /// What the keys of the cache begin with.
    prefix: String,
}

impl App {
    async fn new(redstream: Redstream, arguments: &Arguments) -> anyhow::Result<Self> {
        let db = Database::connect(&arguments.database).await?;
        let schema = Schema::new(db.get_database_backend());
        db.execute(schema.create_table_from_entity(city::Entity).if_not_exists()).await?;
        db.execute(schema.create_table_from_entity(country::Entity).if_not_exists()).await?;
        let cache = RedisClient::connect(&*arguments.redis).await?;
        Ok(Self { redstream, db, cache, prefix: "cache".to_owned() })
    }

    async fn run(&self, verb: &Verb) -> anyhow::Result<ExitCode> {
        match verb {
            Verb::Work => self.work().await?,
            Verb::Verify(verify) => return self.verify(verify, false).await,
            Verb::Repair(verify) => return self.verify(verify, true).await,
            Verb::Reindex { entity: Entities::Cities } => self.reindex::<city::Entity>().await?,
            Verb::Reindex { entity: Entities::Countries } => self.reindex::<country::Entity>().await?,
        }
        Ok(ExitCode::SUCCESS)
    }

    async fn work(&self) -> anyhow::Result<()> {
        let db = StreamedConnection::new(self.db.clone(), self.redstream.producer());
        let cities = self.redstream.of::<city::Entity>()?;
        let countries = self.redstream.of::<country::Entity>()?;
        let mut workers = Supervisor::new()
            .with(cities.consumer("cache", Indexer::new(db.clone(), self.sink::<city::Entity>())))
            .with(countries.consumer("cache", Indexer::new(db, self.sink::<country::Entity>())));
        for entity in [&cities, &countries] {
            workers = workers.with(entity.delayer(Duration::from_secs(300))).with(entity.trimmer());
        }
        Ok(workers.run_until_signal().await?)
    }

    async fn verify(&self, verify: &Verify, repair: bool) -> anyhow::Result<ExitCode> {
        match verify.entity {
            Entities::Cities => self.verify_of::<city::Entity>(verify, repair).await,
            Entities::Countries => self.verify_of::<country::Entity>(verify, repair).await,
        }
    }

    async fn verify_of<E>(&self, how: &Verify, repair: bool) -> anyhow::Result<ExitCode>
    where
        E: Streamed,
        E::Model: Serialize + DeserializeOwned + IntoActiveModel<E::ActiveModel> + Send + Sync + 'static,
    {
        let sink = self.sink::<E>();
        let mut verify = self.redstream.verify::<E>(&self.db, &sink).consumer("cache").repair(repair);
        verify = verify.skip_delay(how.skip_delay).on_progress(|report| eprintln!("{report}"));
        if let Some(rate) = how.rate {
            verify = verify.rate(rate);
        }
        let report = verify.run(CancellationToken::new()).await?;
        if how.json {
            println!("{}", serde_json::to_string_pretty(&report)?);
        } else {
            println!("{report}");
        }
        Ok(report.exit_code())
    }

    async fn reindex<E: Streamed>(&self) -> anyhow::Result<()> {
        let reindex = self.redstream.reindex::<E>(&self.db).consumer("cache");
        let report = reindex.on_progress(|progress| eprintln!("{progress}")).run(CancellationToken::new()).await?;
        println!("{}, {} keys were queued", report.state, report.queued);
        Ok(())
    }

    fn sink<E>(&self) -> WritingSink<E, E::Model>
    where
        E: Streamed,
        E::Model: Serialize + DeserializeOwned + Send + Sync + 'static,
    {
        WritingSink::new(Cache::new(self.cache.clone(), format!("{}:{}", self.prefix, E::default().table_name())))
    }
}

#[cfg(test)]
#[tokio::test]
async fn what_differs_is_found_and_repaired_by_the_verbs() -> anyhow::Result<()> {
    use redstream_seaorm::ConnectOptions;
    use sea_orm::ActiveValue::Set;

    let redis = redstream_servers::shared_url(redstream_servers::REDIS_URL)?;
    let (folder, namespace) = (tempfile::tempdir()?, format!("verbs-{}", std::process::id()));
    let database = format!("sqlite://{}?mode=rwc", folder.path().join("cities.db").display());
    let verb = |words: &[&str]| {
        Arguments::parse_from([&["verbs", "--redis", &redis, "--database", &database], words].concat())
    };
    let redstream = Redstream::connect(ConnectOptions::new(&redis).namespace(&namespace)).await?;
    let app = App { prefix: namespace, ..App::new(redstream, &verb(&["work"])).await? };
    let db = StreamedConnection::new(app.db.clone(), app.redstream.producer());
    let outcome = async {
        let named = |id: i64, name: &str| city::ActiveModel { id: Set(id), name: Set(name.to_owned()) };
        for id in 1..=3 {
            named(id, "Ulm").insert(&db).await?;
        }
        let verify = verb(&["verify", "cities", "--skip-delay"]).verb;
        while app.run(&verify).await? != ExitCode::SUCCESS {}
        // A statement that nothing announces.
        named(2, "Neu-Ulm").update(&app.db).await.unwrap_err();
        app.db.execute_unprepared("UPDATE cities SET name = 'Neu-Ulm' WHERE id = 2").await?;
        anyhow::ensure!(app.run(&verify).await? == ExitCode::from(1));
        anyhow::ensure!(
            app.run(&verb(&["repair", "cities", "--skip-delay", "--json"]).verb).await? == ExitCode::SUCCESS
        );
        anyhow::ensure!(app.run(&verify).await? == ExitCode::SUCCESS);
        anyhow::ensure!(app.run(&verb(&["reindex", "countries"]).verb).await? == ExitCode::SUCCESS);
        Ok(())
    };
    tokio::select! {
        outcome = outcome => outcome,
        ended = app.work() => ended.and_then(|()| anyhow::bail!("the workers ended")),
    }
}
