//! Python's `%` operator, `str.format` and format specifications.

use std::sync::Arc;

use super::error::{Fault, TemplateError, TemplateErrorKind, fail};
use super::runtime::{Number, Runtime, number};
use super::val::{Res, Val};
use crate::vars::{Key, python};

/// `format % value`.
pub(super) fn percent(runtime: &Runtime, format: &str, value: &Val) -> Res<String> {
    let tuple = match value {
        Val::Tuple(items) => items.to_vec(),
        other => vec![other.clone()],
    };
    let mut values = tuple.into_iter();
    let mut used_names = false;
    let mut out = String::new();
    let mut chars = format.chars().peekable();
    while let Some(c) = chars.next() {
        if c != '%' {
            out.push(c);
            continue;
        }
        if chars.peek() == Some(&'%') {
            chars.next();
            out.push('%');
            continue;
        }
        let mut named = None;
        if chars.peek() == Some(&'(') {
            chars.next();
            let name: String = chars.by_ref().take_while(|c| *c != ')').collect();
            used_names = true;
            let found = runtime.get(value, &Key::from(name.as_str()))?;
            named = Some(found.ok_or_else(|| fail(format!("there is no value `{name}` to format")))?);
        }
        let mut spec = Spec { sign: None, ..Spec::default() };
        let mut left = false;
        while let Some(flag) = chars.peek().copied().filter(|c| "-+ #0".contains(*c)) {
            chars.next();
            match flag {
                '-' => left = true,
                '0' => spec.zero = true,
                '#' => spec.alternate = true,
                sign => spec.sign = Some(sign),
            }
        }
        let mut size = |values: &mut std::vec::IntoIter<Val>| -> Res<Option<usize>> {
            if chars.peek() == Some(&'*') {
                chars.next();
                return match values.next() {
                    Some(Val::Int(number)) => Ok(usize::try_from(number).ok()),
                    _ => Err(fail("`*` needs a whole number")),
                };
            }
            let digits: String = std::iter::from_fn(|| chars.next_if(char::is_ascii_digit)).collect();
            Ok(digits.parse().ok())
        };
        spec.width = size(&mut values)?.unwrap_or(0);
        if chars.next_if_eq(&'.').is_some() {
            let mut digits = String::new();
            while let Some(digit) = chars.next_if(char::is_ascii_digit) {
                digits.push(digit);
            }
            spec.precision = Some(digits.parse().unwrap_or(0));
        }
        while chars.next_if(|c| "hlL".contains(*c)).is_some() {}
        let Some(kind) = chars.next() else { return Err(fail("the format ends in the middle of a `%`")) };
        let value = match named {
            Some(value) => value,
            None => values.next().ok_or_else(|| fail("there are fewer values than `%` in the format"))?,
        };
        runtime.solid(&value)?;
        spec.align = Some(if left { '<' } else { '>' });
        let text = match kind {
            's' => pad(&cut(&runtime.string(&value)?, spec.precision), &Spec { zero: false, ..spec.clone() }),
            'r' | 'a' => pad(&cut(&runtime.repr(&value)?, spec.precision), &Spec { zero: false, ..spec.clone() }),
            'c' => match &value {
                Val::Int(code) => {
                    pad(&u32::try_from(*code).ok().and_then(char::from_u32).map(String::from).unwrap_or_default(), &spec)
                }
                other => pad(&runtime.string(other)?, &spec),
            },
            'd' | 'i' | 'u' => {
                let whole = match number(&value) {
                    Some(Number::Int(number)) => number,
                    Some(Number::Float(number)) => number.trunc() as i64,
                    None => return Err(fail(format!("`%{kind}` needs a number, not a `{}`", value.type_name()))),
                };
                numeric(whole < 0, &whole.unsigned_abs().to_string(), &spec, left)
            }
            'x' | 'X' | 'o' => {
                let Some(Number::Int(whole)) = number(&value) else {
                    return Err(fail(format!("`%{kind}` needs a whole number, not a `{}`", value.type_name())));
                };
                numeric(whole < 0, &radix(whole.unsigned_abs(), kind, spec.alternate), &spec, left)
            }
            'f' | 'F' | 'e' | 'E' | 'g' | 'G' => {
                let Some(number) = number(&value) else {
                    return Err(fail(format!("`%{kind}` needs a number, not a `{}`", value.type_name())));
                };
                let number = number.float();
                numeric(number.is_sign_negative(), &float(number.abs(), kind, spec.precision), &spec, left)
            }
            other => return Err(fail(format!("`%{other}` is not a format"))),
        };
        runtime.bytes(text.len())?;
        out.push_str(&text);
    }
    let left_over = values.next().is_some_and(|value| !used_names && !value.is_mapping(runtime));
    if left_over { Err(fail("there are more values than `%` in the format")) } else { Ok(out) }
}

/// `format.format(...)`.
pub(super) fn format(runtime: &Runtime, format: &str, plain: &[Val], named: &[(Arc<str>, Val)]) -> Res<String> {
    let mut out = String::new();
    let mut rest = format;
    let mut next = 0;
    while let Some(at) = rest.find(['{', '}']) {
        out.push_str(&rest[..at]);
        let brace = &rest[at..=at];
        rest = &rest[at + 1..];
        if rest.starts_with(brace) {
            out.push_str(brace);
            rest = &rest[1..];
            continue;
        }
        if brace == "}" {
            return Err(fail("a single `}` stands in the format"));
        }
        let end = field_end(rest).ok_or_else(|| fail("a `{` of the format is not closed"))?;
        let field = &rest[..end];
        rest = &rest[end + 1..];
        let (field, spec) = field.split_once(':').unwrap_or((field, ""));
        let (path, conversion) = field.split_once('!').unwrap_or((field, ""));
        let name_end = path.find(['.', '[']).unwrap_or(path.len());
        let (name, mut path) = path.split_at(name_end);
        let mut value = if name.is_empty() {
            next += 1;
            plain.get(next - 1).cloned()
        } else if let Ok(at) = name.parse::<usize>() {
            plain.get(at).cloned()
        } else {
            named.iter().find(|(own, _)| &**own == name).map(|(_, value)| value.clone())
        }
        .ok_or_else(|| fail(format!("there is no value for `{{{name}}}`")))?;
        while !path.is_empty() {
            let (key, after) = if let Some(item) = path.strip_prefix('[') {
                item.split_once(']').ok_or_else(|| fail("a `[` of the format is not closed"))?
            } else {
                let attribute = &path[1..];
                attribute.split_at(attribute.find(['.', '[']).unwrap_or(attribute.len()))
            };
            let key = key.parse().map_or_else(|_| Key::from(key), Key::Int);
            value = runtime.get(&value, &key)?.ok_or_else(|| fail(format!("`{name}` has no `{key}`")))?;
            path = after;
        }
        let value = match conversion {
            "r" | "a" => Val::str(runtime.repr(&value)?),
            "s" => Val::Str(runtime.string(&value)?),
            _ => value,
        };
        let spec = if spec.contains('{') { self::format(runtime, spec, plain, named)? } else { spec.to_owned() };
        let text = specified(runtime, &value, &spec)?;
        runtime.bytes(text.len())?;
        out.push_str(&text);
    }
    out.push_str(rest);
    Ok(out)
}

fn field_end(text: &str) -> Option<usize> {
    let mut depth = 0;
    for (at, c) in text.char_indices() {
        match c {
            '{' => depth += 1,
            '}' if depth == 0 => return Some(at),
            '}' => depth -= 1,
            _ => {}
        }
    }
    None
}

#[derive(Debug, Clone, Default)]
struct Spec {
    fill: Option<char>,
    align: Option<char>,
    sign: Option<char>,
    alternate: bool,
    zero: bool,
    width: usize,
    grouping: Option<char>,
    precision: Option<usize>,
}

/// `format(value, spec)`.
fn specified(runtime: &Runtime, value: &Val, text: &str) -> Res<String> {
    let chars: Vec<char> = text.chars().collect();
    let mut at = 0;
    let mut spec = Spec::default();
    if chars.get(1).is_some_and(|c| "<>=^".contains(*c)) {
        spec.fill = Some(chars[0]);
        spec.align = Some(chars[1]);
        at = 2;
    } else if chars.first().is_some_and(|c| "<>=^".contains(*c)) {
        spec.align = Some(chars[0]);
        at = 1;
    }
    if chars.get(at).is_some_and(|c| "+- ".contains(*c)) {
        spec.sign = Some(chars[at]);
        at += 1;
    }
    if chars.get(at) == Some(&'#') {
        spec.alternate = true;
        at += 1;
    }
    if chars.get(at) == Some(&'0') {
        spec.zero = spec.align.is_none();
        at += 1;
    }
    let digits = |at: &mut usize| {
        let mut number = String::new();
        while let Some(digit) = chars.get(*at).filter(|c| c.is_ascii_digit()) {
            number.push(*digit);
            *at += 1;
        }
        number.parse::<usize>().ok()
    };
    spec.width = digits(&mut at).unwrap_or(0);
    if chars.get(at).is_some_and(|c| ",_".contains(*c)) {
        spec.grouping = Some(chars[at]);
        at += 1;
    }
    if chars.get(at) == Some(&'.') {
        at += 1;
        spec.precision = digits(&mut at);
    }
    let kind = chars.get(at).copied();
    if chars.len() > at + 1 {
        return Err(fail(format!("`{text}` is not a format specification")));
    }
    let Some(number) = number(value).filter(|_| kind != Some('s') && !(kind.is_none() && matches!(value, Val::Bool(_)))) else {
        if let Some(kind) = kind.filter(|kind| *kind != 's') {
            return Err(fail(format!("the format `{kind}` does not work on a `{}`", value.type_name())));
        }
        let text = cut(&runtime.string(value)?, spec.precision);
        return Ok(pad(&text, &Spec { align: spec.align.or(Some('<')), ..spec }));
    };
    let negative = number.float() < 0.0;
    let digits = match (kind, number) {
        (None | Some('d' | 'n'), Number::Int(whole)) => whole.unsigned_abs().to_string(),
        (Some(kind @ ('x' | 'X' | 'o' | 'b')), Number::Int(whole)) => radix(whole.unsigned_abs(), kind, spec.alternate),
        (Some('c'), Number::Int(code)) => u32::try_from(code).ok().and_then(char::from_u32).map(String::from).unwrap_or_default(),
        (None, Number::Float(number)) if spec.precision.is_none() => python::float(number.abs()),
        (None, number) => float(number.float().abs(), 'g', spec.precision),
        (Some('%'), number) => format!("{}%", float(number.float().abs() * 100.0, 'f', spec.precision)),
        (Some(kind @ ('f' | 'F' | 'e' | 'E' | 'g' | 'G')), number) => float(number.float().abs(), kind, spec.precision),
        (Some(kind), _) => return Err(fail(format!("the format `{kind}` does not work on a `{}`", value.type_name()))),
    };
    let digits = match spec.grouping {
        Some(separator) => grouped(&digits, separator),
        None => digits,
    };
    Ok(numeric(negative, &digits, &spec, spec.align == Some('<')))
}

fn grouped(digits: &str, separator: char) -> String {
    let (whole, rest) = digits.split_at(digits.find('.').unwrap_or(digits.len()));
    let mut out = String::new();
    for (at, digit) in whole.chars().enumerate() {
        if at > 0 && (whole.len() - at).is_multiple_of(3) {
            out.push(separator);
        }
        out.push(digit);
    }
    out + rest
}

fn numeric(negative: bool, digits: &str, spec: &Spec, left: bool) -> String {
    let sign = match (negative, spec.sign) {
        (true, _) => "-",
        (false, Some('+')) => "+",
        (false, Some(' ')) => " ",
        _ => "",
    };
    if (spec.zero && !left) || spec.align == Some('=') {
        let fill = if spec.zero { '0' } else { spec.fill.unwrap_or(' ') };
        let missing = spec.width.saturating_sub(sign.len() + digits.chars().count());
        return format!("{sign}{}{digits}", String::from(fill).repeat(missing.min(1 << 20)));
    }
    pad(&format!("{sign}{digits}"), &Spec { align: spec.align.or(Some('>')), ..spec.clone() })
}

fn pad(text: &str, spec: &Spec) -> String {
    let missing = spec.width.saturating_sub(text.chars().count()).min(1 << 20);
    let fill = String::from(spec.fill.unwrap_or(if spec.zero { '0' } else { ' ' }));
    match spec.align {
        Some('<') => format!("{text}{}", fill.repeat(missing)),
        Some('^') => format!("{}{text}{}", fill.repeat(missing / 2), fill.repeat(missing - missing / 2)),
        _ => format!("{}{text}", fill.repeat(missing)),
    }
}

fn cut(text: &str, precision: Option<usize>) -> String {
    precision.map_or_else(|| text.to_owned(), |precision| text.chars().take(precision).collect())
}

fn radix(number: u64, kind: char, alternate: bool) -> String {
    match (kind, alternate) {
        ('x', false) => format!("{number:x}"),
        ('x', true) => format!("{number:#x}"),
        ('X', false) => format!("{number:X}"),
        ('X', true) => format!("0X{number:X}"),
        ('o', false) => format!("{number:o}"),
        ('o', true) => format!("{number:#o}"),
        (_, false) => format!("{number:b}"),
        (_, true) => format!("{number:#b}"),
    }
}

fn float(number: f64, kind: char, precision: Option<usize>) -> String {
    let precision = precision.unwrap_or(6).min(300);
    let exponent = |text: String| {
        let (digits, exponent) = text.split_once('e').expect("`{:e}` writes an exponent");
        let value: i32 = exponent.parse().expect("`{:e}` writes a whole exponent");
        format!("{digits}e{}{:02}", if value < 0 { '-' } else { '+' }, value.abs())
    };
    let text = match kind {
        'f' | 'F' => format!("{number:.precision$}"),
        'e' | 'E' => exponent(format!("{number:.precision$e}")),
        _ => {
            let precision = precision.max(1);
            let scientific = format!("{number:.*e}", precision - 1);
            let power: i32 = scientific.split_once('e').and_then(|(_, power)| power.parse().ok()).unwrap_or(0);
            let trimmed = |text: &str| {
                if text.contains('.') { text.trim_end_matches('0').trim_end_matches('.').to_owned() } else { text.to_owned() }
            };
            if power < -4 || power >= precision as i32 {
                let (digits, power) = scientific.split_once('e').expect("`{:e}` writes an exponent");
                exponent(format!("{}e{power}", trimmed(digits)))
            } else {
                trimmed(&format!("{number:.*}", (precision as i32 - 1 - power).max(0) as usize))
            }
        }
    };
    if kind.is_ascii_uppercase() { text.to_uppercase() } else { text }
}

/// Text, where Python makes none of other things.
pub(super) fn text(runtime: &Runtime, value: &Val) -> Res<Arc<str>> {
    runtime.solid(value)?;
    value.as_str().map_or_else(|| Err(needs_text(value)), |text| Ok(Arc::clone(text)))
}

/// What needs text refuses other things the same way.
pub(super) fn needs_text(value: &Val) -> Fault {
    TemplateError::new(TemplateErrorKind::Failed, format!("text is needed, not a `{}`", value.type_name())).into()
}
