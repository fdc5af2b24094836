//! The parts of a reply, in RESP2, which this connection uses.

use redis::{ErrorKind, RedisError, RedisResult};

/// One part of a reply.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Token<'a> {
    /// This many parts follow, each with its nested parts.
    Array(usize),
    Text(&'a [u8]),
    Nil,
    /// A status, a number or a refusal, with the leading byte that identifies it.
    Line(&'a [u8]),
}

/// No line that Redis writes is as long; an endless line is refused.
const LONGEST_LINE: usize = 64 << 10;

/// The first part, and how many bytes it takes. `None` if it is not complete yet.
///
/// Errors if this is no reply.
pub(super) fn token(bytes: &[u8]) -> RedisResult<Option<(Token<'_>, usize)>> {
    let Some(end) = bytes.iter().take(LONGEST_LINE).position(|byte| *byte == b'\r') else {
        return if bytes.len() < LONGEST_LINE { Ok(None) } else { Err(malformed("a line has no end")) };
    };
    let (line, behind) = (&bytes[..end], end + 2);
    match bytes.get(end + 1) {
        None => return Ok(None),
        Some(b'\n') => {}
        Some(_) => return Err(malformed("a line does not end with CR and LF")),
    }
    match line.split_first() {
        Some((b'+' | b'-' | b':', _)) => Ok(Some((Token::Line(line), behind))),
        Some((b'$' | b'*', b"-1")) => Ok(Some((Token::Nil, behind))),
        Some((b'*', number)) => Ok(Some((Token::Array(length(number)?), behind))),
        Some((b'$', number)) => {
            let after = behind.checked_add(length(number)?).ok_or_else(|| malformed("a length is too great"))?;
            match bytes.get(after..).and_then(|rest| rest.first_chunk::<2>()) {
                None => Ok(None),
                Some(b"\r\n") => Ok(Some((Token::Text(&bytes[behind..after]), after + 2))),
                Some(_) => Err(malformed("a text is longer than it says")),
            }
        }
        _ => Err(malformed("a part begins with none of + - : $ *")),
    }
}

fn length(number: &[u8]) -> RedisResult<usize> {
    let number = std::str::from_utf8(number).ok().and_then(|number| number.parse().ok());
    number.ok_or_else(|| malformed("a length is not a number"))
}

pub(super) fn malformed(what: &'static str) -> RedisError {
    RedisError::from((ErrorKind::Parse, "the reply is not one of Redis", what.to_owned()))
}

/// How many parts of a reply are still to come.
#[derive(Clone, Copy, Debug)]
pub(super) struct Open(usize);

impl Open {
    /// A reply that has not begun.
    pub(super) const REPLY: Self = Self(1);

    /// Counts a part. Returns whether the reply is complete.
    pub(super) fn consume(&mut self, token: Token<'_>) -> bool {
        let more = if let Token::Array(parts) = token { parts } else { 0 };
        self.0 = self.0.saturating_add(more).saturating_sub(1);
        self.0 == 0
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_part_is_taken_when_it_is_whole() {
        for (bytes, expected) in [
            (&b"*2\r\n"[..], (Token::Array(2), 4)),
            (b"*-1\r\n", (Token::Nil, 5)),
            (b"$-1\r\nrest", (Token::Nil, 5)),
            (b"$3\r\na\rb\r\nrest", (Token::Text(b"a\rb"), 9)),
            (b"$0\r\n\r\n", (Token::Text(b""), 6)),
            (b":17\r\n", (Token::Line(b":17"), 5)),
            (b"-ERR no\r\n", (Token::Line(b"-ERR no"), 9)),
        ] {
            assert_eq!(token(bytes).unwrap(), Some(expected));
            for cut in 0..expected.1 {
                assert_eq!(token(&bytes[..cut]).unwrap(), None, "{cut} bytes");
            }
        }
    }

    #[test]
    fn what_is_no_reply_is_an_error() {
        for bytes in
            [&b"?3\r\n"[..], b"$x\r\n", b"*-2\r\n", b"$1\r\nabc\r\n", b"+a\rb", b"$18446744073709551615\r\n", b"\r\n"]
        {
            assert!(token(bytes).is_err(), "{bytes:?}");
        }
        assert!(token(&vec![b'+'; LONGEST_LINE]).is_err());
    }

    #[test]
    fn a_reply_ends_with_the_last_part_of_its_arrays() {
        let mut open = Open::REPLY;
        let parts = [Token::Array(2), Token::Array(1), Token::Nil, Token::Text(b"x")];
        assert_eq!(parts.map(|part| open.consume(part)), [false, false, false, true]);
        assert!(Open::REPLY.clone().consume(Token::Array(0)));
    }
}
