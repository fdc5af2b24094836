//! Texts in queries.

/// A text that stands for itself in a query of RediSearch, such as a value of a TAG field: `@kind:{…}`.
///
/// Without it `-`, `.`, `@`, a space and other characters are operators or separators: `@code:{a-b}` is a syntax error,
/// and a query that is made of a user's input can be made to say something else.
///
/// ```
/// use redstream_sinks::redisearch::escape;
///
/// assert_eq!(format!("@code:{{{}}}", escape("a-b c")), r"@code:{a\-b\ c}");
/// ```
pub fn escape(text: &str) -> String {
    let mut escaped = String::with_capacity(text.len() + 8);
    for character in text.chars() {
        // The underscore too: inside a word it is a letter, alone it is a syntax error (RediSearch 2.10).
        if character.is_ascii() && !character.is_ascii_alphanumeric() {
            escaped.push('\\');
        }
        escaped.push(character);
    }
    escaped
}
