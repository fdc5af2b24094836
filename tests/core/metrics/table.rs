//! `docs/metrics.md`, the constants, their table in the documentation of the crates, and the sources that emit them.

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};

const PAGE: &str = include_str!("../../../docs/metrics.md");

/// The kind of a metric, and its labels.
type Shape = (String, Vec<String>);

fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("..")
}

fn files(folder: &Path, found: &mut Vec<PathBuf>) {
    for entry in std::fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            files(&path, found);
        } else {
            found.push(path);
        }
    }
}

/// Each module of constants, with the folders of the sources that emit them.
fn modules() -> Vec<(PathBuf, Vec<PathBuf>)> {
    let (core, sinks) = (root().join("redstream-core/src"), root().join("redstream-sinks/src"));
    let mut found = Vec::new();
    files(&sinks, &mut found);
    let of_a_sink = found.into_iter().filter(|path| path.ends_with("metrics.rs"));
    let of_sinks = of_a_sink.map(|path| (path.clone(), vec![path.parent().unwrap().to_owned()]));
    let of_core = (core.join("metrics.rs"), vec![core, root().join("redstream-seaorm/src")]);
    of_sinks.chain([of_core]).collect()
}

/// `pub const NAME: &str = "redstream_…";`, by `NAME`.
fn constants(module: &str) -> BTreeMap<String, String> {
    let constant = |line: &str| {
        let (name, value) = line.strip_prefix("pub const ")?.split_once(": &str = \"")?;
        Some((name.to_owned(), value.trim_end_matches("\";").to_owned()))
    };
    module.lines().filter_map(constant).collect()
}

/// The rows of all tables of metrics; `labels`: the column with the labels.
fn rows(text: &str, labels: usize) -> BTreeMap<String, Shape> {
    let mut rows = BTreeMap::new();
    for line in
        text.lines().map(|line| line.trim_start_matches("//! ")).filter(|line| line.starts_with("| `redstream_"))
    {
        let cells: Vec<_> = line.split('|').map(str::trim).collect();
        // What follows a colon are values.
        let named = cells[labels].split(':').next().unwrap_or_default();
        let labels = named.split('`').skip(1).step_by(2).map(str::to_owned).collect();
        let old = rows.insert(cells[1].trim_matches('`').to_owned(), (cells[2].to_owned(), labels));
        assert!(old.is_none(), "{} has two rows", cells[1]);
    }
    rows
}

/// What the sources emit: the constants they name, with the kind if it is written beside the name.
fn emitted(folders: &[PathBuf]) -> BTreeMap<String, BTreeSet<&'static str>> {
    let (mut found, mut emitted) = (Vec::new(), BTreeMap::<String, BTreeSet<_>>::new());
    for folder in folders {
        files(folder, &mut found);
    }
    for file in found.iter().filter(|path| !path.ends_with("metrics.rs")) {
        let text = std::fs::read_to_string(file).unwrap();
        for kind in ["counter", "gauge", "histogram"] {
            assert!(!text.contains(&format!("{kind}!(\"")), "{}: a name that is no constant", file.display());
        }
        for (at, _) in text.match_indices("metrics::") {
            let (before, after) = (&text[..at], &text[at + "metrics::".len()..]);
            let name: String = after.chars().take_while(|c| c.is_ascii_uppercase() || *c == '_').collect();
            let kind =
                ["counter", "gauge", "histogram"].into_iter().find(|kind| before.ends_with(&format!("{kind}!(")));
            if !name.is_empty() {
                emitted.entry(name).or_default().extend(kind);
            }
        }
    }
    emitted
}

#[test]
fn the_page_the_constants_and_the_sources_agree() {
    let page = rows(PAGE, 4);
    let mut all = BTreeMap::new();
    for (module, folders) in modules() {
        let text = std::fs::read_to_string(&module).unwrap();
        let (constants, described) = (constants(&text), rows(&text, 3));
        let names: BTreeSet<_> = constants.values().collect();
        assert_eq!(names, described.keys().collect(), "{}: the table and the constants", module.display());
        let emitted = emitted(&folders);
        for (constant, name) in &constants {
            let kinds = emitted.get(constant).unwrap_or_else(|| panic!("{name} is never emitted"));
            let (kind, _) = &described[name];
            assert!(kinds.iter().all(|emitted| emitted == kind), "{name} is emitted as {kinds:?}");
            assert_eq!(kind == "counter", name.ends_with("_total"), "{name}: counters alone end in _total");
        }
        all.extend(described);
    }
    assert!(all.len() > 50, "{all:?}");
    assert_eq!(page.keys().collect::<Vec<_>>(), all.keys().collect::<Vec<_>>(), "docs/metrics.md lists other metrics");
    for (name, shape) in all {
        assert_eq!(page[&name], shape, "docs/metrics.md: {name}");
    }
}

/// Every word that looks like a metric.
fn words(text: &str) -> BTreeSet<&str> {
    let is_part = |c: char| c.is_ascii_alphanumeric() || c == '_';
    text.split(|c| !is_part(c)).filter(|word| word.starts_with("redstream_")).collect()
}

#[test]
fn dashboards_and_alerts_name_metrics_that_exist() {
    let page = rows(PAGE, 4);
    let labels = ["redstream_namespace"];
    for file in ["alerts.yml", "alerts_test.yml", "grafana.json"] {
        let text = std::fs::read_to_string(root().join("observability").join(file)).unwrap();
        let named = words(&text);
        assert!(named.len() > 10, "{file} names {named:?}");
        for word in named.into_iter().filter(|word| !labels.contains(word)) {
            let of_histogram = word.strip_suffix("_bucket").or_else(|| word.strip_suffix("_count"));
            assert!(page.contains_key(of_histogram.unwrap_or(word)), "{file} names {word}");
        }
    }
}

#[test]
fn each_alert_has_a_summary_a_description_a_unit_test_and_a_section_of_the_page() {
    let alerts = include_str!("../../../observability/alerts.yml");
    let tests = include_str!("../../../observability/alerts_test.yml");
    let mut rules = alerts.split("- alert: ").skip(1).peekable();
    assert!(rules.peek().is_some());
    for rule in rules {
        let name = rule.lines().next().unwrap();
        for needed in ["expr:", "severity:", "summary:", "description:"] {
            assert!(rule.contains(needed), "{name} has no {needed}");
        }
        let link = format!("docs/metrics.md#{}", name.to_lowercase());
        assert!(rule.contains(&link), "{name} links to {link}");
        assert!(PAGE.lines().any(|line| line == format!("### {name}")), "docs/metrics.md has no section {name}");
        assert!(tests.contains(&format!("alertname=\"{name}\"")), "{name} has no unit test");
    }
}
