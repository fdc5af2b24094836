//! The id of a message: a time and a number, ordered as such and never as text.

use std::fmt;
use std::str::FromStr;

/// The id that Redis assigned to a message: milliseconds of Redis's clock, then a sequence number.
///
/// Ordered by number: `5-9` comes before `5-10`, which text comparison gets wrong.
///
/// ```
/// use redstream_core::MessageId;
/// let nine: MessageId = "1526919030474-9".parse()?;
/// let ten: MessageId = "1526919030474-10".parse()?;
/// assert!(nine < ten && ten.to_string() == "1526919030474-10");
/// # Ok::<(), redstream_core::InvalidMessageId>(())
/// ```
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct MessageId {
    /// Milliseconds since 1970, by the clock of Redis.
    pub ms: u64,
    /// The number of the message within that millisecond, from 0.
    pub seq: u64,
}

impl MessageId {
    /// `0-0`: before every message.
    pub const MIN: Self = Self { ms: 0, seq: 0 };

    /// The greatest id: no message comes after it.
    pub const MAX: Self = Self { ms: u64::MAX, seq: u64::MAX };

    /// The id `ms-seq`.
    pub const fn new(ms: u64, seq: u64) -> Self {
        Self { ms, seq }
    }
}

impl fmt::Display for MessageId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}-{}", self.ms, self.seq)
    }
}

/// The text is not a message id (`milliseconds-sequence`, or `milliseconds` alone for sequence 0).
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{0:?} is not a message id (expected milliseconds-sequence, such as 1526919030474-55)")]
pub struct InvalidMessageId(String);

impl FromStr for MessageId {
    type Err = InvalidMessageId;

    fn from_str(text: &str) -> Result<Self, InvalidMessageId> {
        let (ms, seq) = match text.bytes().position(|byte| byte == b'-') {
            Some(at) => (&text[..at], &text[at + 1..]),
            None => (text, "0"),
        };
        match (number(ms), number(seq)) {
            (Some(ms), Some(seq)) => Ok(Self { ms, seq }),
            _ => Err(InvalidMessageId(text.chars().take(64).collect())),
        }
    }
}

/// A number as Redis writes it: digits only. Each reply to an XADD is parsed by this, so numbers of up to 19 digits,
/// which cannot overflow, are parsed without a check.
fn number(digits: &str) -> Option<u64> {
    if !matches!(digits.len(), 1..=19) {
        return digits.parse().ok().filter(|_| !digits.starts_with('+'));
    }
    digits.bytes().try_fold(0, |number, byte| byte.is_ascii_digit().then(|| number * 10 + u64::from(byte - b'0')))
}
