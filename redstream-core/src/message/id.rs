//! The id of a message: a time, a number, and a position in its entry; ordered as such and never as text.

use std::fmt;
use std::str::FromStr;

/// The id of a message: milliseconds of Redis's clock, then a sequence number, which Redis assigned to the entry of the
/// stream that holds it.
///
/// An entry can hold several messages. The last of them, and so the only one, has the id of the entry; those before it
/// also have their position, as in `1526919030474-55-0`, and come before it. So a consumer has handled the message `id`
/// if its offset is `id` or greater: an offset is the id of an entry, whose messages are all handled.
///
/// Ordered by number: `5-9` comes before `5-10`, which text comparison gets wrong.
///
/// ```
/// use redstream_core::MessageId;
/// let nine: MessageId = "1526919030474-9".parse()?;
/// let ten: MessageId = "1526919030474-10".parse()?;
/// assert!(nine < ten && ten.to_string() == "1526919030474-10");
/// let first_of_ten: MessageId = "1526919030474-10-0".parse()?;
/// assert!(nine < first_of_ten && first_of_ten < ten);
/// # Ok::<(), redstream_core::InvalidMessageId>(())
/// ```
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct MessageId {
    /// Milliseconds since 1970, by the clock of Redis.
    pub ms: u64,
    /// The number of the entry within that millisecond, from 0.
    pub seq: u64,
    position: Position,
}

/// The position of a message in its entry, in stream order.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, PartialOrd, Ord)]
enum Position {
    /// Others of the entry follow. Counted from 0.
    Inside(u32),
    #[default]
    Last,
}

impl MessageId {
    /// `0-0`: before every message.
    pub const MIN: Self = Self::new(0, 0);

    /// The greatest id: no message comes after it.
    pub const MAX: Self = Self::new(u64::MAX, u64::MAX);

    /// The id `ms-seq`: of an entry, and of its last message.
    pub const fn new(ms: u64, seq: u64) -> Self {
        Self { ms, seq, position: Position::Last }
    }

    /// The position of the message in its entry, from 0, if others of the entry follow it; `None` for the last message
    /// of an entry, and so for the only one.
    pub const fn index(self) -> Option<u32> {
        match self.position {
            Position::Inside(index) => Some(index),
            Position::Last => None,
        }
    }

    /// The id of the entry that holds the message: the id of its last message.
    #[must_use]
    pub const fn entry(self) -> Self {
        Self::new(self.ms, self.seq)
    }

    /// The message at this position in the entry with this id, if others follow it.
    pub(crate) const fn inside(self, index: u32) -> Self {
        Self { position: Position::Inside(index), ..self }
    }

    /// The message at this position in the entry with this id, which holds `len` messages.
    pub(crate) const fn nth(self, index: u32, len: u32) -> Self {
        if index + 1 < len { self.inside(index) } else { self.entry() }
    }

    /// The offset of a consumer that has handled all messages up to this one: an offset passes an entry only with its
    /// last message. The greatest id before the entry if others of the entry follow.
    pub(crate) const fn offset(self) -> Self {
        match (self.position, self.seq.checked_sub(1), self.ms.checked_sub(1)) {
            (Position::Last, ..) => self,
            (Position::Inside(_), Some(seq), _) => Self::new(self.ms, seq),
            (Position::Inside(_), None, Some(ms)) => Self::new(ms, u64::MAX),
            (Position::Inside(_), None, None) => Self::MIN,
        }
    }
}

impl fmt::Display for MessageId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}-{}", self.ms, self.seq)?;
        self.index().map_or(Ok(()), |index| write!(f, "-{index}"))
    }
}

/// The text is not a message id: `milliseconds-sequence`, `milliseconds-sequence-position`, or `milliseconds` alone for
/// sequence 0.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{0:?} is not a message id (expected milliseconds-sequence, such as 1526919030474-55)")]
pub struct InvalidMessageId(String);

impl FromStr for MessageId {
    type Err = InvalidMessageId;

    fn from_str(text: &str) -> Result<Self, InvalidMessageId> {
        parse(text).ok_or_else(|| InvalidMessageId(text.chars().take(64).collect()))
    }
}

fn parse(text: &str) -> Option<MessageId> {
    let (ms, seq) = match text.bytes().position(|byte| byte == b'-') {
        Some(at) => (&text[..at], &text[at + 1..]),
        None => (text, "0"),
    };
    let ms = number(ms)?;
    if let Some(seq) = number(seq) {
        return Some(MessageId::new(ms, seq));
    }
    let (seq, index) = seq.split_once('-')?;
    let index = number(index).and_then(|index| u32::try_from(index).ok())?;
    Some(MessageId::new(ms, number(seq)?).inside(index))
}

/// A number as Redis writes it: digits only. Each reply to an XADD is parsed by this, so numbers of up to 19 digits,
/// which cannot overflow, are parsed without a check.
fn number(digits: &str) -> Option<u64> {
    if !matches!(digits.len(), 1..=19) {
        return digits.parse().ok().filter(|_| !digits.starts_with('+'));
    }
    digits.bytes().try_fold(0, |number, byte| byte.is_ascii_digit().then(|| number * 10 + u64::from(byte - b'0')))
}
