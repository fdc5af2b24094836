//! The commands and scripts on documents.

use std::collections::HashSet;
use std::sync::LazyLock;

use redis::{Script, Value};
use redstream_seaorm::RedisClient;
use redstream_seaorm::core::Error;

use crate::redisearch::definition::Kind;
use crate::redisearch::record::Document;

static WRITE: LazyLock<Script> = LazyLock::new(|| Script::new(include_str!("lua/write.lua")));

/// How long a search may take before the server answers with a part, in milliseconds. A part would look like documents
/// that are not in the index.
const TIMEOUT: u32 = 60_000;

/// What a document is to become.
#[derive(Clone, Debug)]
pub(crate) struct Update {
    pub(crate) key: String,
    pub(crate) tombstone: String,
    /// `None`: deleted.
    pub(crate) document: Option<Document>,
}

/// What became of it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Verdict {
    Written,
    Superseded(u64),
    Refused(String),
}

/// What all documents have in common.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Form<'f> {
    pub(crate) kind: Kind,
    pub(crate) version_field: &'f str,
    /// Milliseconds.
    pub(crate) tombstone_ttl: u64,
}

pub(crate) async fn write(
    client: &RedisClient,
    version: u64,
    form: Form<'_>,
    updates: &[Update],
) -> Result<Vec<Verdict>, Error> {
    let mut script = WRITE.prepare_invoke();
    script.arg(version).arg(form.version_field).arg(form.tombstone_ttl).arg(form.kind.of_keys());
    for Update { key, tombstone, document } in updates {
        script.key(key).key(tombstone);
        match document {
            None => _ = script.arg(-1),
            Some(Document::Json(json)) => _ = script.arg(1).arg(json),
            Some(Document::Hash(fields)) => {
                script.arg(fields.len() * 2);
                for (name, value) in fields {
                    script.arg(name).arg(value);
                }
            }
        }
    }
    let answers: Vec<String> = client.script("write documents", &script).await?;
    let verdict = |answer: String| match answer.strip_prefix('!') {
        Some(reason) => Verdict::Refused(reason.to_owned()),
        None if answer.is_empty() => Verdict::Written,
        None => Verdict::Superseded(answer.parse().unwrap_or(u64::MAX)),
    };
    Ok(answers.into_iter().map(verdict).collect())
}

/// Which of these keys are in the index.
pub(crate) async fn indexed(client: &RedisClient, index: &str, keys: &[&str]) -> Result<HashSet<String>, Error> {
    let mut search = redis::cmd("FT.SEARCH");
    search.arg(index).arg("*").arg("NOCONTENT").arg("INKEYS").arg(keys.len()).arg(keys);
    search.arg("LIMIT").arg(0).arg(keys.len()).arg("TIMEOUT").arg(TIMEOUT).arg("DIALECT").arg(2);
    let found = results(client, &search).await?;
    Ok(found.into_iter().map(|(key, _)| key).collect())
}

/// The documents of these keys that are in the index.
pub(crate) async fn read(client: &RedisClient, index: &str, keys: &[&str]) -> Result<Vec<(String, Value)>, Error> {
    let mut search = redis::cmd("FT.SEARCH");
    search.arg(index).arg("*").arg("INKEYS").arg(keys.len()).arg(keys);
    search.arg("LIMIT").arg(0).arg(keys.len()).arg("TIMEOUT").arg(TIMEOUT).arg("DIALECT").arg(2);
    results(client, &search).await
}

/// The first documents whose number in this field is in the range, by ascending number.
pub(crate) async fn range(
    client: &RedisClient,
    index: &str,
    field: &str,
    (after, until): (Option<i64>, Option<i64>),
    limit: usize,
) -> Result<Vec<(String, Value)>, Error> {
    let lowest = after.map_or_else(|| "-inf".to_owned(), |after| format!("({after}"));
    let highest = until.map_or_else(|| "+inf".to_owned(), |until| until.to_string());
    let mut search = redis::cmd("FT.SEARCH");
    search.arg(index).arg(format!("@{field}:[{lowest} {highest}]")).arg("SORTBY").arg(field).arg("ASC");
    search.arg("LIMIT").arg(0).arg(limit).arg("TIMEOUT").arg(TIMEOUT).arg("DIALECT").arg(2);
    results(client, &search).await
}

/// The keys that a search found, each with its fields if they were asked for. RESP2 has a number, then a key and
/// perhaps fields in turns; RESP3 has a map.
async fn results(client: &RedisClient, search: &redis::Cmd) -> Result<Vec<(String, Value)>, Error> {
    let unreadable = |source: redis::ParsingError| Error::Redis {
        attempt: "read what a search found".to_owned(),
        source: source.into(),
    };
    let key = |value: &Value| redis::from_redis_value_ref::<String>(value).map_err(unreadable);
    let mut found = Vec::new();
    match client.command::<Value>("search the index", search).await? {
        Value::Map(members) => {
            let is_results = |name: &Value| key(name).is_ok_and(|name| name == "results");
            let results = members.into_iter().find(|(name, _)| is_results(name)).map(|(_, results)| results);
            let Some(Value::Array(results)) = results else { return Ok(found) };
            for result in results {
                let Value::Map(result) = result else { continue };
                let (mut id, mut fields) = (String::new(), Value::Nil);
                for (name, value) in result {
                    match key(&name)?.as_str() {
                        "id" => id = key(&value)?,
                        "extra_attributes" => fields = value,
                        _ => {}
                    }
                }
                found.push((id, fields));
            }
        }
        Value::Array(items) => {
            for item in items.into_iter().skip(1) {
                match item {
                    Value::Array(_) | Value::Nil => {
                        if let Some((_, fields)) = found.last_mut() {
                            *fields = item;
                        }
                    }
                    item => found.push((key(&item)?, Value::Nil)),
                }
            }
        }
        _ => {}
    }
    Ok(found)
}

/// Versions of RediSearch differ in the words.
pub(crate) fn is_missing_index(error: &Error) -> bool {
    let Error::Redis { source, .. } = error else { return false };
    // The client takes the first word for a code.
    let text = format!("{} {}", source.code().unwrap_or_default(), source.detail().unwrap_or_default()).to_lowercase();
    text.contains("no such index") || text.contains("unknown index name") || text.contains("index not found")
}
