//! The index or alias that is written: checked before the first write, and created if the application says how.

use std::collections::{BTreeMap, HashMap};
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use reqwest::Method;
use serde::Deserialize;
use serde_json::{Value as Json, json};
use tokio::time::Instant;

use crate::elasticsearch::client::{Answer, Elasticsearch, Request};
use crate::elasticsearch::error::Error;

/// How long a check is valid: an index that is deleted while the program runs is noticed within this time.
const VALID: Duration = Duration::from_secs(60);
/// For how long the indices that are created remember the versions of deletes; the server's default is a minute.
const GC_DELETES: &str = "1d";
/// Less than this is warned of.
const ENOUGH: Duration = Duration::from_secs(24 * 60 * 60);
/// The server's default.
const DEFAULT_GC_DELETES: Duration = Duration::from_secs(60);

/// How a name is to be checked.
#[derive(Debug, Default)]
pub(crate) struct Target {
    pub(crate) require_alias: bool,
    /// Mappings, settings and aliases of an index that is missing.
    pub(crate) create: Option<Json>,
    checked: Mutex<HashMap<String, Instant>>,
}

/// `GET /INDEX/_settings?flat_settings=true`, by index.
#[derive(Debug, Deserialize)]
struct Settings {
    settings: BTreeMap<String, Json>,
}

/// `GET /_alias/NAME`, by index.
#[derive(Debug, Deserialize)]
struct Aliases {
    aliases: HashMap<String, Alias>,
}

#[derive(Debug, Deserialize)]
struct Alias {
    #[serde(default)]
    is_write_index: bool,
}

impl Target {
    /// Checks a name, unless that was done a moment ago.
    pub(crate) async fn check(&self, client: &Elasticsearch, name: &str) -> Result<(), Error> {
        let is_first = match self.checked().get(name) {
            Some(at) if at.elapsed() < VALID => return Ok(()),
            checked => checked.is_none(),
        };
        if self.require_alias {
            self.check_alias(client, name).await?;
        }
        let attempt = format!("read the settings of `{name}`");
        let query = [("flat_settings", "true".to_owned())];
        let path = [name, "_settings"];
        let request = Request { attempt: &attempt, method: Method::GET, path: &path, query: &query, content: None };
        let mut answer = client.send(&request).await?;
        if answer.status == 404 {
            self.create(client, name).await?;
            answer = client.send(&request).await?;
        }
        let indices: BTreeMap<String, Settings> = read(&answer, &attempt)?;
        if indices.is_empty() {
            return Err(Error::MissingIndex { index: name.to_owned() });
        }
        if is_first {
            for (index, Settings { settings }) in &indices {
                warn_of_short_memory(index, settings);
            }
        }
        self.checked().insert(name.to_owned(), Instant::now());
        Ok(())
    }

    /// The next write checks again.
    pub(crate) fn forget(&self) {
        self.checked().clear();
    }

    fn checked(&self) -> std::sync::MutexGuard<'_, HashMap<String, Instant>> {
        self.checked.lock().unwrap_or_else(PoisonError::into_inner)
    }

    async fn check_alias(&self, client: &Elasticsearch, name: &str) -> Result<(), Error> {
        let attempt = format!("read the alias `{name}`");
        let path = ["_alias", name];
        let request = Request { attempt: &attempt, method: Method::GET, path: &path, query: &[], content: None };
        let mut answer = client.send(&request).await?;
        if answer.status == 404 && self.create.is_some() {
            self.create(client, name).await?;
            answer = client.send(&request).await?;
        }
        if answer.status == 404 {
            return Err(Error::NotAnAlias { name: name.to_owned() });
        }
        let indices: BTreeMap<String, Aliases> = read(&answer, &attempt)?;
        let is_write_index =
            |Aliases { aliases }: &Aliases| aliases.get(name).is_some_and(|alias| alias.is_write_index);
        if indices.len() > 1 && !indices.values().any(is_write_index) {
            let indices: Vec<String> = indices.into_keys().collect();
            return Err(Error::NoWriteIndex { alias: name.to_owned(), indices: indices.join(", ") });
        }
        Ok(())
    }

    /// Creates the index, or the first index of the alias. If another process is faster, its index is taken.
    async fn create(&self, client: &Elasticsearch, name: &str) -> Result<(), Error> {
        let Some(body) = &self.create else {
            return Err(Error::MissingIndex { index: name.to_owned() });
        };
        let (index, body) = self.new_index(name, body.clone());
        let attempt = format!("create the index `{index}`");
        let content = Some(("application/json", body.to_string().into()));
        let path = [&*index];
        let answer =
            client.send(&Request { attempt: &attempt, method: Method::PUT, path: &path, query: &[], content }).await?;
        if answer.status == 400 && answer.error_type().as_deref() == Some("resource_already_exists_exception") {
            return Ok(());
        }
        if let Some(error) = answer.error(&attempt) {
            return Err(error);
        }
        tracing::info!(index, "index created");
        Ok(())
    }

    /// The name and the body of an index that is created.
    fn new_index(&self, name: &str, mut body: Json) -> (String, Json) {
        let settings = &mut body["settings"];
        let is_set = settings["index.gc_deletes"].is_string()
            || settings["gc_deletes"].is_string()
            || settings["index"]["gc_deletes"].is_string();
        // Reading a missing field has made it null.
        if let Some(settings) = settings.as_object_mut() {
            settings.retain(|_, value| !value.is_null());
        }
        if !is_set {
            settings["index.gc_deletes"] = GC_DELETES.into();
        }
        if !self.require_alias {
            return (name.to_owned(), body);
        }
        body["aliases"][name] = json!({ "is_write_index": true });
        (format!("{name}-000001"), body)
    }
}

/// With nothing checked yet.
impl Clone for Target {
    fn clone(&self) -> Self {
        Self { require_alias: self.require_alias, create: self.create.clone(), checked: Mutex::default() }
    }
}

fn read<'a, T: Deserialize<'a>>(answer: &'a Answer, attempt: &str) -> Result<T, Error> {
    if let Some(error) = answer.error(attempt) {
        return Err(error);
    }
    serde_json::from_slice(&answer.body).map_err(|source| Error::Answer {
        attempt: attempt.to_owned(),
        node: answer.node.clone(),
        what: "it is not the expected JSON".to_owned(),
        source: Some(source),
    })
}

fn warn_of_short_memory(index: &str, settings: &BTreeMap<String, Json>) {
    let set = settings.get("index.gc_deletes").and_then(Json::as_str);
    // An unknown form is the operator's decision.
    let kept = set.map_or(Some(DEFAULT_GC_DELETES), duration);
    if kept.is_some_and(|kept| kept < ENOUGH) {
        tracing::warn!(
            index,
            gc_deletes = set.unwrap_or("60s, the server's default"),
            "this index soon forgets the versions of deleted documents, so that a writer which was paused for longer can \
             bring a deleted document back: set `index.gc_deletes` to `1d`"
        );
    }
}

/// A time of Elasticsearch's, such as `60s`.
fn duration(text: &str) -> Option<Duration> {
    let digits = text.find(|c: char| !c.is_ascii_digit())?;
    let number: u64 = text[..digits].parse().ok()?;
    let seconds = |seconds: u64| Some(Duration::from_secs(number.checked_mul(seconds)?));
    match &text[digits..] {
        "d" => seconds(86_400),
        "h" => seconds(3600),
        "m" => seconds(60),
        "s" => seconds(1),
        "ms" => Some(Duration::from_millis(number)),
        "micros" => Some(Duration::from_micros(number)),
        "nanos" => Some(Duration::from_nanos(number)),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_of_the_server_are_read() {
        let pairs = [("1d", 86_400_000), ("24h", 86_400_000), ("60s", 60_000), ("5m", 300_000), ("1500ms", 1500)];
        for (text, milliseconds) in pairs {
            assert_eq!(duration(text), Some(Duration::from_millis(milliseconds)), "{text}");
        }
        for text in ["-1", "", "5", "1w", "d"] {
            assert_eq!(duration(text), None, "{text}");
        }
    }

    #[test]
    fn a_new_index_remembers_deletes_for_a_day_unless_it_is_told_otherwise() {
        let target = Target::default();
        let mapping = json!({ "mappings": { "properties": { "name": { "type": "keyword" } } } });
        let (name, body) = target.new_index("cities", mapping.clone());
        let settings = json!({ "index.gc_deletes": "1d" });
        assert_eq!((name.as_str(), &body["settings"], &body["mappings"]), ("cities", &settings, &mapping["mappings"]));
        for settings in
            [json!({"index": {"gc_deletes": "2d"}}), json!({"gc_deletes": "2d"}), json!({"index.gc_deletes": "2d"})]
        {
            let (_, body) = target.new_index("cities", json!({ "settings": settings }));
            assert_eq!(body["settings"], settings);
        }
        let (_, body) = target.new_index("cities", json!({ "settings": { "index": { "number_of_shards": 3 } } }));
        assert_eq!(body["settings"]["index"]["number_of_shards"], 3);
        assert_eq!(body["settings"]["index.gc_deletes"], "1d");
    }

    #[test]
    fn a_new_index_behind_an_alias_gets_the_alias() {
        let target = Target { require_alias: true, ..Target::default() };
        let (name, body) = target.new_index("cities", json!({ "aliases": { "places": {} } }));
        assert_eq!(name, "cities-000001");
        assert_eq!(body["aliases"], json!({ "places": {}, "cities": { "is_write_index": true } }));
    }
}
