//! Writes the figures into the documents, each between the marks `<!-- bench: NAME -->` and `<!-- end -->`.

use super::{machine, markdown, plot};
use crate::curve::Curve;
use crate::row::Row;
use anyhow::{Context, Result};
use std::fs;
use std::path::{Path, PathBuf};

const PAGES: [&str; 3] = ["README.md", "docs/performance.md", "docs/scale.md"];

/// Without rows the table is not changed.
pub(crate) fn write(rows: &[Row], curves: &[Curve], command: &str) -> Result<()> {
    let mut figures: Vec<(String, String)> =
        curves.iter().map(|curve| (curve.name.to_owned(), markdown::curve(curve))).collect();
    if !rows.is_empty() {
        figures.push(("rows".to_owned(), markdown::rows(rows)));
        figures.push(("summary".to_owned(), markdown::summary(rows)));
        figures.push(("machine".to_owned(), format!("`{command}`, on {}.", machine::description())));
        plot::draw(rows, &at("docs/performance.svg"))?;
    }
    for page in PAGES {
        let path = at(page);
        let mut text = fs::read_to_string(&path).with_context(|| format!("could not read {page}"))?;
        for (name, figure) in &figures {
            text = between(&text, name, figure);
        }
        fs::write(&path, text).with_context(|| format!("could not write {page}"))?;
    }
    Ok(())
}

/// The text with the figure between its marks; unchanged if it has none.
fn between(text: &str, name: &str, figure: &str) -> String {
    let (begin, end) = (format!("<!-- bench: {name} -->\n"), "<!-- end -->");
    let Some((before, rest)) = text.split_once(&begin) else { return text.to_owned() };
    let Some((_, after)) = rest.split_once(end) else { return text.to_owned() };
    format!("{before}{begin}{}\n{end}{after}", figure.trim_end())
}

fn at(page: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../..").join(page)
}
