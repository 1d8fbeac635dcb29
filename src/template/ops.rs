//! Python's operators.

use super::ast::Operator;
use super::error::fail;
use super::runtime::{Number, Runtime, number};
use super::val::{Res, Val};
use super::{formatting, time};

pub(super) fn binary(runtime: &Runtime, operator: Operator, left: &Val, right: &Val) -> Res {
    if operator == Operator::Concat {
        let text = [runtime.string(left)?, runtime.string(right)?].concat();
        return Ok(Val::str(text));
    }
    if let (Some(left), Some(right)) = (number(left), number(right)) {
        return arithmetic(operator, left, right);
    }
    match (operator, left, right) {
        (Operator::Add, Val::Str(left), Val::Str(right)) => {
            runtime.bytes(left.len() + right.len())?;
            Ok(Val::str([&**left, &**right].concat()))
        }
        (Operator::Add, Val::Tuple(_), Val::Tuple(_)) => {
            let mut items = runtime.items(left)?;
            items.extend(runtime.items(right)?);
            Ok(Val::tuple(items))
        }
        (Operator::Add, _, _) if left.is_list() && right.is_list() && !is_tuple(left) && !is_tuple(right) => {
            let mut items = runtime.items(left)?;
            items.extend(runtime.items(right)?);
            runtime.bytes(items.len() * 16)?;
            Ok(Val::list(items))
        }
        (Operator::Rem, Val::Str(format), _) => formatting::percent(runtime, format, right).map(Val::str),
        (Operator::Mul, Val::Int(times), repeated) | (Operator::Mul, repeated, Val::Int(times)) => {
            repeat(runtime, repeated, *times)
        }
        (Operator::Add | Operator::Sub, Val::Object(_), _) | (Operator::Add, _, Val::Object(_)) => {
            time::arithmetic(operator, left, right).unwrap_or_else(|| refuse(operator, left, right))
        }
        _ => refuse(operator, left, right),
    }
}

fn is_tuple(value: &Val) -> bool {
    matches!(value, Val::Tuple(_))
}

fn refuse(operator: Operator, left: &Val, right: &Val) -> Res {
    let sign = match operator {
        Operator::Add => "+",
        Operator::Sub => "-",
        Operator::Mul => "*",
        Operator::Div => "/",
        Operator::FloorDiv => "//",
        Operator::Rem => "%",
        Operator::Pow => "**",
        Operator::Concat => "~",
    };
    Err(fail(format!("`{sign}` does not work on a `{}` and a `{}`", left.type_name(), right.type_name())))
}

fn repeat(runtime: &Runtime, repeated: &Val, times: i64) -> Res {
    let times = usize::try_from(times).unwrap_or(0);
    match repeated {
        Val::Str(text) => {
            runtime.bytes(text.len().saturating_mul(times))?;
            Ok(Val::str(text.repeat(times)))
        }
        list if list.is_list() => {
            let items = runtime.items(list)?;
            runtime.bytes(items.len().saturating_mul(times).saturating_mul(16))?;
            Ok(Val::list(std::iter::repeat_n(items, times).flatten().collect()))
        }
        other => refuse(Operator::Mul, other, &Val::Int(0)),
    }
}

fn too_large() -> super::error::Fault {
    fail("the result is too large for a whole number")
}

fn arithmetic(operator: Operator, left: Number, right: Number) -> Res {
    if let (Number::Int(left), Number::Int(right)) = (left, right) {
        let whole = |result: Option<i64>| result.map(Val::Int).ok_or_else(too_large);
        return match operator {
            Operator::Add => whole(left.checked_add(right)),
            Operator::Sub => whole(left.checked_sub(right)),
            Operator::Mul => whole(left.checked_mul(right)),
            Operator::Div if right == 0 => Err(fail("division by zero")),
            Operator::Div => Ok(Val::Float(left as f64 / right as f64)),
            Operator::FloorDiv | Operator::Rem if right == 0 => Err(fail("division by zero")),
            Operator::FloorDiv => whole(
                left.checked_div(right)
                    .map(|quotient| if left % right != 0 && (left < 0) != (right < 0) { quotient - 1 } else { quotient }),
            ),
            Operator::Rem => whole(
                left.checked_rem(right).map(|rest| if rest != 0 && (rest < 0) != (right < 0) { rest + right } else { rest }),
            ),
            Operator::Pow if right >= 0 => {
                whole(u32::try_from(right).ok().and_then(|power| left.checked_pow(power)).or(match left {
                    0 | 1 => Some(left),
                    _ => None,
                }))
            }
            Operator::Pow => Ok(Val::Float((left as f64).powf(right as f64))),
            Operator::Concat => unreachable!("handled before"),
        };
    }
    let (left, right) = (left.float(), right.float());
    Ok(Val::Float(match operator {
        Operator::Add => left + right,
        Operator::Sub => left - right,
        Operator::Mul => left * right,
        Operator::Div | Operator::FloorDiv | Operator::Rem if right == 0.0 => return Err(fail("division by zero")),
        Operator::Div => left / right,
        Operator::FloorDiv => (left / right).floor(),
        Operator::Rem => left - right * (left / right).floor(),
        Operator::Pow => left.powf(right),
        Operator::Concat => unreachable!("handled before"),
    }))
}

pub(super) fn negative(runtime: &Runtime, value: &Val) -> Res {
    runtime.solid(value)?;
    match number(value) {
        Some(Number::Int(number)) => number.checked_neg().map(Val::Int).ok_or_else(too_large),
        Some(Number::Float(number)) => Ok(Val::Float(-number)),
        None => Err(fail(format!("`-` does not work on a `{}`", value.type_name()))),
    }
}

/// `value[start:stop:step]`.
pub(super) fn slice(runtime: &Runtime, value: &Val, start: Option<&Val>, stop: Option<&Val>, step: Option<&Val>) -> Res {
    let bound = |bound: Option<&Val>| match bound {
        None | Some(Val::Null) => Ok(None),
        Some(Val::Int(number)) => Ok(Some(*number)),
        Some(other) => {
            runtime.solid(other)?;
            Err(fail(format!("a slice needs whole numbers, not a `{}`", other.type_name())))
        }
    };
    let (start, stop, step) = (bound(start)?, bound(stop)?, bound(step)?.unwrap_or(1));
    if step == 0 {
        return Err(fail("the step of a slice cannot be 0"));
    }
    let items = runtime.items(value)?;
    let length = items.len() as i64;
    let clamp = |at: i64, low: i64, high: i64| (if at < 0 { at.saturating_add(length) } else { at }).clamp(low, high);
    let mut kept = Vec::new();
    if step > 0 {
        let (mut at, stop) = (start.map_or(0, |at| clamp(at, 0, length)), stop.map_or(length, |at| clamp(at, 0, length)));
        while at < stop {
            kept.push(items[at as usize].clone());
            at = at.saturating_add(step);
        }
    } else {
        let (mut at, stop) =
            (start.map_or(length - 1, |at| clamp(at, -1, length - 1)), stop.map_or(-1, |at| clamp(at, -1, length - 1)));
        while at > stop {
            kept.push(items[at as usize].clone());
            at = at.saturating_add(step);
        }
    }
    match value {
        Val::Str(_) => Ok(Val::str(kept.iter().filter_map(Val::as_str).map(|c| &**c).collect::<String>())),
        Val::Tuple(_) => Ok(Val::tuple(kept)),
        _ => Ok(Val::list(kept)),
    }
}
