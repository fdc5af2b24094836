//! The index on a server that speaks OpenSearch's protocol.
//!
//! Searches use an alias. The first index behind it has the rows as they are. The second one, which a swap puts in its
//! place, has a label more: `Bergen, NO`.

use anyhow::Context as _;
use redstream_seaorm::{
    CancellationToken, HandlerError, Key, Redstream, RedstreamExt as _, SwapReport, VerifyReport, find_by_keys,
};
use redstream_sinks::elasticsearch::{Elasticsearch, ElasticsearchAlias, ElasticsearchSink};
use sea_orm::DatabaseConnection;
use serde::{Deserialize, Serialize};
use serde_json::{Value as Json, json};

use super::Extent;
use crate::city;
use crate::site::Generation;

/// A server, and an alias on it.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(crate) struct Server {
    url: String,
    alias: String,
}

/// A document of the second index.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub(crate) struct Labelled {
    #[serde(flatten)]
    city: city::Model,
    label: String,
}

/// The documents of the second index.
pub(crate) async fn labelled(
    db: DatabaseConnection,
    keys: Vec<Key<city::Entity>>,
) -> Result<Vec<(Key<city::Entity>, Labelled)>, HandlerError> {
    let cities = find_by_keys(city::Entity, &keys, &db).await?;
    let labelled = cities.into_iter().map(|city| {
        let label = format!("{}, {}", city.name, city.country);
        (Key::of(&city), Labelled { city, label })
    });
    Ok(labelled.collect())
}

impl Server {
    pub(crate) fn new(url: &str, alias: &str) -> Self {
        Self { url: url.to_owned(), alias: alias.to_owned() }
    }

    /// What writes the index of this generation.
    pub(crate) fn sink(&self, generation: Generation) -> anyhow::Result<ElasticsearchSink<city::Entity>> {
        let text = json!({ "type": "text" });
        let mut fields = json!({
            "id": { "type": "long" }, "name": text, "country": { "type": "keyword" }, "admin1": text, "admin2": text,
            "lat": { "type": "double" }, "lon": { "type": "double" }, "revision": { "type": "long" },
        });
        if generation == Generation::Second {
            fields["label"] = json!({ "type": "keyword" });
        }
        let index = json!({
            "settings": { "number_of_replicas": 0 },
            "mappings": { "dynamic": "strict", "properties": fields },
        });
        Ok(ElasticsearchSink::new(self.client()?, self.index(generation)).create_index(index))
    }

    fn behind_the_alias(&self, generation: Generation) -> anyhow::Result<ElasticsearchAlias<city::Entity>> {
        Ok(self.sink(generation)?.behind(&self.alias))
    }

    /// Has the alias lead to the first index, which is empty as the table is.
    pub(crate) async fn use_first(&self, redstream: &Redstream, database: &DatabaseConnection) -> anyhow::Result<()> {
        let index = self.behind_the_alias(Generation::First)?;
        let swap = redstream.swap::<city::Entity>(database, index, Generation::First.consumer());
        let report = swap.run(CancellationToken::new()).await?;
        anyhow::ensure!(report.is_switched, "the alias does not lead to the first index: {report:?}");
        Ok(())
    }

    /// Puts the second index in the place of the first one, once it is filled and verified.
    pub(crate) async fn use_second(
        &self,
        redstream: &Redstream,
        database: &DatabaseConnection,
        tell: impl Fn(String) + Clone + Send + Sync + 'static,
    ) -> anyhow::Result<SwapReport> {
        let (first, second) = (Generation::First, Generation::Second);
        let sink = self.sink(second)?;
        let verified = tell.clone();
        let verify = redstream
            .verify_with_loader::<city::Entity, _, _, _>(database, labelled, &sink)
            .on_progress(move |report| verified(format!("the new index is verified: {report}")));
        let swap = redstream
            .swap::<city::Entity>(database, self.behind_the_alias(second)?, second.consumer())
            .replaces(first.consumer())
            .remove_old(true)
            .verify(verify)
            .on_progress(move |progress| tell(format!("the new index is filled: {progress}")));
        Ok(swap.run(CancellationToken::new()).await?)
    }

    pub(super) async fn verify(
        &self,
        redstream: &Redstream,
        database: &DatabaseConnection,
        extent: Extent,
        tell: impl Fn(&VerifyReport) + Send + Sync + 'static,
        shutdown: CancellationToken,
    ) -> anyhow::Result<VerifyReport> {
        let generation = self.in_use().await?;
        let sink = self.sink(generation)?;
        let verify = match generation {
            Generation::First => redstream.verify::<city::Entity>(database, &sink),
            Generation::Second => redstream.verify_with_loader(database, labelled, &sink),
        };
        let verify = extent.set(verify).consumer(generation.consumer()).on_progress(tell);
        Ok(verify.run(shutdown).await?)
    }

    /// The index that searches use.
    async fn in_use(&self) -> anyhow::Result<Generation> {
        let aliases = self.client()?.send_json("GET", &["_alias", &self.alias], None).await?;
        let is_second = aliases.get(self.index(Generation::Second)).is_some();
        Ok(if is_second { Generation::Second } else { Generation::First })
    }

    /// How many cities a search for all finds, now: without a refresh.
    pub(crate) async fn count(&self) -> anyhow::Result<u64> {
        self.counted(None).await
    }

    /// Has searches find all that is written.
    pub(crate) async fn refresh(&self) -> anyhow::Result<()> {
        self.client()?.send_json("POST", &[&self.alias, "_refresh"], None).await?;
        Ok(())
    }

    pub(super) async fn len(&self) -> anyhow::Result<u64> {
        self.refresh().await?;
        self.count().await
    }

    pub(super) async fn hits(&self, name: &str) -> anyhow::Result<u64> {
        self.refresh().await?;
        self.counted(Some(json!({ "query": { "match_phrase": { "name": name } } }))).await
    }

    /// How many cities have this label; 0 in the first index, which has none.
    pub(crate) async fn labels(&self, label: &str) -> anyhow::Result<u64> {
        self.refresh().await?;
        self.counted(Some(json!({ "query": { "term": { "label": label } } }))).await
    }

    pub(super) async fn city(&self, id: i64) -> anyhow::Result<Option<city::Model>> {
        self.refresh().await?;
        let query = json!({ "query": { "term": { "id": id } } });
        let found = self.client()?.send_json("POST", &[&self.alias, "_search"], Some(&query)).await?;
        let city = found["hits"]["hits"][0].get("_source").cloned();
        city.map(|city| serde_json::from_value(city).context("a document that is no city")).transpose()
    }

    /// The cities for what was typed so far.
    #[cfg(feature = "open")]
    pub(super) async fn typed(&self, typed: &str) -> anyhow::Result<super::typed::Found> {
        self.refresh().await?;
        let matches = json!({ "multi_match": {
            "query": typed, "type": "bool_prefix", "operator": "and", "fields": ["name^2", "admin1"],
        }});
        let query = if typed.trim().is_empty() { json!({ "match_all": {} }) } else { matches };
        let query = json!({ "size": super::typed::SHOWN, "track_total_hits": true, "query": query });
        let answer = self.client()?.send_json("POST", &[&self.alias, "_search"], Some(&query)).await?;
        let total = answer["hits"]["total"]["value"].as_u64().context("no count in the answer")?;
        let hits = answer["hits"]["hits"].as_array().into_iter().flatten();
        let cities =
            hits.map(|hit| serde_json::from_value(hit["_source"].clone()).context("a document that is no city"));
        Ok(super::typed::Found { total, cities: cities.collect::<anyhow::Result<_>>()? })
    }

    /// Removes both indices, and with them the alias.
    pub(crate) async fn remove(&self) -> anyhow::Result<()> {
        for generation in [Generation::First, Generation::Second] {
            self.client()?.send_json("DELETE", &[&self.index(generation)], None).await.ok();
        }
        Ok(())
    }

    async fn counted(&self, query: Option<Json>) -> anyhow::Result<u64> {
        let answer = self.client()?.send_json("POST", &[&self.alias, "_count"], query.as_ref()).await?;
        answer["count"].as_u64().context("no count in the answer")
    }

    fn index(&self, generation: Generation) -> String {
        let number = match generation {
            Generation::First => 1,
            Generation::Second => 2,
        };
        format!("{}-{number}", self.alias)
    }

    fn client(&self) -> anyhow::Result<Elasticsearch> {
        Elasticsearch::builder([self.url.as_str()]).build().context("cannot use the server of --search-url")
    }
}
