//! What a release needs: complete packages, one minimum version of Rust, and an order to publish in.

use std::collections::BTreeSet;
use std::path::Path;

use serde_json::Value;

use crate::workspace::{is_ours, packages, read};

/// Features that docs.rs leaves out: doors for the fuzzed parsers.
const INTERNAL: &str = "fuzzing";

fn published() -> Vec<Value> {
    let is_published = |package: &Value| is_ours(package) && package["publish"].is_null();
    packages().into_iter().filter(is_published).collect()
}

fn strings(list: &Value) -> Vec<&str> {
    list.as_array().into_iter().flatten().filter_map(Value::as_str).collect()
}

#[test]
fn each_published_package_has_what_the_registry_shows() {
    let published = published();
    assert_eq!(published.len(), 7);
    for package in &published {
        let name = &package["name"];
        for field in ["description", "license", "repository", "readme", "rust_version"] {
            assert!(package[field].is_string(), "{name} has no {field}");
        }
        assert!((1..=5).contains(&strings(&package["keywords"]).len()), "{name}: keywords");
        assert!(!strings(&package["categories"]).is_empty(), "{name}: categories");
        let folder = Path::new(package["manifest_path"].as_str().unwrap()).parent().unwrap();
        for licence in ["LICENSE-MIT", "LICENSE-APACHE"] {
            assert!(folder.join(licence).is_file(), "{name} has no {licence}");
        }
        let readme = std::fs::read_to_string(folder.join(package["readme"].as_str().unwrap())).unwrap();
        for link in readme.split("](").skip(1) {
            assert!(link.starts_with("https://"), "{name}: the registry cannot follow {link:.40}");
        }
    }
}

/// What cargo switches on for these features.
fn closure<'a>(package: &'a Value, features: Vec<&'a str>) -> BTreeSet<&'a str> {
    let (mut all, mut next) = (BTreeSet::new(), features);
    while let Some(feature) = next.pop() {
        if package["features"][feature].is_array() && all.insert(feature) {
            next.extend(strings(&package["features"][feature]));
        }
    }
    all
}

#[test]
fn docs_rs_shows_every_feature() {
    for package in published() {
        let (name, docs) = (&package["name"], &package["metadata"]["docs"]["rs"]);
        let declared: BTreeSet<_> = package["features"].as_object().unwrap().keys().map(String::as_str).collect();
        // Each of the facade's is one of SeaORM's, and some exclude each other.
        if declared.is_empty() || name == "redstream-sea-orm" {
            continue;
        }
        let mut shown = strings(&docs["features"]);
        shown.push("default");
        if docs["all-features"] == true {
            shown = declared.iter().copied().collect();
        }
        let mut missing = declared;
        missing.retain(|feature| *feature != INTERNAL && *feature != "default");
        missing.retain(|feature| !closure(&package, shown.clone()).contains(feature));
        assert!(missing.is_empty(), "docs.rs does not show {missing:?} of {name}");
        assert_eq!(strings(&docs["rustdoc-args"]), ["--cfg", "docsrs"], "{name}");
    }
}

#[test]
fn crates_are_published_in_the_order_of_their_dependencies() {
    let releasing = read("RELEASING.md");
    let order = releasing.lines().filter_map(|line| line.strip_prefix("cargo publish --locked -p "));
    let order: Vec<_> = order.collect();
    let published = published();
    let names: BTreeSet<_> = published.iter().map(|package| package["name"].as_str().unwrap()).collect();
    assert_eq!(order.iter().copied().collect::<BTreeSet<_>>(), names);
    assert_eq!(order.len(), names.len());
    for package in &published {
        let at = |name: &str| order.iter().position(|one| *one == name);
        for dependency in package["dependencies"].as_array().unwrap() {
            // Those of tests are not published along.
            if dependency["kind"] != "dev" && names.contains(dependency["name"].as_str().unwrap()) {
                let (one, other) = (package["name"].as_str().unwrap(), dependency["name"].as_str().unwrap());
                assert!(at(other) < at(one), "{one} needs {other}");
                assert_eq!(dependency["req"], format!("^{}", package["version"].as_str().unwrap()), "{one}: {other}");
            }
        }
    }
}

/// `1.95` and `1.95.0` as numbers.
fn version(text: &str) -> Vec<u32> {
    text.split('.').map(|part| part.parse().unwrap_or_else(|_| panic!("{text} is no version of Rust"))).collect()
}

#[test]
fn one_minimum_version_of_rust_is_named_everywhere_and_suits_the_dependencies() {
    let packages = packages();
    let ours: BTreeSet<_> =
        packages.iter().filter(|one| is_ours(one)).map(|one| one["rust_version"].as_str()).collect();
    assert_eq!(ours.len(), 1, "{ours:?}");
    let msrv = ours.first().unwrap().unwrap();
    for (file, place) in [
        ("Cargo.toml", format!("rust-version = \"{msrv}\" ")),
        ("README.md", format!("Rust {msrv} or later")),
        (".github/workflows/ci.yml", format!("rustup default {msrv} ")),
        ("deploy/Dockerfile", format!("FROM rust:{msrv}-")),
    ] {
        let words = read(file).split_whitespace().collect::<Vec<_>>().join(" ");
        assert!(words.contains(&place), "{file} does not contain {place:?}");
    }
    assert!(!read("clippy.toml").contains("msrv"), "Clippy takes it from Cargo.toml");
    for package in packages.iter().filter(|one| !is_ours(one)) {
        if let Some(needs) = package["rust_version"].as_str() {
            assert!(version(needs) <= [version(msrv), vec![u32::MAX]].concat(), "{} needs {needs}", package["name"]);
        }
    }
}

#[test]
fn the_changelog_names_the_version_or_what_is_unreleased() {
    let changelog = read("CHANGELOG.md");
    let first = changelog.lines().find_map(|line| line.strip_prefix("## ")).unwrap();
    assert!(first == "Unreleased" || first.starts_with(env!("CARGO_PKG_VERSION")), "{first}");
}
