//! The public items of the published crates, one a line, as `cargo public-api` lists them: compared with
//! `docs/public-api.txt`, so that no change of the interface goes unseen. Run it with `cargo xtask public-api`.

use std::collections::BTreeSet;
use std::fmt::Write as _;
use std::fs;
use std::path::Path;
use std::process::ExitCode;

use anyhow::{Context as _, Result, ensure};
use clap::Parser;
use redstream_cargo::{cargo, workspace};

/// The crates, each with the features that the list is of: no driver of a database changes it.
const CRATES: [(&str, &str); 4] = [
    ("redstream-core", "tls"),
    ("redstream-seaorm", "default,migration,rbac,tls"),
    ("redstream-sinks", "elasticsearch,redis-cache,redisearch,sql,tantivy,webhook"),
    ("redstream-web", ""),
];

/// The list, from the workspace's root.
const LIST: &str = "docs/public-api.txt";

const HEAD: &str = "# The public items of the published crates, without blanket, derived and auto trait implementations.\n\
                    # Written by `cargo xtask public-api --write`.\n";

#[derive(Debug, Parser)]
#[command(bin_name = "cargo xtask public-api")]
struct Options {
    /// Write the list instead of comparing it
    #[arg(long)]
    write: bool,
}

fn main() -> Result<ExitCode> {
    let Options { write } = Options::parse();
    let mut list = HEAD.to_owned();
    for (name, features) in CRATES {
        let chosen = if features.is_empty() { "no features".to_owned() } else { format!("the features {features}") };
        write!(list, "\n# {name}, with {chosen}\n\n")?;
        for item in items(name, features)? {
            list.push_str(&item);
            list.push('\n');
        }
    }
    let path = workspace().join(LIST);
    if write {
        fs::write(&path, list).with_context(|| format!("could not write {}", path.display()))?;
        return Ok(ExitCode::SUCCESS);
    }
    let known = fs::read_to_string(&path).with_context(|| format!("could not read {}", path.display()))?;
    let changes = changes(&known, &list);
    if changes.is_empty() {
        return Ok(ExitCode::SUCCESS);
    }
    println!("{}", changes.join("\n"));
    eprintln!("the public items are not those of {LIST}: if that is meant, run `cargo xtask public-api --write`");
    Ok(ExitCode::FAILURE)
}

/// The public items of a crate, in the order of their paths.
fn items(name: &str, features: &str) -> Result<Vec<String>> {
    let mut document = cargo(&["rustdoc", "--quiet", "--locked", "--lib", "-p", name, "--features", features, "--"]);
    document.args(["-Zunstable-options", "--output-format", "json"]);
    document.env("RUSTDOC", Path::new(env!("CARGO_MANIFEST_DIR")).join("rustdoc-json"));
    let status = document.status().context("could not run cargo rustdoc")?;
    ensure!(status.success(), "the documentation of {name} could not be made");
    let json = target().join("doc").join(name.replace('-', "_")).with_extension("json");
    let api = public_api::Builder::from_rustdoc_json(&json)
        .omit_blanket_impls(true)
        .omit_auto_trait_impls(true)
        .omit_auto_derived_impls(true)
        .build()
        .with_context(|| {
            format!("could not read {}: is `public-api` of the version for this rustdoc?", json.display())
        })?;
    Ok(api.items().map(ToString::to_string).collect())
}

fn target() -> std::path::PathBuf {
    std::env::var_os("CARGO_TARGET_DIR").map_or_else(|| workspace().join("target"), Into::into)
}

/// The lines that are new, and those that are gone.
fn changes(known: &str, list: &str) -> Vec<String> {
    let (before, after): (BTreeSet<&str>, BTreeSet<&str>) = (known.lines().collect(), list.lines().collect());
    let gone = before.difference(&after).map(|line| format!("- {line}"));
    let new = after.difference(&before).map(|line| format!("+ {line}"));
    gone.chain(new).collect()
}

#[cfg(test)]
mod tests {
    use super::changes;

    #[test]
    fn what_is_gone_and_what_is_new_is_told() {
        let told = changes("pub fn a()\npub fn b()\n", "pub fn b()\npub fn c()\n");
        assert_eq!(told, ["- pub fn a()", "+ pub fn c()"]);
        assert!(changes("pub fn a()\n", "pub fn a()\n").is_empty());
    }
}
