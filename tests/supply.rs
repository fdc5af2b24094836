//! Our dependencies: from the registry only, and under licences that `deny.toml` allows.

use crate::workspace::{is_ours, packages, read};

const REGISTRY: &str = "registry+https://github.com/rust-lang/crates.io-index";

/// The texts in quotation marks after `begin`, up to `end`.
fn quoted(text: &str, begin: &str, end: &str) -> Vec<String> {
    let (_, list) = text.split_once(begin).unwrap();
    let (list, _) = list.split_once(end).unwrap();
    list.split('"').skip(1).step_by(2).map(str::to_owned).collect()
}

fn allowed() -> Vec<String> {
    quoted(&read("deny.toml"), "allow = [", "]")
}

/// Licences that are allowed for one crate each: `{ allow = ["MPL-2.0"], crate = "mdbook-core" }`.
fn allowed_for(package: &str) -> Vec<String> {
    let deny = read("deny.toml");
    let exceptions = deny.lines().filter(|line| line.ends_with(&format!("crate = \"{package}\" }},")));
    exceptions.flat_map(|line| quoted(line, "allow = [", "]")).collect()
}

/// Of each part that `AND` joins, one choice must do.
fn permits(expression: &str, allowed: &[String]) -> bool {
    let choices =
        |part: &str| part.replace('/', " OR ").split(" OR ").any(|name| allowed.iter().any(|a| a == name.trim()));
    expression.replace(['(', ')'], "").split(" AND ").all(choices)
}

#[test]
fn everything_comes_from_the_registry_under_a_licence_that_is_allowed() {
    let (mut dependencies, allowed) = (packages(), allowed());
    dependencies.retain(|package| !is_ours(package));
    assert!(dependencies.len() > 100 && allowed.len() > 5);
    for package in dependencies {
        let (name, licence) = (&package["name"], package["license"].as_str().unwrap_or("none"));
        assert_eq!(package["source"], REGISTRY, "{name}");
        let allowed = [&*allowed, &*allowed_for(name.as_str().unwrap())].concat();
        assert!(permits(licence, &allowed), "{name} is under {licence}");
    }
}

#[test]
fn a_licence_that_is_not_allowed_is_seen() {
    let allowed = ["MIT".to_owned()];
    assert!(permits("GPL-3.0 OR MIT", &allowed) && permits("MIT/Apache-2.0", &allowed));
    assert!(!permits("GPL-3.0", &allowed) && !permits("MIT AND GPL-3.0", &allowed) && !permits("none", &allowed));
}
