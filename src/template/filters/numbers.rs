//! Filters on numbers.

use super::{Filter, filter, flag, string, whole};
use crate::template::error::fail;
use crate::template::eval::Interpreter;
use crate::template::runtime::{Number, number};
use crate::template::val::{Args, Res, Val};

pub(super) const FILTERS: &[Filter] = &[
    filter("int", int),
    filter("float", float),
    filter("abs", |_, input, _| match number(&input) {
        Some(Number::Int(number)) => Ok(Val::Int(number.abs())),
        Some(Number::Float(number)) => Ok(Val::Float(number.abs())),
        None => Err(fail(format!("a number is needed, not a `{}`", input.type_name()))),
    }),
    filter("round", round),
    filter("log", |_, input, args| {
        let value = needed(&input)?;
        let base = args.next("base").map_or(Ok(std::f64::consts::E), |base| needed(&base))?;
        let result = if base == 10.0 {
            value.log10()
        } else if base == std::f64::consts::E {
            value.ln()
        } else {
            value.ln() / base.ln()
        };
        if result.is_finite() { Ok(Val::Float(result)) } else { Err(fail("the logarithm of this number does not exist")) }
    }),
    filter("pow", |_, input, args| Ok(Val::Float(needed(&input)?.powf(needed(&args.required("y")?)?)))),
    filter("root", |_, input, args| {
        let value = needed(&input)?;
        let base = args.next("base").map_or(Ok(2.0), |base| needed(&base))?;
        if value < 0.0 {
            return Err(fail("a negative number has no root"));
        }
        Ok(Val::Float(if base == 2.0 { value.sqrt() } else { value.powf(1.0 / base) }))
    }),
    filter("human_readable", human_readable),
    filter("human_to_bytes", human_to_bytes),
    filter("filesizeformat", file_size),
];

fn needed(value: &Val) -> Res<f64> {
    number(value).map(Number::float).ok_or_else(|| fail(format!("a number is needed, not a `{}`", value.type_name())))
}

fn int(_: &Interpreter<'_>, input: Val, args: &mut Args) -> Res {
    let default = args.next("default").unwrap_or(Val::Int(0));
    let base = args.next("base").map_or(Ok(10), |base| whole(&base))?;
    Ok(match &input {
        Val::Str(text) => parse_int(text, base).map_or_else(
            || match text.trim().parse::<f64>() {
                Ok(number) if number.is_finite() => Val::Int(number as i64),
                _ => default,
            },
            Val::Int,
        ),
        other => match number(other) {
            Some(Number::Int(number)) => Val::Int(number),
            Some(Number::Float(number)) if number.is_finite() => Val::Int(number as i64),
            _ => default,
        },
    })
}

/// Python's `float(text)`: digits may be grouped by underscores.
fn parse_float(text: &str) -> Option<f64> {
    let text = text.trim();
    let grouped = text.split('_').all(|part| !part.is_empty());
    let digits_around = !text.contains("_.") && !text.contains("._");
    if grouped && digits_around { text.replace('_', "").parse().ok() } else { None }
}

/// Python's `int(text, base)`.
fn parse_int(text: &str, base: i64) -> Option<i64> {
    let text = text.trim();
    let (negative, digits) = match text.strip_prefix('-') {
        Some(digits) => (true, digits),
        None => (false, text.strip_prefix('+').unwrap_or(text)),
    };
    let lower = digits.to_lowercase();
    let prefixed = |prefix: &str| lower.strip_prefix(prefix).map(str::to_owned);
    let (radix, digits) = match base {
        0 => match (prefixed("0x"), prefixed("0o"), prefixed("0b")) {
            (Some(digits), _, _) => (16, digits),
            (_, Some(digits), _) => (8, digits),
            (_, _, Some(digits)) => (2, digits),
            _ => (10, lower),
        },
        16 => (16, prefixed("0x").unwrap_or(lower)),
        8 => (8, prefixed("0o").unwrap_or(lower)),
        2 => (2, prefixed("0b").unwrap_or(lower)),
        base => (u32::try_from(base).ok().filter(|base| (2..=36).contains(base))?, lower),
    };
    if digits.starts_with(['-', '+', '_']) || digits.ends_with('_') || digits.contains("__") {
        return None;
    }
    let number = i64::from_str_radix(&digits.replace('_', ""), radix).ok()?;
    Some(if negative { -number } else { number })
}

fn float(_: &Interpreter<'_>, input: Val, args: &mut Args) -> Res {
    let default = args.next("default").unwrap_or(Val::Float(0.0));
    Ok(match &input {
        Val::Str(text) => parse_float(text).map_or(default, Val::Float),
        other => number(other).map_or(default, |number| Val::Float(number.float())),
    })
}

fn round(it: &Interpreter<'_>, input: Val, args: &mut Args) -> Res {
    let value = needed(&input)?;
    let precision = args.next("precision").map_or(Ok(0), |precision| whole(&precision))?.clamp(-300, 300) as i32;
    let factor = 10_f64.powi(precision);
    let method = string(it.runtime, args, "method", "common")?;
    let rounded = match &*method {
        "common" if precision >= 0 => format!("{value:.*}", precision as usize).parse().unwrap_or(value),
        "common" => (value * factor).round_ties_even() / factor,
        "ceil" => (value * factor).ceil() / factor,
        "floor" => (value * factor).floor() / factor,
        other => return Err(fail(format!("`{other}` is not a way to round: common, ceil or floor"))),
    };
    Ok(match input {
        // Python rounds a whole number to a whole number.
        Val::Int(_) | Val::Bool(_) if method == "common".into() => Val::Int(rounded as i64),
        _ => Val::Float(rounded),
    })
}

/// Letters of units, as ansible-core lists them: from yotta down.
const UNITS: [&str; 9] = ["Y", "Z", "E", "P", "T", "G", "M", "K", "B"];

/// How many bytes a unit stands for; zetta and yotta do not fit in 64 bits.
fn unit_size(letter: char) -> Option<f64> {
    let power = "BKMGTPEZY".find(letter)?;
    Some(1024_f64.powi(power as i32))
}

fn human_readable(it: &Interpreter<'_>, input: Val, args: &mut Args) -> Res {
    let size = needed(&input)?;
    let bits = flag(it.runtime, args, "isbits", false)?;
    let unit = super::optional(it.runtime, args, "unit")?;
    let base = if bits { "bits" } else { "Bytes" };
    for letter in UNITS {
        let limit = unit_size(letter.chars().next().unwrap_or('B')).unwrap_or(1.0);
        let fits = match &unit {
            Some(unit) => unit.to_uppercase().starts_with(letter),
            None => size >= limit,
        };
        if fits {
            let suffix = match letter {
                "B" => base.to_owned(),
                letter => format!("{letter}{}", if bits { "b" } else { "B" }),
            };
            return Ok(Val::str(format!("{:.2} {suffix}", size / limit)));
        }
    }
    Ok(Val::str(format!("{size:.2} {base}")))
}

fn human_to_bytes(it: &Interpreter<'_>, input: Val, args: &mut Args) -> Res {
    let text = it.runtime.string(&input)?;
    let default_unit = super::optional(it.runtime, args, "default_unit")?;
    let bits = flag(it.runtime, args, "isbits", false)?;
    let trimmed = text.trim();
    let end = trimmed.find(|c: char| !c.is_ascii_digit() && c != '.').unwrap_or(trimmed.len());
    let bad = || fail(format!("`{text}` is not a size like `10M`"));
    let value: f64 = trimmed[..end].parse().map_err(|_| bad())?;
    let unit = match trimmed[end..].trim() {
        "" => default_unit.as_deref().unwrap_or("B").to_owned(),
        unit => unit.to_owned(),
    };
    let letter = unit.chars().next().unwrap_or('B').to_ascii_uppercase();
    let size = unit_size(letter).ok_or_else(bad)?;
    let (long, short) = if bits { ("bit", "b") } else { ("byte", "B") };
    let rest = &unit[letter.len_utf8()..];
    let whole = unit.to_lowercase();
    let named = ["yotta", "zetta", "exa", "peta", "tera", "giga", "mega", "kilo", ""]
        .iter()
        .any(|power| whole == format!("{power}{long}"));
    let valid = rest.is_empty() || rest == short || named;
    if !valid {
        return Err(bad());
    }
    Ok(Val::Int((value * size).round() as i64))
}

fn file_size(it: &Interpreter<'_>, input: Val, args: &mut Args) -> Res {
    let size = match &input {
        Val::Str(text) => text.trim().parse::<f64>().map_err(|_| fail(format!("`{text}` is not a number")))?,
        other => needed(other)?,
    };
    let binary = flag(it.runtime, args, "binary", false)?;
    let (base, names) = if binary {
        (1024.0, ["KiB", "MiB", "GiB", "TiB", "PiB", "EiB", "ZiB", "YiB"])
    } else {
        (1000.0, ["kB", "MB", "GB", "TB", "PB", "EB", "ZB", "YB"])
    };
    if size < base {
        return Ok(Val::str(if size == 1.0 { "1 Byte".to_owned() } else { format!("{} Bytes", size as i64) }));
    }
    let mut unit = base;
    for (at, name) in names.iter().enumerate() {
        let next = unit * base;
        if size < next || at + 1 == names.len() {
            return Ok(Val::str(format!("{:.1} {name}", size / unit)));
        }
        unit = next;
    }
    unreachable!("the last unit takes everything")
}
