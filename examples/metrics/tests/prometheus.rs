//! Questions to a Prometheus over HTTP.

use std::collections::BTreeSet;

use anyhow::{Context as _, ensure};
use redstream_servers::Prometheus;
use reqwest::Client;
use serde_json::Value as Json;

/// The job of the application that is scraped.
const JOB: &str = "shop";

/// A Prometheus that scrapes one address each second, and evaluates rules as often.
pub(super) struct Scraper {
    _server: Prometheus,
    url: String,
    client: Client,
}

impl Scraper {
    pub(super) async fn start(target: &str, rules: String) -> anyhow::Result<Self> {
        let config = format!(
            "global: {{ scrape_interval: 1s, scrape_timeout: 1s, evaluation_interval: 1s }}\n\
             rule_files: [rules.yml]\n\
             scrape_configs: [{{ job_name: {JOB}, static_configs: [{{ targets: [\"{target}\"] }}] }}]\n"
        );
        let server = tokio::task::spawn_blocking(move || Prometheus::start(&config, &rules)).await??;
        let client = Client::builder().no_proxy().timeout(std::time::Duration::from_secs(10)).build()?;
        Ok(Self { url: server.url(), _server: server, client })
    }

    async fn ask(&self, path: &str, parameters: &[(&str, &str)]) -> anyhow::Result<Json> {
        let request = self.client.get(format!("{}/api/v1/{path}", self.url)).query(parameters);
        let answer: Json = request.send().await?.json().await?;
        ensure!(answer["status"] == "success", "{parameters:?}: {answer}");
        Ok(answer["data"].clone())
    }

    /// The series that a query gives.
    pub(super) async fn query(&self, query: &str) -> anyhow::Result<Vec<Json>> {
        let data = self.ask("query", &[("query", query)]).await?;
        Ok(data["result"].as_array().context("no result")?.clone())
    }

    /// The labels of all series that a selector has matched.
    pub(super) async fn series(&self, selector: &str) -> anyhow::Result<Vec<Json>> {
        Ok(self.ask("series", &[("match[]", selector)]).await?.as_array().context("no series")?.clone())
    }

    /// The alerts that fire, each once.
    pub(super) async fn firing(&self) -> anyhow::Result<BTreeSet<String>> {
        let data = self.ask("alerts", &[]).await?;
        let alerts = data["alerts"].as_array().context("no alerts")?.clone();
        for alert in &alerts {
            let text = alert["annotations"].to_string();
            ensure!(!text.contains("<no value>") && !text.contains("<error"), "{alert}");
        }
        let firing = alerts.iter().filter(|alert| alert["state"] == "firing");
        firing.map(|alert| alert["labels"]["alertname"].as_str().map(str::to_owned).context("no name")).collect()
    }

    /// All alerts. Errors if one of them could not be evaluated.
    pub(super) async fn alerts(&self) -> anyhow::Result<BTreeSet<String>> {
        let mut names = BTreeSet::new();
        for group in self.ask("rules", &[]).await?["groups"].as_array().context("no groups")? {
            for rule in group["rules"].as_array().context("no rules")? {
                ensure!(rule["lastError"].is_null(), "{rule}");
                names.insert(rule["name"].as_str().context("no name")?.to_owned());
            }
        }
        Ok(names)
    }

    /// When all rules were evaluated last.
    pub(super) async fn evaluated(&self) -> anyhow::Result<String> {
        Ok(self.ask("rules", &[]).await?["groups"][0]["lastEvaluation"].as_str().context("never")?.to_owned())
    }
}
