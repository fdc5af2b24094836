//! The anchors that GitHub gives the headings of a page: the book's own are made by another rule.

use std::collections::{HashMap, HashSet};

use mdbook_markdown::pulldown_cmark::{Event, Tag, TagEnd};
use mdbook_markdown::{MarkdownOptions, new_cmark_parser};

/// The anchors of a page's headings.
pub(crate) fn of(page: &str) -> HashSet<String> {
    let mut options = MarkdownOptions::default();
    options.smart_punctuation = false;
    let (mut anchors, mut times) = (HashSet::new(), HashMap::<String, usize>::new());
    let mut heading = None::<String>;
    for event in new_cmark_parser(page, &options) {
        match (event, &mut heading) {
            (Event::Start(Tag::Heading { .. }), _) => heading = Some(String::new()),
            (Event::Text(text) | Event::Code(text), Some(heading)) => heading.push_str(&text),
            (Event::End(TagEnd::Heading(_)), _) => {
                let anchor = anchor(&heading.take().unwrap_or_default());
                let times = times.entry(anchor.clone()).or_default();
                anchors.insert(if *times == 0 { anchor } else { format!("{anchor}-{times}") });
                *times += 1;
            }
            _ => {}
        }
    }
    anchors
}

/// The anchor of one heading: its letters and digits, and a hyphen for each blank.
fn anchor(heading: &str) -> String {
    let lower = heading.trim().to_lowercase();
    let kept = lower.chars().filter(|c| c.is_alphanumeric() || matches!(c, ' ' | '-' | '_'));
    kept.map(|c| if c == ' ' { '-' } else { c }).collect()
}

#[cfg(test)]
mod tests {
    use super::of;

    #[test]
    fn anchors_are_those_of_github() {
        let anchors = of("# What is *not* `guaranteed`, and why\n\n## Other\n\n## Other\n\n```\n# no heading\n```\n");
        let mut anchors: Vec<_> = anchors.iter().map(String::as_str).collect();
        anchors.sort_unstable();
        assert_eq!(anchors, ["other", "other-1", "what-is-not-guaranteed-and-why"]);
    }
}
