//! The streams that the program's entities write: the name of a consumer's stream that is not among them and is empty
//! may be misspelled.

use crate::message::StreamName;

/// Streams that this program writes, registered when the program is linked: the adapter's derive does so for its
/// entities. Not for applications.
#[doc(hidden)]
pub struct WrittenStreams(
    /// Their names.
    pub fn() -> Vec<StreamName>,
);

inventory::collect!(WrittenStreams);

/// Warns of a consumer whose stream never had a message and is written by no entity of the program.
pub(crate) fn warn_if_unwritten(stream: &StreamName, consumer: &str) {
    let mut known: Vec<StreamName> = inventory::iter::<WrittenStreams>().flat_map(|written| (written.0)()).collect();
    known.sort_unstable();
    known.dedup();
    if known.is_empty() || known.contains(stream) {
        return;
    }
    tracing::warn!(
        %stream, consumer,
        "no message was ever written to this stream, and no `Streamed` entity of this program writes it: {} \
         `redstream.of::<Entity>()` names an entity's stream by its type. If another program writes this stream, nothing is \
         wrong",
        suggestion(stream.as_str(), &known)
    );
}

fn suggestion(stream: &str, known: &[StreamName]) -> String {
    let nearest = known.iter().map(|name| (distance(stream, name.as_str()), name)).min();
    match nearest {
        Some((distance, name)) if distance <= (stream.len() / 2).max(2) => format!("did you mean `{name}`?"),
        _ => {
            let names: Vec<_> = known.iter().take(NAMED).map(|name| format!("`{name}`")).collect();
            let more = if known.len() > NAMED { ", …" } else { "" };
            format!("they write {}{more}.", names.join(", "))
        }
    }
}

/// The maximum of names to list, if none is similar.
const NAMED: usize = 10;

/// How many characters must be added, removed or changed to make one of the other (Levenshtein's distance).
fn distance(from: &str, to: &str) -> usize {
    let to: Vec<char> = to.chars().collect();
    let mut row: Vec<usize> = (0..=to.len()).collect();
    for (nth, from) in from.chars().enumerate() {
        let mut diagonal = std::mem::replace(&mut row[0], nth + 1);
        for (at, to) in to.iter().enumerate() {
            let changed = diagonal + usize::from(from != *to);
            diagonal = row[at + 1];
            row[at + 1] = changed.min(row[at] + 1).min(diagonal + 1);
        }
    }
    row[to.len()]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_near_name_is_suggested_and_else_all_are_told() {
        let known = ["authors", "books", "categories"].map(|name| StreamName::new(name).unwrap());
        assert_eq!(suggestion("book", &known), "did you mean `books`?");
        assert_eq!(suggestion("category", &known), "did you mean `categories`?");
        assert_eq!(suggestion("Books", &known), "did you mean `books`?");
        assert_eq!(suggestion("x", &known), "they write `authors`, `books`, `categories`.");
    }

    #[test]
    fn a_distance_counts_what_differs() {
        let pairs = [("", ""), ("", "ab"), ("ab", ""), ("book", "books"), ("book", "boot"), ("kitten", "sitting")];
        assert_eq!(pairs.map(|(from, to)| distance(from, to)), [0, 2, 2, 1, 1, 3]);
    }
}
