//! The fenced blocks of a page.

/// A fenced block.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Block {
    /// What stands behind the fence: `rust`, `console`, …
    pub language: String,
    /// The file that it is a part of, from the root of the repository: that of the comment `<!-- examples/x.rs -->`
    /// above it.
    pub file: Option<String>,
    /// The number of its first line, for messages.
    pub line: usize,
    /// Its lines.
    pub lines: Vec<String>,
}

/// The fenced blocks of a page, in order.
#[must_use]
pub fn blocks(page: &str) -> Vec<Block> {
    let (mut blocks, mut open, mut above) = (Vec::new(), None::<Block>, "");
    for (nth, line) in page.lines().enumerate() {
        let fence = line.trim_start().strip_prefix("```");
        match (&mut open, fence) {
            (Some(_), Some(_)) => blocks.extend(open.take()),
            (Some(block), None) => block.lines.push(line.to_owned()),
            (None, Some(language)) => {
                let file = above.strip_prefix("<!-- ").and_then(|rest| rest.strip_suffix(" -->")).map(str::to_owned);
                open = Some(Block { language: language.trim().to_owned(), file, line: nth + 2, lines: Vec::new() });
            }
            (None, None) if line.trim().is_empty() => {}
            (None, None) => above = line.trim(),
        }
    }
    blocks
}

#[cfg(test)]
mod tests {
    use super::{Block, blocks};

    #[test]
    fn a_block_knows_its_language_its_lines_and_the_file_named_above_it() {
        let page = "Text.\n\n<!-- examples/a.rs -->\n```rust\nlet a = 1;\n\n```\n\nMore.\n\n```console\n$ ls\n```\n";
        let block = |language: &str, file: Option<&str>, line, lines: &[&str]| Block {
            language: language.to_owned(),
            file: file.map(str::to_owned),
            line,
            lines: lines.iter().map(|line| (*line).to_owned()).collect(),
        };
        let wanted =
            [block("rust", Some("examples/a.rs"), 5, &["let a = 1;", ""]), block("console", None, 12, &["$ ls"])];
        assert_eq!(blocks(page), wanted);
    }
}
