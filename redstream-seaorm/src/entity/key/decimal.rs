//! Decimal numbers as text: one text for one number, whatever its scale.

/// How many zeros are written at most only to place the decimal point; beyond that an exponent is used.
const MOST_ZEROS: i64 = 100;

/// Normalises the digits of a number: `150` with two of them after the point is `1.5`, as `15` with one is.
///
/// Numbers of a usual size have no exponent. Others would take gigabytes of zeros, and are written as `1.5e300`.
pub(super) fn write(negative: bool, digits: &str, scale: i64) -> String {
    let digits = digits.trim_start_matches('0');
    let significant = digits.trim_end_matches('0');
    if significant.is_empty() {
        return "0".to_owned();
    }
    let length = |text: &str| i64::try_from(text.len()).unwrap_or(i64::MAX);
    let scale = scale.saturating_sub(length(digits) - length(significant));
    // The number is 0.DIGITS times ten to the power of `point`.
    let point = length(significant).saturating_sub(scale);
    let mut text = String::with_capacity(significant.len() + 8);
    if negative {
        text.push('-');
    }
    if -scale > MOST_ZEROS || point < -MOST_ZEROS {
        let (first, rest) = significant.split_at(1);
        text.push_str(first);
        if !rest.is_empty() {
            text.push('.');
            text.push_str(rest);
        }
        text.push('e');
        text.push_str(&(point - 1).to_string());
    } else if point <= 0 {
        text.push_str("0.");
        text.extend((point..0).map(|_| '0'));
        text.push_str(significant);
    } else if scale <= 0 {
        text.push_str(significant);
        text.extend((scale..0).map(|_| '0'));
    } else {
        let (whole, fraction) = significant.split_at(usize::try_from(point).unwrap_or(0));
        text.push_str(whole);
        text.push('.');
        text.push_str(fraction);
    }
    text
}
