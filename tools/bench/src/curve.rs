//! A curve: how a figure changes with one parameter.

/// A table of few columns, as printed and as written to the documents.
#[derive(Clone, Debug)]
pub(crate) struct Curve {
    pub(crate) name: &'static str,
    pub(crate) columns: &'static [&'static str],
    pub(crate) points: Vec<Vec<String>>,
}

impl Curve {
    pub(crate) fn new(name: &'static str, columns: &'static [&'static str]) -> Self {
        Self { name, columns, points: Vec::new() }
    }

    pub(crate) fn point(&mut self, values: impl IntoIterator<Item = String>) {
        self.points.push(values.into_iter().collect());
    }
}

/// `1234567` as `1,234,567`.
pub(crate) fn whole(value: f64) -> String {
    let digits = format!("{value:.0}");
    let (sign, digits) = digits.strip_prefix('-').map_or(("", &*digits), |digits| ("-", digits));
    let groups: Vec<&str> = digits.as_bytes().rchunks(3).rev().filter_map(|group| str::from_utf8(group).ok()).collect();
    format!("{sign}{}", groups.join(","))
}

pub(crate) fn percent(share: f64) -> String {
    format!("{:.0} %", share * 100.0)
}
