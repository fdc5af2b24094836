//! Floats as JSON numbers, in one fixed layout.

use std::fmt::LowerExp;

/// A number has at most this many digits before its point; a larger one is written with an exponent.
const LONGEST_WHOLE: i32 = 16;

/// A number below one has fewer zeros than this after its point; a smaller one is written with an exponent.
const LEADING_ZEROS: i32 = 5;

/// Writes the shortest digits that read back as `value`, which is finite: `0.0`, `1.5`, `1e-7`, `1.2345e30`.
///
/// The standard library's digits, in a fixed layout: its `Display` has no exponents, and the layout of `serde_json` has
/// changed between versions.
pub(super) fn write_float(text: &mut String, value: impl LowerExp) {
    let scientific = format!("{value:e}");
    let (mantissa, exponent) = scientific.split_once('e').unwrap_or((&scientific, "0"));
    let (sign, mantissa) = mantissa.strip_prefix('-').map_or(("", mantissa), |mantissa| ("-", mantissa));
    if mantissa == "0" {
        return text.push_str("0.0");
    }
    text.push_str(sign);
    let digits = mantissa.replace('.', "");
    // The value is 0.DIGITS times ten to the power of `point`.
    let point = exponent.parse().unwrap_or(0) + 1;
    let count = i32::try_from(digits.len()).unwrap_or(i32::MAX);
    if point > LONGEST_WHOLE || point <= -LEADING_ZEROS {
        text.push_str(mantissa);
        text.push('e');
        text.push_str(exponent);
    } else if point <= 0 {
        text.push_str("0.");
        zeros(text, -point);
        text.push_str(&digits);
    } else if point >= count {
        text.push_str(&digits);
        zeros(text, point - count);
        text.push_str(".0");
    } else {
        let (whole, fraction) = digits.split_at(usize::try_from(point).unwrap_or(0));
        text.push_str(whole);
        text.push('.');
        text.push_str(fraction);
    }
}

fn zeros(text: &mut String, count: i32) {
    text.extend((0..count).map(|_| '0'));
}
