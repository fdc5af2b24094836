//! Decodes quoted names.

use std::borrow::Cow;

/// A quoted name, as written between its quotes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in super::super) struct Quoted<'a> {
    raw: &'a str,
    /// The quote that occurs in it, doubled; zero if none does.
    quote: u8,
    /// The escape character before a code point; zero if there is none.
    escape: u8,
}

impl<'a> Quoted<'a> {
    pub(super) fn plain(raw: &'a str) -> Self {
        Self { raw, quote: 0, escape: 0 }
    }

    pub(super) fn doubled(raw: &'a str, quote: u8) -> Self {
        Self { raw, quote, escape: 0 }
    }

    pub(super) fn unicode(raw: &'a str, escape: u8) -> Self {
        Self { raw, quote: b'"', escape }
    }

    /// The name in the database's spelling.
    pub(super) fn decoded(self) -> Cow<'a, str> {
        if self.quote == 0 && self.escape == 0 {
            return Cow::Borrowed(self.raw);
        }
        let mut name = String::with_capacity(self.raw.len());
        let mut rest = self.raw.chars();
        // Two escapes may form one character (a surrogate pair).
        let mut units: Vec<u16> = Vec::new();
        while let Some(next) = rest.next() {
            let after = rest.as_str();
            if self.escape != 0 && next == char::from(self.escape) && !after.starts_with(next) {
                let (digits, skipped) = if after.starts_with('+') { (6, 1) } else { (4, 0) };
                let number = after.get(skipped..skipped + digits);
                if let Some(number) = number.and_then(|digits| u32::from_str_radix(digits, 16).ok()) {
                    rest = after[skipped + digits..].chars();
                    match (u16::try_from(number), char::from_u32(number)) {
                        (Ok(unit), _) => units.push(unit),
                        (_, Some(character)) => {
                            name.extend(char::decode_utf16(units.drain(..)).flatten());
                            name.push(character);
                        }
                        _ => {}
                    }
                    continue;
                }
            }
            name.extend(char::decode_utf16(units.drain(..)).flatten());
            let is_pair = next == char::from(self.escape) || next == char::from(self.quote);
            if is_pair && after.starts_with(next) {
                rest.next();
            }
            name.push(next);
        }
        name.extend(char::decode_utf16(units.drain(..)).flatten());
        Cow::Owned(name)
    }
}
