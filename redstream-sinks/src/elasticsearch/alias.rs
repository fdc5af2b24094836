//! An index behind an alias: created, filled, and then used by searches in place of the one before.

use std::collections::BTreeMap;
use std::fmt;

use redstream_seaorm::{BoxError, Older, Streamed, Switch, async_trait};
use reqwest::Method;
use sea_orm::EntityTrait;
use serde_json::{Value as Json, json};

use crate::elasticsearch::client::{Answer, Request};
use crate::elasticsearch::error::Error;
use crate::elasticsearch::sink::ElasticsearchSink;

/// The index of a sink, which searches reach by an alias: made by [`ElasticsearchSink::behind`], for a
/// [`Swap`](redstream_seaorm::Swap).
#[derive(Clone)]
#[must_use]
pub struct ElasticsearchAlias<E: EntityTrait> {
    sink: ElasticsearchSink<E>,
    alias: String,
}

impl<E: EntityTrait> ElasticsearchAlias<E> {
    pub(super) fn new(sink: ElasticsearchSink<E>, alias: String) -> Self {
        Self { sink, alias }
    }

    /// An index of the alias's name would be noticed only when the alias is created.
    async fn must_be_free(&self) -> Result<(), BoxError> {
        let attempt = format!("find out whether `{}` is an index", self.alias);
        let answer = self.ask(&attempt, Method::GET, &[&self.alias, "_settings"], None).await?;
        if answer.status != 404 && !answer.json(&attempt)?[&self.alias].is_null() {
            return Err(Error::AliasIsIndex { alias: self.alias.clone() }.into());
        }
        Ok(())
    }

    async fn ask(&self, attempt: &str, method: Method, path: &[&str], body: Option<Json>) -> Result<Answer, Error> {
        let query: &[_] = if path.last() == Some(&"_settings") { &[("flat_settings", "true".to_owned())] } else { &[] };
        let content = body.map(|body| ("application/json", body.to_string().into()));
        self.sink.client().send(&Request { attempt, method, path, query, content }).await
    }
}

#[async_trait]
impl<E: Streamed> Switch<E> for ElasticsearchAlias<E> {
    fn name(&self) -> &str {
        self.sink.index()
    }

    async fn prepare(&self) -> Result<String, BoxError> {
        self.sink.prepare().await?;
        let attempt = format!("read the settings of `{}`", self.name());
        let answer = self.ask(&attempt, Method::GET, &[self.name(), "_settings"], None).await?;
        let settings = &answer.json(&attempt)?[self.name()]["settings"];
        let identity = settings["index.uuid"].as_str().or(settings["index.creation_date"].as_str());
        Ok(identity.unwrap_or_default().to_owned())
    }

    async fn current(&self) -> Result<Option<String>, BoxError> {
        let attempt = format!("read the alias `{}`", self.alias);
        let answer = self.ask(&attempt, Method::GET, &["_alias", &self.alias], None).await?;
        if answer.status == 404 {
            return self.must_be_free().await.map(|()| None);
        }
        let indices: BTreeMap<String, Json> = serde_json::from_value(answer.json(&attempt)?)?;
        let mut names = indices.into_keys();
        match (names.next(), names.next()) {
            (index, None) => Ok(index),
            (first, Some(second)) => {
                let indices = first.into_iter().chain([second]).chain(names).collect::<Vec<_>>().join(", ");
                Err(Error::NoWriteIndex { alias: self.alias.clone(), indices }.into())
            }
        }
    }

    async fn refresh(&self) -> Result<(), BoxError> {
        let attempt = format!("refresh `{}`", self.name());
        let answer = self.ask(&attempt, Method::POST, &[self.name(), "_refresh"], None).await?;
        answer.json(&attempt)?;
        Ok(())
    }

    async fn older(&self, version: u64, page: Option<String>) -> Result<Older<E>, BoxError> {
        Ok(self.sink.older(version, page).await?)
    }

    async fn switch(&self, before: Option<&str>) -> Result<(), BoxError> {
        let attempt = format!("point the alias `{}` at `{}`", self.alias, self.name());
        let remove = before.map(|before| json!({ "remove": { "index": before, "alias": self.alias } }));
        let add = json!({ "add": { "index": self.name(), "alias": self.alias } });
        let actions = json!({ "actions": remove.into_iter().chain([add]).collect::<Vec<_>>() });
        let answer = self.ask(&attempt, Method::POST, &["_aliases"], Some(actions)).await?;
        answer.json(&attempt)?;
        Ok(())
    }

    async fn remove(&self, index: &str) -> Result<(), BoxError> {
        let attempt = format!("remove the index `{index}`");
        let answer = self.ask(&attempt, Method::DELETE, &[index], None).await?;
        if answer.status != 404 {
            answer.json(&attempt)?;
        }
        Ok(())
    }
}

impl<E: EntityTrait> fmt::Debug for ElasticsearchAlias<E> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ElasticsearchAlias")
            .field("index", &self.sink.index())
            .field("alias", &self.alias)
            .finish_non_exhaustive()
    }
}
