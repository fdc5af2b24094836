//! Errors that differ in ids and numbers alone are of one kind.

use std::iter::Peekable;
use std::str::Chars;

use crate::consumer::dead_letters::DeadLetter;

/// The longest pattern, in characters.
const LONGEST: usize = 200;

impl DeadLetter {
    /// The error without what differs from message to message: each word with a digit is `#`, each quoted text `…`.
    /// At most 200 characters.
    #[must_use]
    pub fn error_pattern(&self) -> String {
        pattern(&self.error)
    }

    /// A short name of the [pattern](Self::error_pattern), eight hex digits: dead letters with the same one failed in
    /// the same way.
    #[must_use]
    pub fn fingerprint(&self) -> String {
        format!("{:08x}", crc32fast::hash(self.error_pattern().as_bytes()))
    }
}

fn pattern(error: &str) -> String {
    let (mut pattern, mut length) = (String::new(), 0);
    let mut chars = error.chars().peekable();
    while let Some(first) = chars.next() {
        let piece = match first {
            '"' | '`' => quoted(first, &mut chars),
            first if is_of_word(first) => word(first, &mut chars),
            // Lines and indents vary with what is quoted in them.
            first if first.is_whitespace() => " ".to_owned(),
            first => first.to_string(),
        };
        if piece == " " && pattern.ends_with(' ') {
            continue;
        }
        length += piece.chars().count();
        if length > LONGEST {
            pattern.push('…');
            break;
        }
        pattern.push_str(&piece);
    }
    pattern
}

fn is_of_word(char: char) -> bool {
    char.is_alphanumeric() || matches!(char, '_' | '-')
}

/// A word, or `#` if a digit is in it: a number, an id, a hash.
fn word(first: char, chars: &mut Peekable<Chars<'_>>) -> String {
    let mut word = first.to_string();
    while let Some(next) = chars.next_if(|next| is_of_word(*next)) {
        word.push(next);
    }
    if word.contains(|char: char| char.is_numeric()) { "#".to_owned() } else { word }
}

/// What stands between two quotes; the quote alone if there is no second one.
fn quoted(quote: char, chars: &mut Peekable<Chars<'_>>) -> String {
    let mut rest = chars.clone();
    if !rest.any(|next| next == quote) {
        return quote.to_string();
    }
    *chars = rest;
    format!("{quote}…{quote}")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_differs_from_message_to_message_is_left_out() {
        assert_eq!(pattern("row 17 of 3.5 is missing"), "row # of #.# is missing");
        assert_eq!(pattern("no city 6f9619ff-8b86-d011-b42d-00c04fc964ff"), "no city #");
        assert_eq!(pattern(r#"mapping: "Ulm 1" of `name`"#), "mapping: \"…\" of `…`");
        assert_eq!(pattern("it's a \"quote without an end"), "it's a \"quote without an end");
        assert_eq!(pattern("a\n\n  b"), "a b");
        assert_eq!(pattern(""), "");
        assert_eq!(pattern(&"x ".repeat(1000)).chars().count(), LONGEST + 1);
    }

    #[test]
    fn one_kind_has_one_fingerprint() {
        let of = |error: &str| {
            let letter = crate::consumer::dead_letters::letter(
                "1-0",
                &[
                    b"payload".to_vec(),
                    b"1".to_vec(),
                    b"message_id".to_vec(),
                    b"1-0".to_vec(),
                    b"error".to_vec(),
                    error.as_bytes().to_vec(),
                    b"attempts".to_vec(),
                    b"1".to_vec(),
                ],
            );
            letter.unwrap().fingerprint()
        };
        assert_eq!(of("row 17 is missing"), of("row 4711 is missing"));
        assert_ne!(of("row 17 is missing"), of("row 17 is locked"));
        assert_eq!(of("").len(), 8);
    }
}
