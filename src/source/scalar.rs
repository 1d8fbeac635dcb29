//! What a plain (unquoted) YAML scalar means, as PyYAML reads it: YAML 1.1 with PyYAML's own
//! exceptions. `yes` is a boolean, `0644` is octal, `1e3` is text, dates stay text.

use super::node::NodeValue;

/// The type of a plain scalar; `None` means that it is text.
///
/// A number that does not fit is text too, so that a template prints it as it was written.
pub fn resolve(text: &str) -> Option<NodeValue> {
    if is_null(text) {
        return Some(NodeValue::Null);
    }
    // Everything else that is not text begins with one of these.
    if !matches!(
        text.as_bytes()[0],
        b'-' | b'+' | b'.' | b'0'..=b'9' | b'y' | b'Y' | b'n' | b'N' | b't' | b'T' | b'f' | b'F' | b'o' | b'O'
    ) {
        return None;
    }
    boolean(text).map(NodeValue::Bool).or_else(|| integer(text).map(NodeValue::Int)).or_else(|| float(text).map(NodeValue::Float))
}

/// `~`, `null` in three spellings, or nothing at all.
pub fn is_null(text: &str) -> bool {
    matches!(text, "" | "~" | "null" | "Null" | "NULL")
}

/// yes/no, true/false, on/off, each in three spellings; `y` and `n` are text.
pub fn boolean(text: &str) -> Option<bool> {
    match text {
        "yes" | "Yes" | "YES" | "true" | "True" | "TRUE" | "on" | "On" | "ON" => Some(true),
        "no" | "No" | "NO" | "false" | "False" | "FALSE" | "off" | "Off" | "OFF" => Some(false),
        _ => None,
    }
}

/// Decimal, octal (`0644`), binary (`0b1`), hexadecimal (`0x1f`) and base 60 (`1:30`), all with
/// underscores. `0o644` and `08` are text.
pub fn integer(text: &str) -> Option<i64> {
    let (sign, digits) = split_sign(text);
    if !digits.starts_with(|first: char| first.is_ascii_digit()) {
        return None;
    }
    let value = if digits.contains(':') {
        sexagesimal(digits)?
    } else {
        let (radix, body) = if let Some(body) = digits.strip_prefix("0b") {
            (2, body)
        } else if let Some(body) = digits.strip_prefix("0x") {
            (16, body)
        } else if digits.len() > 1 && digits.starts_with('0') {
            (8, digits)
        } else {
            (10, digits)
        };
        let plain = body.replace('_', "");
        if !plain.bytes().all(|byte| byte.is_ascii_hexdigit()) {
            return None;
        }
        i64::from_str_radix(&format!("{sign}{plain}"), radix).ok()?
    };
    Some(if digits.contains(':') && sign == "-" { -value } else { value })
}

/// With a dot (an exponent needs a dot before it and a sign in it), `.inf`, `.nan`, or base 60
/// with a fraction.
pub fn float(text: &str) -> Option<f64> {
    match text {
        ".nan" | ".NaN" | ".NAN" => return Some(f64::NAN),
        ".inf" | ".Inf" | ".INF" | "+.inf" | "+.Inf" | "+.INF" => return Some(f64::INFINITY),
        "-.inf" | "-.Inf" | "-.INF" => return Some(f64::NEG_INFINITY),
        _ => {}
    }
    let (sign, digits) = split_sign(text);
    let (mantissa, exponent) = match digits.split_once(['e', 'E']) {
        Some((mantissa, exponent)) => (mantissa, Some(exponent)),
        None => (digits, None),
    };
    if exponent.is_some_and(|exponent| !is_signed_number(exponent)) {
        return None;
    }
    let (whole, fraction) = mantissa.split_once('.')?;
    if !fraction.bytes().all(|byte| byte.is_ascii_digit() || byte == b'_') {
        return None;
    }
    if whole.is_empty() {
        // `.5`, never `-.5`.
        if !sign.is_empty() || !fraction.starts_with(|first: char| first.is_ascii_digit()) {
            return None;
        }
    } else if whole.contains(':') {
        if exponent.is_some() {
            return None;
        }
        let mut parts = sexagesimal_parts(whole, true)?;
        let last = parts.pop()?;
        let seconds: f64 = format!("{last}.{}", fraction.replace('_', "")).parse().ok()?;
        // Summed up from the smallest, as PyYAML does: another order differs in the last bit.
        let (value, _) = parts.iter().rev().fold((seconds, 60.0), |(sum, base), part| (sum + *part as f64 * base, base * 60.0));
        return Some(if sign == "-" { -value } else { value });
    } else if !whole.starts_with(|first: char| first.is_ascii_digit())
        || !whole.bytes().all(|byte| byte.is_ascii_digit() || byte == b'_')
    {
        return None;
    }
    text.replace('_', "").parse().ok()
}

fn split_sign(text: &str) -> (&str, &str) {
    match text.as_bytes().first() {
        Some(b'-' | b'+') => text.split_at(1),
        _ => ("", text),
    }
}

fn is_signed_number(text: &str) -> bool {
    let (sign, digits) = split_sign(text);
    !sign.is_empty() && !digits.is_empty() && digits.bytes().all(|byte| byte.is_ascii_digit())
}

/// `1:30:00` as a number; the first part may not begin with 0.
fn sexagesimal(digits: &str) -> Option<i64> {
    sexagesimal_parts(digits, false)?.into_iter().try_fold(0_i64, |sum, part| sum.checked_mul(60)?.checked_add(part))
}

fn sexagesimal_parts(digits: &str, leading_zero: bool) -> Option<Vec<i64>> {
    let mut parts = digits.split(':');
    let first = parts.next()?;
    let valid = first.bytes().all(|byte| byte.is_ascii_digit() || byte == b'_')
        && match first.bytes().next()? {
            b'0' => leading_zero,
            b'_' => false,
            _ => true,
        };
    if !valid {
        return None;
    }
    let mut numbers = vec![first.replace('_', "").parse().ok()?];
    for part in parts {
        let bytes = part.as_bytes();
        let valid = match bytes.len() {
            1 => bytes[0].is_ascii_digit(),
            2 => matches!(bytes[0], b'0'..=b'5') && bytes[1].is_ascii_digit(),
            _ => false,
        };
        if !valid {
            return None;
        }
        numbers.push(part.parse().ok()?);
    }
    (numbers.len() > 1).then_some(numbers)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// What Python would print for the value; text in quotes.
    fn read(text: &str) -> String {
        match resolve(text) {
            None => format!("'{text}'"),
            Some(NodeValue::Null) => "None".to_owned(),
            Some(NodeValue::Bool(true)) => "True".to_owned(),
            Some(NodeValue::Bool(false)) => "False".to_owned(),
            Some(NodeValue::Int(number)) => number.to_string(),
            Some(NodeValue::Float(number)) => format!("{number:?}").to_lowercase(),
            other => panic!("not a scalar: {other:?}"),
        }
    }

    /// Checked against PyYAML 6.
    #[test]
    fn plain_scalars_mean_what_pyyaml_says() {
        let table = [
            ("", "None"),
            ("~", "None"),
            ("null", "None"),
            ("NULL", "None"),
            ("nULL", "'nULL'"),
            ("none", "'none'"),
            ("yes", "True"),
            ("Yes", "True"),
            ("yEs", "'yEs'"),
            ("y", "'y'"),
            ("N", "'N'"),
            ("on", "True"),
            ("OFF", "False"),
            ("true", "True"),
            ("false", "False"),
            ("0", "0"),
            ("-0", "0"),
            ("+12", "12"),
            ("-12", "-12"),
            ("0644", "420"),
            ("-010", "-8"),
            ("00", "0"),
            ("0_7", "7"),
            ("08", "'08'"),
            ("0o644", "'0o644'"),
            ("0x1F", "31"),
            ("-0x1f", "-31"),
            ("0X1F", "'0X1F'"),
            ("0b101", "5"),
            ("0b12", "'0b12'"),
            ("1_000", "1000"),
            ("1__0_", "10"),
            ("_1", "'_1'"),
            ("1:30", "90"),
            ("-1:30", "-90"),
            ("12:30:45", "45045"),
            ("1:60", "'1:60'"),
            ("01:30", "'01:30'"),
            ("0:30", "'0:30'"),
            ("1:5", "65"),
            ("1:", "'1:'"),
            ("1.5", "1.5"),
            ("1.", "1.0"),
            (".5", "0.5"),
            ("-.5", "'-.5'"),
            ("._5", "'._5'"),
            (".", "'.'"),
            ("-1.5", "-1.5"),
            ("1_0.5_0", "10.5"),
            ("1e3", "'1e3'"),
            ("1.0e3", "'1.0e3'"),
            ("1.5e+3", "1500.0"),
            ("1.5E-1", "0.15"),
            ("1.e+3", "1000.0"),
            ("1:30.5", "90.5"),
            ("0:30.5", "30.5"),
            ("-1:30.5", "-90.5"),
            ("1:30.", "90.0"),
            (".inf", "inf"),
            ("-.INF", "-inf"),
            ("+.inf", "inf"),
            ("inf", "'inf'"),
            (".NaN", "nan"),
            ("nan", "'nan'"),
            ("1.2.3", "'1.2.3'"),
            ("10.0.0.1", "'10.0.0.1'"),
            ("2024-01-02", "'2024-01-02'"),
            ("-", "'-'"),
            ("+", "'+'"),
            ("--", "'--'"),
            ("12a", "'12a'"),
            ("0x", "'0x'"),
            ("+-1", "'+-1'"),
            ("1+1", "'1+1'"),
            ("9223372036854775807", "9223372036854775807"),
            ("9223372036854775808", "'9223372036854775808'"),
            ("é", "'é'"),
        ];
        let wrong: Vec<_> =
            table.iter().filter(|(text, expected)| read(text) != *expected).map(|(text, _)| (text, read(text))).collect();
        assert_eq!(wrong, [], "text and what came out");
    }
}
