//! Comments, and text that only looks like one.

use sea_orm::DbBackend;

use super::Tokens;

/// Whether a version comment runs.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Runs {
    Always,
    Never,
    /// On some servers.
    Sometimes,
}

/// Older servers are not supported. MariaDB skips `/*!50700 … */` and later ones up to 99999.
const ALWAYS: u32 = 50_699;
/// No server runs it: dumps use it to say something to their client.
const NEVER: u32 = 999_999;

/// Whether what follows `/*` is run, and the length of its mark; `None` for a plain comment.
fn version(rest: &[u8]) -> Option<(Runs, usize)> {
    let mark = match rest {
        [b'!', ..] => 1,
        [b'M', b'!', ..] => 2,
        _ => return None,
    };
    let digits = rest[mark..].iter().take(6).take_while(|byte| byte.is_ascii_digit()).count();
    // MySQL treats as a comment what MariaDB marks this way.
    let is_marked = mark == 2;
    if digits < 5 {
        return Some((if is_marked { Runs::Sometimes } else { Runs::Always }, mark));
    }
    let version = rest[mark..mark + digits].iter().fold(0, |version, digit| version * 10 + u32::from(digit - b'0'));
    let runs = match version {
        NEVER.. => Runs::Never,
        ..=ALWAYS if !is_marked => Runs::Always,
        _ => Runs::Sometimes,
    };
    Some((runs, mark + digits))
}

impl Tokens<'_> {
    /// Whether a comment begins here that goes to the end of the line. In `MySQL` `5--1` is six.
    pub(super) fn is_line_comment(&self) -> bool {
        match (self.byte(0), self.byte(1), self.byte(2)) {
            (Some(b'-'), Some(b'-'), next) => {
                self.backend != DbBackend::MySql || next.is_none_or(|next| next <= b' ' || next == 0x7f)
            }
            (Some(b'#'), ..) => self.backend == DbBackend::MySql,
            _ => false,
        }
    }

    /// Skips past a comment of one line. A carriage return ends it in PostgreSQL, a zero byte in `MySQL`.
    pub(super) fn pass_line(&mut self) {
        let rest = &self.sql.as_bytes()[self.at..];
        let other = match self.backend {
            DbBackend::Postgres => b'\r',
            DbBackend::MySql => 0,
            _ => b'\n',
        };
        let end = rest.iter().position(|byte| *byte == b'\n' || *byte == other);
        self.at += end.unwrap_or(rest.len());
    }

    /// Skips past a comment; in PostgreSQL they nest. If `MySQL` runs it, only the mark is skipped.
    pub(super) fn pass_comment(&mut self) {
        self.at += 2;
        let mut nested = if self.backend == DbBackend::Postgres { usize::MAX } else { 0 };
        if self.backend == DbBackend::MySql
            && let Some((runs, mark)) = version(&self.sql.as_bytes()[self.at..])
        {
            self.uncertain += usize::from(runs == Runs::Sometimes);
            if runs == Runs::Always || (runs == Runs::Sometimes && !self.skips_versions) {
                self.executable = true;
                self.at += mark;
                return;
            }
            // A skipped comment may contain comments.
            nested = 1;
        }
        let mut depth = 0;
        loop {
            match (self.byte(0), self.byte(1)) {
                (Some(b'*'), Some(b'/')) => {
                    self.at += 2;
                    if depth == 0 {
                        return;
                    }
                    depth -= 1;
                }
                (Some(b'/'), Some(b'*')) if depth < nested => (depth, self.at) = (depth + 1, self.at + 2),
                (None, _) => {
                    self.is_cut_off = true;
                    return;
                }
                _ => self.at += 1,
            }
        }
    }
}
