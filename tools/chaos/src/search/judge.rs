//! The comparison of the index that searches use with the table, when all is over.

use std::collections::BTreeMap;
use std::time::Duration;

use anyhow::{Result, ensure};
use redstream_seaorm::{CancellationToken, DifferenceKind, RedstreamExt as _};
use serde_json::{Value as Json, json};

use crate::item::with_entity;
use crate::search::index;
use crate::search::state::Search;
use crate::stage::Stage;
use crate::verdict::Breach;

/// The most documents of an index. There are some hundred.
const MOST: usize = 10_000;

/// The longest that verification waits for a consumer. Nothing runs any more, and nothing is behind.
const PATIENCE: Duration = Duration::from_secs(2);

type Found = Vec<(Breach, String)>;

/// What `verify` finds, and what a plain comparison finds: both must be nothing.
pub(crate) async fn judge(stage: &Stage) -> Result<Found> {
    let Some(search) = &stage.search else { return Ok(Vec::new()) };
    let mut found = dead_letters(search).await?;
    let (None, Some(nth)) = (search.at_hand(), search.plan.in_use(search.done())) else { return Ok(found) };
    let verified = verified(stage, search, nth).await?;
    let compared = compared(stage, search).await?;
    if verified.is_empty() != compared.is_empty() {
        found.push((Breach::Judge, format!("verify finds {verified:?}, a plain comparison {compared:?}")));
    }
    found.extend(verified);
    found.extend(compared);
    Ok(found)
}

/// The judge that an application has.
async fn verified(stage: &Stage, search: &Search, nth: u8) -> Result<Found> {
    let primary = stage.primary.another().await?;
    let keys = stage.schedule.keys;
    let report = with_entity!(keys, E => {
        let sink = index::sink::<E>(search.server(), keys, &search.alias, nth, MOST)?;
        // In schedules without repairs, delay messages are left.
        let verify = search.redstream.verify::<E>(&primary, &sink).consumer(index::consumer(nth)).skip_delay(true);
        verify.patience(PATIENCE).run(CancellationToken::new()).await
    });
    primary.close().await?;
    let report = match report {
        Ok(report) => report,
        Err(error) => return Ok(vec![(Breach::Judge, format!("verify failed: {:#}", anyhow::Error::from(error)))]),
    };
    stage.log.add("verify", &report.to_string());
    let mut found: Found = report
        .differences
        .iter()
        .map(|difference| {
            let breach = match difference.kind {
                DifferenceKind::Missing => Breach::Lost,
                DifferenceKind::Stale => Breach::Stale,
                _ => Breach::Extra,
            };
            (breach, format!("verify, index {nth}: {:?} {}", difference.kind, difference.key))
        })
        .collect();
    if found.is_empty() && !report.is_clean() || report.unsettled > 0 {
        found.push((Breach::Judge, format!("verify did not finish: {report:?}")));
    }
    Ok(found)
}

/// The same without any code of the product, except the form of a row as JSON.
async fn compared(stage: &Stage, search: &Search) -> Result<Found> {
    search.ask("POST", &format!("{}/_refresh", search.alias), &Json::Null).await?;
    let all = json!({ "size": MOST, "query": { "match_all": {} } });
    let (status, answer) = search.ask("POST", &format!("{}/_search", search.alias), &all).await?;
    ensure!(status == 200, "the index cannot be read: {answer}");
    let hits = answer["hits"]["hits"].as_array().cloned().unwrap_or_default();
    let source = |hit: &Json| {
        (hit["_source"]["id"].to_string(), hit["_source"]["value"].as_str().unwrap_or_default().to_owned())
    };
    let mut documents: BTreeMap<String, String> = BTreeMap::new();
    let mut found = Vec::new();
    for (id, value) in hits.iter().map(source) {
        if let Some(other) = documents.insert(id.clone(), value) {
            found.push((Breach::Extra, format!("index: a second document {other} for key {id}")));
        }
    }
    for (id, value) in stage.primary.rows().await? {
        let id = if stage.schedule.keys == crate::keys::Keys::Integer { id } else { Json::from(id).to_string() };
        match documents.remove(&id) {
            None => found.push((Breach::Lost, format!("index: nothing for key {id}, the row is {value}"))),
            Some(document) if document != value => {
                found.push((Breach::Stale, format!("index: {document} for key {id}, the row is {value}")));
            }
            Some(_) => {}
        }
    }
    found.extend(
        documents
            .into_iter()
            .map(|(id, document)| (Breach::Extra, format!("index: {document} for key {id}, and there is no row"))),
    );
    Ok(found)
}

/// No record of an index is refused for good, so there are none.
async fn dead_letters(search: &Search) -> Result<Found> {
    let mut found = Vec::new();
    let stream = search.redstream.stream(crate::item::STREAM)?;
    let consumers = stream.consumers().await?;
    for nth in [1, 2].into_iter().filter(|nth| consumers.iter().any(|name| name == index::consumer(*nth))) {
        let letters = stream.dead_letters(index::consumer(nth))?.count().await?;
        if letters > 0 {
            found.push((Breach::DeadLetters, format!("{} has {letters}", index::consumer(nth))));
        }
    }
    Ok(found)
}
