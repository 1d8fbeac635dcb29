//! Dates and times: `now`, `to_datetime`, `strftime`, differences.

use jiff::civil::DateTime;
use jiff::fmt::strtime;
use jiff::tz::TimeZone;
use jiff::{SignedDuration, Timestamp, Zoned};

use super::ast::Operator;
use super::error::fail;
use super::eval::Interpreter;
use super::runtime::{Runtime, number};
use super::val::{Args, Object, Res, Val};
use crate::vars::Key;

/// A point in time without a zone, as Python's naive `datetime`.
#[derive(Debug)]
pub(super) struct Datetime(pub(super) DateTime);

/// A difference of two.
#[derive(Debug)]
pub(super) struct Timedelta(SignedDuration);

impl Object for Datetime {
    fn type_name(&self) -> &'static str {
        "datetime"
    }

    fn get(&self, _: &Runtime, key: &Key) -> Res<Option<Val>> {
        let number = match key.as_str().unwrap_or("") {
            "year" => i64::from(self.0.year()),
            "month" => i64::from(self.0.month()),
            "day" => i64::from(self.0.day()),
            "hour" => i64::from(self.0.hour()),
            "minute" => i64::from(self.0.minute()),
            "second" => i64::from(self.0.second()),
            "microsecond" => i64::from(self.0.subsec_nanosecond() / 1000),
            _ => return Ok(None),
        };
        Ok(Some(Val::Int(number)))
    }

    fn method(&self, interpreter: &Interpreter<'_>, name: &str, args: &mut Args) -> Option<Res> {
        let result = match name {
            "strftime" => args.required("format").and_then(|format| {
                let format = interpreter.runtime.string(&format)?;
                format_local(&format, self.0).map(Val::str)
            }),
            "isoformat" => {
                let separator = args.next("sep").map_or_else(|| Ok("T".into()), |sep| interpreter.runtime.string(&sep));
                separator.map(|separator| Val::str(self.text().replacen(' ', &separator, 1)))
            }
            "timestamp" => match self.0.to_zoned(TimeZone::system()) {
                Ok(zoned) => Ok(Val::Float(zoned.timestamp().as_microsecond() as f64 / 1e6)),
                Err(error) => Err(fail(error.to_string())),
            },
            "date" => Ok(Val::str(self.0.date().to_string())),
            "time" => Ok(Val::str(self.0.time().to_string())),
            "weekday" => Ok(Val::Int(i64::from(self.0.weekday().to_monday_zero_offset()))),
            "isoweekday" => Ok(Val::Int(i64::from(self.0.weekday().to_monday_one_offset()))),
            _ => return None,
        };
        Some(result.and_then(|value| args.finish().map(|()| value)))
    }

    fn text(&self) -> String {
        let micros = self.0.subsec_nanosecond() / 1000;
        let fraction = if micros == 0 { String::new() } else { format!(".{micros:06}") };
        format!("{} {:02}:{:02}:{:02}{fraction}", self.0.date(), self.0.hour(), self.0.minute(), self.0.second())
    }

    fn any(&self) -> &dyn std::any::Any {
        self
    }
}

impl Object for Timedelta {
    fn type_name(&self) -> &'static str {
        "timedelta"
    }

    fn get(&self, _: &Runtime, key: &Key) -> Res<Option<Val>> {
        let seconds = self.0.as_secs() - i64::from(self.0.subsec_nanos() < 0);
        let value = match key.as_str().unwrap_or("") {
            "days" => seconds.div_euclid(86_400),
            "seconds" => seconds.rem_euclid(86_400),
            "microseconds" => i64::from(self.0.subsec_nanos()).rem_euclid(1_000_000_000) / 1000,
            _ => return Ok(None),
        };
        Ok(Some(Val::Int(value)))
    }

    fn method(&self, _: &Interpreter<'_>, name: &str, args: &mut Args) -> Option<Res> {
        (name == "total_seconds").then(|| args.finish().map(|()| Val::Float(self.0.as_secs_f64())))
    }

    fn text(&self) -> String {
        let seconds = self.0.as_secs();
        let (days, rest) = (seconds.div_euclid(86_400), seconds.rem_euclid(86_400));
        let clock = format!("{}:{:02}:{:02}", rest / 3600, rest % 3600 / 60, rest % 60);
        match days {
            0 => clock,
            1 | -1 => format!("{days} day, {clock}"),
            days => format!("{days} days, {clock}"),
        }
    }

    fn any(&self) -> &dyn std::any::Any {
        self
    }
}

/// `+` and `-` of dates and differences; none if there is nothing of the kind.
pub(super) fn arithmetic(operator: Operator, left: &Val, right: &Val) -> Option<Res> {
    let (Val::Object(left), Val::Object(right)) = (left, right) else { return None };
    let (left, right) = (left.any(), right.any());
    if let (Some(left), Some(right), Operator::Sub) =
        (left.downcast_ref::<Datetime>(), right.downcast_ref::<Datetime>(), operator)
    {
        return Some(Ok(Val::object(Timedelta(left.0.duration_since(right.0)))));
    }
    if let (Some(left), Some(right)) = (left.downcast_ref::<Timedelta>(), right.downcast_ref::<Timedelta>()) {
        let sum = if operator == Operator::Sub { left.0.checked_sub(right.0) } else { left.0.checked_add(right.0) };
        return Some(sum.map(|sum| Val::object(Timedelta(sum))).ok_or_else(|| fail("the difference is too large")));
    }
    let left = left.downcast_ref::<Datetime>()?;
    let right = right.downcast_ref::<Timedelta>()?;
    let moved = if operator == Operator::Sub { left.0.checked_sub(right.0) } else { left.0.checked_add(right.0) };
    Some(moved.map(|moved| Val::object(Datetime(moved))).map_err(|error| fail(error.to_string())))
}

fn format_local(format: &str, time: DateTime) -> Res<String> {
    let zoned = time.to_zoned(TimeZone::UTC).map_err(|error| fail(error.to_string()))?;
    strtime::format(pythonic(format, true), &zoned).map_err(|error| fail(format!("`{format}` is not a time format: {error}")))
}

/// `now(utc=False, fmt=None)`.
pub(super) fn now(interpreter: &Interpreter<'_>, args: &mut Args) -> Res {
    let utc = args.next("utc").map_or(Ok(false), |utc| interpreter.runtime.truth(&utc))?;
    let zone = if utc { TimeZone::UTC } else { TimeZone::system() };
    let now = Zoned::new(Timestamp::now(), zone).datetime();
    match args.next("fmt") {
        None | Some(Val::Null) => Ok(Val::object(Datetime(now))),
        Some(format) => format_local(&interpreter.runtime.string(&format)?, now).map(Val::str),
    }
}

/// `text | to_datetime(format)`.
pub(super) fn to_datetime(interpreter: &Interpreter<'_>, input: Val, args: &mut Args) -> Res {
    let text = interpreter.runtime.string(&input)?;
    let format =
        args.next("format").map_or_else(|| Ok("%Y-%m-%d %H:%M:%S".into()), |format| interpreter.runtime.string(&format))?;
    let bad = |error: jiff::Error| fail(format!("`{text}` does not fit the format `{format}`: {error}"));
    let broken = strtime::parse(&*format, &*text).map_err(bad)?;
    let time = broken.to_datetime().or_else(|_| broken.to_date().map(|date| date.at(0, 0, 0, 0))).map_err(bad)?;
    Ok(Val::object(Datetime(time)))
}

/// The format with what the library has in other words: Python's `%c`, `%x` and `%X` without a
/// locale, and (where there are no fractions of seconds) `%f`, which then means nothing.
fn pythonic(format: &str, fractions: bool) -> String {
    let mut out = String::with_capacity(format.len());
    let mut rest = format;
    while let Some(at) = rest.find('%') {
        out.push_str(&rest[..at]);
        let code = rest[at + 1..].chars().next();
        let width = 1 + code.map_or(0, char::len_utf8);
        out.push_str(match code {
            Some('c') => "%a %b %e %H:%M:%S %Y",
            Some('x') => "%m/%d/%y",
            Some('X') => "%H:%M:%S",
            Some('f') if fractions => "%6f",
            Some('f') => "%%f",
            None => "%%",
            _ => &rest[at..at + width],
        });
        rest = &rest[at + width..];
    }
    out + rest
}

/// `format | strftime(seconds, utc)`.
pub(super) fn strftime(interpreter: &Interpreter<'_>, input: Val, args: &mut Args) -> Res {
    let runtime = interpreter.runtime;
    let format = runtime.string(&input)?;
    let at = match args.next("second") {
        None | Some(Val::Null) => Timestamp::now(),
        Some(value) => {
            let seconds = match &value {
                Val::Str(text) => text.trim().parse::<f64>().ok(),
                other => number(other).map(super::runtime::Number::float),
            };
            let seconds = seconds.ok_or_else(|| fail("the time must be given in seconds since 1970"))?;
            Timestamp::from_microsecond((seconds * 1e6) as i64).map_err(|error| fail(error.to_string()))?
        }
    };
    let utc = args.next("utc").map_or(Ok(false), |utc| runtime.truth(&utc))?;
    let zoned = Zoned::new(at, if utc { TimeZone::UTC } else { TimeZone::system() });
    strtime::format(pythonic(&format, false), &zoned)
        .map(Val::str)
        .map_err(|error| fail(format!("`{format}` is not a time format: {error}")))
}
