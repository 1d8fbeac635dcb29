//! Sizes and spans of time as playbooks write them for containers.

use crate::outcome::Failure;

/// Bytes of `512`, `512b`, `64k`, `1.5G`, `1GiB`; powers of 1024.
pub(super) fn bytes(option: &str, text: &str) -> Result<i64, Failure> {
    let bad = || Failure::new(format!("`{option}`: `{text}` is no size: a number and one of B, K, M, G, T, P"));
    let plain = text.trim();
    let end = plain.find(|c: char| !(c.is_ascii_digit() || c == '.' || c == '-')).unwrap_or(plain.len());
    let (number, unit) = plain.split_at(end);
    let unit = unit.trim().to_lowercase();
    let unit = unit.strip_suffix("ib").or_else(|| unit.strip_suffix('b').filter(|rest| !rest.is_empty())).unwrap_or(&unit);
    let power = match unit {
        "" | "b" => 0,
        "k" => 1,
        "m" => 2,
        "g" => 3,
        "t" => 4,
        "p" => 5,
        _ => return Err(bad()),
    };
    let number: f64 = number.parse().map_err(|_| bad())?;
    Ok((number * 1024_f64.powi(power)) as i64)
}

/// Nanoseconds of `1m30s`, `500ms`, `2h`; a bare number is seconds.
pub(super) fn nanoseconds(option: &str, text: &str) -> Result<i64, Failure> {
    let bad = || Failure::new(format!("`{option}`: `{text}` is no span of time, like `1m30s`"));
    let mut rest = text.trim();
    if rest.is_empty() {
        return Err(bad());
    }
    let mut sum = 0.0;
    while !rest.is_empty() {
        let end = rest.find(|c: char| !(c.is_ascii_digit() || c == '.')).unwrap_or(rest.len());
        let number: f64 = rest[..end].parse().map_err(|_| bad())?;
        rest = &rest[end..];
        let end = rest.find(|c: char| c.is_ascii_digit() || c == '.').unwrap_or(rest.len());
        sum += number
            * match &rest[..end] {
                "" if rest.len() == end => 1e9,
                "ns" => 1.0,
                "us" | "µs" => 1e3,
                "ms" => 1e6,
                "s" => 1e9,
                "m" => 6e10,
                "h" => 3.6e12,
                _ => return Err(bad()),
            };
        rest = &rest[end..];
    }
    Ok(sum.round() as i64)
}

/// A size that an engine wrote for people (`1.5kB`, `212B`), in bytes.
pub(super) fn shown_bytes(text: &str) -> i64 {
    let plain = text.trim();
    let end = plain.find(|c: char| !(c.is_ascii_digit() || c == '.')).unwrap_or(plain.len());
    let power = match plain[end..].trim().to_lowercase().as_str() {
        "kb" => 1,
        "mb" => 2,
        "gb" => 3,
        "tb" => 4,
        _ => 0,
    };
    plain[..end].parse::<f64>().map_or(0, |number| (number * 1000_f64.powi(power)) as i64)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sizes_are_powers_of_1024() {
        for (text, expected) in
            [("512", 512), ("1b", 1), ("64k", 65_536), ("64KB", 65_536), ("1.5G", 1_610_612_736), ("1MiB", 1 << 20), ("-1", -1)]
        {
            assert_eq!(bytes("memory", text).unwrap(), expected, "{text}");
        }
        for bad in ["", "x", "1x", "G", "1.2.3"] {
            assert!(bytes("memory", bad).unwrap_err().message.contains("`memory`"), "{bad}");
        }
        assert_eq!((shown_bytes("212 B"), shown_bytes("1.5kB"), shown_bytes("2MB")), (212, 1500, 2_000_000));
    }

    #[test]
    fn spans_of_time_are_sums() {
        for (text, expected) in [("5s", 5e9), ("1m30s", 9e10), ("1.5h", 5.4e12), ("500ms", 5e8), ("10", 1e10), ("0s", 0.0)] {
            assert_eq!(nanoseconds("interval", text).unwrap(), expected as i64, "{text}");
        }
        for bad in ["", "s", "5x", "5s3x"] {
            assert!(nanoseconds("interval", bad).is_err(), "{bad}");
        }
    }
}
